"""What is there already and is taken over or only looked at: `import` blocks and `data` sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from planner.addresses import InstanceAddress
from planner.config.model import Import
from planner.diagnostics import Diagnostics, SourceRange
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.planning.figures import figure_attributes
from planner.planning.refresh import Actual, PoolTarget
from planner.resources.declared import pool_arguments
from planner.sdk.storage import ActualVolume, PoolSpec
from planner.state.model import Attributes, RecordedObject
from planner.units import format_size
from planner.values.marks import Unknown


def find_imports(
    items: Iterable[Import], desired: ResourceGraph, actual: Actual, diagnostics: Diagnostics
) -> Iterator[tuple[InstanceAddress, dict[str, Any]]]:
    """The volumes that `import` blocks take over, each in the form in which one of ours is recorded."""
    for item in items:
        id = desired.imports.get(item.target)
        if item.target not in desired.instances:
            diagnostics.error(
                "Import of something undeclared",
                f"{item.target} is not declared. Write its block; the plan then shows what would change.",
                item.range,
            )
        elif isinstance(id, str):
            found = _find_import(id, actual, item.range, diagnostics)
            if found is not None:
                yield item.target, found


def _find_import(id: str, actual: Actual, range: SourceRange, diagnostics: Diagnostics) -> dict[str, Any] | None:
    """
    A volume that the array has, in the form in which one of ours is recorded. None, with a diagnostic, where there is
    none, or more than one of that name.

    Args:
        id: the array's id of it, or its name.
    """
    listed = [
        (pool, volume)
        for pool, reading in sorted(actual.pools.items())
        for volume in (reading.volumes or {}).values()
        if id in (volume.id, volume.name)
    ]
    exact = [found for found in listed if found[1].id == id] or listed
    if len(exact) == 1:
        return recorded_volume(*exact[0])
    pools = ", ".join(sorted(actual.pools)) or "none"
    if exact:
        detail = f'{len(exact)} volumes are called "{id}": {", ".join(v.id for _, v in exact)}. Name one by its id.'
    else:
        detail = f'No pool of the configuration has a volume with the id or name "{id}". The pools are {pools}.'
    diagnostics.error("Nothing to import", detail, range)
    return None


def pools_of(
    sources: Iterable[ResourceInstance], objects: Mapping[InstanceAddress, RecordedObject]
) -> list[PoolTarget]:
    """The recorded pools that data sources read from."""
    named = {instance.attributes["pool"] for instance in sources}
    return [
        PoolTarget(object.provider, PoolSpec(str(address), pool_arguments(object.attributes)), list_volumes=True)
        for address, object in objects.items()
        if str(address) in named and object.provider is not None
    ]


def read_data(instances: Iterable[ResourceInstance], actual: Actual, diagnostics: Diagnostics) -> dict[str, Attributes]:
    """Attributes of data sources by address; those whose arguments are not known yet are left out."""
    found: dict[str, Attributes] = {}
    for instance in instances:
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
