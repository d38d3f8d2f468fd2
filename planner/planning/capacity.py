"""
What the declared pools hold and still take: `Capacity` is the artefact, `measure` makes it of what was read.

How many volumes fit is asked of the allocator's own filters, so that a plan of just as many succeeds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from planner.addresses import InstanceAddress
from planner.diagnostics import Diagnostics
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.placement.filters import Remainder, byte_budget, iops_budget, refuse_fixed, refuse_full, remainder, taken
from planner.placement.model import Candidate, Demand, Rejection
from planner.planning.goal import demand_of, goal_of
from planner.planning.placing import candidates
from planner.planning.refresh import Actual, PoolTarget
from planner.resources.declared import pool_arguments
from planner.resources.volume import VOLUME
from planner.sdk.storage import ActualVolume, PoolSpec, Qos
from planner.state.model import Attributes, Snapshot
from planner.units import format_size
from planner.values.marks import Unknown

_NO_LIMIT = 1 << 62
"""A pool that takes so many volumes of a kind has no limit that counts for them."""


@dataclass(frozen=True, slots=True)
class Budget:
    """
    A pool's bytes, or its IOPS.

    Attributes:
        total: what may be given out; None for no limit.
        ours: what the volumes of this state take.
        others: what else is taken, as the array counts.
    """

    total: int | None
    ours: int
    others: int

    @property
    def free(self) -> int | None:
        """Below zero where more was given out than there is; None for no limit."""
        return None if self.total is None else self.total - self.ours - self.others


@dataclass(frozen=True, slots=True)
class PoolCapacity:
    """`ours` and `others` count the pool's volumes."""

    candidate: Candidate
    bytes: Budget
    iops: Budget
    ours: int
    others: int


@dataclass(frozen=True, slots=True)
class Fit:
    """
    How many volumes of one kind a pool still takes.

    Attributes:
        count: None for any number.
        refusal: of one more; None where there is no limit.
    """

    count: int | None
    refusal: Rejection | None


@dataclass(frozen=True, slots=True)
class OfferingRoom:
    """
    How many volumes of one offering still fit.

    Attributes:
        offering: the address of a disk offering, or of a compute offering for its root disks.
        size: bytes of each volume.
        is_fixed: the offering says the size; otherwise whoever asked did.
        fits: by the pool's address.
    """

    offering: str
    size: int
    is_fixed: bool
    qos: Qos | None
    fits: Mapping[str, Fit]

    @property
    def count(self) -> int | None:
        """On all pools together; None for any number."""
        counts = [fit.count for fit in self.fits.values()]
        return None if None in counts else sum(count for count in counts if count is not None)


@dataclass(frozen=True, slots=True)
class Capacity:
    """
    Attributes:
        size: bytes of volumes whose offering leaves that open.
        pools, offerings: sorted by address.
        unread: addresses of pools that could not be read, and are left out everywhere else.
    """

    size: int
    pools: tuple[PoolCapacity, ...]
    offerings: tuple[OfferingRoom, ...]
    unread: tuple[str, ...] = ()


def pool_targets(desired: ResourceGraph, pools: Sequence[InstanceAddress]) -> tuple[list[PoolTarget], Diagnostics]:
    """Pools to be read, each with all its volumes. Of one that only an apply could tell where it is nothing is read."""
    targets, diagnostics = [], Diagnostics()
    for address in pools:
        instance = desired.instances[address]
        unknown = [name for name, value in sorted(instance.attributes.items()) if _is_unknown(value)]
        if unknown:
            detail = f"What {' and '.join(unknown)} will be is known after apply, so the pool cannot be looked up."
            diagnostics.error("Not known yet", detail, instance.resource.range, address=str(address))
        elif instance.provider is not None:
            spec = PoolSpec(str(address), pool_arguments(instance.attributes))
            targets.append(PoolTarget(instance.provider, spec, list_volumes=True, range=instance.resource.range))
    return targets, diagnostics


def measure(
    desired: ResourceGraph, snapshot: Snapshot, pools: Sequence[InstanceAddress], actual: Actual, size: int
) -> tuple[Capacity, Diagnostics]:
    """
    The capacity of `pools`, as far as they could be read. An offering of which nothing can be made is left out, with a
    diagnostic.

    Args:
        size: bytes of volumes whose offering leaves that open.
    """
    diagnostics = Diagnostics()
    found = candidates({str(address): desired.instances[address].attributes for address in pools}, actual)
    measured = tuple(_pool(candidate, actual, snapshot) for candidate in found)
    rooms = []
    for address, instance in sorted(desired.instances.items()):
        for offering in _offerings(instance):
            demand = _demand(instance, offering, size, diagnostics)
            if demand is not None:
                fits = {pool.candidate.id: _fit(demand, pool) for pool in measured}
                is_fixed = offering.get("size") is not None
                rooms.append(OfferingRoom(str(address), demand.size, is_fixed, demand.qos, fits))
    unread = tuple(str(address) for address in pools if str(address) not in actual.pools)
    return Capacity(size, measured, tuple(rooms), unread), diagnostics


def _pool(candidate: Candidate, actual: Actual, snapshot: Snapshot) -> PoolCapacity:
    listed = (actual.pools[candidate.id].volumes or {}).values()
    imported = {
        object.attributes["id"]
        for object in snapshot.objects.values()
        if object.address.type == "volume" and object.attributes["pool"] == candidate.id
    }
    ours = [volume for volume in listed if volume.id in imported or _is_made_by(snapshot.lineage, volume)]
    status = candidate.status
    bytes = _budget(byte_budget(candidate), status.used, sum(volume.size for volume in ours))
    floors = sum(volume.qos.min_iops if volume.qos else 0 for volume in ours)
    iops = _budget(iops_budget(candidate), status.floors, floors)
    candidate = replace(candidate, ours=(bytes.ours, iops.ours))
    return PoolCapacity(candidate, bytes, iops, len(ours), len(listed) - len(ours))


def _is_made_by(lineage: str, volume: ActualVolume) -> bool:
    return volume.owner is not None and volume.owner.lineage == lineage


def _budget(total: int | None, used: int, ours: int) -> Budget:
    """The array's sum is what counts. It is read before or after the volumes, which may change in between."""
    ours = min(ours, used)
    return Budget(total, ours, used - ours)


def _offerings(instance: ResourceInstance) -> Iterator[Attributes]:
    """What volumes can be made of: a disk offering itself, the root disk of a compute offering."""
    if instance.address.type == "disk_offering":
        yield instance.attributes
    elif instance.address.type == "compute_offering" and instance.attributes["root_disk"] is not None:
        yield {**instance.attributes["root_disk"], "id": str(instance.address)}


def _demand(instance: ResourceInstance, offering: Attributes, size: int, diagnostics: Diagnostics) -> Demand | None:
    """What a volume of the offering asks of a pool, attached nowhere yet; made just as a declared one's demand is."""
    id = str(instance.address)
    wanted = {argument.name: argument.default for argument in VOLUME.arguments} | {"attach": (), "offering": id}
    if offering.get("size") is None:
        wanted["size"] = format_size(size)
    volume = replace(
        instance, address=replace(instance.address, type=VOLUME.name), type=VOLUME, attributes=wanted, dependencies=()
    )
    mistakes = Diagnostics()
    goal = goal_of(volume, {id: offering}, mistakes)
    diagnostics.extend(replace(mistake, address=id) for mistake in mistakes)
    return None if goal is None else demand_of(goal, Actual(), None)


def _fit(demand: Demand, pool: PoolCapacity) -> Fit:
    refusal = refuse_fixed(demand, pool.candidate)
    if refusal is not None:
        return Fit(0, refusal)

    def refusal_after(count: int) -> Rejection | None:
        return refuse_full(demand, pool.candidate, _left(pool.candidate, demand, count))

    if refusal_after(_NO_LIMIT) is None:
        return Fit(None, None)
    count = bisect_left(range(_NO_LIMIT), True, key=lambda count: refusal_after(count) is not None)
    return Fit(count, refusal_after(count))


def _left(candidate: Candidate, demand: Demand, count: int) -> Remainder:
    """What is left of the pool when it has got that many such volumes."""
    left, (bytes, iops) = remainder(candidate), taken(demand, candidate)
    return Remainder(left.bytes - count * bytes, left.iops - count * iops)


def _is_unknown(value: object) -> bool:
    """Also in part."""
    return isinstance(value, Unknown) or (isinstance(value, tuple) and any(map(_is_unknown, value)))
