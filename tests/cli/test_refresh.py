"""`drift`, `refresh` and `-refresh-only` as a user meets them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import lunform_at_a_terminal
from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider      = sandbox
  capacity_iops = 1000
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "10GiB"
}

output "ceilings" {
  value = { for key, volume in volume.db : key => volume.max_iops }
}
"""
SLOWER = "UPDATE volume SET max_iops = 900 WHERE name = 'volume-db-data'"
GONE = "DELETE FROM volume WHERE name = 'volume-db-wal'"


@pytest.fixture
def applied(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    lunform("apply", "-auto-approve", directory=tmp_path)
    return tmp_path


def outside(directory: Path, *statements: str) -> None:
    with closing(sqlite3.connect(directory / "sandbox.db")) as database, database:
        for statement in statements:
            database.execute(statement)


def test_drift_tells_by_its_exit_code(applied: Path) -> None:
    assert "No drift." in lunform("drift", directory=applied, code=0).output
    outside(applied, SLOWER, GONE)
    found = lunform("drift", directory=applied, code=2).output
    assert found.startswith("Drift: 1 changed outside, 1 gone.")
    assert '# volume.db["data"] was changed outside\n      ~ max_iops 1000 -> 900\n' in found
    assert '# volume.db["wal"] is gone' in found
    (applied / "sandbox.db").write_text("not an array")
    failed = lunform("drift", directory=applied, code=1)
    assert failed.output == ""
    assert "pool.a" in failed.errors


def test_drift_leaves_everything_as_it_is(applied: Path) -> None:
    outside(applied, SLOWER)
    before = (applied / "lunform.state").read_bytes()
    lunform("drift", directory=applied, code=2)
    assert (applied / "lunform.state").read_bytes() == before
    assert sorted(path.name for path in applied.glob("*")) == [
        "lunform.state",
        "lunform.state.lock",
        "main.lun.hcl",
        "sandbox.db",
    ]


def test_drift_in_json_is_that_part_of_the_plan(applied: Path) -> None:
    assert json.loads(lunform("drift", "-json", directory=applied).output)["resource_drift"] == []
    outside(applied, SLOWER, GONE)
    found = json.loads(lunform("drift", "-json", directory=applied, code=2).output)
    by_address = {item["address"]: item for item in found["resource_drift"]}
    data, wal = by_address['volume.db["data"]'], by_address['volume.db["wal"]']
    assert data["drift"] == [{"path": "max_iops", "recorded": 1000, "actual": 900}]
    assert (data["change"]["before"]["max_iops"], data["change"]["after"]["max_iops"]) == (1000, 900)
    assert (wal["change"]["actions"], wal["change"]["after"]) == (["delete"], None)
    plan = json.loads(lunform("plan", "-refresh-only", "-json", directory=applied).output)
    assert plan["resource_drift"] == found["resource_drift"]
    assert {tuple(item["change"]["actions"]) for item in plan["resource_changes"]} == {("no-op",), ("forget",)}


def test_a_refresh_only_plan_says_what_it_means_and_is_applied_when_saved(applied: Path) -> None:
    outside(applied, SLOWER, GONE)
    planned = lunform("plan", "-refresh-only", "-out=p", "-detailed-exitcode", directory=applied, code=2).output
    assert "This records what is there, and changes nothing on any system." in planned
    assert "the next plan creates it again" in planned
    assert "lunform apply p" in planned
    assert lunform("show", "p", directory=applied).output in planned
    done = lunform("apply", "p", directory=applied).output
    assert "Refresh complete! 1 recorded, 1 forgotten." in done
    assert json.loads(lunform("output", "-json", directory=applied).output)["ceilings"]["value"] == {
        "data": 900,
        "wal": None,
    }
    assert "No changes." in lunform("plan", "-refresh-only", "-detailed-exitcode", directory=applied).output
    plan = lunform("plan", directory=applied).output
    assert "900 IOPS -> 1000 IOPS" in plan
    assert 'volume.db["wal"] will be created' in plan
    assert "outside" not in plan


def test_apply_refresh_only_asks_and_refresh_does_not(applied: Path) -> None:
    outside(applied, SLOWER)
    assert "-auto-approve" in lunform("apply", "-refresh-only", directory=applied, code=1).errors
    question = ("Do you want to record this? Only 'yes' goes on", "no")
    lunform_at_a_terminal("apply", "-refresh-only", directory=applied, answers=[question], code=1)
    lunform("drift", directory=applied, code=2)
    assert "1 recorded" in lunform("refresh", directory=applied).output
    lunform("drift", directory=applied)
    assert "0 recorded" in lunform("apply", "-refresh-only", "-auto-approve", directory=applied).output


def test_the_stream_of_a_refresh(applied: Path) -> None:
    outside(applied, SLOWER, GONE)
    lines = [json.loads(line) for line in lunform("refresh", "-json", directory=applied).output.splitlines()]
    told = [(line["type"], line["hook"]["action"]) for line in lines if "hook" in line]
    assert told == [
        ("apply_start", "record"),
        ("apply_complete", "record"),
        ("apply_start", "forget"),
        ("apply_complete", "forget"),
    ]
    summaries = [line["changes"] for line in lines if line["type"] == "change_summary"]
    assert [(item["operation"], item["record"], item["forget"]) for item in summaries] == [
        ("plan", 1, 1),
        ("refresh", 1, 1),
    ]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["plan", "-refresh-only", "-destroy"], "-destroy"),
        (["plan", "-refresh-only", "-refresh=false"], "-refresh=false"),
        (["apply", "-refresh-only", "-destroy", "-auto-approve"], "-destroy"),
        (["apply", "-refresh-only", "-refresh=false", "-auto-approve"], "-refresh=false"),
        (["apply", "-refresh-only", "p"], "saved plan"),
        (["refresh", "-refresh=false"], "-refresh=false"),
        (["drift", "-refresh=false"], "-refresh=false"),
        (["drift", "-destroy"], "drift has no flag -destroy"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_flags_that_do_not_go_together_are_refused(applied: Path, words: list[str], named: str) -> None:
    refused = lunform(*words, directory=applied, code=1)
    assert named in refused.errors
    assert refused.output == ""


def test_a_plan_whose_room_is_gone_is_refused_with_figures(applied: Path) -> None:
    lunform("plan", "-out=p", directory=applied)
    text = CONFIGURATION.replace('["data", "wal"]', '["data", "wal", "log"]')
    (applied / "main.lun.hcl").write_text(text)
    lunform("plan", "-out=p", directory=applied)
    outside(
        applied,
        "INSERT INTO volume (pool, name, size, min_iops, max_iops, burst_iops)"
        " VALUES ('pool.a', 'theirs', 1, 750, 900, 900)",
    )
    refused = lunform("apply", "p", directory=applied, code=1).errors
    assert "pool.a: floors of 100 IOPS are added, and 950 of 1000 IOPS are given out by now: 50 too many" in refused
    assert "Plan again." in refused
    assert "log" not in lunform("state", "list", directory=applied).output
