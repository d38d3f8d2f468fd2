"""`plan -offline` as a pull request's check meets it: without credentials, and with what others have applied."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.state.model import Intent, Run
from planner.state.sqlite import open_sqlite
from tests.command import lunform_here as lunform

CONFIGURATION = """
variable "san_password" {
  type      = string
  sensitive = true
}

variable "size" {
  type = string
}

provider "sandbox" {
  chap_seed = var.san_password
}

disk_offering "plain" {}

pool "a" {
  provider = sandbox
}

volume "db" {
  offering = disk_offering.plain
  size     = var.size
}

output "iqn" {
  value = volume.db.iqn
}
"""
SIZE = "-var=size=1GiB"


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    lunform("apply", "-auto-approve", SIZE, "-var=san_password=secret", directory=tmp_path)
    (tmp_path / "sandbox.db").unlink()
    return tmp_path


def test_nothing_is_asked_and_no_secret_is_needed(applied: Path) -> None:
    assert "No changes." in lunform("plan", "-offline", "-detailed-exitcode", SIZE, directory=applied).output
    words = ("plan", "-offline", "-detailed-exitcode", "-var=size=2GiB")
    lines = lunform(*words, directory=applied, code=2).output.splitlines()
    assert lines[0].startswith("Offline plan: ")
    assert lines[-1].startswith("Offline plan: ")
    assert "      ~ size = 1GiB -> 2GiB" in lines
    assert not (applied / "sandbox.db").exists(), "opening the array would have made it"


def test_an_offline_plan_is_marked_in_json(applied: Path) -> None:
    plan = json.loads(lunform("plan", "-offline", "-json", "-var=size=2GiB", directory=applied).output)
    assert (plan["offline"], plan["applyable"], plan["steps"], plan["reservations"]) == (True, False, [], [])
    (change,) = [item["change"] for item in plan["resource_changes"] if item["type"] == "volume"]
    assert (change["actions"], change["before"]["size"], change["after"]["size"]) == (["update"], "1GiB", "2GiB")
    words = ("plan", "-json", "-refresh=false", "-var=san_password=secret", SIZE)
    assert json.loads(lunform(*words, directory=applied).output)["offline"] is False


def test_what_else_is_missing_is_still_an_error(applied: Path) -> None:
    assert '"size" has no default' in lunform("plan", "-offline", directory=applied, code=1).errors
    (applied / "more.lun.hcl").write_text(
        'volume "x" {\n  offering = disk_offering.plain\n  size = var.san_password\n}\n'
    )
    assert "var.san_password" in lunform("plan", "-offline", SIZE, directory=applied, code=1).errors


def test_what_is_in_doubt_is_told_and_not_looked_up(applied: Path) -> None:
    store = open_sqlite(applied / "lunform.state")
    with store.lock("test"):
        store.begin(Run("killed", "apply", "2026-01-01T00:00:00Z", "x"), [Intent("killed", 0, "volume.lost", {})])
    planned = lunform("plan", "-offline", "-detailed-exitcode", SIZE, directory=applied)
    assert planned.errors.startswith("Warning: A run was interrupted\n")
    assert "volume.lost" in planned.errors
    assert len(store.read().in_doubt) == 1


def test_it_is_neither_saved_nor_a_way_to_record_what_is_there(applied: Path) -> None:
    assert "it is not saved" in lunform("plan", "-offline", "-out=p", SIZE, directory=applied, code=1).errors
    assert not (applied / "p").exists()
    refused = lunform("plan", "-offline", "-refresh-only", SIZE, directory=applied, code=1)
    assert "-refresh-only reads what is there" in refused.errors


def test_destroying_is_planned_offline_too(applied: Path) -> None:
    planned = lunform("plan", "-offline", "-destroy", SIZE, directory=applied).output
    assert "DATA LOSS: 1 volume will be destroyed" in planned
