"""`-lock=false` and `-lock-timeout`, while somebody else holds the state."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.state.sqlite import open_sqlite
from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {}

disk_offering "plain" {}

pool "a" {
  provider = sandbox
}

volume "db" {
  offering = disk_offering.plain
  size     = "1GiB"
}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    return tmp_path


def test_without_the_lock_a_held_state_is_written_to_with_a_warning(directory: Path) -> None:
    with open_sqlite(directory / "lunform.state").lock("elsewhere"):
        refused = lunform("apply", "-auto-approve", directory=directory, code=1)
        assert "elsewhere by " in refused.errors
        applied = lunform("apply", "-auto-approve", "-lock=false", directory=directory)
        assert applied.errors.startswith("Warning: The state is not locked")
        assert "Apply complete! 3 added" in applied.output
        assert lunform("plan", "-lock=false", directory=directory).errors == ""
        for verb in ("refresh", "destroy"):
            flags = ("-auto-approve", "-allow-data-loss") if verb == "destroy" else ()
            assert "The state is not locked" in lunform(verb, "-lock=false", *flags, directory=directory).errors
    assert lunform("state", "list", directory=directory).output == ""


def test_waiting_for_a_lock_that_is_not_taken_is_refused(directory: Path) -> None:
    refused = lunform("apply", "-auto-approve", "-lock=false", "-lock-timeout=5s", directory=directory, code=1)
    assert "-lock-timeout waits for the lock" in refused.errors
