"""What is there already and is taken over or only looked at: `import` blocks, the verb, and `data` sources."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from planner.addresses import InstanceAddress, parse_instance
from planner.config.model import Import
from planner.diagnostics import Diagnostics, SourceRange, did_you_mean
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.planning.figures import figure_attributes
from planner.planning.refresh import Actual, PoolTarget
from planner.resources.data import SNAPSHOT_DATA
from planner.resources.declared import pool_arguments
from planner.resources.vm import VOLUME_TYPES
from planner.resources.volume import VOLUME
from planner.sdk.storage import ActualVolume, PoolSpec
from planner.state.model import Attributes, RecordedObject, Snapshot
from planner.units import format_size
from planner.values.marks import Unknown

_SNAPSHOT = f"data.{SNAPSHOT_DATA.name}"


def find_imports(
    items: Iterable[Import], desired: ResourceGraph, importer: Importer | None, diagnostics: Diagnostics
) -> Iterator[tuple[InstanceAddress, str, dict[str, Any] | None]]:
    """
    The volumes that `import` blocks take over: address, id, and the form in which one of ours is recorded.

    Args:
        importer: None where nothing is looked up. Then the id is the one that the block gives, and the form is None.
    """
    for item in items:
        id = desired.imports.get(item.target)
        if item.target not in desired.instances:
            diagnostics.error(
                "Import of something undeclared",
                f"{item.target} is not declared. Write its block; the plan then shows what would change.",
                item.range,
            )
        elif isinstance(id, str) and importer is None:
            diagnostics.warning(
                "Import that was not looked up",
                f"{item.target} would be imported. How it differs from its block, only its array can tell.",
                item.range,
            )
            yield item.target, id, None
        elif isinstance(id, str) and importer is not None:
            found = importer.find(item.target, id, item.range)
            if found is not None:
                yield item.target, found["id"], found


def can_be_imported(
    target: InstanceAddress,
    declared: Collection[InstanceAddress],
    recorded: RecordedObject | None,
    diagnostics: Diagnostics,
) -> bool:
    """Whether the verb may record a volume under the address; otherwise there is a diagnostic."""
    if target.type != VOLUME.name:
        summary, detail = "Unsupported import", f"Only volumes are imported, and {target} is a {target.type}."
    elif recorded is not None:
        summary = "Recorded already"
        detail = (
            f"{target} is recorded with the id {recorded.attributes['id']}. For another volume to have the address, a"
            " removed block with destroy = false lets go of this one first."
        )
    elif target not in declared:
        known = [str(address) for address in declared if address.type == VOLUME.name]
        summary = "Import of something undeclared"
        detail = (
            f"{target} is not declared.{did_you_mean(str(target), known)} Write its block first: it says what the"
            " volume is to be."
        )
    else:
        return True
    diagnostics.error(summary, detail, address=str(target))
    return False


class Importer:
    """Finds volumes that arrays have and that nobody has recorded; each of them once."""

    def __init__(self, snapshot: Snapshot, actual: Actual, diagnostics: Diagnostics) -> None:
        self._lineage = snapshot.lineage
        self._pools = actual.pools
        self._diagnostics = diagnostics
        self._listed: dict[str, list[tuple[str, ActualVolume]]] = defaultdict(list)
        for pool, listed in sorted(actual.pools.items()):
            for volume in (listed.volumes or {}).values():
                for name in {volume.id, volume.name}:
                    self._listed[name].append((pool, volume))
        self._recorded = {
            (reading.array.identity, object.attributes["id"]): address
            for address, object in snapshot.objects.items()
            if address.type in VOLUME_TYPES
            if (reading := actual.pools.get(object.attributes["pool"])) is not None
        }
        """By the array's identity and the id there."""

    def find(self, target: InstanceAddress, id: str, range: SourceRange | None) -> dict[str, Any] | None:
        """
        A volume in the form in which one of ours is recorded. None, with a diagnostic, where there is none, or more
        than one of that name, or it is recorded already.

        Args:
            target: the address that it is to be recorded under.
            id: the array's id of it, or its name.
            range: of the block that asks for it; None for the command line.
        """
        listed = self._listed.get(id, [])
        exact = [found for found in listed if found[1].id == id] or listed
        if len(exact) != 1:
            pools = ", ".join(sorted(self._pools)) or "none"
            detail = f'No pool of the configuration has a volume with the id or name "{id}". The pools are {pools}.'
            if exact:
                ids = ", ".join(volume.id for _, volume in exact)
                detail = f'{len(exact)} volumes are called "{id}": {ids}. Name one by its id.'
            self._diagnostics.error("Nothing to import", detail, range, address=str(target))
            return None
        pool, volume = exact[0]
        other = self._recorded.setdefault((self._pools[pool].array.identity, volume.id), target)
        if other != target:
            self._diagnostics.error(
                "Recorded under another address",
                f'"{id}" has the address {other} already, and two addresses would fight for one volume. A moved block'
                f" gives it the address {target}.",
                range,
                address=str(target),
            )
            return None
        if volume.owner is not None and volume.owner.lineage != self._lineage:
            self._diagnostics.warning(
                "Volume of another state",
                f'"{id}" carries the mark of {volume.owner.address} in the state {volume.owner.lineage}. If that state'
                " is still in use, let go of the volume there, so that only one of them changes it.",
                range,
                address=str(target),
            )
        return recorded_volume(pool, volume)


def pools_of(
    sources: Iterable[ResourceInstance], objects: Mapping[InstanceAddress, RecordedObject]
) -> list[PoolTarget]:
    """The recorded pools that data sources read from."""
    named, with_snapshots = read_from_pools(sources, objects)
    return [
        PoolTarget(
            object.provider,
            PoolSpec(str(address), pool_arguments(object.attributes)),
            list_volumes=str(address) in named,
            list_snapshots=str(address) in with_snapshots,
        )
        for address, object in objects.items()
        if str(address) in named | with_snapshots and object.provider is not None
    ]


def read_from_pools(
    sources: Iterable[ResourceInstance], objects: Mapping[InstanceAddress, RecordedObject]
) -> tuple[set[str], set[str]]:
    """Addresses of the pools that data sources read from: of those whose volumes they read, and whose snapshots."""
    listed: set[str] = set()
    with_snapshots: set[str] = set()
    for instance in sources:
        if instance.address.type != _SNAPSHOT:
            listed.add(instance.attributes["pool"])
        elif (volume := _recorded_volume(instance, objects)) is not None:
            with_snapshots.add(volume["pool"])
    return listed, with_snapshots


def read_data(
    instances: Iterable[ResourceInstance],
    actual: Actual,
    objects: Mapping[InstanceAddress, RecordedObject],
    diagnostics: Diagnostics,
) -> dict[str, Attributes]:
    """Attributes of data sources by address; those whose arguments are not known yet are left out."""
    found: dict[str, Attributes] = {}
    for instance in instances:
        if instance.address.type == _SNAPSHOT:
            snapshot = _read_snapshot(instance, actual, objects, diagnostics)
            if snapshot is not None:
                found[str(instance.address)] = {**instance.attributes, **snapshot}
            continue
        pool, name = instance.attributes["pool"], instance.attributes.get("name")
        if isinstance(pool, Unknown) or isinstance(name, Unknown) or pool not in actual.pools:
            continue
        reading = actual.pools[pool]
        values = _pool_values(actual, pool) if name is None else _volume_values(reading.volumes or {}, name)
        if values is None:
            diagnostics.error(
                "Nothing to read",
                f'{pool} has no volume called "{name}".',
                instance.resource.range,
                address=str(instance.address),
            )
            continue
        found[str(instance.address)] = {**instance.attributes, **values}
    return found


def _recorded_volume(source: ResourceInstance, objects: Mapping[InstanceAddress, RecordedObject]) -> Attributes | None:
    """The volume that a data source is about; None for one that is not made yet."""
    named = source.attributes["volume"]
    object = objects.get(parse_instance(named)) if isinstance(named, str) else None
    return None if object is None else object.attributes


def _read_snapshot(
    instance: ResourceInstance,
    actual: Actual,
    objects: Mapping[InstanceAddress, RecordedObject],
    diagnostics: Diagnostics,
) -> dict[str, Any] | None:
    volume, name = _recorded_volume(instance, objects), instance.attributes["name"]
    given = instance.resource.body.argument("name")
    if volume is None or (given is not None and isinstance(name, Unknown)) or volume["pool"] not in actual.pools:
        return None
    wanted = name if isinstance(name, str) else None
    there = [
        one
        for one in actual.pools[volume["pool"]].snapshots or ()
        if one.volume == volume["id"] and wanted in (None, one.name)
    ]
    if not there:
        called = f' called "{wanted}"' if wanted else ""
        diagnostics.error(
            "Nothing to read",
            f"{instance.attributes['volume']} ({volume['id']}) has no snapshot{called}.",
            instance.resource.range,
            address=str(instance.address),
        )
        return None
    newest = max(there, key=lambda one: (one.created, one.id))
    return {
        "name": newest.name,
        "id": newest.id,
        "size": format_size(newest.size),
        "created": newest.created,
    }


def recorded_volume(pool: str, volume: ActualVolume) -> dict[str, Any]:
    """A volume as it would be recorded, without access and disks."""
    serial = volume.owner.intent if volume.owner else hashlib.sha256(volume.id.encode()).hexdigest()[:16]
    return {
        "offering": None,
        "zone": None,
        "on_destroy": None,
        "metadata": None,
        "provisioning": "thin",
        "pool": pool,
        "name": volume.name,
        "size": format_size(volume.size),
        **figure_attributes(volume.qos),
        "id": volume.id,
        "iqn": volume.iqn,
        "portal": volume.portal,
        "lun": volume.lun,
        "serial": serial,
        "intent": serial,
        "access": {},
        "attachments": (),
    }


def _volume_values(volumes: Mapping[str, ActualVolume], name: str) -> dict[str, Any] | None:
    for volume in volumes.values():
        if volume.name == name:
            served = {"iqn": volume.iqn, "portal": volume.portal, "lun": volume.lun}
            return {"id": volume.id, "size": format_size(volume.size), **figure_attributes(volume.qos), **served}
    return None


def _pool_values(actual: Actual, pool: str) -> dict[str, Any]:
    status, array = actual.pools[pool].status, actual.pools[pool].array
    return {
        "product": array.product,
        "capacity": None if status.capacity is None else format_size(status.capacity),
        "used": format_size(status.used),
        "capacity_iops": status.capacity_iops,
        "floors": status.floors,
    }
