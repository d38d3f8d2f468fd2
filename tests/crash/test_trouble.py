"""What comes between while `lunform apply` works: signals, a closed terminal, a full disk, answers that do not come."""

from __future__ import annotations

import itertools
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from planner.execution import scheduler
from planner.state.sqlite import open_sqlite
from tests.command import ROOT, lunform
from tests.crash.points import Case
from tests.crash.processes import warm_up
from tests.crash.worlds import solidfire_life
from tests.emulators.running import Element
from tests.project import Project
from tests.rigs.process import require

SITE = """
provider "sandbox" {
  SETTINGS
}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 100
  burst_iops = 200
}

pool "ssd" {
  provider = sandbox
}

host "kvm" {
  provider  = sandbox
  initiator = "iqn.1993-08.org.debian:01:kvm"
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "1GiB"
  attach {
    host = host.kvm
    vm   = "db-01"
  }
}
"""
BUSY = 'faults = [{ verb = "create_async", effect = "retry", match = "volume.db[\\"wal\\"]" }]'
"""One volume is made and the other never is."""

COMMAND = [sys.executable, "-m", "planner.cli.main", "apply", "-auto-approve"]


def write(directory: Path, settings: str) -> None:
    (directory / "main.lun.hcl").write_text(SITE.replace("SETTINGS", settings))


@contextmanager
def begun(directory: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*COMMAND, *flags], cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    assert any(text in line for line in process.stdout), f"it ended without {text!r}"


def names(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "sandbox.db")) as array:
        return [name for (name,) in array.execute("SELECT name FROM volume ORDER BY name")]


def is_closed(directory: Path) -> bool:
    """The last run has an end, and nothing is in doubt."""
    with closing(open_sqlite(directory / "lunform.state")) as store:
        return store.runs()[-1].finished is not None and not store.read().in_doubt


def goes_on(directory: Path) -> str:
    """The next apply brings both volumes to their end; what it said of the last one."""
    write(directory, "")
    said = lunform("apply", "-auto-approve", directory=directory)
    assert names(directory) == ["volume-db-data", "volume-db-wal"]
    return said.errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_lets_end_what_runs_and_starts_nothing_new(tmp_path: Path, number: signal.Signals) -> None:
    write(tmp_path, BUSY)
    with begun(tmp_path) as process:
        read_until(process, "again in")
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Stopping: " in said
    assert "The sandbox is busy; the run was stopped" in said
    assert is_closed(tmp_path)
    assert goes_on(tmp_path) == ""


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    write(tmp_path, "async_after = 3600000")
    with begun(tmp_path) as process:
        read_until(process, "create_async (pool.ssd)...")
        process.send_signal(signal.SIGINT)
        read_until(process, "Stopping")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "the next run looks it up" in said
    if (tmp_path / "sandbox.db").exists():  # a call had got there before the process left
        with closing(sqlite3.connect(tmp_path / "sandbox.db")) as array, array:
            array.execute("UPDATE job SET due = 0")
    goes_on(tmp_path)


def test_a_terminal_that_is_closed_is_like_ctrl_c(tmp_path: Path) -> None:
    write(tmp_path, BUSY)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(tmp_path)
        os.execve(COMMAND[0], COMMAND, {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"})
    shown = b""
    while b"again in" not in shown:
        shown += os.read(terminal, 65536)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert is_closed(tmp_path)
    goes_on(tmp_path)


def test_a_reader_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    write(tmp_path, "latency = 5")
    with begun(tmp_path) as process:
        read_until(process, "create_async (pool.ssd)...")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=60) == 0
    assert is_closed(tmp_path)
    goes_on(tmp_path)


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    require("mount", "umount")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "tmpfs", str(small)], check=True)
    try:
        backend = f'lunform {{\n  backend "sqlite" {{\n    path = "{small}/lunform.state"\n  }}\n}}\n'
        (tmp_path / "backend.lun.hcl").write_text(backend)
        more = 'volume "more" {\n  count    = 100\n  offering = disk_offering.fast\n  size     = "1GiB"\n}\n'
        (tmp_path / "more.lun.hcl").write_text(more)
        write(tmp_path, "")
        failed = lunform("apply", "-auto-approve", directory=tmp_path, code=1)
        assert "There is no room for the state" in failed.errors
        subprocess.run(["mount", "-o", "remount,size=2m", str(small)], check=True)
        lunform("apply", "-auto-approve", directory=tmp_path)
        assert len(names(tmp_path)) == len(set(names(tmp_path))) == 102
        lunform("scan", directory=tmp_path)
        with (small / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space left"):
            while True:
                filler.write(bytes(4096))
        failed = lunform("plan", "-destroy", f"-out={small}/plan", directory=tmp_path, code=1)
        assert "No space left on device" in failed.errors
        assert {path.name for path in small.iterdir()} == {"lunform.state", "lunform.state.lock", "filler"}
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_answers_that_are_late_or_lost_are_asked_for_again(tmp_path: Path) -> None:
    once = "times = 1 }"
    write(
        tmp_path,
        f'faults = [{{ verb = "create_async", effect = "lose", {once}, {{ verb = "attach", effect = "retry", {once}]',
    )
    said = lunform("apply", "-auto-approve", directory=tmp_path).output
    assert "again in" in said
    assert "The sandbox's answer was lost" in said
    assert "The sandbox is busy" in said
    assert "Apply complete!" in said
    assert is_closed(tmp_path)
    goes_on(tmp_path)


@pytest.mark.parametrize(("access", "effect"), [("groups", "lost"), ("groups", "reset"), ("chap", "lost")])
def test_each_answer_of_a_cluster_is_lost_in_each_phase_of_a_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, element: Element, access: str, effect: str
) -> None:
    """After the call has had its effect, or before it."""
    warm_up(tmp_path)
    monkeypatch.setattr(scheduler, "_FIRST_DELAY", 0.01)
    life = solidfire_life(tmp_path / "world", element, access)
    life.trace()
    changing = {method for method in element.calls() if not method.startswith(("Get", "List"))}
    lost = set()
    life.begin()
    for phase in life.phases:
        life.enter(phase)
        for method in changing:
            element.fail(method, effect)
        life.run(life.apply())
        lost |= changing - {fault["method"] for fault in element.order()["faults"]}
        element.order(forget=True)
        result = life.recover(Case(phase, ()), 0)
        assert not result.difference
        assert not (result.look.orphans or result.look.twins or result.look.lost)
    assert lost == changing


def test_a_run_that_waits_for_the_state_is_left_at_once(tmp_path: Path) -> None:
    write(tmp_path, "")
    with (
        closing(open_sqlite(tmp_path / "lunform.state")) as store,
        store.lock("test"),
        begun(tmp_path, "-lock-timeout=1h") as process,
    ):
        read_until(process, "Waiting up to 1h00m")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert not (tmp_path / "lunform.state").exists()


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    retried = 'path = PATH\n  faults = [{ verb = "create_async", effect = "retry", times = 1 }]'
    project = Project(tmp_path, SITE.replace("SETTINGS", retried))
    jumps = itertools.cycle((0.0, 4e9))
    monkeypatch.setattr(time, "time", lambda: next(jumps))
    assert project.apply().complete
    assert project.plan().is_empty


def test_the_same_failure_of_many_is_told_once(tmp_path: Path) -> None:
    write(tmp_path, 'faults = [{ verb = "create_async", effect = "refuse" }]')
    said = lunform("apply", "-auto-approve", directory=tmp_path, code=1).output
    summary = said[said.index("Apply incomplete.") :]
    assert summary.count("The sandbox refuses") == 1
    assert 'volume.db["data"]: create_async; volume.db["wal"]: create_async' in summary
    assert is_closed(tmp_path)


def test_a_killed_run_is_named_and_what_it_did_is_told(tmp_path: Path) -> None:
    write(tmp_path, "")
    environment = {"LUNFORM_CRASH": "create_async:after-call 2"}
    lunform("apply", "-auto-approve", "-parallelism=1", directory=tmp_path, code=-9, environment=environment)
    for said in (lunform("plan", directory=tmp_path).errors, goes_on(tmp_path)):  # a plan only looks
        assert "Interrupted: the apply that " in said
        assert 'Recovered: volume.db["wal"] had been created; recorded.' in said
    assert lunform("plan", directory=tmp_path).errors == ""
