"""Figures that are lost, or given out twice: complaints of users of other systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.errors import InvalidConfiguration
from planner.views.diagnostics_text import render_diagnostics
from planner.views.style import Style
from tests.project import Project, change

CONFIGURATION = """
provider "sandbox" {
  path = PATH
}

disk_offering "custom" {
  custom_iops = true
}

disk_offering "other" {
  custom_iops = true
  tags        = ["ssd"]
}

compute_offering "small" {
  cpus   = 1
  memory = "1GiB"

  root_disk {
    size       = "ROOT"
    min_iops   = 300
    max_iops   = 600
    burst_iops = 900
  }
}

pool "a" {
  provider      = sandbox
  tags          = ["ssd"]
  capacity_iops = 2000
}

host "kvm" {
  for_each = { a = "10.0.0.1", b = "10.0.0.2" }
  provider = sandbox
  address  = each.value
}

vm "web" {
  host     = host.kvm["ON"]
  offering = compute_offering.small
}

volume "db" {
  offering   = disk_offering.OFFERING
  size       = "SIZE"
  min_iops   = 500
  max_iops   = 700
  burst_iops = 900

  attach {
    host = host.kvm["ON"]
    vm   = vm.web.name
  }
}
"""


def configuration(*, size: str = "10GiB", root: str = "10GiB", offering: str = "custom", on: str = "a") -> str:
    text = CONFIGURATION.replace("SIZE", size).replace("ROOT", root).replace("OFFERING", offering)
    return text.replace('"ON"', f'"{on}"')


# apache/cloudstack#14103, and pull requests 6681 and 7226 there
@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"size": "20GiB", "root": "20GiB"}, id="resize"),
        pytest.param({"on": "b"}, id="migration"),
        pytest.param({"offering": "other"}, id="change-of-offering"),
    ],
)
def test_custom_iops_are_never_lost(tmp_path: Path, changed: dict[str, str]) -> None:
    project = Project(tmp_path, configuration())
    assert project.apply().complete
    project.write(configuration(**changed))
    plan = project.plan()
    assert not any(change.loses_data for change in plan.changes)
    assert project.apply(plan).complete
    figures = "SELECT min_iops, max_iops, burst_iops FROM volume ORDER BY name"
    assert project.ask(figures) == [(300, 600, 900), (500, 700, 900)]
    for address, floor in (("volume.db", 500), ("root_disk.web", 300)):
        assert project.recorded(address)["min_iops"] == floor
    assert project.plan().is_empty


# apache/cloudstack#10199
def test_floors_are_never_over_committed(tmp_path: Path) -> None:
    """Root disks, data disks and what others have made there count together, and nothing is made."""
    project = Project(tmp_path, configuration())
    assert project.apply().complete
    columns = "pool, name, size, min_iops, max_iops, burst_iops"
    project.outside(f"INSERT INTO volume ({columns}) VALUES ('pool.a', 'theirs', 1, 900, 900, 900)")
    one_more = '\nvolume "more" {\n  offering = disk_offering.custom\n  size = "1GiB"\n'
    figures = "  min_iops = FLOOR\n  max_iops = 900\n  burst_iops = 900\n}\n"
    project.write(configuration() + one_more + figures.replace("FLOOR", "301"))
    with pytest.raises(InvalidConfiguration) as refused:
        project.plan()
    text = render_diagnostics(refused.value.diagnostics, Style(False))
    assert "iops" in text
    assert "301" in text
    assert "300" in text
    assert project.ask("SELECT count(*) FROM volume") == [(3,)]

    project.write(configuration() + one_more + figures.replace("FLOOR", "300"))
    plan = project.plan()
    assert change(plan, "volume.more").assignment is not None
    assert project.apply(plan).complete
