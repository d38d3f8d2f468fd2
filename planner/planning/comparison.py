"""What becomes of one instance: as it is to be, beside as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from planner.addresses import InstanceAddress
from planner.diagnostics import Diagnostics
from planner.evaluation.references import references
from planner.evaluation.resource_graph import ResourceInstance
from planner.placement.model import Assignment
from planner.planning.current import Current
from planner.planning.goal import Goal, default_name, planned_attributes
from planner.planning.plan import Action, Change
from planner.state.model import Attributes, RecordedObject
from planner.units import format_size, parse_size
from planner.values.marks import Unknown


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    Attributes:
        after: its attributes afterwards, Unknown where only apply can tell.
        paths: what cannot be changed in place.
        reason: as in `Change.reason`.
    """

    action: Action
    after: dict[str, Any]
    paths: tuple[str, ...] = ()
    reason: str = ""


def compare_recorded(instance: ResourceInstance, object: RecordedObject | None, now: Attributes | None) -> Verdict:
    """For what is only recorded: offerings, pools, hosts."""
    after = dict(instance.attributes)
    if now is None:
        return Verdict(Action.CREATE, after)
    same = dict(now) == after and object is not None and object.provider == instance.provider
    return Verdict(Action.NO_OP if same else Action.UPDATE, after)


def compare_volume(
    goal: Goal,
    assignment: Assignment,
    found: Current,
    changes: Mapping[InstanceAddress, Change],
    remade_vms: Container[tuple[str, str]],
    policy: str | None,
    diagnostics: Diagnostics,
    *,
    is_requested: bool,
) -> Verdict:
    """
    Args:
        is_requested: -replace asks for another one.
        policy: the array's policy that its figures come from.
        changes: of the instances that this one may refer to, for `replace_triggered_by`.
        remade_vms: (host, name) of VMs that are made anew, and so do not have their disks any more.
    """
    now = found.attributes
    anew = planned_attributes(goal, assignment, policy, None)
    if now is None:
        return Verdict(Action.CREATE, anew, reason="gone_outside" if found.drift else "")
    after = planned_attributes(goal, assignment, policy, now)
    wanted = {"pool": assignment.pool, "name": goal.name_of(now), "source": after["source"]}
    paths = tuple(name for name, value in wanted.items() if now.get(name) != value)
    reason = why_replaced(goal.instance, paths, changes, is_requested=is_requested)
    if reason:
        if goal.instance.resource.lifecycle.create_before_destroy and anew["name"] == now["name"]:
            anew["name"] = _another_name(goal, now, diagnostics)
        return Verdict(Action.REPLACE, anew, paths, reason)
    had = parse_size(now["size"])
    if goal.size < had:
        given = goal.instance.resource.body.argument("size")
        diagnostics.error(
            "Volumes cannot shrink",
            f"{goal.instance.address} has {format_size(had)} and would get {format_size(goal.size)}: what lies"
            f" beyond would be lost.{_grown_outside(found, had)} Keep the size, or make a new volume and copy the"
            " data.",
            given.value.range if given else goal.instance.resource.range,
            address=str(goal.instance.address),
        )
    loses_disks = any((disk["host"], disk["vm"]) in remade_vms for disk in now["attachments"])
    if loses_disks:
        return Verdict(Action.UPDATE, after, reason="reattach_to_remade_vm")
    return Verdict(Action.NO_OP if _same_volume(now, after) else Action.UPDATE, after)


def refuse_replacement(instance: ResourceInstance, verdict: Verdict, diagnostics: Diagnostics) -> None:
    """An error for what `prevent_destroy` holds."""
    why = {
        "replace_by_request": "-replace asks for it",
        "replace_by_triggers": "replace_triggered_by says so",
        "replace_with_root_disk": "its root disk would be",
    }.get(verdict.reason, f"{', '.join(verdict.paths)} cannot be changed in place")
    diagnostics.error(
        "Protected from destruction",
        f"{instance.address} would be replaced, since {why}, and prevent_destroy holds it. To lift the protection,"
        " apply the block with prevent_destroy = false first.",
        instance.resource.range,
        address=str(instance.address),
    )


def _another_name(goal: Goal, now: Attributes, diagnostics: Diagnostics) -> str:
    """For a volume that is made while the one that it replaces is still there."""
    if goal.name is not None:
        diagnostics.error(
            "Name is taken",
            f'With create_before_destroy the new volume needs another name than the old one, which is "{goal.name}".'
            " Change it, or leave it out.",
            goal.instance.resource.range,
            address=str(goal.instance.address),
        )
    return f"{default_name(goal.instance.address)[:51]}-{hashlib.sha256(now['id'].encode()).hexdigest()[:8]}"


def why_replaced(
    instance: ResourceInstance,
    paths: tuple[str, ...],
    changes: Mapping[InstanceAddress, Change],
    *,
    is_requested: bool,
) -> str:
    """
    The reason of a replacement, as in `Change.reason`; empty for none.

    Args:
        paths: what cannot be changed in place.
        changes: of the instances that this one may refer to.
    """
    if paths:
        return "replace_because_cannot_update"
    if is_requested:
        return "replace_by_request"
    return "replace_by_triggers" if _is_triggered(instance, changes) else ""


def _is_triggered(instance: ResourceInstance, changes: Mapping[InstanceAddress, Change]) -> bool:
    """Something in `replace_triggered_by` changes: an object, or the attribute of it that is named."""
    triggers = [
        reference for trigger in instance.resource.lifecycle.replace_triggered_by for reference in references(trigger)
    ]
    for reference in triggers:
        for address, change in changes.items():
            named = (address.type, address.name, address.module)
            if change.action is Action.NO_OP or named != (reference.root, reference.name, instance.address.module):
                continue
            steps = list(reference.steps)
            if address.key is not None and steps and steps.pop(0) != address.key:
                continue
            before, after = change.before or {}, change.after or {}
            if not steps or before.get(str(steps[0])) != after.get(str(steps[0])):
                return True
    return False


def _grown_outside(found: Current, had: int) -> str:
    """An explanation for who did not write the larger size."""
    if any(item.path == "size" for item in found.drift):
        return f' It was grown outside; size = "{format_size(had)}" accepts that.'
    return ""


def _same_volume(now: Attributes, after: Mapping[str, Any]) -> bool:
    """Whether nothing is to be done: what is unknown in `after` is what apply would find anyway."""
    for name, value in after.items():
        if name == "access":
            if {host: (p.get("address"), p.get("initiator")) for host, p in now["access"].items()} != {
                host: (p["address"], p["initiator"]) for host, p in value.items()
            }:
                return False
        elif name == "attachments":
            if len(now[name]) != len(value):
                return False
            had = {(disk["host"], disk["vm"]): disk for disk in now[name]}
            for disk in value:
                there = had.get((disk["host"], disk["vm"]))
                if there is None or any(
                    there.get(key) != wanted for key, wanted in disk.items() if not isinstance(wanted, Unknown)
                ):
                    return False
        elif not isinstance(value, Unknown) and now.get(name) != value:
            return False
    return True
