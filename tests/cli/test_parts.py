"""`-target`, `-exclude` and `-replace` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {}

disk_offering "fast" {
  size = "1GiB"
}

pool "a" {
  provider = sandbox
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    return tmp_path


def test_a_part_is_planned_saved_shown_and_applied(directory: Path) -> None:
    planned = lunform("plan", '-target=volume.db["wal"]', "-out=p", directory=directory)
    assert 'Partial plan: -target=volume.db["wal"].' in planned.output
    assert "The plan is partial" in planned.errors
    assert 'Partial plan: -target=volume.db["wal"].' in lunform("show", "p", directory=directory).output
    shown = json.loads(lunform("show", "-json", "p", directory=directory).output)
    assert (shown["complete"], shown["targets"], shown["excludes"]) == (False, ['volume.db["wal"]'], [])
    assert "Applied in part" in lunform("apply", "p", directory=directory).errors
    rest = json.loads(lunform("plan", "-json", '--exclude=volume.db["wal"]', directory=directory).output)
    actions = {c["address"]: (c["change"]["actions"], c.get("action_reason")) for c in rest["resource_changes"]}
    assert actions['volume.db["wal"]'] == (["no-op"], "left_out")
    assert actions['volume.db["data"]'] == (["create"], None)
    data_loss = lunform("apply", '-replace=volume.db["wal"]', "-auto-approve", directory=directory, code=1)
    assert "-allow-data-loss" in data_loss.errors
    replaced = json.loads(lunform("plan", "-json", '-replace=volume.db["wal"]', directory=directory).output)
    assert replaced["complete"] is True
    (change,) = [c for c in replaced["resource_changes"] if c["address"] == 'volume.db["wal"]']
    assert (change["change"]["actions"], change["action_reason"]) == (["delete", "create"], "replace_by_request")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan", "-target=volume.db", "-exclude=pool.a"], "do not go together"),
        (["plan", "-destroy", "-replace=volume.db"], "-destroy"),
        (["apply", "-target=volume.db", "p"], "saved plan"),
        (["apply", "-replace=volume.db", "p"], "saved plan"),
        (["destroy", "-target=volume"], '"volume" is not an address'),
    ],
)
def test_what_makes_no_sense_is_refused(directory: Path, words: list[str], said: str) -> None:
    assert said in lunform(*words, directory=directory, code=1).errors
