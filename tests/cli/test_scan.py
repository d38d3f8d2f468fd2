"""`scan` as a user meets it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import lunform as lunform_process
from tests.command import lunform_at_a_terminal
from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 100
  burst_iops = 200
}

pool "ssd" {
  provider = sandbox
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "1GiB"
}
"""


@pytest.fixture
def restored(tmp_path: Path) -> Path:
    """A state from before one of the volumes was made."""
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    lunform("apply", "-auto-approve", directory=tmp_path)
    with closing(sqlite3.connect(tmp_path / "lunform.state")) as state, state:
        state.execute("""DELETE FROM object WHERE address = 'volume.db["wal"]'""")
    return tmp_path


def test_it_tells_by_its_exit_code_and_adopts(restored: Path) -> None:
    found = json.loads(lunform("scan", "-json", directory=restored, code=2).output)
    (orphan,) = found["orphans"]
    assert (orphan["made_for"], orphan["size"], orphan["unadoptable"]) == ('volume.db["wal"]', "1GiB", "")
    assert "Adopt complete! 1 recorded." in lunform("scan", "-adopt", "-auto-approve", directory=restored).output
    assert lunform("scan", directory=restored).output.startswith("Nothing found.")


def test_reaping_takes_the_number_of_volumes(restored: Path) -> None:
    refused = lunform("scan", "-reap", "-auto-approve", directory=restored, code=1).errors
    assert "The plan destroys data, and nobody can be asked." in refused
    assert 'nothing called "vol-9"' in lunform("scan", "-reap", "vol-9", directory=restored, code=1).errors
    answer = ("Type the number to go on", "1")
    shown = lunform_at_a_terminal("scan", "-reap", directory=restored, answers=[answer])
    assert "- delete volume vol-" in shown
    assert "Reap complete! 1 destroyed." in shown
    assert lunform("scan", directory=restored).output.startswith("Nothing found.")


def test_what_a_killed_run_made_is_in_doubt_and_no_orphan(tmp_path: Path) -> None:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    killed = {"LUNFORM_CRASH": "create_async:after-call 2"}
    lunform_process("apply", "-auto-approve", directory=tmp_path, code=-9, environment=killed)
    said = lunform("scan", directory=tmp_path).output
    assert said.startswith("Nothing found.")
    assert "may have made something besides: the next apply finds out." in said


def test_a_killed_reaping_is_finished_by_the_next_apply(restored: Path) -> None:
    killed = {"LUNFORM_CRASH": "delete_async:before-call"}
    flags = ("-auto-approve", "-allow-data-loss")
    (restored / "main.lun.hcl").write_text(CONFIGURATION.replace('["data", "wal"]', '["data"]'))
    lunform_process("scan", "-reap", *flags, directory=restored, code=-9, environment=killed)
    assert "0 added, 0 changed, 1 destroyed." in lunform("apply", *flags, directory=restored).output
    assert lunform("scan", directory=restored).output.startswith("Nothing found.")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-adopt", "-reap"), "do one after the other"),
        (("vol-1",), "add one of them"),
        (("-adopt", "-json"), "add -auto-approve"),
        (("-refresh=false",), "take it away"),
    ],
)
def test_flags_that_do_not_go_together(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    assert says in lunform("scan", *words, directory=tmp_path, code=1).errors
