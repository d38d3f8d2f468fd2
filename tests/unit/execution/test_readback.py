"""What systems were told is read back: who answers "done" and holds something else is found out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from planner import operations
from planner.events import Event, StepRefuted
from planner.planning.plan import Action
from planner.sdk import Unreachable
from planner.steps.graph import Verb
from planner.views.json_lines import JsonLines
from tests import lies
from tests.project import Project, change, text, wrapped
from tests.world import Instead

CONFIGURATION = """
provider "sandbox" {
  path     = PATH
  enforces = ENFORCES
}

disk_offering "fast" {
  min_iops        = 100
  max_iops        = CEILING
  burst_iops      = 2000
  qos_enforcement = "ENFORCEMENT"
}

pool "a" {
  provider      = sandbox
  capacity_iops = 10000
}

host "kvm" {
  provider = sandbox
  address  = "10.0.0.1"
}

volume "db" {
  count    = 3
  offering = disk_offering.fast
  size     = "SIZE"

  attach {
    host = host.kvm
    vm   = "db-${count.index}"
  }
}
"""
STORAGE, HYPERVISOR = '["floor", "ceiling", "burst"]', '["floor"]'


def configuration(enforces: str = STORAGE, ceiling: int = 200, size: str = "1GiB", enforcement: str = "any") -> str:
    given = {"ENFORCES": enforces, "CEILING": str(ceiling), "SIZE": size, "ENFORCEMENT": enforcement}
    made = CONFIGURATION
    for name, value in given.items():
        made = made.replace(name, value)
    return made


@pytest.fixture
def lie(monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda providers: monkeypatch.setattr(operations, "OpenProviders", providers)


def applied_project(directory: Path, **given: Any) -> Project:
    project = Project(directory, configuration(**given))
    assert project.apply().complete
    return project


@pytest.mark.parametrize("enforces", [STORAGE, HYPERVISOR], ids=["storage", "hypervisor"])
def test_an_honest_array_and_hypervisor_are_believed(tmp_path: Path, enforces: str) -> None:
    project = applied_project(tmp_path, enforces=enforces)
    project.write(configuration(enforces, ceiling=400, size="2GiB"))
    applied = project.apply()
    assert applied.complete
    assert not applied.diagnostics
    assert project.plan().is_empty


def test_a_figure_that_the_array_drops_fails_its_step_and_is_recorded_as_it_is(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path)
    project.write(configuration(ceiling=400))
    lie(lies.array_that_drops("max_iops"))
    told: list[Event] = []

    applied = project.apply(observer=told.append)

    assert not applied.complete
    assert applied.result is not None
    assert {failure.step.verb for failure in applied.result.failed} == {Verb.UPDATE_QOS}
    assert {str(failure.step.address) for failure in applied.result.failed} == {f"volume.db[{n}]" for n in range(3)}
    assert applied.result.failed[0].summary == "The array was told max_iops 400 and reads back 200"
    assert not [step for step in applied.result.done if step.verb is Verb.UPDATE_QOS]
    assert len([event for event in told if isinstance(event, StepRefuted)]) == 3
    assert project.recorded("volume.db[0]")["max_iops"] == 200
    again = change(project.plan(), "volume.db[0]")
    assert (again.action, again.drift, again.before["max_iops"]) == (Action.UPDATE, (), 200)
    assert "~ ceiling = 200 IOPS -> 400 IOPS" in text(project.plan())


def test_only_what_the_plan_says_that_the_array_holds_is_held_to_it(tmp_path: Path, lie: Any) -> None:
    """The hypervisor holds ceiling and burst here, so what the array makes of them is its own business."""
    project = applied_project(tmp_path, enforces=HYPERVISOR)
    project.write(configuration(HYPERVISOR, ceiling=400))
    lie(lies.array_that_drops("max_iops", "burst_iops"))
    assert project.apply().complete


def test_a_limit_that_the_hypervisor_drops_fails_its_step_and_is_recorded_as_it_is(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path, enforces=HYPERVISOR)
    project.write(configuration(HYPERVISOR, ceiling=400))
    lie(lies.hypervisor_that_drops_limits())

    applied = project.apply()

    assert applied.result is not None
    assert {failure.step.verb for failure in applied.result.failed} == {Verb.UPDATE_ATTACHMENT}
    by_vm = {failure.step.arguments["vm"]: failure.summary for failure in applied.result.failed}
    assert by_vm["db-1"] == "The hypervisor of db-1 on host.kvm was told max_iops 400 and reads back 200"
    (disk,) = project.recorded("volume.db[1]")["attachments"]
    assert disk["qos"] == {"max_iops": 200, "burst_iops": 2000}
    plan = project.plan()
    assert not [c for c in plan.changes if c.drift]
    assert [step.verb for step in plan.steps.steps] == [Verb.UPDATE_ATTACHMENT] * 3


def test_a_size_that_is_not_there_fails_array_and_hypervisor(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path)
    project.write(configuration(size="2GiB"))
    lie(lies.array_that_does_not_grow())
    applied = project.apply()
    assert applied.result is not None
    assert "The array was told size 2GiB and reads back 1GiB" in {f.summary for f in applied.result.failed}
    assert project.recorded("volume.db[0]")["size"] == "1GiB"


def test_a_disk_that_the_vm_does_not_have_is_not_reported_as_attached(tmp_path: Path, lie: Any) -> None:
    project = Project(tmp_path, configuration())
    lie(lies.hypervisor_that_attaches_nothing())
    applied = project.apply()
    assert applied.result is not None
    assert {failure.step.verb for failure in applied.result.failed} == {Verb.ATTACH}
    assert project.recorded("volume.db[0]")["attachments"] == ()
    lie(wrapped())
    assert project.apply().complete
    assert project.plan().is_empty


def test_best_effort_is_a_warning_and_is_recorded_as_it_is(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path, enforcement="best_effort")
    project.write(configuration(enforcement="best_effort", ceiling=400))
    lie(lies.array_that_drops("max_iops"))
    applied = project.apply()
    assert applied.complete
    assert not applied.diagnostics.has_errors
    assert {item.address for item in applied.diagnostics} == {f"volume.db[{n}]" for n in range(3)}
    assert "told max_iops 400 and reads back 200" in next(iter(applied.diagnostics)).detail
    assert project.recorded("volume.db[0]")["max_iops"] == 200


def test_it_costs_one_listing_for_each_pool_and_host(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path, enforces=HYPERVISOR)
    project.write(configuration(HYPERVISOR, ceiling=400))
    plan, calls = project.plan(), Counter[str]()

    def counted(name: str) -> Any:
        def call(original: Any, *arguments: Any) -> Any:
            calls[name] += 1
            return original(*arguments)

        return {name: call}

    lie(
        wrapped(
            lambda provider: Instead(provider, **counted("list_volumes")),
            lambda provider: Instead(provider, **counted("list_attachments")),
        )
    )
    assert project.apply(plan).complete
    assert calls == {"list_volumes": 1, "list_attachments": 1}


def test_a_run_that_tells_nothing_reads_nothing(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path)
    text = configuration()
    project.write(text[: text.index("  attach {")] + "}\n")
    plan = project.plan()

    def read(original: Any, *arguments: Any) -> Any:
        raise AssertionError("nothing was told")

    lie(
        wrapped(
            lambda provider: Instead(provider, list_volumes=read),
            lambda provider: Instead(provider, list_attachments=read),
        )
    )
    assert project.apply(plan).complete


def test_what_cannot_be_read_back_is_an_error_and_stays_recorded(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path)
    project.write(configuration(ceiling=400))
    plan = project.plan()

    def gone(original: Any, pool: Any) -> Any:
        raise Unreachable("The array does not answer.")

    lie(wrapped(lambda provider: Instead(provider, list_volumes=gone)))
    applied = project.apply(plan)
    assert applied.complete
    (error,) = applied.diagnostics
    assert (applied.diagnostics.has_errors, error.address) == (True, "pool.a")
    assert "could not be read back" in error.detail
    assert project.recorded("volume.db[0]")["max_iops"] == 400


def test_the_stream_of_an_apply_tells_it_as_errored(tmp_path: Path, lie: Any) -> None:
    project = applied_project(tmp_path)
    project.write(configuration(ceiling=400))
    lie(lies.array_that_drops("max_iops"))
    lines: list[str] = []
    plan = project.plan()
    project.apply(plan, JsonLines(lines.append, plan))
    told = [json.loads(line) for line in lines]
    assert len([line for line in told if line["type"] == "apply_errored"]) == 3
    details = [line["diagnostic"]["summary"] for line in told if line["type"] == "diagnostic"]
    assert details == ["The array was told max_iops 400 and reads back 200"] * 3
