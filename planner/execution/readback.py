"""
What an apply told the systems, held against what they have afterwards: one bulk read for each pool and host that was
told something, by the same comparison as a refresh. A system that answers "done" and holds something else is found out
here, and its step counts as failed.

Figures count where the plan says who holds them; sizes always.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planner.addresses import InstanceAddress, parse_instance
from planner.diagnostics import Diagnostics
from planner.events import Observer, StepRefuted, ignore
from planner.execution.calls import host_spec, pool_spec, provider_of
from planner.execution.executor import ExecutionResult, Failure
from planner.execution.faults import fault_point
from planner.execution.outcome import attachment
from planner.placement.model import Enforcement
from planner.planning.current import Current, current
from planner.planning.plan import Plan
from planner.planning.refresh import PARALLELISM, Actual, HostTarget, PoolTarget, refresh
from planner.sdk.provider import Providers
from planner.state.model import Attributes, Outcome, RecordedObject, Run
from planner.state.store import StateStore
from planner.steps.graph import Step, Verb
from planner.units import format_size

_TELLS_ARRAY = frozenset({Verb.CREATE, Verb.RESTORE, Verb.RESIZE, Verb.UPDATE_QOS})
_TELLS_HYPERVISOR = frozenset({Verb.ATTACH, Verb.UPDATE_ATTACHMENT})
_RECORDED = "It is recorded as it was read, and the next plan shows the difference."
_HELD_AS = (("floor", "min_iops"), ("ceiling", "max_iops"), ("burst", "burst_iops"), ("bandwidth", "max_bandwidth"))


@dataclass(frozen=True, slots=True)
class _Denial:
    """What a system was told and does not have. `is_figure` for one of QoS, which may be held as best effort only."""

    text: str
    is_figure: bool


def read_back(
    run: Run,
    plan: Plan,
    result: ExecutionResult,
    providers: Providers,
    store: StateStore,
    observer: Observer,
    parallelism: int = PARALLELISM,
) -> tuple[ExecutionResult, Diagnostics]:
    """
    The result, in which steps without their effect have failed; and warnings, for figures that are best effort, and
    errors, where a system cannot be read. The record is made what was read, so that the next plan shows the difference.

    The caller holds the state's lock.

    Args:
        parallelism: pools and hosts that are read at once.
    """
    told = [step for step in result.done if _tells_array(step) or step.verb in _TELLS_HYPERVISOR]
    if not told:
        return result, Diagnostics()
    fault_point("readback:before-read")
    actual, diagnostics = _read(told, providers, parallelism)
    fault_point("readback:after-read")
    enforcement = {c.address: c.assignment.enforcement for c in plan.changes if c.assignment is not None}
    by_object: dict[InstanceAddress, list[Step]] = defaultdict(list)
    for step in told:
        by_object[step.address].append(step)
    objects = dict(result.objects)
    failures: list[Failure] = []
    outcomes: list[Outcome] = []
    for address, steps in by_object.items():
        object, held = result.objects[address], enforcement.get(address, Enforcement())
        found = current(object, actual)
        denied = [(step, denials) for step in steps if (denials := _denials(step, object.attributes, found, held))]
        if not denied:
            continue
        objects[address] = _corrected(object, found, [step for step, _ in denied])
        lenient = _is_best_effort(object, result.objects)
        for step, denials in denied:
            text = ". ".join(denial.text for denial in denials)
            error = "" if lenient and all(denial.is_figure for denial in denials) else text
            if error:
                failures.append(Failure(step, error, _RECORDED))
                observer(StepRefuted(step.id, step.verb.value, address, error, _RECORDED))
            else:
                detail = f"{text}. The offering asks for best effort only."
                diagnostics.warning("Figures that were not taken", detail, address=str(address))
            status, verb = "failed" if error else "done", step.verb.value
            outcomes.append(Outcome(run.id, step.id, address, status, error, objects[address], verb=verb))
    if outcomes:
        fault_point("readback:before-commit")
        store.commit(outcomes)
        fault_point("readback:after-commit")
    refuted = {failure.step.id for failure in failures}
    done = tuple(step for step in result.done if step.id not in refuted)
    return replace(result, done=done, failed=(*result.failed, *failures), objects=objects), diagnostics


def _read(told: Sequence[Step], providers: Providers, parallelism: int) -> tuple[Actual, Diagnostics]:
    """The pools and hosts that were told something."""
    pools = {
        step.arguments["pool"]: PoolTarget(provider_of(step), pool_spec(step), list_volumes=True)
        for step in told
        if _tells_array(step)
    }
    hosts = {
        step.arguments["host"]: HostTarget(provider_of(step), host_spec(step), list_attachments=True, inspect=False)
        for step in told
        if step.verb in _TELLS_HYPERVISOR
    }
    actual, unread = refresh(list(pools.values()), list(hosts.values()), providers, ignore, parallelism)
    return actual, Diagnostics(
        [replace(item, detail=f"{item.detail} What was changed there could not be read back.") for item in unread]
    )


def _tells_array(step: Step) -> bool:
    """A volume that gets its figures by a policy is told nothing itself; that is recorded of it."""
    return step.verb in _TELLS_ARRAY or (step.verb is Verb.RECORD and "policy" in step.arguments)


def _denials(step: Step, recorded: Attributes, found: Current, held: Enforcement) -> list[_Denial]:
    """What the step told and is not there. `recorded` is what it left: what it told."""
    if step.verb in _TELLS_HYPERVISOR:
        return list(_disk_denials(step.arguments["host"], step.arguments["vm"], recorded, found))
    return list(_volume_denials(step, recorded, found.attributes, held))


def _volume_denials(step: Step, recorded: Attributes, now: Attributes | None, held: Enforcement) -> Iterator[_Denial]:
    if now is None:
        yield _Denial(f"The array answered, and does not list the volume {recorded['id']}", is_figure=False)
        return
    if step.verb is not Verb.UPDATE_QOS and now["size"] != recorded["size"]:
        yield _told("The array", "size", recorded["size"], now["size"])
    if step.verb is not Verb.RESIZE:
        for figure, name in _HELD_AS:
            if getattr(held, figure) == "storage" and now.get(name) != recorded.get(name):
                yield _told("The array", name, recorded.get(name), now.get(name), is_figure=True)


def _disk_denials(host: str, vm: str, recorded: Attributes, found: Current) -> Iterator[_Denial]:
    told = attachment(recorded, host, vm)
    there = attachment(found.attributes, host, vm) if found.attributes is not None else told
    who = f"{vm} on {host}"
    if told is None:
        return
    if there is None:
        yield _Denial(f"The hypervisor answered, and {who} does not have the disk", is_figure=False)
        return
    # A VM that is off sees no size.
    if found.live.get((host, vm)) and there["size"] != told["size"]:
        yield _told(f"The hypervisor of {who}", "size", format_size(told["size"]), format_size(there["size"]))
    asked, has = told["qos"] or {}, there["qos"] or {}
    for name in sorted({*asked, *has}):
        if asked.get(name) != has.get(name):
            yield _told(f"The hypervisor of {who}", name, asked.get(name), has.get(name), is_figure=True)


def _told(who: str, name: str, asked: Any, has: Any, *, is_figure: bool = False) -> _Denial:
    asks, reads = ("none" if value is None else value for value in (asked, has))
    return _Denial(f"{who} was told {name} {asks} and reads back {reads}", is_figure)


def _corrected(object: RecordedObject, found: Current, steps: list[Step]) -> RecordedObject:
    """The record with what was read in place of what `steps` told. What is gone altogether, the next plan sees."""
    now = found.attributes
    if now is None:
        return object
    attributes = dict(object.attributes)
    for step in steps:
        if _tells_array(step):
            attributes |= {name: now[name] for name in ("size", *(name for _, name in _HELD_AS)) if name in now}
        else:
            this = attachment(object.attributes, step.arguments["host"], step.arguments["vm"])
            there = attachment(now, step.arguments["host"], step.arguments["vm"])
            disks = [there if disk is this else disk for disk in attributes["attachments"]]
            attributes["attachments"] = tuple(disk for disk in disks if disk is not None)
    return replace(object, attributes=attributes)


def _is_best_effort(object: RecordedObject, objects: Mapping[InstanceAddress, RecordedObject]) -> bool:
    named = object.attributes.get("offering")
    offering = objects.get(parse_instance(named)) if named is not None else None
    return offering is not None and offering.attributes.get("qos_enforcement") == "best_effort"
