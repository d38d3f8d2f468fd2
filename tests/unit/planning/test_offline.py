"""Offline plans: what they choose without asking anybody, and that nobody can apply one."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import operations, planfile
from planner.errors import InvalidConfiguration, LunformError, PlanFileError
from planner.planning.builder import PlanRequest
from planner.planning.plan import Action, Plan
from planner.plugins import OpenProviders
from planner.values.marks import Unknown
from tests.project import Project, change

CONFIGURATION = """
provider "sandbox" {
  path     = PATH
  enforces = []
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
  iops     = 100000
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
}
"""
PLACEMENT = 'lunform {\n  placement = "first"\n}\n'
SECOND = 'pool "b" {\n  provider = sandbox\n}\nvolume "new" {\n  offering = disk_offering.fast\n  size = "1GiB"\n}\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply().complete
    monkeypatch.setattr(operations, "OpenProviders", None)
    return project


def offline(project: Project, **variables: str) -> Plan:
    return project.plan(PlanRequest(offline=True), **variables)


def test_limits_that_a_hypervisor_holds_are_no_change(project: Project) -> None:
    """The array holds nothing, so the hypervisor does, as recorded; offline nobody knows that it is so."""
    assert project.recorded("volume.db")["attachments"][0]["qos"] == {"max_iops": 1000, "burst_iops": 2000}
    assert offline(project).is_empty


def test_a_pool_is_left_open_where_figures_would_choose_and_none_are_declared(project: Project) -> None:
    project.write(CONFIGURATION + SECOND)
    new = change(offline(project), "volume.new")
    assert isinstance(new.after["pool"], Unknown)
    assert new.assignment.among == ("pool.a", "pool.b")


def test_the_lowest_name_needs_no_figures(project: Project) -> None:
    project.write(PLACEMENT + CONFIGURATION + SECOND)
    new = change(offline(project), "volume.new")
    assert (new.after["pool"], new.assignment.among) == ("pool.a", ())


def test_figures_that_only_data_sources_know_are_taken_as_not_declared(project: Project) -> None:
    data = 'data "pool" "a" {\n  pool = pool.a\n}\n'
    capacity = "  capacity = data.pool.a.capacity\n"
    project.write(CONFIGURATION + data + SECOND.replace("sandbox\n", f"sandbox\n{capacity}", 1))
    assert change(offline(project), "volume.new").assignment.among == ("pool.a", "pool.b")


def test_whom_a_pool_serves_must_be_known_offline_too(project: Project) -> None:
    data = 'data "pool" "a" {\n  pool = pool.a\n}\n'
    project.write(CONFIGURATION + data + SECOND.replace("sandbox\n", "sandbox\n  zone = data.pool.a.product\n", 1))
    with pytest.raises(InvalidConfiguration) as refused:
        offline(project)
    assert [mistake.address for mistake in refused.value.diagnostics] == ["pool.b"]


def test_an_output_of_a_data_source_changes_only_where_an_object_does(project: Project) -> None:
    output = 'data "pool" "a" {\n  pool = pool.a\n}\noutput "used" {\n  value = data.pool.a.used\n}\n'
    with pytest.MonkeyPatch.context() as online:
        online.setattr(operations, "OpenProviders", OpenProviders)
        project.write(CONFIGURATION + output)
        assert project.apply().complete
    assert offline(project).is_empty
    project.write(CONFIGURATION.replace("10GiB", "20GiB") + output)
    assert isinstance(offline(project).outputs["used"].after.value, Unknown)


def test_nobody_applies_or_saves_an_offline_plan(project: Project, tmp_path: Path) -> None:
    project.write(CONFIGURATION.replace("10GiB", "20GiB"))
    plan = offline(project)
    assert [item.action for item in plan.changes if not item.is_empty] == [Action.UPDATE]
    with pytest.raises(LunformError, match="offline plan is not applied"):
        project.apply(plan)
    with pytest.raises(PlanFileError, match="offline plan is not saved"):
        planfile.write(tmp_path / "p", plan, ())
    assert not (tmp_path / "p").exists()
