"""
What a volume is to be, all references followed: the demand that is placed, and after placement the attributes that the
plan promises.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from planner.addresses import InstanceAddress
from planner.diagnostics import Diagnostics
from planner.evaluation.resource_graph import ResourceInstance
from planner.placement.model import Assignment, Demand, Enforcement, Host
from planner.planning.current import held
from planner.planning.figures import figure_attributes, figures_of, limits_of, size_of
from planner.planning.refresh import Actual
from planner.resources.catalog import shown
from planner.resources.offerings import disk_part
from planner.resources.vm import ROOT_DISK
from planner.sdk.storage import Qos
from planner.state.model import Attributes
from planner.units import format_size
from planner.values.marks import UNKNOWN, Unknown

SETTLED = ("offering", "zone", "on_destroy", "metadata")
"""Arguments that are only recorded: no provider is told of a change."""


@dataclass(frozen=True, slots=True)
class Goal:
    """
    One volume with its offering, pool pin and hosts looked up.

    Attributes:
        offering: the offering's attributes.
        hosts: attributes of each host that it is attached to, by the host's address.
        name: its name on the array; None where none is asked for, and it keeps the one that it has.
    """

    instance: ResourceInstance
    offering: Attributes
    hosts: Mapping[str, Attributes]
    size: int
    qos: Qos | None
    name: str | None

    def name_of(self, now: Attributes | None) -> str:
        """Its name on the array; `now` is the volume as it is."""
        if self.name is not None:
            return self.name
        return now["name"] if now else default_name(self.instance.address)

    @property
    def blocks(self) -> tuple[Attributes, ...]:
        blocks: tuple[Attributes, ...] = self.instance.attributes["attach"]
        return blocks


def goal_of(instance: ResourceInstance, known: Mapping[str, Attributes], diagnostics: Diagnostics) -> Goal | None:
    """
    Follow a volume's references. None, with diagnostics, where something is wrong or not known yet.

    Args:
        known: attributes of every offering, pool and host of the configuration, by address.
    """
    mistakes = Diagnostics()
    attributes = instance.attributes
    offering = _follow(attributes["offering"], known, instance, "offering", mistakes)
    offering = None if offering is None else disk_part(offering)
    hosts = {}
    seen: set[tuple[str, str | None]] = set()
    for block in attributes["attach"]:
        host = _follow(block["host"], known, instance, "attach", mistakes)
        if host is None:
            continue
        hosts[block["host"]] = host
        if (block["host"], block["vm"]) in seen:
            _refuse("Attached twice", f"{block['vm'] or block['host']} gets this volume twice.", instance, mistakes)
        seen.add((block["host"], block["vm"]))
        if host.get("address") is None and host.get("initiator") is None:
            _refuse(
                "Host without an initiator",
                f"{block['host']} has neither an address nor an initiator, so no array could open a volume to it.",
                instance,
                mistakes,
            )
        for name in ("address", "initiator", "cluster"):
            if isinstance(host.get(name), Unknown):
                detail = (
                    f"{name} of {block['host']} must be known when planning: by it the volume is opened to the host."
                )
                _refuse("Not known when planning", detail, instance, mistakes)
    for name in ("pool", "name", *SETTLED):
        if name in ("pool", "name") and instance.resource.body.argument(name) is None:
            continue
        if _unknown_inside(attributes[name]):
            _refuse("Not known when planning", f"{name} must be known when planning.", instance, mistakes)
    if offering is not None:
        _refuse_sharing(instance, offering, mistakes)
    if offering is not None and not mistakes.has_errors:
        size = size_of(instance, offering, mistakes)
        if size is not None:
            qos, told = figures_of(instance, offering, size, mistakes)
            if told:
                name = attributes["name"]
                return Goal(instance, offering, hosts, size, qos, None if isinstance(name, Unknown) else name)
    diagnostics.extend(mistakes)
    return None


def _refuse_sharing(instance: ResourceInstance, offering: Attributes, diagnostics: Diagnostics) -> None:
    """A file system that somebody else writes to, too, is destroyed, or not read as it is, unless made for that."""
    disks = [block for block in instance.attributes["attach"] if block["vm"] is not None]
    if len(disks) > 1 and not offering["shareable"] and not all(block["read_only"] for block in disks):
        _refuse(
            "Volume cannot be shared",
            f"{len(disks)} VMs would have it at the same time, and not all of them with read_only = true:"
            f" {', '.join(str(disk['vm']) for disk in disks)}. With a cluster file system say shareable = true in"
            f" {offering['id']}; else attach it to one of them.",
            instance,
            diagnostics,
        )


def demand_of(goal: Goal, actual: Actual, prior: Attributes | None) -> Demand:
    """What the goal asks of a pool. `prior` is the volume as it is now."""
    attributes = goal.instance.attributes
    with_vm = [block for block in goal.blocks if block["vm"] is not None]
    # A volume that nobody uses yet is held to its ceiling by whichever hypervisor gets it later.
    limits = frozenset({"ceiling", "burst", "bandwidth"})
    can = [
        reading.info.enforces if block["vm"] is not None else frozenset()
        for block in goal.blocks
        if (reading := actual.hosts.get(block["host"])) is not None and reading.info is not None
    ]
    pin = attributes["pool"]
    source = attributes["source"] if goal.instance.address.type == ROOT_DISK.name else None
    return Demand(
        address=goal.instance.address,
        size=goal.size,
        qos=goal.qos,
        tags=frozenset(goal.offering.get("tags") or ()),
        zone=attributes["zone"],
        hosts=frozenset(Host(id, host.get("zone"), host.get("cluster")) for id, host in goal.hosts.items()),
        pin=None if isinstance(pin, Unknown) else pin,
        enforcement=goal.offering["qos_enforcement"],
        hypervisor_enforces=frozenset.intersection(limits, *can) if with_vm or not goal.blocks else frozenset(),
        prior=prior["pool"] if prior else None,
        holds=held(prior) if prior else (0, 0),
        range=goal.instance.resource.range,
        # What was made from it already needs no array that could do so again.
        source=None if prior and prior.get("source") == source else source,
    )


def planned_attributes(
    goal: Goal, assignment: Assignment, policy: str | None, now: Attributes | None
) -> dict[str, Any]:
    """
    The volume as it will be: recorded form (see `planner.planning.current`), Unknown where only apply can tell.

    Args:
        now: the volume that this one is made of; None when it is made anew.
    """
    wanted = goal.instance.attributes
    return {
        **{name: wanted[name] for name in SETTLED},
        **{name: now[name] if now else UNKNOWN for name in ("id", "iqn", "portal", "lun", "serial")},
        "source": wanted["source"] or _began_as(goal, now),
        **figure_attributes(goal.qos),
        "provisioning": now["provisioning"] if now else goal.offering["provisioning"],
        "size": format_size(goal.size),
        "pool": UNKNOWN if assignment.among else assignment.pool,
        "name": goal.name_of(now),
        "policy": policy,
        "access": {host: _endpoint(attributes) for host, attributes in sorted(goal.hosts.items())},
        "attachments": tuple(
            _attachment(block, goal, assignment, now)
            for block in sorted(goal.blocks, key=lambda block: (block["host"], block["vm"] or ""))
            if block["vm"] is not None
        ),
    }


def _began_as(goal: Goal, now: Attributes | None) -> str | None:
    """What a volume whose block does not say (any more) what it begins as a copy of did begin as."""
    return now.get("source") if now is not None and goal.instance.address.type != ROOT_DISK.name else None


def default_name(address: InstanceAddress) -> str:
    """
    A volume's name on the array: its address in letters, digits and dashes, 60 characters at most.

    Where characters were lost, eight digits of the address's hash keep `db["a"]` and `db["A."]` apart.
    """
    text = str(address)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    reversible = re.sub(r'[."\[\]]+', "-", text).strip("-")
    if plain == reversible and len(plain) <= 60:
        return plain
    return f"{plain[:51]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def as_it_is(instance: ResourceInstance, now: Attributes, ignored: tuple[str, ...] | None) -> ResourceInstance:
    """
    The instance with its ignored arguments as it has them now.

    Args:
        ignored: names of arguments; None for all of them.
    """
    have = shown(instance.type.name, now)
    names = have if ignored is None else ignored
    attributes = dict(instance.attributes)
    for name in names:
        if name in attributes and name in have:
            attributes[name] = have[name]
    return replace(instance, attributes=attributes)


def _endpoint(host: Attributes) -> dict[str, Any]:
    return {"address": host.get("address"), "initiator": host.get("initiator")}


def _attachment(block: Attributes, goal: Goal, assignment: Assignment, now: Attributes | None) -> dict[str, Any]:
    there = None
    for disk in now["attachments"] if now else ():
        if (disk["host"], disk["vm"]) == (block["host"], block["vm"]):
            there = disk
    by = assignment.enforcement
    limits: Any = limits_of(_left_for_the_hypervisor(goal.qos, by))
    if "unknown" in (by.ceiling, by.burst, by.bandwidth):
        limits = UNKNOWN
    device = block["device"]
    if device is None or isinstance(device, Unknown):
        device = there["device"] if there else UNKNOWN
    return {
        "host": block["host"],
        "vm": block["vm"],
        "device": device,
        "bus": block["bus"],
        "read_only": block["read_only"],
        "serial": there["serial"] if there else UNKNOWN,
        "qos": limits,
        "size": goal.size,
    }


def _left_for_the_hypervisor(qos: Qos | None, by: Enforcement) -> Qos | None:
    if qos is None:
        return None
    ceiling = qos.max_iops if by.ceiling == "hypervisor" else 0
    burst = qos.burst_iops if ceiling and by.burst == "hypervisor" else ceiling
    return Qos(0, ceiling, burst, qos.max_bandwidth if by.bandwidth == "hypervisor" else 0)


def _follow(
    id: Any, known: Mapping[str, Attributes], instance: ResourceInstance, argument: str, diagnostics: Diagnostics
) -> Attributes | None:
    """The attributes of what `id` names. What is unknown was reported where it was evaluated, or comes from apply."""
    if isinstance(id, str) and id in known:
        return known[id]
    if isinstance(id, Unknown):
        detail = f"{argument} must be known when planning, since it decides where the volume can go."
    else:
        detail = f"{id} is not in this configuration any more."
    _refuse("Unusable reference", detail, instance, diagnostics)
    return None


def _unknown_inside(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_unknown_inside(item) for item in value.values())
    return isinstance(value, Unknown)


def _refuse(summary: str, detail: str, instance: ResourceInstance, diagnostics: Diagnostics) -> None:
    diagnostics.error(summary, detail, instance.resource.range, address=str(instance.address))
