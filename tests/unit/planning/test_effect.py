"""What the plan says of when a VM has what changes in place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner import operations, planfile
from planner.views.plan_json import plan_to_json
from tests.project import Project, change, text, wrapped
from tests.world import Instead

CONFIGURATION = """
provider "sandbox" {
  path     = PATH
  enforces = ENFORCES
}

disk_offering "fast" {
  min_iops   = 0
  max_iops   = CEILING
  burst_iops = CEILING
  shareable  = true
}

pool "a" {
  provider = sandbox
}

host "kvm" {
  provider = sandbox
  address  = "10.0.0.1"
}

volume "db" {
  offering = disk_offering.fast
  size     = "SIZE"

  dynamic "attach" {
    for_each = ["db-01", "db-02"]
    content {
      host = host.kvm
      vm   = attach.value
      bus  = "BUS"
    }
  }
}
"""
AT_ONCE = "takes effect at once, without detaching"


def configuration(*, enforces: str = '["ceiling", "burst"]', ceiling: int = 200, size: str = "1GiB", bus: str = "scsi"):
    text = CONFIGURATION.replace("ENFORCES", enforces).replace("CEILING", str(ceiling))
    return text.replace("SIZE", size).replace("BUS", bus)


def off(*vms: str) -> Any:
    """Hosts on which these VMs do not run."""

    def listed(original: Any, host: Any) -> list[Any]:
        return [replace(disk, live=False, size=None) if disk.vm in vms else disk for disk in original(host)]

    return wrapped(hypervisor=lambda provider: Instead(provider, list_attachments=listed))


def effects(project: Project) -> dict[str, bool]:
    return {item.vm: item.at_once for item in change(project.plan(), "volume.db").takes_effect}


@pytest.mark.parametrize(
    ("enforces", "later", "shows"),
    [
        ('["ceiling", "burst"]', {"ceiling": 400}, {"db-01": True, "db-02": True}),
        ("[]", {"ceiling": 400}, {"db-01": True, "db-02": False}),
        ('["ceiling", "burst"]', {"size": "2GiB"}, {"db-01": True, "db-02": False}),
        ("[]", {"size": "2GiB", "ceiling": 400}, {"db-01": True, "db-02": False}),
        ("[]", {"ceiling": 400, "bus": "virtio"}, {}),
        ("[]", {}, {}),
    ],
    ids=["ceiling-of-storage", "ceiling-of-hypervisor", "size", "both", "attached-anew", "nothing"],
)
def test_a_vm_that_is_off_has_at_its_next_start_what_its_hypervisor_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enforces: str, later: dict[str, Any], shows: dict[str, bool]
) -> None:
    project = Project(tmp_path, configuration(enforces=enforces))
    assert project.apply().complete
    monkeypatch.setattr(operations, "OpenProviders", off("db-02"))
    project.write(configuration(enforces=enforces, **later))
    assert effects(project) == shows


def test_whether_a_vm_runs_is_no_drift_and_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path, configuration())
    assert project.apply().complete
    before = project.recorded("volume.db")
    monkeypatch.setattr(operations, "OpenProviders", off("db-01"))
    assert project.refresh_only().is_empty
    assert project.plan().is_empty
    assert project.recorded("volume.db") == before


def test_it_is_told_in_text_and_in_json_and_travels_in_the_plan_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path, configuration(enforces="[]"))
    assert project.apply().complete
    project.write(configuration(enforces="[]", ceiling=400))
    lines = [line.strip() for line in text(project.plan()).splitlines()]
    assert f"# {AT_ONCE}" in lines
    monkeypatch.setattr(operations, "OpenProviders", off("db-02"))
    plan = project.plan()
    lines = [line.strip() for line in text(plan).splitlines()]
    assert "# takes effect at once on db-01, without detaching" in lines
    assert "# db-02 is off: at its next start" in lines
    (volume,) = (item for item in plan_to_json(plan)["resource_changes"] if item["type"] == "volume")
    assert volume["takes_effect"] == [
        {"host": "host.kvm", "vm": "db-01", "when": "at once"},
        {"host": "host.kvm", "vm": "db-02", "when": "at next start"},
    ]
    planfile.write(tmp_path / "p", plan, ())
    assert change(planfile.read(tmp_path / "p").plan, "volume.db") == change(plan, "volume.db")


def test_nothing_is_said_of_what_was_not_read(tmp_path: Path) -> None:
    from planner.planning.builder import PlanRequest

    project = Project(tmp_path, configuration())
    assert project.apply().complete
    project.write(configuration(ceiling=400))
    assert change(project.plan(PlanRequest(read=False)), "volume.db").takes_effect == ()
