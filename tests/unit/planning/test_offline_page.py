"""docs/offline.md shows what its command really says."""

from __future__ import annotations

from pathlib import Path

from planner.planning.builder import PlanRequest
from tests.project import Project, text

PAGE = Path(__file__).parents[3] / "docs" / "offline.md"
CONFIGURATION = """
variable "san_password" {
  type      = string
  sensitive = true
}

provider "sandbox" {
  path      = PATH
  chap_seed = var.san_password
}

disk_offering "fast" {
  min_iops   = 500
  max_iops   = 1000
  burst_iops = 2000
}

pool "east" {
  provider      = sandbox
  capacity      = "10TiB"
  capacity_iops = 5000
}

volume "db" {
  offering = disk_offering.fast
  size     = "100GiB"
}
"""
MORE = """
pool "west" {
  provider = sandbox
}

volume "log" {
  offering = disk_offering.fast
  size     = "50GiB"
}
"""


def planned(directory: Path) -> str:
    project = Project(directory, CONFIGURATION)
    assert project.apply(san_password="secret").complete
    project.write(CONFIGURATION.replace("100GiB", "200GiB") + MORE)
    return text(project.plan(PlanRequest(offline=True)))


def test_the_page_is_true(tmp_path: Path) -> None:
    assert f"$ lunform plan -offline -detailed-exitcode\n{planned(tmp_path)}```\n" in PAGE.read_text()
