"""Several threads and several processes on one file, and processes that are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import Done, Pending, Rejected
from providers.sandbox.faults import KILL_VARIABLE, kill_switch

CLIENT = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from planner.sdk import *
from providers.sandbox import PROVIDER

job = json.loads(sys.argv[1])
array = PROVIDER.open_storage(job["settings"])
pool = PoolSpec("pool.fast", job["pool"])
endpoint = Endpoint("kvm1", "10.0.0.11", None)

def make(name, intent):
    owner = Owner("lineage", "volume." + name, intent)
    try:
        reply = array.create_async(CreateVolume(pool, name, 1 << 30, Qos(10, 20, 30), owner))
    except (Rejected, Conflict) as error:
        return type(error).__name__
    if isinstance(reply, Pending):
        return reply.job
    array.grant_access(GrantAccess(pool, reply.value.id, endpoint))
    return reply.value.id

print("up", flush=True)
input()
with ThreadPoolExecutor(job["threads"]) as threads:
    volumes = list(threads.map(make, job["names"], job["intents"]))
# Only now: an array whose file is not made yet has no identity of its own.
print(json.dumps([array.inspect().identity, volumes]))
"""


def start(
    path: Path, names: list[str], intents: list[str], kill: str = "", pool: Any = None, **settings: Any
) -> subprocess.Popen[str]:
    """Another process that makes volumes, once it is told to go on."""
    job = {
        "settings": {"path": str(path), **settings},
        "pool": pool or {},
        "names": names,
        "intents": intents,
        "threads": 1 if kill else 8,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", CLIENT, json.dumps(job)],
        env={**os.environ, KILL_VARIABLE: kill},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "up\n"
    return process


def run_killed(path: Path, names: list[str], intents: list[str], kill: str, **settings: Any) -> None:
    """A process that makes volumes until it is killed."""
    with start(path, names, intents, kill, **settings) as process:
        assert process.communicate("\n", timeout=60)[0] == ""
        assert process.returncode == -signal.SIGKILL


def run_together(path: Path, *jobs: tuple[list[str], list[str]], **options: Any) -> list[tuple[str, list[str]]]:
    """What processes answer that begin at the same time."""
    processes = [start(path, names, intents, **options) for names, intents in jobs]
    with ThreadPoolExecutor(len(processes)) as threads:
        outputs = list(threads.map(lambda process: process.communicate("\n", timeout=60)[0], processes))
    assert [process.returncode for process in processes] == [0] * len(jobs)
    return [json.loads(output) for output in outputs]


def test_processes_that_make_the_file_at_once_share_one(tmp_path: Path) -> None:
    answers = run_together(tmp_path / "sandbox.db", *[([f"v{number}"], [f"{number:016x}"]) for number in range(4)])
    assert len({identity for identity, _ in answers}) == 1
    assert len({volume for _, (volume,) in answers}) == 4
    assert not list(tmp_path.glob(".*")), "drafts of the file are cleared away"


def test_processes_and_threads_with_equal_requests_make_each_volume_once(
    open_site: Callable[..., Any], tmp_path: Path
) -> None:
    names = [f"v{number % 50}" for number in range(200)]
    intents = [f"{number % 50:016x}" for number in range(200)]
    (_, first), (_, second) = run_together(tmp_path / "sandbox.db", (names, intents), (names, intents))
    assert first == second
    site = open_site()
    assert sorted(site.names()) == sorted(set(names))
    assert all(volume.grants == ("10.0.0.11",) for volume in site.array.list_volumes(site.pool))
    status = site.array.pool_status(site.pool)
    assert (status.used, status.floors) == (50 << 30, 500)


def test_processes_and_threads_cannot_overfill_a_pool(open_site: Callable[..., Any], tmp_path: Path) -> None:
    jobs = [
        ([f"p{process}-{number}" for number in range(60)], [f"{process}{number:015x}" for number in range(60)])
        for process in range(2)
    ]
    answers = run_together(tmp_path / "sandbox.db", *jobs, pool={"size": "70GiB", "iops": 700})
    results = [result for _, results in answers for result in results]
    assert results.count("Rejected") == 50
    assert len(open_site().names()) == 70


def test_slow_calls_do_not_wait_for_each_other(open_site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    site = open_site(latency=1000)
    together = threading.Barrier(8, timeout=20)  # broken, if one call's latency kept another from beginning
    monkeypatch.setattr(time, "sleep", lambda seconds: seconds == 1 and together.wait())
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda number: site.create(f"v{number}").name, range(8)))
    assert sorted(made) == [f"v{number}" for number in range(8)]


@pytest.mark.parametrize(
    ("kill", "left"),
    [
        ("create_async:before:1", []),
        ("create_async:after:1", ["v0"]),
        ("create_async:before:3", ["v0", "v1"]),
        ("create_async:after:3", ["v0", "v1", "v2"]),
        ("grant_access:before:2", ["v0", "v1"]),
    ],
)
def test_kill_switch_stops_the_process_at_its_point(
    open_site: Callable[..., Any], tmp_path: Path, kill: str, left: list[str]
) -> None:
    names, intents = [f"v{number}" for number in range(5)], [f"{number:016x}" for number in range(5)]
    run_killed(tmp_path / "sandbox.db", names, intents, kill)
    site = open_site()
    assert site.names() == left
    again = [site.create(name, qos=None, intent=intent) for name, intent in zip(names, intents, strict=True)]
    assert [volume.id for volume in again] == [f"vol-{number + 1}" for number in range(5)]


def test_kill_after_the_grant_leaves_the_grant(open_site: Callable[..., Any], tmp_path: Path) -> None:
    run_killed(tmp_path / "sandbox.db", ["v0"], ["0" * 16], "grant_access:after:1")
    site = open_site()
    assert [volume.grants for volume in site.array.list_volumes(site.pool)] == [("10.0.0.11",)]


def test_jobs_of_a_killed_process_go_on(
    open_site: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intents = ["0" * 16, "1" * 16]
    run_killed(tmp_path / "sandbox.db", ["v0", "v1"], intents, "create_async:after:2", async_after=3_600_000)
    site = open_site()
    assert site.names() == ["v0", "v1"]
    assert isinstance(site.array.poll("job-1"), Pending)
    now = time.time() + 3601
    monkeypatch.setattr(time, "time", lambda: now)
    assert isinstance(site.array.poll("job-1"), Done)


@pytest.mark.parametrize(
    "text", ["create_async", "create:after:1", "attach:during:1", "attach:after:x", "attach:after:1:1", "::"]
)
def test_kill_switch_that_says_nothing_is_rejected(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KILL_VARIABLE, text)
    kill_switch.cache_clear()
    with pytest.raises(Rejected):
        kill_switch()
    monkeypatch.delenv(KILL_VARIABLE)
    assert kill_switch() is None
