"""A plan is refused when what it touches has moved on since, and says how."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import StalePlan
from planner.planning.plan import Plan
from tests.project import Project

CONFIGURATION = """
provider "sandbox" { path = PATH }

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" { provider = sandbox }

host "kvm" {
  provider = sandbox
  address  = "192.0.2.11"
}

variable "size" {
  default = "10GiB"
}

variable "vms" {
  type    = set(string)
  default = ["web"]
}

variable "more" {
  type    = set(string)
  default = []
}

volume "db" {
  offering = disk_offering.fast
  size     = var.size
  dynamic "attach" {
    for_each = var.vms
    content {
      host      = host.kvm
      vm        = attach.value
      read_only = true
    }
  }
}

volume "more" {
  for_each = var.more
  offering = disk_offering.fast
  size     = "1GiB"
}
"""
GROW = "UPDATE volume SET size = 16106127360 WHERE name = 'volume-db'"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply().complete
    return project


def refusal(project: Project, plan: Plan) -> list[str]:
    """The lines that say what has moved."""
    with pytest.raises(StalePlan) as refused:
        project.apply(plan)
    return [line.strip() for line in refused.value.detail.splitlines() if line.startswith("  ")]


def test_attributes_that_moved_on_are_told_with_both_values(project: Project) -> None:
    plan = project.plan(size="20GiB")
    project.apply(size="30GiB", vms="[]")
    assert refusal(project, plan) == ["volume.db: attach, size 10GiB -> 30GiB"]


def test_what_the_plan_found_to_have_drifted_has_not_moved_on(project: Project) -> None:
    """The plan has the size that it found; what was recorded then is what the record is held against."""
    project.outside(GROW)
    plan = project.plan(size="20GiB")
    assert project.apply(project.refresh_only()).complete
    assert refusal(project, plan) == ["volume.db: size 10GiB -> 15GiB"]
    project.outside(GROW.replace("16106127360", "17179869184"), "DELETE FROM attachment")
    plan = project.plan(size="20GiB")
    project.apply(size="20GiB")
    assert refusal(project, plan) == ["volume.db: size 15GiB -> 20GiB"]


def test_what_was_made_meanwhile_is_told_by_its_id(project: Project) -> None:
    plan = project.plan(more='["x"]')
    project.apply(more='["x"]')
    id = project.recorded('volume.more["x"]')["id"]
    assert refusal(project, plan) == [
        f'volume.more["x"]: it is recorded by now with the id {id}, and the plan would create it'
    ]


def test_what_was_destroyed_meanwhile_is_told(project: Project) -> None:
    project.apply(more='["x", "y"]')
    plan = project.plan(more='["y"]')
    project.apply(more='["y"]')
    assert refusal(project, plan) == ['volume.more["x"]: it is not recorded any more, and the plan would destroy it']


def test_what_was_found_gone_and_made_again_by_another_is_told(project: Project) -> None:
    project.outside("DELETE FROM attachment", "DELETE FROM access", "DELETE FROM volume")
    plan = project.plan()
    assert project.apply().complete
    assert refusal(project, plan) == ["volume.db: it was recorded anew, and the plan would create it"]


def test_of_many_objects_some_are_named_and_the_rest_is_counted(project: Project) -> None:
    plan = project.plan(more=str([f"v{number}" for number in range(12)]).replace("'", '"'))
    project.apply(plan)
    assert len(refusal(project, plan)) == 11
    assert refusal(project, plan)[-1] == "and 2 more"


def test_what_was_applied_elsewhere_in_the_state_does_not_count(project: Project) -> None:
    plan = project.plan(size="20GiB")
    project.apply(more='["x"]')
    assert project.apply(plan).complete
    assert project.recorded("volume.db")["size"] == "20GiB"
    assert project.recorded('volume.more["x"]')["size"] == "1GiB"
