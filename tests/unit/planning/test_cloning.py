"""Volumes that begin as copies, through whole plans and applies."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planner.addresses import parse_instance
from planner.planning.builder import PlanRequest
from tests.project import Project

CONFIGURATION = """
provider "sandbox" {
  path = PATH
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}

volume "golden" {
  offering = disk_offering.fast
  size     = "1GiB"
}

volume "copy" {
  offering = disk_offering.fast
  size     = "1GiB"
  source   = volume.golden
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path / "project", CONFIGURATION)
    assert project.apply().complete
    return project


def began_as(project: Project) -> dict[str, str | None]:
    """By the names of the array's volumes, what each began as."""
    with closing(sqlite3.connect(project.array)) as database:
        return dict(database.execute("SELECT name, source FROM volume"))


def test_a_copy_is_one_on_the_array(project: Project) -> None:
    assert began_as(project) == {"volume-golden": None, "volume-copy": "vol-1"}


def test_what_replaces_a_copy_is_a_copy(project: Project) -> None:
    plan = project.plan(PlanRequest(replaces=frozenset({parse_instance("volume.copy")})))
    assert project.apply(plan).complete
    assert began_as(project) == {"volume-golden": None, "volume-copy": "vol-1"}
    project.write(CONFIGURATION.replace("source ", 'name = "another"\n  source '))
    assert project.apply().complete
    assert began_as(project) == {"volume-golden": None, "another": "vol-1"}


def test_a_source_that_was_replaced_leaves_its_copies(project: Project) -> None:
    plan = project.plan(PlanRequest(replaces=frozenset({parse_instance("volume.golden")})))
    assert [str(change.address) for change in plan.changes if not change.is_empty] == ["volume.golden"]


def test_a_copy_made_with_its_source_anew_is_of_the_new_one(project: Project) -> None:
    both = frozenset(map(parse_instance, ("volume.golden", "volume.copy")))
    assert project.apply(project.plan(PlanRequest(replaces=both))).complete
    sources = began_as(project)
    assert sources["volume-golden"] is None
    assert sources["volume-copy"] not in (None, "vol-1")
