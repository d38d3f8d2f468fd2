"""docs/planning.md shows what its commands really say."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.addresses import parse_instance
from planner.errors import InvalidConfiguration
from planner.planning.builder import PlanRequest
from planner.views.diagnostics_text import render_diagnostics
from planner.views.style import Style
from tests.project import Project, text

PAGE = (Path(__file__).parents[3] / "docs" / "planning.md").read_text()
CONFIGURATION = """provider "sandbox" { path = PATH }

disk_offering "fast" {
  min_iops   = 500
  max_iops   = 1000
  burst_iops = 2000
}

pool "east" {
  provider      = sandbox
  name          = "east"
  capacity_iops = 5000
}

pool "west" {
  provider      = sandbox
  name          = "west"
  capacity_iops = 5000
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "10GiB"
  pool     = pool.east
}

volume "archive" {
  offering = disk_offering.fast
  size     = "500GiB"
  pool     = pool.west
}
"""
WAL = (parse_instance('volume.db["wal"]'),)


def refusal(project: Project, request: PlanRequest | None = None) -> str:
    with pytest.raises(InvalidConfiguration) as error:
        project.plan(request)
    return render_diagnostics(error.value.diagnostics, Style(False))


def test_the_page_is_true(tmp_path: Path) -> None:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply().complete
    project.write(CONFIGURATION.replace("max_iops   = 1000", "max_iops   = 1500"))
    plan = project.plan(PlanRequest(targets=WAL))
    assert text(plan) + render_diagnostics(plan.warnings, Style(False)) in PAGE
    replaced = text(project.plan(PlanRequest(targets=WAL, replaces=frozenset(WAL))))
    assert replaced[replaced.index("  # volume.db") :] in PAGE
    assert refusal(project, PlanRequest(targets=(parse_instance("volume.dv"),))) in PAGE
    project.write(CONFIGURATION.replace('"wal"', '"log"'))
    assert refusal(project).replace(str(tmp_path) + "/", "") in PAGE
