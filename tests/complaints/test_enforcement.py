"""What users of other systems complain of, and must not be able to say of Lunform."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import operations
from planner.errors import InvalidConfiguration
from planner.views.progress import render_result
from planner.views.style import Style
from tests import lies
from tests.project import Project, change, text, wrapped

CONFIGURATION = """
provider "sandbox" {
  path          = PATH
  enforces      = ENFORCES
  host_enforces = BY_HOST
}

disk_offering "media" {
  min_iops        = 0
  max_iops        = CEILING
  burst_iops      = CEILING
  qos_enforcement = "ENFORCEMENT"
}

pool "a" {
  provider = sandbox
}

host "kvm" {
  provider = sandbox
  address  = "10.0.0.1"
}

volume "db" {
  offering = disk_offering.media
  size     = "1GiB"

  attach {
    host = host.kvm
    vm   = "db-01"
  }
}
"""
STORAGE, NOBODY = '["ceiling", "burst"]', "[]"


def configuration(enforces: str, ceiling: int = 200, by_host: str = STORAGE, enforcement: str = "any") -> str:
    text = CONFIGURATION.replace("ENFORCES", enforces).replace("BY_HOST", by_host)
    return text.replace("CEILING", str(ceiling)).replace("ENFORCEMENT", enforcement)


def what_the_vm_gets(project: Project) -> tuple[int | None, int | None]:
    """The ceilings that the array and the hypervisor hold now."""
    ((array, hypervisor),) = project.ask(
        "SELECT volume.max_iops, attachment.max_iops FROM volume JOIN attachment ON attachment.volume = volume.id"
    )
    return array, hypervisor


@pytest.mark.parametrize("enforces", [STORAGE, NOBODY], ids=["held-by-storage", "held-by-the-hypervisor"])
def test_a_changed_ceiling_is_never_reported_done_without_reaching_the_running_vm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enforces: str
) -> None:
    """cloudstack#13192: the job succeeds, and the running VM goes on with the old ceiling."""
    project = Project(tmp_path, configuration(enforces))
    assert project.apply().complete
    project.write(configuration(enforces, ceiling=400))
    plan = project.plan()
    assert "takes effect at once, without detaching" in text(plan)
    assert not {"detach", "attach"} & {step.verb.value for step in plan.steps.steps}

    lying = lies.array_that_drops("max_iops", "burst_iops")
    monkeypatch.setattr(
        operations, "OpenProviders", lying if enforces == STORAGE else lies.hypervisor_that_drops_limits()
    )
    applied = project.apply(plan)
    said = render_result(plan, applied.result, Style(False))
    assert not applied.complete
    assert said.startswith("Apply incomplete.")
    assert "told max_iops 400 and reads back 200" in said
    again = project.plan()
    assert not again.is_empty
    assert not change(again, "volume.db").drift

    monkeypatch.setattr(operations, "OpenProviders", wrapped())
    assert project.apply(again).complete
    by_array, by_hypervisor = what_the_vm_gets(project)
    assert (by_array if enforces == STORAGE else by_hypervisor) == 400
    assert project.plan().is_empty


def test_qos_is_never_accepted_by_a_pool_that_ignores_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """cloudstack#11447: the pool takes figures that it cannot hold, and nobody says so."""
    project = Project(tmp_path, configuration(NOBODY, enforcement="storage"))
    with pytest.raises(InvalidConfiguration) as refused:
        project.plan()
    (error,) = (item for item in refused.value.diagnostics if item.address == "volume.db")
    assert "does not hold the ceiling 200 IOPS itself" in error.detail

    project.write(configuration(NOBODY, by_host=NOBODY))
    with pytest.raises(InvalidConfiguration) as refused:
        project.plan()
    (error,) = (item for item in refused.value.diagnostics if item.address == "volume.db")
    assert "nobody can hold the ceiling" in error.detail

    # One that says that it holds figures, takes them, and ignores them, is found out by what it reads back.
    project.write(configuration(STORAGE, enforcement="storage"))
    monkeypatch.setattr(operations, "OpenProviders", lies.array_that_ignores_figures())
    plan = project.plan()
    applied = project.apply(plan)
    assert not applied.complete
    assert "told max_iops 200 and reads back none" in render_result(plan, applied.result, Style(False))
    assert project.recorded("volume.db")["max_iops"] is None
    assert [step.verb.value for step in project.plan().steps.steps if step.provider] == ["update_qos"]
