"""`init` and the backend: arguments that the block leaves out, and states that are carried to another place."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.command import lunform_at_a_terminal
from tests.command import lunform_here as lunform

BACKEND = 'lunform {\n  backend "sqlite" {}\n}\n'


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text('output "a" {\n  value = 1\n}\n')
    lunform("apply", "-auto-approve", directory=tmp_path)
    return tmp_path


def test_the_default_backend_needs_no_init(applied: Path) -> None:
    lunform("init", directory=applied)
    assert not (applied / ".lunform" / "backend.json").exists()


def test_another_backend_is_used_only_after_init_was_told_what_becomes_of_the_state(applied: Path) -> None:
    (applied / "backend.lun.hcl").write_text(BACKEND)
    given = "-backend-config=path=team/new.state"
    assert "-migrate-state" in lunform("init", given, directory=applied, code=1).errors
    assert "-force-copy" in lunform("init", given, "-migrate-state", directory=applied, code=1).errors
    shown = lunform_at_a_terminal(
        "init", given, "-migrate-state", directory=applied, answers=[("Only 'yes' goes on", "yes")]
    )
    assert "Carried over" in shown
    record = applied / ".lunform" / "backend.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert json.loads(record.read_text())["given"] == {"path": "team/new.state"}
    # Nobody goes on from the old state by mistake, and the new one is used without any flag.
    assert "No changes." in lunform("plan", directory=applied).output
    (applied / "backend.lun.hcl").unlink()
    assert "was initialised" in lunform("plan", directory=applied, code=1).errors
    lunform("init", "-reconfigure", directory=applied)
    assert "team/new.state" in lunform("plan", directory=applied, code=1).errors
    assert "team/new.state" in lunform("output", directory=applied).errors


def test_a_state_that_is_there_already_is_lost_only_on_somebodys_word(applied: Path) -> None:
    other = 'lunform {\n  backend "sqlite" {\n    path = "other.state"\n  }\n}\n'
    (applied / "backend.lun.hcl").write_text(other)
    lunform("init", "-reconfigure", directory=applied)
    lunform("apply", "-auto-approve", directory=applied)
    theirs = lunform("state", "pull", directory=applied).output
    (applied / "backend.lun.hcl").write_text(BACKEND)
    refused = lunform_at_a_terminal(
        "init", "-migrate-state", directory=applied, answers=[("another state is there", "no")], code=1
    )
    assert "Nothing was changed." in refused
    lunform("init", "-force-copy", directory=applied)
    ours = json.loads(lunform("state", "pull", directory=applied).output)
    assert ours["lineage"] == json.loads(theirs)["lineage"]


def test_what_is_missing_from_the_block_may_be_in_a_file_or_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "main.lun.hcl").write_text(BACKEND + 'output "a" {\n  value = 1\n}\n')
    (tmp_path / "team.hcl").write_text('path = "file.state"\n')
    lunform("init", "-backend-config=team.hcl", directory=tmp_path)
    lunform("apply", "-auto-approve", directory=tmp_path)
    assert (tmp_path / "file.state").exists()
    in_environment = {"LUNFORM_BACKEND_path": "variable.state"}
    lunform("init", "-reconfigure", directory=tmp_path, environment=in_environment)
    lunform("apply", "-auto-approve", directory=tmp_path, environment=in_environment)
    assert (tmp_path / "variable.state").exists()
    assert "path" in lunform("init", "-backend-config=pth=x", directory=tmp_path, code=1).errors
    assert "cannot be read" in lunform("init", "-backend-config=none.hcl", directory=tmp_path, code=1).errors


def test_a_saved_plan_follows_the_state_to_its_new_place(applied: Path) -> None:
    (applied / "more.lun.hcl").write_text('output "b" {\n  value = 2\n}\n')
    lunform("plan", "-out=p", directory=applied)
    (applied / "backend.lun.hcl").write_text(BACKEND)
    lunform("init", "-backend-config=path=new.state", "-force-copy", directory=applied)
    lunform("apply", "p", directory=applied)
    assert lunform("output", "-raw", "b", directory=applied).output == "2\n"
