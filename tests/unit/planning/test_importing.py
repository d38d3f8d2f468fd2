"""The verb `import` records one volume as its array has it, and nothing else happens."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from planner import operations
from planner.addresses import parse_instance
from planner.diagnostics import Diagnostics
from planner.errors import InvalidConfiguration
from planner.planning.builder import PlanRequest
from planner.planning.plan import Action, Plan
from planner.steps.graph import Verb
from tests.project import Project, change

CONFIGURATION = """
provider "sandbox" { path = PATH }

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" { provider = sandbox }

volume "legacy" {
  offering = disk_offering.fast
  size     = "6GiB"
  zone     = "east"
  lifecycle { prevent_destroy = true }
}

volume "other" {
  count    = 2
  offering = disk_offering.fast
  size     = "1GiB"
  lifecycle {
    precondition {
      condition     = false
      error_message = "Not now."
    }
  }
}

output "size" { value = volume.legacy.size }
"""
FOREIGN = (
    "INSERT INTO volume (pool, name, size, min_iops, max_iops, burst_iops, metadata)"
    " VALUES ('pool.a', 'legacy', 5368709120, 50, 900, 900, '{}')"
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, CONFIGURATION)
    project.outside(FOREIGN)
    return project


def importing(project: Project, address: str, id: str) -> tuple[Plan, Diagnostics]:
    loaded = project.load()
    request = PlanRequest(read=False, importing=(parse_instance(address), id))
    with closing(operations.store_of(loaded)) as store:
        return operations.plan(loaded, store, request)


def refusal(project: Project, address: str, id: str) -> tuple[str, str]:
    with pytest.raises(InvalidConfiguration) as refused:
        importing(project, address, id)
    (mistake,) = refused.value.diagnostics
    assert mistake.address == address
    return mistake.summary, mistake.detail


def test_what_the_array_has_is_recorded_with_what_only_the_block_says(project: Project) -> None:
    plan, _ = importing(project, "volume.legacy", "legacy")
    assert {step.verb for step in plan.steps.steps} == {Verb.RECORD}
    assert project.apply(plan).complete
    recorded = project.recorded("volume.legacy")
    assert (recorded["size"], recorded["max_iops"], recorded["name"]) == ("5GiB", 900, "legacy")
    assert (recorded["offering"], recorded["zone"]) == ("disk_offering.fast", "east")
    assert project.ask("SELECT size, max_iops FROM volume") == [(5368709120, 900)]


def test_only_the_volume_is_recorded_and_what_it_names(project: Project) -> None:
    """The precondition of another block does not stop it, and no output is worked out."""
    plan, _ = importing(project, "volume.legacy", "legacy")
    assert [str(change.address) for change in plan.changes] == ["disk_offering.fast", "pool.a", "volume.legacy"]
    applied = project.apply(plan)
    assert applied.outputs == {}
    assert not applied.diagnostics
    with closing(operations.store_of(project.load())) as store:
        objects = store.read().objects
        assert [run.operation for run in store.runs()] == ["import"]
    assert {str(address) for address in objects} == {"disk_offering.fast", "pool.a", "volume.legacy"}
    volume = objects[parse_instance("volume.legacy")]
    assert volume.protected
    assert [str(need) for need in volume.dependencies] == ["disk_offering.fast", "pool.a"]


def test_the_next_plan_shows_how_it_differs_from_its_block(project: Project) -> None:
    plan, _ = importing(project, "volume.legacy", "legacy")
    project.apply(plan)
    project.write(CONFIGURATION.replace("condition     = false", "condition     = true"))
    then = change(project.plan(), "volume.legacy")
    assert (then.action, then.before["size"], then.after["size"]) == (Action.UPDATE, "5GiB", "6GiB")
    assert then.drift == ()
    assert project.apply().complete
    assert project.ask("SELECT size, max_iops FROM volume WHERE name = 'legacy'") == [(6442450944, 1000)]


def test_what_is_recorded_already_stays_as_it_is(project: Project) -> None:
    project.apply(importing(project, "volume.legacy", "legacy")[0])
    project.write(CONFIGURATION.replace("max_iops   = 1000", "max_iops   = 1500"))
    project.outside(FOREIGN.replace("'legacy'", "'second'"))
    project.apply(importing(project, "volume.other[1]", "second")[0])
    assert project.recorded("disk_offering.fast")["max_iops"] == 1000


def test_an_address_that_nobody_declares_is_refused_with_a_suggestion(project: Project) -> None:
    assert 'Did you mean "volume.legacy"?' in refusal(project, "volume.legcy", "legacy")[1]
    assert refusal(project, "volume.other", "legacy")[0] == "Import of something undeclared"


def test_what_is_no_volume_is_refused(project: Project) -> None:
    assert refusal(project, "pool.a", "legacy")[0] == "Unsupported import"


def test_an_address_that_is_recorded_is_refused_with_its_id(project: Project) -> None:
    project.apply(importing(project, "volume.legacy", "legacy")[0])
    summary, detail = refusal(project, "volume.legacy", "vol-9")
    assert summary == "Recorded already"
    assert "vol-1" in detail


def test_an_id_that_no_pool_has_is_refused(project: Project) -> None:
    assert refusal(project, "volume.legacy", "lgacy")[0] == "Nothing to import"


def test_a_volume_that_has_an_address_is_not_given_a_second_one(project: Project) -> None:
    project.apply(importing(project, "volume.legacy", "legacy")[0])
    for id in ("vol-1", "legacy"):
        summary, detail = refusal(project, "volume.other[0]", id)
        assert summary == "Recorded under another address"
        assert "volume.legacy" in detail


def test_two_import_blocks_do_not_take_the_same_volume(project: Project) -> None:
    blocks = "".join(
        f'import {{\n  to = {to}\n  id = "{id}"\n}}\n'
        for to, id in (("volume.legacy", "legacy"), ("volume.other[0]", "vol-1"))
    )
    project.write(CONFIGURATION.replace("condition     = false", "condition     = true") + blocks)
    with pytest.raises(InvalidConfiguration) as refused:
        project.plan()
    (mistake,) = refused.value.diagnostics
    assert (mistake.summary, mistake.address) == ("Recorded under another address", "volume.other[0]")
    assert mistake.subject is not None


def test_the_mark_of_another_state_is_a_warning(project: Project) -> None:
    project.outside("UPDATE volume SET lineage = 'theirs', address = 'volume.x', intent = 'abcdabcdabcdabcd'")
    plan, diagnostics = importing(project, "volume.legacy", "legacy")
    (warning,) = diagnostics
    assert warning.summary == "Volume of another state"
    assert "volume.x in the state theirs" in warning.detail
    assert project.apply(plan).complete
    assert project.recorded("volume.legacy")["serial"] == "abcdabcdabcdabcd"


def test_a_volume_with_another_name_than_declared_is_imported_all_the_same(project: Project) -> None:
    project.write(CONFIGURATION.replace('zone     = "east"', 'name     = "mine"'))
    project.apply(importing(project, "volume.legacy", "vol-1")[0])
    assert project.recorded("volume.legacy")["name"] == "legacy"
