"""
What becomes of what a scan found, as changes of an ordinary plan: so it is shown, asked about, journalled and finished
after a crash like any other.

Adopted is what a scan found at its own address: it is recorded as it is. Reaped is recorded, too, at an address that
nothing declares, and then taken down: what a killed run leaves of that, the next apply takes down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from planner.addresses import InstanceAddress, parse_instance
from planner.planning.plan import Action, Change
from planner.planning.scan import Orphan, Scan, StrayDisk
from planner.resources.vm import VM, VOLUME_TYPES
from planner.state.model import DEPOSED, RecordedObject, Snapshot

Found = Orphan | StrayDisk


@dataclass(frozen=True, slots=True)
class Disposal:
    """
    Attributes:
        operation: "adopt" or "reap".
        items: what it is about; of other findings of the scan `left` says why they stay as they are.
    """

    operation: str
    items: tuple[Found, ...]
    left: tuple[tuple[Found, str], ...]


def choose(operation: str, scan: Scan, ids: Sequence[str]) -> Disposal:
    """
    What of a scan can be adopted, or reaped.

    Args:
        ids: of findings, or their addresses; none for all.
    """
    items, left = [], []
    for found in scan.found:
        if ids and found.id not in ids and str(found.address) not in ids:
            continue
        why = found.unadoptable if operation == "adopt" else found.unreapable
        if why:
            left.append((found, why))
        else:
            items.append(found)
    return Disposal(operation, tuple(items), tuple(left))


def changes_of(
    disposal: Disposal, snapshot: Snapshot
) -> tuple[list[Change], dict[InstanceAddress, tuple[InstanceAddress, ...]]]:
    """Changes in dependency order, and what each of them needs."""
    adopts = disposal.operation == "adopt"
    orphans = [found for found in disposal.items if isinstance(found, Orphan)]
    pairs = [(orphan, _adopted(orphan) if adopts else _reaped(orphan)) for orphan in orphans]
    needs = {change.address: _needs(orphan) for orphan, change in pairs}
    if not adopts:
        # A vm goes before its disks: they are taken from one that is gone, and not from under it.
        vms = {(o.place, o.record["name"]): change.address for o, change in pairs if o.address.type == VM.name}
        for orphan, change in pairs:
            for disk in orphan.record.get("attachments", ()):
                if vm := vms.get((disk["host"], disk["vm"])):
                    needs[vm] = (*needs[vm], change.address)
    changes = sorted((change for _, change in pairs), key=lambda change: change.address.type == VM.name)
    for address, disks in _strays_by_volume(disposal.items).items():
        object = snapshot.objects[address]
        changes.append(_with_disks(object, disks, stay=adopts))
        needs[address] = object.dependencies
    return changes, needs


def _adopted(orphan: Orphan) -> Change:
    return Change(
        address=orphan.address,
        action=Action.NO_OP,
        before=orphan.record,
        after=orphan.record,
        provider=orphan.provider,
        reason="adopted",
        importing=orphan.id,
        holds_data=orphan.address.type in VOLUME_TYPES,
        recorded_anew=True,
    )


def _reaped(orphan: Orphan) -> Change:
    digits = hashlib.sha256(f"{orphan.place} {orphan.id}".encode()).hexdigest()[:8]
    return Change(
        address=replace(orphan.address, name=f"{orphan.address.name}{DEPOSED}{digits}"),
        action=Action.DELETE,
        before=orphan.record,
        after=None,
        provider=orphan.provider,
        reason="reaped",
        holds_data=orphan.address.type in VOLUME_TYPES,
        recorded_anew=True,
    )


def _with_disks(object: RecordedObject, disks: Iterable[StrayDisk], *, stay: bool) -> Change:
    """The volume with disks that its record lacks: recorded, and detached again unless they stay."""
    found = sorted((*object.attributes["attachments"], *(disk.record for disk in disks)), key=_host_and_vm)
    now = {**object.attributes, "attachments": tuple(found)}
    return Change(
        address=object.address,
        action=Action.NO_OP if stay else Action.UPDATE,
        before=now,
        after=now if stay else object.attributes,
        provider=object.provider,
        reason="adopted" if stay else "reaped",
        revision=object.revision,
        holds_data=True,
        recorded_anew=True,
    )


def _host_and_vm(disk: Mapping[str, str]) -> tuple[str, str]:
    return disk["host"], disk["vm"]


def _strays_by_volume(items: Iterable[Found]) -> dict[InstanceAddress, list[StrayDisk]]:
    found: dict[InstanceAddress, list[StrayDisk]] = {}
    for item in items:
        if isinstance(item, StrayDisk):
            found.setdefault(item.address, []).append(item)
    return found


def _needs(orphan: Orphan) -> tuple[InstanceAddress, ...]:
    """The pool or host that has it, and the hosts that it is open to."""
    return tuple(sorted(parse_instance(id) for id in {orphan.place, *orphan.record.get("access", ())}))
