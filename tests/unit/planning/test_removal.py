"""What becomes of an object that two records have, since a run ended between the two."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planner.planning.builder import PlanRequest
from planner.planning.plan import Action, Plan
from planner.steps.graph import Verb
from tests.project import Project, change

CONFIGURATION = """
provider "sandbox" {
  path = PATH
}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 100
  burst_iops = 200
}

pool "ssd" {
  provider = sandbox
}

volume "new" {
  offering = disk_offering.fast
  size     = "1GiB"
}
"""
MOVED = """
moved {
  from = volume.old
  to   = volume.new
}
"""


@pytest.fixture
def half_moved(tmp_path: Path) -> Project:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply().complete
    with closing(sqlite3.connect(tmp_path / "lunform.state")) as state, state:
        state.execute(
            "INSERT INTO object SELECT 'volume.old', provider, attributes, dependencies, revision, protected"
            " FROM object WHERE address = 'volume.new'"
        )
    return project


def deletes(plan: Plan) -> int:
    return sum(step.verb is Verb.DELETE for step in plan.steps.steps)


def test_only_the_surplus_record_goes(half_moved: Project) -> None:
    plan = half_moved.plan()
    assert change(plan, "volume.old").action is Action.FORGET
    assert deletes(plan) == 0
    assert half_moved.apply(plan).complete
    assert half_moved.ask("SELECT count(*) FROM volume") == [(1,)]
    assert half_moved.plan().is_empty


def test_a_move_that_was_cut_short_is_finished(half_moved: Project) -> None:
    half_moved.write(CONFIGURATION + MOVED)
    plan = half_moved.plan()
    assert not plan.warnings
    assert deletes(plan) == 0
    assert half_moved.apply(plan).complete
    assert half_moved.ask("SELECT count(*) FROM volume") == [(1,)]
    assert half_moved.plan().is_empty


def test_destroying_takes_it_away_once(half_moved: Project) -> None:
    plan = half_moved.plan(PlanRequest(destroy=True))
    assert deletes(plan) == 1
    assert half_moved.apply(plan).complete
    assert half_moved.ask("SELECT count(*) FROM volume") == [(0,)]
