"""An array with QoS policies gets new figures of an offering by one call, however many volumes there are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from planner.planning.plan import Plan
from planner.steps.graph import Verb
from tests.project import Project

CONFIGURATION = """
provider "sandbox" {
  path     = PATH
  policies = true
}

disk_offering "fast" {
  min_iops    = 10
  max_iops    = CEILING
  burst_iops  = 2000
  custom_iops = true
}

pool "ssd" {
  provider      = sandbox
  capacity_iops = 100000
}

volume "db" {
  count    = COUNT
  offering = disk_offering.fast
  size     = "1GiB"
}

volume "own" {
  offering   = disk_offering.fast
  size       = "1GiB"
  min_iops   = 20
  max_iops   = 300
  burst_iops = 300
}
"""


def configuration(ceiling: int, count: int) -> str:
    return CONFIGURATION.replace("CEILING", str(ceiling)).replace("COUNT", str(count))


def calls(plan: Plan) -> Counter[Verb]:
    return Counter(step.verb for step in plan.steps.steps)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, configuration(1000, 200))
    assert project.apply().complete
    return project


def test_an_offering_of_many_volumes_changes_by_one_call(project: Project) -> None:
    project.write(configuration(1500, 200))
    plan = project.plan()
    assert calls(plan)[Verb.UPDATE_POLICY] == 1
    assert calls(plan)[Verb.UPDATE_QOS] == 0
    assert project.apply(plan).complete
    assert project.ask("SELECT max_iops, count(*) FROM volume GROUP BY max_iops ORDER BY 1") == [(300, 1), (1500, 200)]
    assert project.recorded("volume.db[7]")["max_iops"] == 1500
    assert project.recorded("volume.own")["max_iops"] == 300
    assert project.plan().is_empty


def test_a_new_volume_waits_for_the_policy_to_have_its_figures(project: Project) -> None:
    project.write(configuration(1500, 201))
    assert project.apply().complete
    assert project.ask("SELECT count(*) FROM volume WHERE max_iops = 1500") == [(201,)]
    assert project.plan().is_empty


def test_a_policy_that_was_changed_outside_is_put_back_by_one_call(project: Project) -> None:
    project.outside("UPDATE policy SET max_iops = 700", "UPDATE volume SET max_iops = 700 WHERE policy IS NOT NULL")
    plan = project.plan()
    assert calls(plan)[Verb.UPDATE_POLICY] == 1
    assert calls(plan)[Verb.UPDATE_QOS] == 0
    assert project.apply(plan).complete
    assert project.plan().is_empty


def test_a_volume_that_was_taken_out_of_its_policy_is_put_back(project: Project) -> None:
    project.outside("UPDATE volume SET policy = NULL, max_iops = 900 WHERE name = 'volume-db-3'")
    plan = project.plan()
    assert (calls(plan)[Verb.UPDATE_POLICY], calls(plan)[Verb.UPDATE_QOS]) == (0, 1)
    assert project.apply(plan).complete
    assert project.ask("SELECT count(*) FROM volume WHERE policy IS NULL") == [(1,)]
    assert project.plan().is_empty


def test_an_offering_that_nobody_used_for_a_while_gets_another_policy(project: Project) -> None:
    project.write(configuration(1000, 0))
    assert project.apply().complete
    project.write(configuration(1500, 2))
    assert project.apply().complete
    assert project.plan().is_empty


def test_figures_of_its_own_take_a_volume_out_of_the_policy(project: Project) -> None:
    one = 'volume "db" {\n  count    = 200\n'
    own = one + "  min_iops   = 10\n  max_iops   = 400\n  burst_iops = 400\n"
    project.write(configuration(1000, 200).replace(one, own))
    assert project.apply().complete
    assert project.ask("SELECT count(*) FROM volume WHERE policy IS NULL AND max_iops = 400") == [(200,)]
    assert project.plan().is_empty


@pytest.mark.parametrize("first", ["false", "true"], ids=["destroyed first", "created first"])
def test_a_replacement_waits_for_the_policy_to_have_its_figures(tmp_path: Path, first: str) -> None:
    def replaced(ceiling: int) -> str:
        one = 'volume "db" {\n'
        triggered = f"create_before_destroy = {first}\n    replace_triggered_by  = [disk_offering.fast.max_iops]"
        return configuration(ceiling, 2).replace(one, f"{one}  lifecycle {{\n    {triggered}\n  }}\n")

    project = Project(tmp_path, replaced(1000))
    assert project.apply().complete
    project.write(replaced(1500))
    assert project.apply().complete
    assert project.ask("SELECT count(*) FROM volume WHERE policy IS NOT NULL AND max_iops = 1500") == [(2,)]
    assert project.plan().is_empty
