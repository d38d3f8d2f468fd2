"""The command as a user meets it: words in, text and exit codes out."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.command import ROOT, Finished
from tests.command import lunform as lunform_process
from tests.command import lunform_here as lunform

QUICKSTART = (ROOT / "examples" / "quickstart" / "main.lun.hcl").read_text()
SMALL = """
provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}

variable "size" {
  type    = string
  default = "10GiB"
}

volume "db" {
  offering = disk_offering.fast
  size     = var.size
}

output "name" {
  value = volume.db.name
}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(SMALL)
    return tmp_path


def test_the_tour_of_the_readme(tmp_path: Path) -> None:
    (tmp_path / "main.lun.hcl").write_text(QUICKSTART)
    assert "Ready." in lunform_process("init", directory=tmp_path).output
    assert "The configuration is valid." in lunform_process("validate", directory=tmp_path).output
    plan = lunform_process("plan", "-out=a.plan", "-detailed-exitcode", directory=tmp_path, code=2).output
    assert plan.startswith("Plan: 8 to add, 0 to change, 0 to destroy.\n")
    assert "lunform apply a.plan" in plan
    applied = lunform_process("apply", "a.plan", directory=tmp_path).output
    assert "Apply complete! 8 added" in applied
    assert "targets" in applied
    assert 'volume.db["wal"]' in lunform_process("state", "list", directory=tmp_path).output.splitlines()
    assert "No changes." in lunform_process("plan", "-detailed-exitcode", directory=tmp_path).output
    lunform_process("destroy", "-auto-approve", "-allow-data-loss", directory=tmp_path)
    assert lunform_process("state", "list", directory=tmp_path).output == ""


def test_plan_leaves_nothing_behind(small: Path) -> None:
    lunform("plan", directory=small)
    assert [path.name for path in small.iterdir()] == ["main.lun.hcl"]


def test_without_a_terminal_nothing_waits(small: Path) -> None:
    refused = lunform("apply", directory=small, code=1)
    assert "-auto-approve" in refused.errors
    assert not (small / "lunform.state").exists()
    lunform("apply", "-auto-approve", directory=small)
    assert "-allow-data-loss" in lunform("destroy", "-auto-approve", directory=small, code=1).errors
    assert "volume.db" in lunform("state", "list", directory=small).output


def test_a_saved_plan_carries_its_values(small: Path) -> None:
    lunform("plan", "-out=p", "-var", "size=20GiB", directory=small)
    lunform("apply", "p", directory=small)
    assert "20GiB" in lunform("state", "show", "volume.db", directory=small).output


def test_a_saved_plan_keeps_fractions(small: Path) -> None:
    pool = 'pool "b" {\n  provider = sandbox\n  overprovision = 1.1\n}\n'
    (small / "more.lun.hcl").write_text(pool)
    lunform("plan", "-out=p", directory=small)
    assert "overprovision = 1.1" in lunform("show", "p", directory=small).output
    lunform("apply", "p", directory=small)
    assert "No changes." in lunform("plan", directory=small).output


def test_a_stale_plan_is_refused_and_says_what_moved(small: Path) -> None:
    lunform("apply", "-auto-approve", directory=small)
    lunform("plan", "-out=p", "-var", "size=20GiB", directory=small)
    lunform("apply", "-auto-approve", "-var=size=30GiB", directory=small)
    assert "volume.db: size 10GiB -> 30GiB\n" in lunform("apply", "p", directory=small, code=1).errors


def test_a_plan_for_an_empty_state_is_not_applied_twice(small: Path) -> None:
    lunform("plan", "-out=p", directory=small)
    lunform("apply", "p", directory=small)
    assert "another state" in lunform("apply", "p", directory=small, code=1).errors


def test_an_apply_elsewhere_in_the_state_does_not_spoil_a_plan(small: Path) -> None:
    lunform("apply", "-auto-approve", directory=small)
    lunform("plan", "-out=p", "-var", "size=20GiB", directory=small)
    (small / "more.lun.hcl").write_text('volume "other" {\n  offering = disk_offering.fast\n  size = "1GiB"\n}\n')
    lunform("apply", "-auto-approve", directory=small)
    lunform("apply", "p", directory=small)
    assert "20GiB" in lunform("state", "show", "volume.db", directory=small).output


@pytest.mark.parametrize(
    ("name", "damage"),
    [("nothing", b""), ("text", b"hello\n"), ("cut", None)],
)
def test_a_damaged_plan_file_is_refused(small: Path, name: str, damage: bytes | None) -> None:
    lunform("plan", "-out=p", directory=small)
    whole = (small / "p").read_bytes()
    (small / "p").write_bytes(whole[: len(whole) // 2] if damage is None else damage)
    assert "not a saved plan" in lunform("apply", "p", directory=small, code=1).errors
    assert "There is no plan file" in lunform("apply", "q", directory=small, code=1).errors


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to look like something" * 40])
def test_a_state_file_that_is_not_ours_is_refused_and_kept(small: Path, content: bytes) -> None:
    (small / "lunform.state").write_bytes(content)
    for words in (["plan"], ["apply", "-auto-approve"], ["state", "list"]):
        assert "lunform.state" in lunform(*words, directory=small, code=1).errors
    assert (small / "lunform.state").read_bytes() == content


def test_a_state_of_a_newer_lunform_is_refused(small: Path) -> None:
    import sqlite3

    lunform("apply", "-auto-approve", directory=small)
    with sqlite3.connect(small / "lunform.state") as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    assert "newer" in lunform("plan", directory=small, code=1).errors


def test_files_are_for_their_owner_alone(small: Path) -> None:
    lunform("plan", "-out=p", directory=small)
    lunform("apply", "p", directory=small)
    for name in ("p", "lunform.state"):
        assert stat.S_IMODE((small / name).stat().st_mode) == 0o600, name


def test_plan_json_is_terraforms_representation_and_ours(small: Path) -> None:
    plan = json.loads(lunform("plan", "-json", directory=small).output)
    (change,) = [item for item in plan["resource_changes"] if item["type"] == "volume"]
    assert change["change"]["actions"] == ["create"]
    assert change["change"]["after"]["size"] == "10GiB"
    assert change["change"]["after_unknown"]["iqn"] is True
    assert plan["placements"]
    assert plan["qos"]
    assert [step["verb"] for step in plan["steps"] if step["address"] == "volume.db"] == ["create_async"]


def test_apply_json_is_a_stream_of_lines(small: Path) -> None:
    lines = lunform("apply", "-json", "-auto-approve", directory=small).output.splitlines()
    types = [json.loads(line)["type"] for line in lines]
    assert types[0] == "version"
    assert "apply_complete" in types
    assert types[-1] == "outputs"


def test_outputs(small: Path) -> None:
    lunform("apply", "-auto-approve", directory=small)
    assert lunform("output", "-raw", "name", directory=small).output == "volume-db\n"
    assert json.loads(lunform("output", "-json", directory=small).output)["name"]["value"] == "volume-db"
    assert 'Did you mean "name"?' in lunform("output", "nam", directory=small, code=1).errors


def test_show_and_graph(small: Path) -> None:
    lunform("plan", "-out=p", directory=small)
    assert "volume.db will be created" in lunform("show", "p", directory=small).output
    assert '"volume.db" -> "disk_offering.fast"' in lunform("graph", directory=small).output
    assert "create_async" in lunform("graph", "-plan=p", directory=small).output
    lunform("apply", "p", directory=small)
    assert "volume.db" in lunform("show", directory=small).output
    state = json.loads(lunform("show", "-json", directory=small).output)
    assert "volume.db" in {item["address"] for item in state["values"]["root_module"]["resources"]}


def test_mistakes_go_to_standard_error_and_nothing_is_written(small: Path) -> None:
    (small / "more.lun.hcl").write_text('volume "x" {\n  offering = disk_offering.fsat\n  size = 10\n}\n')
    failed = lunform("apply", "-auto-approve", directory=small, code=1)
    assert failed.output == ""
    assert 'Did you mean "fast"?' in failed.errors
    assert "more.lun.hcl:2:14" in failed.errors
    assert sorted(path.name for path in small.iterdir()) == ["main.lun.hcl", "more.lun.hcl"]
    found = json.loads(lunform("validate", "-json", directory=small, code=1).output)
    assert (found["valid"], found["error_count"]) == (False, 2)


def test_flags_as_terraform_users_type_them(small: Path) -> None:
    assert "30GiB" in lunform("plan", "--var", "size=30GiB", "--refresh=false", "-no-color", directory=small).output
    (small / "a.lunvars.hcl").write_text('size = "40GiB"\n')
    assert "50GiB" in lunform("plan", "-var-file=a.lunvars.hcl", "-var", "size=50GiB", directory=small).output
    assert "40GiB" in lunform("plan", "-var", "size=50GiB", "-var-file", "a.lunvars.hcl", directory=small).output
    given = {"LUNFORM_VAR_size": "60GiB"}
    assert "60GiB" in lunform("plan", directory=small, environment=given).output
    given = {"LUNFORM_CLI_ARGS_plan": "-var size=70GiB"}
    assert "70GiB" in lunform("plan", directory=small, environment=given).output
    assert "10GiB" in lunform(f"-chdir={small}", "plan", directory=Path("/")).output


def test_colour_is_for_those_who_see_it(small: Path) -> None:
    assert "\x1b[" not in lunform("plan", directory=small).output
    assert "\x1b[" in lunform("plan", directory=small, environment={"FORCE_COLOR": "1"}).output
    assert "\x1b[" not in lunform("plan", "-no-color", directory=small, environment={"FORCE_COLOR": "1"}).output


def test_a_failed_step_skips_what_needs_it_and_the_next_apply_goes_on(small: Path) -> None:
    faults = '[{ verb = "create_async", effect = "refuse", match = "volume-db", times = 1 }]'
    rule = f'provider "sandbox" {{\n  faults = {faults}\n}}'
    (small / "main.lun.hcl").write_text(
        SMALL.replace('provider "sandbox" {}', rule)
        + 'volume "other" {\n  offering = disk_offering.fast\n  size = "1GiB"\n}\n'
    )
    failed = lunform("apply", "-auto-approve", directory=small, code=1)
    assert "volume.db" in failed.output
    assert "volume.other" in lunform("state", "list", directory=small).output
    assert "1 added" in lunform("apply", "-auto-approve", directory=small).output


def test_a_killed_apply_is_rolled_forward(small: Path) -> None:
    killed = {"LUNFORM_SANDBOX_KILL": "create_async:after:1"}
    lunform_process("apply", "-auto-approve", directory=small, environment=killed, code=-9)
    planned = lunform("plan", directory=small)
    assert "volume.db had been created; recorded." in planned.errors
    lunform("apply", "-auto-approve", directory=small)
    assert "No changes." in lunform("plan", directory=small).output


@pytest.mark.parametrize(
    "words",
    [
        ["-h"],
        *(
            [verb, "-h"]
            for verb in (
                "init",
                "validate",
                "fmt",
                "plan",
                "apply",
                "destroy",
                "refresh",
                "drift",
                "show",
                "capacity",
                "output",
                "state",
                "force-unlock",
                "workspace",
                "history",
                "graph",
                "console",
                "providers",
                "version",
            )
        ),
        *(["state", verb, "-h"] for verb in ("list", "show", "pull", "push", "mv", "rm")),
        *(["workspace", verb, "-h"] for verb in ("list", "show", "new", "select", "delete")),
    ],
    ids=" ".join,
)
def test_help_has_an_example(words: list[str], tmp_path: Path) -> None:
    said = lunform(*words, directory=tmp_path).output
    assert "lunform" in said
    assert words == ["-h"] or "Example" in said


def test_a_misspelt_verb_is_answered_with_the_right_one(tmp_path: Path) -> None:
    assert 'Did you mean "plan"?' in lunform("plna", directory=tmp_path, code=1).errors


def test_a_flag_that_is_not_there_is_named_whole(tmp_path: Path) -> None:
    failed = lunform("plan", "-refrsh=false", directory=tmp_path, code=1)
    assert "plan has no flag -refrsh." in failed.errors
    assert 'Did you mean "-refresh"?' in failed.errors


def test_the_bare_command_shows_its_verbs(tmp_path: Path) -> None:
    shown = lunform(directory=tmp_path, code=1)
    assert shown.output.startswith("Usage: lunform")
    assert shown.errors == ""


def test_version_and_providers(tmp_path: Path) -> None:
    assert json.loads(lunform("version", "-json", directory=tmp_path).output)["lunform_version"]
    names = {row["name"] for row in json.loads(lunform("providers", "-json", directory=tmp_path).output)}
    assert {"sandbox", "tgt", "libvirt"} <= names


def test_a_state_that_another_process_holds_is_refused_naming_the_holder(small: Path) -> None:
    from planner.state.sqlite import open_sqlite

    store = open_sqlite(small / "lunform.state")
    with store.lock("apply"):
        refused: Finished = lunform("apply", "-auto-approve", directory=small, code=1)
        waited = lunform("apply", "-auto-approve", "-lock-timeout=1s", directory=small, code=1)
    assert str(os.getpid()) in refused.errors
    assert "Waiting up to 1.0s" in waited.output
    lunform("apply", "-auto-approve", directory=small)


REPLACED_FIRST = """
provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = MAX
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}

host "kvm" {
  provider = sandbox
  address  = "192.0.2.11"
}

volume "db" {
  offering = disk_offering.fast
  size     = "10GiB"

  attach {
    host = host.kvm
    vm   = "db-01"
  }

  lifecycle {
    create_before_destroy = true
    replace_triggered_by  = [disk_offering.fast]
  }
}
"""


@pytest.mark.parametrize(
    "point", ["create_async:before:1", "create_async:after:1", "detach:after:1", "delete_async:after:1"]
)
def test_a_replacement_that_is_killed_leaves_one_volume_in_the_end(tmp_path: Path, point: str) -> None:
    import sqlite3

    configuration = tmp_path / "main.lun.hcl"
    configuration.write_text(REPLACED_FIRST.replace("MAX", "1000"))
    lunform("apply", "-auto-approve", directory=tmp_path)
    configuration.write_text(REPLACED_FIRST.replace("MAX", "1500"))
    go = ("apply", "-auto-approve", "-allow-data-loss")
    lunform_process(*go, directory=tmp_path, environment={"LUNFORM_SANDBOX_KILL": point}, code=-9)
    lunform(*go, directory=tmp_path)
    assert "No changes." in lunform("plan", directory=tmp_path).output
    assert [line for line in lunform("state", "list", directory=tmp_path).output.split() if "volume" in line] == [
        "volume.db"
    ]
    with sqlite3.connect(tmp_path / "sandbox.db") as array:
        volumes = array.execute("SELECT max_iops FROM volume").fetchall()
        disks = array.execute("SELECT vm FROM attachment").fetchall()
    array.close()
    assert (volumes, disks) == ([(1500,)], [("db-01",)])
