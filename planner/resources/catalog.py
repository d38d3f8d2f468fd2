"""The resource types that there are."""

from __future__ import annotations

from collections.abc import Mapping

from planner.resources.data import POOL_DATA, VOLUME_DATA
from planner.resources.host import HOST
from planner.resources.offerings import DISK_OFFERING
from planner.resources.pool import POOL
from planner.resources.schema import ResourceType
from planner.resources.volume import VOLUME

RESOURCE_TYPES: Mapping[str, ResourceType] = {type.name: type for type in (DISK_OFFERING, POOL, HOST, VOLUME)}

DATA_TYPES: Mapping[str, ResourceType] = {type.name: type for type in (POOL_DATA, VOLUME_DATA)}
"""What `data` blocks can read."""

PROVIDED = frozenset({"pool", "host"})
"""Types whose blocks name a provider; a volume goes through its pool's and its hosts' providers."""
