"""Workspaces as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {
  path = "${lunform.workspace}.db"
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
  size     = lunform.workspace == "default" ? "10GiB" : "1GiB"
}

output "workspace" {
  value = lunform.workspace
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    return tmp_path


def test_each_workspace_has_a_state_of_its_own(project: Path) -> None:
    lunform("apply", "-auto-approve", directory=project)
    lunform("workspace", "new", "east", directory=project)
    planned = lunform("plan", directory=project).output
    assert planned.startswith("Plan in workspace east: 3 to add")
    assert "1GiB" in planned
    assert "Apply in workspace east complete!" in lunform("apply", "-auto-approve", directory=project).output
    assert lunform("output", "-raw", "workspace", directory=project).output == "east\n"
    assert lunform("workspace", "list", directory=project).output == "  default\n* east\n"
    elsewhere = {"LUNFORM_WORKSPACE": "default"}
    assert "10GiB" in lunform("state", "show", "volume.db", directory=project, environment=elsewhere).output
    assert lunform("workspace", "show", directory=project, environment=elsewhere).output == "default\n"


def test_a_plan_is_applied_to_its_own_workspace_only(project: Path) -> None:
    lunform("workspace", "new", "west", directory=project)
    lunform("workspace", "new", "east", directory=project)
    lunform("plan", "-out=p", directory=project)
    lunform("workspace", "select", "west", directory=project)
    assert "made for another workspace" in lunform("apply", "p", directory=project, code=1).errors
    assert not (project / "west.db").exists()


def test_a_workspace_that_does_not_exist_is_no_empty_one(project: Path) -> None:
    mistyped = {"LUNFORM_WORKSPACE": "prdo"}
    for words in (["plan"], ["apply", "-auto-approve"]):
        assert 'There is no workspace "prdo"' in lunform(*words, directory=project, environment=mistyped, code=1).errors
    lunform("workspace", "new", "prod", directory=project)
    assert 'Did you mean "prod"?' in lunform("workspace", "select", "prdo", directory=project, code=1).errors
    made = json.loads(lunform("workspace", "select", "-or-create", "-json", "prdo", directory=project).output)
    assert made == {"current": "prdo", "created": True}


@pytest.mark.parametrize("name", ["../x", "", ".hidden", "-x", "a b", "a/b", "x" * 91])
def test_names_that_cannot_be_are_refused(project: Path, name: str) -> None:
    lunform("workspace", "new", "--", name, directory=project, code=1)
    assert [path.name for path in project.iterdir()] == ["main.lun.hcl"]


def test_only_an_empty_workspace_that_is_not_in_use_is_deleted(project: Path) -> None:
    lunform("workspace", "new", "east", directory=project)
    lunform("apply", "-auto-approve", directory=project)
    assert "in use" in lunform("workspace", "delete", "east", directory=project, code=1).errors
    lunform("workspace", "select", "default", directory=project)
    assert "not empty" in lunform("workspace", "delete", "east", directory=project, code=1).errors
    assert "cannot be deleted" in lunform("workspace", "delete", "default", directory=project, code=1).errors
    assert "3 objects stay" in lunform("workspace", "delete", "-force", "east", directory=project).output
    assert lunform("workspace", "list", directory=project).output == "* default\n"
