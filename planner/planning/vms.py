"""
What becomes of a vm, and which volume its block declares besides: its root disk.

A vm is recorded with its arguments as declared (`root_disk` as its block), `cpus`, `memory` and `id`, and with the
`intent` of its create. `power` is recorded only once it was set: a vm that was made and never started is started by the
next apply, whatever stopped the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.addresses import InstanceAddress
from planner.config.model import Lifecycle
from planner.diagnostics import Diagnostics
from planner.evaluation.resource_graph import ResourceInstance
from planner.planning.comparison import Verdict, why_replaced
from planner.planning.current import Current
from planner.planning.goal import default_name
from planner.planning.plan import Action, Change
from planner.resources.vm import ROOT_DISK, root_disk_address
from planner.state.model import Attributes
from planner.syntax import ast
from planner.values.marks import UNKNOWN, Unknown

_NEEDED = ("host", "offering", "name", "power", "root_disk")


def with_name(instance: ResourceInstance, now: Attributes | None) -> ResourceInstance:
    """The vm with its name settled: the one given, the one that it has, or one made of its address."""
    name = instance.attributes["name"]
    if name is None or (isinstance(name, Unknown) and instance.resource.body.argument("name") is None):
        name = now["name"] if now else default_name(instance.address)
    return replace(instance, attributes={**instance.attributes, "name": name})


def root_disk_of(vm: ResourceInstance) -> ResourceInstance:
    """
    The root disk as if a block of its own declared it: a volume with its offering's figures, attached to the vm.

    Args:
        vm: with its name settled.
    """
    block = next(vm.resource.body.blocks_of(ROOT_DISK.name), None)
    body = block.body if block else ast.Body((), (), vm.resource.body.range)
    attributes = vm.attributes
    own = attributes[ROOT_DISK.name] or {}
    disk = {"host": attributes["host"], "vm": attributes["name"], "device": UNKNOWN, "bus": None, "read_only": False}
    return replace(
        vm,
        address=root_disk_address(vm.address),
        type=ROOT_DISK,
        resource=replace(
            vm.resource,
            type=ROOT_DISK.name,
            body=body,
            # The rest of it is said of the vm: one that is made anew keeps its root disk.
            lifecycle=Lifecycle(prevent_destroy=vm.resource.lifecycle.prevent_destroy),
        ),
        attributes={argument.name: None for argument in ROOT_DISK.arguments}
        | {
            "offering": attributes["offering"],
            "size": own.get("size"),
            "source": own.get("source"),
            "pool": own.get("pool"),
            "on_destroy": own.get("on_destroy", "delete"),
            "attach": (disk,),
        },
    )


def refuse_unknown(vm: ResourceInstance, diagnostics: Diagnostics) -> bool:
    """Whether something that decides what the vm's steps are is not known yet; then there is a diagnostic."""
    for name in _NEEDED:
        value = vm.attributes[name]
        left_out = vm.resource.body.argument(name) is None
        if isinstance(value, Mapping):
            unknown = any(isinstance(item, Unknown) for item in value.values())
        else:
            unknown = isinstance(value, Unknown) and not left_out
        if unknown:
            _refuse("Not known when planning", f"{name} of a vm must be known when planning.", vm, diagnostics)
            return True
    return False


def compare_vm(
    vm: ResourceInstance,
    offering: Attributes,
    found: Current,
    changes: Mapping[InstanceAddress, Change],
    *,
    disk_is_remade: bool,
    is_requested: bool,
) -> Verdict:
    """
    Args:
        is_requested: -replace asks for another one.
        vm: with its name settled.
        changes: of the instances that this one may refer to, for `replace_triggered_by`.
        disk_is_remade: its root disk is replaced: a running system cannot lose it, so the vm is made anew with it.
    """
    now, wanted = found.attributes, vm.attributes
    power = wanted["power"]
    if power is None or isinstance(power, Unknown):
        power = (now or {}).get("power") or "on"
    after: dict[str, Any] = {
        **{name: wanted[name] for name in ("host", "offering", "name", "root_disk")},
        "power": power,
        "cpus": offering["cpus"],
        "memory": offering["memory"],
        "id": now["id"] if now else UNKNOWN,
    }
    if now is None:
        return Verdict(Action.CREATE, after, reason="gone_outside" if found.drift else "")
    paths = tuple(name for name in ("host", "name") if now[name] != after[name])
    reason = why_replaced(vm, paths, changes, is_requested=is_requested)
    if disk_is_remade and not paths and not is_requested:
        reason = "replace_with_root_disk"
    if reason:
        return Verdict(Action.REPLACE, {**after, "id": UNKNOWN}, paths, reason)
    same = all(now.get(name) == value for name, value in after.items())
    return Verdict(Action.NO_OP if same else Action.UPDATE, after)


def check_offering(vm: ResourceInstance, offering: Attributes, diagnostics: Diagnostics) -> bool:
    """Whether the offering's processors and memory make a vm; otherwise there is a diagnostic."""
    cpus, memory = offering["cpus"], offering["memory"]
    detail = ""
    if isinstance(cpus, Unknown) or isinstance(memory, Unknown):
        detail = f"cpus and memory of {offering['id']} must be known when planning."
    elif not isinstance(cpus, int) or cpus < 1:
        detail = f"cpus of {offering['id']} is a whole number of processors, not {cpus}."
    if detail:
        _refuse("Invalid compute offering", detail, vm, diagnostics)
    return not detail


def _refuse(summary: str, detail: str, vm: ResourceInstance, diagnostics: Diagnostics) -> None:
    diagnostics.error(summary, detail, vm.resource.range, address=str(vm.address))
