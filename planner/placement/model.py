"""
Who goes where, and why: demands, candidates, and the placement made of them.

Sizes are bytes; floors are guaranteed I/O operations per second. Floors are summed against a pool's budget, ceilings
and bursts are not: they are limits, not reservations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from planner.addresses import InstanceAddress
from planner.diagnostics import SourceRange
from planner.sdk.storage import ArrayInfo, PoolSpec, PoolStatus, Qos


@dataclass(frozen=True, slots=True)
class Demand:
    """
    What one volume asks of a pool.

    Attributes:
        size: bytes, or None when not known before apply.
        tags: the pool must have all of them.
        zones: zones of the hosts that it is attached to, and its own; the pool must be in each.
        pin: the pool asked for by name, or None.
        enforcement: "storage", "any" or "best_effort" (`qos_enforcement` of the offering).
        hypervisor_enforces: what every host that it is attached to can hold: "ceiling", "burst".
        holds: what it has on `prior` already, as the array reported it: (bytes, floor).
        prior: the pool that it is recorded on.
    """

    address: InstanceAddress
    size: int
    qos: Qos | None
    tags: frozenset[str] = frozenset()
    zones: frozenset[str] = frozenset()
    pin: str | None = None
    enforcement: str = "any"
    hypervisor_enforces: frozenset[str] = frozenset()
    prior: str | None = None
    holds: tuple[int, int] = (0, 0)
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A declared pool with what its array says of it. `id` is the pool's address as text."""

    id: str
    spec: PoolSpec
    array: ArrayInfo
    status: PoolStatus
    tags: frozenset[str] = frozenset()
    zone: str | None = None
    exclusive: bool = False
    enabled: bool = True
    capacity: int | None = None
    capacity_iops: int | None = None
    overprovision: float = 1.0


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a pool does not do: the filter that refused it, and the figures in words."""

    pool: str
    filter: str
    reason: str


@dataclass(frozen=True, slots=True)
class Enforcement:
    """
    Who holds each figure: "storage", "hypervisor", "reserved" (a floor kept by not over-committing the pool), "none";
    "" where the volume asks for none.
    """

    floor: str = ""
    ceiling: str = ""
    burst: str = ""
    bandwidth: str = ""


@dataclass(frozen=True, slots=True)
class Headroom:
    """What was left of a pool when it was a volume's turn, before it took anything: None for no limit."""

    pool: str
    iops: int | None
    bytes: int | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """
    Attributes:
        reason: why this pool, in words with figures.
        rejections: the pools that were refused before it.
        fitting: the pools that were not: this one, and then those that the weigher liked less, by name. Empty for a
            volume that stays where it is, since no other pool is looked at.
    """

    pool: str
    enforcement: Enforcement
    reason: str = ""
    rejections: tuple[Rejection, ...] = ()
    fitting: Sequence[Headroom] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """`assignments` for those that found a pool, `unplaced` with every pool's rejection for those that did not."""

    assignments: Mapping[InstanceAddress, Assignment] = field(default_factory=dict)
    unplaced: Mapping[InstanceAddress, tuple[Rejection, ...]] = field(default_factory=dict)
