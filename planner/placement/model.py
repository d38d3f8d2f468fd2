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
class Host:
    """A host that a volume is opened to, with what decides which pools reach it."""

    address: str
    zone: str | None = None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """
    What one volume asks of a pool.

    Attributes:
        size: bytes.
        tags: the pool must have all of them.
        zone: the zone that it asks for itself.
        hosts: the pool must reach each of them.
        pin: the pool asked for by name, or None.
        source: the image that it is made from; None for an empty volume.
        clone_of: what it begins as a copy of, in words; None where it begins otherwise.
        beside: identity of the array that has what it begins as a copy of; None where `after` tells.
        after: the volume among the demands that it begins as a copy of, whose place may not be known yet.
        enforcement: "storage", "any" or "best_effort" (`qos_enforcement` of the offering).
        hypervisor_enforces: what every host that it is attached to can hold: "ceiling", "burst", "bandwidth".
        prior: the pool that it is recorded on.
        holds: what it has on `prior` already, as the array reported it: (bytes, floor).
    """

    address: InstanceAddress
    size: int
    qos: Qos | None
    tags: frozenset[str] = frozenset()
    zone: str | None = None
    hosts: frozenset[Host] = frozenset()
    pin: str | None = None
    source: str | None = None
    clone_of: str | None = None
    beside: str | None = None
    after: InstanceAddress | None = None
    enforcement: str = "any"
    hypervisor_enforces: frozenset[str] = frozenset()
    prior: str | None = None
    holds: tuple[int, int] = (0, 0)
    range: SourceRange | None = None

    @property
    def floor(self) -> int:
        """I/O operations per second that it is guaranteed; 0 for none."""
        return self.qos.min_iops if self.qos else 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """
    A declared pool with what its array says of it.

    Attributes:
        id: the pool's address as text.
        zone, cluster, host: whose hosts it serves; all that are given hold together.
        exclusive: it takes only volumes that ask for one of its tags.
        enabled: not in maintenance.
        capacity, capacity_iops: what is declared; where it is None, what the array reports counts.
        overprovision: how many times its bytes may be given out. Floors are never given out twice.
        ours: (bytes, floors) of `status.used` and `status.floors` that volumes of this state hold.
        asked: False where nobody asked the array: then `status` has what this state records, and what the array can do
            and holds is not known.
    """

    id: str
    spec: PoolSpec
    array: ArrayInfo
    status: PoolStatus
    tags: frozenset[str] = frozenset()
    zone: str | None = None
    cluster: str | None = None
    host: str | None = None
    exclusive: bool = False
    enabled: bool = True
    capacity: int | None = None
    capacity_iops: int | None = None
    overprovision: float = 1.0
    ours: tuple[int, int] = (0, 0)
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Rejection:
    """
    Why a pool does not do.

    Attributes:
        filter: the filter that refused it: "pin", "state", "scope", "tags", "qos", "limits", "source", "iops", "space";
            "gone" where the pool that the volume is on is not declared any more.
        reason: why, in words with figures.
        figures: the same figures as data, in bytes and I/O operations per second. Of "iops" and "space" they are
            `asked`, `free`, `budget`, and what of the budget is taken: `planned` (by this plan), `ours` (by other
            volumes of this state), `others`. budget = free + planned + ours + others; `free` is below 0 where more
            is taken than there is.
    """

    pool: str
    filter: str
    reason: str
    figures: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Enforcement:
    """
    Who holds each figure: "storage", "hypervisor", "reserved" (a floor kept by not over-committing the pool), "none";
    "unknown" where the array was not asked; "" where the volume asks for none.
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
        reason: why this pool: the weigher with its figures, or what left no choice.
        rejections: the pools that were refused before it, by name. Of a new placement they are worked out when
            somebody looks: a hundred thousand volumes times a hundred pools are too many to keep.
        fitting: the pools that were not: this one, and then those that the weigher liked less, by name. Empty for a
            volume that stays where it is, since no other pool is looked at.
        among: pools of which only figures that their arrays were not asked for could choose one; empty where `pool` is
            chosen.
    """

    pool: str
    enforcement: Enforcement
    reason: str = ""
    rejections: Sequence[Rejection] = ()
    fitting: Sequence[Headroom] = ()
    among: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """`assignments` for those that found a pool, `unplaced` with every pool's rejection for those that did not."""

    assignments: Mapping[InstanceAddress, Assignment] = field(default_factory=dict)
    unplaced: Mapping[InstanceAddress, Sequence[Rejection]] = field(default_factory=dict)
