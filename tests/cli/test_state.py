"""`state` and `force-unlock` as a user meets them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import lunform as lunform_process
from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
  name     = "on-the-array"
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "10GiB"
}

volume "kept" {
  offering = disk_offering.fast
  size     = "1GiB"

  lifecycle {
    prevent_destroy = true
  }
}
"""


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    lunform("apply", "-auto-approve", directory=tmp_path)
    return tmp_path


def listed(directory: Path, *addresses: str) -> list[str]:
    return lunform("state", "list", *addresses, directory=directory).output.split()


def test_what_is_moved_is_what_the_renamed_block_declares(applied: Path) -> None:
    before = (applied / "lunform.state").read_bytes()
    tried = lunform("state", "mv", "-dry-run", "pool.a", "pool.ssd", directory=applied).output
    assert "Would move pool.a to pool.ssd" in tried
    assert (applied / "lunform.state").read_bytes() == before
    lunform("state", "mv", "pool.a", "pool.ssd", directory=applied)
    lunform("state", "mv", "volume.db", "volume.log", directory=applied)
    lunform("state", "mv", 'volume.log["wal"]', "volume.wal", directory=applied)
    names = (
        CONFIGURATION.replace('pool "a"', 'pool "ssd"').replace('"db"', '"log"').replace('["data", "wal"]', '["data"]')
    )
    wal = 'volume "wal" {\n  offering = disk_offering.fast\n  size = "10GiB"\n}\n'
    (applied / "main.lun.hcl").write_text(names + wal)
    assert "No changes." in lunform("plan", directory=applied).output
    runs = json.loads(lunform("history", "-json", directory=applied).output)
    assert [run["operation"] for run in runs] == ["state mv", "state mv", "state mv", "apply"]


@pytest.mark.parametrize(
    ("source", "target", "why"),
    [
        ("volume.dbs", "volume.x", 'Did you mean "volume.db'),
        ("volume.db", "pool.db", "cannot become a pool"),
        ('volume.db["data"]', 'volume.db["wal"]', 'volume.db["wal"] is recorded already'),
        ("volume.kept", 'volume.db["wal"]', "is recorded already"),
        ("volume.db", "volume.db", "the same"),
        ("volume.db", "volume.", "not an address"),
        ("module.a", "module.b", "Nothing is recorded at module.a"),
    ],
)
def test_a_move_that_cannot_be_is_refused(applied: Path, source: str, target: str, why: str) -> None:
    before = (applied / "lunform.state").read_bytes()
    assert why in lunform("state", "mv", source, target, directory=applied, code=1).errors
    assert (applied / "lunform.state").read_bytes() == before


def test_what_is_forgotten_stays_on_its_array(applied: Path) -> None:
    forgotten = lunform("state", "rm", 'volume.db["wal"]', directory=applied).output
    assert "stays: 10GiB on pool.a as volume-db-wal" in forgotten
    assert listed(applied, "volume.db") == ['volume.db["data"]']
    with closing(sqlite3.connect(applied / "sandbox.db")) as array:
        assert array.execute("SELECT count(*) FROM volume").fetchone() == (3,)


def test_what_is_protected_or_needed_is_forgotten_by_force_only(applied: Path) -> None:
    assert "prevent_destroy" in lunform("state", "rm", "volume.kept", directory=applied, code=1).errors
    assert 'volume.db["wal"]' in lunform("state", "rm", "pool.a", directory=applied, code=1).errors
    assert len(listed(applied)) == 5
    lunform("state", "rm", "pool.a", "volume.kept", "-force", directory=applied)
    assert listed(applied) == ["disk_offering.fast", 'volume.db["data"]', 'volume.db["wal"]']


def test_nothing_is_moved_or_forgotten_while_a_killed_run_is_in_doubt(applied: Path) -> None:
    (applied / "more.lun.hcl").write_text('volume "x" {\n  offering = disk_offering.fast\n  size = "1GiB"\n}\n')
    killed = {"LUNFORM_SANDBOX_KILL": "create_async:after:1"}
    lunform_process("apply", "-auto-approve", directory=applied, environment=killed, code=-9)
    for words in (["mv", "volume.db", "volume.log"], ["rm", "volume.db"]):
        assert "lunform refresh" in lunform("state", *words, directory=applied, code=1).errors
    lunform("refresh", directory=applied)
    lunform("state", "mv", "volume.x", "volume.y", directory=applied)
    assert "volume.y" in listed(applied)


def test_a_state_is_pulled_and_pushed(applied: Path) -> None:
    copy = lunform("state", "pull", directory=applied).output
    assert "Nothing to push" in lunform("state", "push", "-", directory=applied, input=copy).output
    lunform("plan", "-out=p", "-destroy", directory=applied)
    lunform("state", "rm", "volume.db", directory=applied)
    (applied / "copy.json").write_text(copy)
    assert "is newer" in lunform("state", "push", "copy.json", directory=applied, code=1).errors
    pushed = json.loads(lunform("state", "push", "-force", "-json", "copy.json", directory=applied).output)
    assert pushed["added"] == ['volume.db["data"]', 'volume.db["wal"]']
    assert "No changes." in lunform("plan", directory=applied).output
    assert "stale" in lunform("apply", "p", "-allow-data-loss", directory=applied, code=1).errors


@pytest.mark.parametrize("text", ["", "{}", '{"lunform_state": 99}', '{"lunform_state": 1, "lineage": "x"}'])
def test_what_is_no_state_is_not_pushed(applied: Path, text: str) -> None:
    lunform("state", "push", "-force", "-", directory=applied, input=text, code=1)
    assert len(listed(applied)) == 5


def test_a_lock_that_dies_with_its_holder_is_not_broken(applied: Path) -> None:
    assert "ends with the process" in lunform("force-unlock", "x", directory=applied, code=1).errors
