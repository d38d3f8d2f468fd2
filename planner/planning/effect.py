"""
When a VM has what is changed in place. Figures and sizes never take a detach; but what its hypervisor is told, a VM
that is off has only from its next start on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.planning.current import Current
from planner.planning.plan import TakesEffect
from planner.resources.volume import LIMIT_NAMES
from planner.state.model import Attributes
from planner.values.marks import Unknown


def takes_effect(found: Current, after: Attributes) -> tuple[TakesEffect, ...]:
    """
    For each disk that stays attached while the volume's size or figures change. What the array alone is told holds at
    once, whether the VM runs or not. Disks of hosts that were not read are left out.
    """
    now = found.attributes
    if now is None:
        return ()
    had, gets = _disks(now), _disks(after)
    alters = any(now.get(name) != after.get(name) for name in ("size", *LIMIT_NAMES))
    result = []
    for (host, vm), live in sorted(found.live.items()):
        disk = gets.get((host, vm))
        if disk is None or not _stays(had[host, vm], disk) or _reaches_anew(now, after, host):
            continue
        told = any(had[host, vm].get(name) != disk[name] for name in ("qos", "size"))
        if told or alters:
            result.append(TakesEffect(host, vm, at_once=live or not told))
    return tuple(result)


def _disks(attributes: Attributes) -> dict[tuple[str, str], Mapping[str, Any]]:
    return {(disk["host"], disk["vm"]): disk for disk in attributes["attachments"]}


def _stays(had: Mapping[str, Any], gets: Mapping[str, Any]) -> bool:
    """The disk is not taken away and given anew."""
    return all(
        isinstance(gets[name], Unknown) or had.get(name) == gets[name] for name in ("device", "bus", "read_only")
    )


def _reaches_anew(now: Attributes, after: Attributes, host: str) -> bool:
    """The host is seen under another name and has to be let in again."""
    was, will = now["access"].get(host, {}), after["access"].get(host, {})
    return any(was.get(name) != will.get(name) for name in ("address", "initiator"))
