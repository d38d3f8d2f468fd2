"""The resource types that there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.resources.data import POOL_DATA, SNAPSHOT_DATA, VOLUME_DATA
from planner.resources.host import HOST
from planner.resources.offerings import COMPUTE_OFFERING, DISK_OFFERING
from planner.resources.pool import POOL
from planner.resources.schema import ResourceType
from planner.resources.vm import ROOT_DISK, VM, VOLUME_TYPES
from planner.resources.volume import VOLUME, visible

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    type.name: type for type in (DISK_OFFERING, COMPUTE_OFFERING, POOL, HOST, VOLUME, VM)
}
"""What blocks can declare."""

OBJECT_TYPES: Mapping[str, ResourceType] = {**RESOURCE_TYPES, ROOT_DISK.name: ROOT_DISK}
"""What plans and states hold: root disks, too, which blocks of the type `vm` declare."""

DATA_TYPES: Mapping[str, ResourceType] = {type.name: type for type in (POOL_DATA, SNAPSHOT_DATA, VOLUME_DATA)}
"""What `data` blocks can read."""

PROVIDED = frozenset({"pool", "host"})
"""Types whose blocks name a provider; volumes and VMs go through their pools' and their hosts' providers."""

_BOOKKEEPING = frozenset({"intent"})


def shown(type: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    A recorded object as the language and the plan show it, without what only Lunform needs: a volume with `attach`
    blocks in place of what was done for each host.
    """
    if type in VOLUME_TYPES:
        return visible(attributes)
    if type == VM.name:
        return {name: value for name, value in attributes.items() if name not in _BOOKKEEPING}
    return attributes
