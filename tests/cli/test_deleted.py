"""Volumes that were deleted and that their array can restore, as a user meets them."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import lunform_here as lunform

SITE = """
provider "sandbox" {
  undelete_for = 28800000
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}
"""
VOLUME = """
volume "db" {
  offering = disk_offering.fast
  size     = "10GiB"
}
"""


@pytest.fixture
def deleted(tmp_path: Path) -> Path:
    """`volume.db` was made, and deleted."""
    declare(tmp_path, VOLUME)
    lunform("apply", "-auto-approve", directory=tmp_path)
    declare(tmp_path, "")
    lunform("apply", "-auto-approve", "-allow-data-loss", directory=tmp_path)
    return tmp_path


def declare(directory: Path, volumes: str, site: str = SITE) -> None:
    (directory / "main.lun.hcl").write_text(site + volumes)


def address_of_deleted(directory: Path) -> str:
    (address,) = (a for a in json.loads(lunform("state", "list", "-json", directory=directory).output) if "db" in a)
    return str(address)


def volume_id(directory: Path) -> str:
    shown = json.loads(lunform("state", "show", "-json", "volume.db", directory=directory).output)
    return str(shown["values"]["id"])


def test_the_state_knows_it_until_its_array_purges_it(deleted: Path) -> None:
    (line,) = (
        line for line in lunform("state", "list", directory=deleted).output.splitlines() if line.startswith("volume")
    )
    found = re.fullmatch(r"(volume\.db--deposed-[0-9a-f]{8}) \(deleted; its array can restore it until \S+Z\)", line)
    assert found
    assert "deleted; its array can restore it until" in lunform("state", "show", found[1], directory=deleted).output


def test_it_is_nothing_that_a_plan_has_to_see_to(deleted: Path) -> None:
    assert "No changes" in lunform("plan", "-detailed-exitcode", directory=deleted).output
    lunform("scan", directory=deleted)  # exits with 2 where anything is found


def test_it_comes_back_as_the_volume_that_it_was(deleted: Path) -> None:
    declare(deleted, VOLUME)
    said = lunform("apply", "-auto-approve", directory=deleted).output
    assert "volume.db will be restored" in said
    assert "Apply complete! 1 restored, 0 added, 0 changed, 0 destroyed." in said
    assert volume_id(deleted) == "vol-1"
    assert address_of_deleted(deleted) == "volume.db"


def test_one_that_is_forgotten_is_not_restored(deleted: Path) -> None:
    lunform("state", "rm", address_of_deleted(deleted), directory=deleted)
    declare(deleted, VOLUME)
    assert "1 added" in lunform("apply", "-auto-approve", directory=deleted).output
    assert volume_id(deleted) == "vol-2"


def test_under_another_address_it_comes_back_there(deleted: Path) -> None:
    lunform("state", "mv", address_of_deleted(deleted), "volume.other", directory=deleted)
    declare(deleted, VOLUME.replace('"db"', '"other"').replace("size", 'name     = "volume-db"\n  size'))
    assert "1 restored" in lunform("apply", "-auto-approve", directory=deleted).output


def test_one_that_was_purged_outside_is_made_anew_and_forgotten(deleted: Path) -> None:
    with closing(sqlite3.connect(deleted / "sandbox.db")) as database, database:
        database.execute("DELETE FROM deleted_volume")
    declare(deleted, VOLUME)
    assert "1 added" in lunform("apply", "-auto-approve", directory=deleted).output
    assert address_of_deleted(deleted) == "volume.db"


def test_of_several_the_last_comes_back(deleted: Path) -> None:
    lunform("state", "mv", address_of_deleted(deleted), "volume.aside", directory=deleted)
    declare(deleted, VOLUME)
    lunform("apply", "-auto-approve", directory=deleted)
    declare(deleted, "", SITE.replace("28800000", "36000000"))
    lunform("apply", "-auto-approve", "-allow-data-loss", directory=deleted)
    lunform("state", "mv", "volume.aside", "volume.db", directory=deleted)
    declare(deleted, VOLUME)
    lunform("apply", "-auto-approve", directory=deleted)
    assert volume_id(deleted) == "vol-2"


def test_what_was_replaced_can_be_had_back_beside_its_successor(tmp_path: Path) -> None:
    declare(tmp_path, VOLUME)
    lunform("apply", "-auto-approve", directory=tmp_path)
    said = lunform("apply", "-auto-approve", "-allow-data-loss", "-replace=volume.db", directory=tmp_path).output
    assert "replaced by an empty volume; its array can restore it for a while" in said
    (old,) = (
        address
        for address in json.loads(lunform("state", "list", "-json", directory=tmp_path).output)
        if "deposed" in address
    )
    lunform("state", "mv", old, "volume.before", directory=tmp_path)
    declare(tmp_path, VOLUME + VOLUME.replace('"db"', '"before"'))
    plan = lunform("plan", directory=tmp_path)
    assert 'is called "volume-db"' in " ".join(plan.errors.split())


def test_a_saved_plan_is_stale_once_the_volume_is_recorded_otherwise(deleted: Path) -> None:
    declare(deleted, VOLUME)
    lunform("plan", "-out=restore.plan", directory=deleted)
    lunform("apply", "-auto-approve", directory=deleted)
    assert "stale" in lunform("apply", "restore.plan", directory=deleted, code=1).errors


def test_a_plan_as_json_says_what_is_restored(deleted: Path) -> None:
    declare(deleted, VOLUME)
    plan = json.loads(lunform("plan", "-json", directory=deleted).output)
    (change,) = (one for one in plan["resource_changes"] if one["address"] == "volume.db")
    assert change["change"]["restoring"]["id"] == "vol-1"
    assert change["change"]["actions"] == ["update"]
