"""What a person at a terminal is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command import lunform, lunform_at_a_terminal

CONFIGURATION = """
provider "sandbox" {}

variable "size" {
  type        = string
  description = "Size of the volume."
}

variable "note" {
  type      = string
  sensitive = true
}

disk_offering "fast" {
  min_iops   = 1
  max_iops   = 2
  burst_iops = 3
}

pool "a" {
  provider = sandbox
}

volume "db" {
  offering = disk_offering.fast
  size     = var.size
}
"""

SIZE = ("var.size", "7GiB")
NOTE = ("var.note", "never seen again")
GO_ON = "Only 'yes' goes on"
NUMBER = "Type the number to go on"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    return tmp_path


def test_missing_variables_are_asked_for_and_yes_goes_on(project: Path) -> None:
    shown = lunform_at_a_terminal("apply", directory=project, answers=(SIZE, NOTE, (GO_ON, "yes")))
    assert "Size of the volume." in shown
    assert "never seen again" not in shown
    assert "Apply complete!" in shown
    assert "7GiB" in lunform("state", "show", "volume.db", directory=project).output


def test_anything_but_yes_changes_nothing(project: Path) -> None:
    shown = lunform_at_a_terminal("apply", directory=project, answers=(SIZE, NOTE, (GO_ON, "y")), code=1)
    assert "Apply cancelled." in shown
    assert not (project / "lunform.state").exists()


def test_destroying_data_takes_the_number_of_volumes(project: Path) -> None:
    given = ("-var", "size=7GiB", "-var", "note=x")
    lunform("apply", "-auto-approve", *given, directory=project)
    assert "Apply cancelled." in lunform_at_a_terminal(
        "destroy", *given, directory=project, answers=[(NUMBER, "yes")], code=1
    )
    assert "1 volume with all data" in lunform_at_a_terminal(
        "destroy", *given, directory=project, answers=[(NUMBER, "1")]
    )
    assert lunform("state", "list", directory=project).output == ""


def test_without_input_nobody_is_asked(project: Path) -> None:
    shown = lunform_at_a_terminal("plan", "-input=false", directory=project, code=1)
    assert "No value for a required variable" in shown
