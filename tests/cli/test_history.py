"""`history`, `show -run` and `plan -revert` as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import lunform as lunform_process
from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {
  faults = [{ verb = "create_async", effect = "refuse", match = "volume-bad", times = 1 }]
}

variable "size" {
  type    = string
  default = "10GiB"
}

variable "note" {
  type      = string
  sensitive = true
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}

volume "db" {
  offering = disk_offering.fast
  size     = var.size
}
"""
MORE = 'volume "bad" {\n  offering = disk_offering.fast\n  size     = "1GiB"\n}\n'
NOTE = {"LUNFORM_VAR_note": "never kept"}


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    """Three runs: one that went well, one with a step that failed, and one that grew a volume."""
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    lunform("apply", "-auto-approve", directory=tmp_path, environment=NOTE)
    (tmp_path / "more.lun.hcl").write_text(MORE)
    lunform("apply", "-auto-approve", directory=tmp_path, environment=NOTE, code=1)
    lunform("apply", "-auto-approve", "-var=size=20GiB", directory=tmp_path, environment=NOTE)
    return tmp_path


def runs(directory: Path, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(lunform("history", "-json", *words, directory=directory).output)
    return found


def test_the_history_says_what_became_of_each_run_and_its_steps(applied: Path) -> None:
    newest, failed, first = runs(applied)
    assert (failed["summary"], failed["operation"]) == ("0 done, 1 failed, 0 skipped", "apply")
    assert newest["started"] >= first["started"]
    assert [run["id"] for run in runs(applied, "-n", "1")] == [newest["id"]]
    shown = lunform("show", "-run", failed["id"][:10], directory=applied).output
    assert "volume.bad" in shown
    assert "create_async  failed" in shown
    steps = json.loads(lunform("show", "-json", "-run", first["id"], directory=applied).output)["steps"]
    assert {"address": "volume.db", "verb": "create_async", "status": "done"}.items() <= steps[-1].items()
    assert "There is no run" in lunform("show", "-run", "nope", directory=applied, code=1).errors


def test_a_run_that_was_killed_did_not_finish(applied: Path) -> None:
    killed = NOTE | {"LUNFORM_SANDBOX_KILL": "resize_async:after:1"}
    lunform_process("apply", "-auto-approve", "-var=size=30GiB", directory=applied, environment=killed, code=-9)
    assert "did not finish" in lunform("history", "-n=1", directory=applied).output


def test_a_plan_back_is_made_from_what_the_run_was_made_from(applied: Path) -> None:
    """What was not given had its default, whatever is given now; what is sensitive is given again."""
    first = runs(applied)[-1]["id"]
    (applied / "a.auto.lunvars.hcl").write_text('size = "40GiB"\n')
    refused = lunform("plan", "-revert", first, directory=applied, code=1, environment=NOTE)
    assert "20GiB" in refused.errors
    assert "10GiB" in refused.errors
    second = runs(applied)[0]["id"]
    (applied / "more.lun.hcl").unlink()
    lunform("apply", "-auto-approve", "-var=size=20GiB", "-allow-data-loss", directory=applied, environment=NOTE)
    planned = lunform("plan", "-revert", second, "-out=back", directory=applied, environment=NOTE)
    assert "volume.bad will be created" in planned.output
    assert "1 to add, 0 to change" in planned.output
    assert "Take the files in this directory back" in " ".join(planned.errors.split())
    lunform("apply", "back", directory=applied, environment=NOTE)
    assert "volume.bad" in lunform("state", "list", directory=applied).output
    assert "note" in lunform("plan", "-revert", second, directory=applied, code=1).errors


def test_there_is_no_way_back_to_what_was_no_apply(applied: Path) -> None:
    lunform("state", "mv", "volume.db", "volume.x", directory=applied)
    moved = runs(applied)[0]["id"]
    assert "no apply" in lunform("plan", "-revert", moved, directory=applied, environment=NOTE, code=1).errors
    assert "follow none" in lunform("plan", "-revert", moved, "-destroy", directory=applied, code=1).errors
