"""
What refuses a pool, in a fixed order. Each filter answers why in words with figures, or None when it has nothing
against the pool.

The first ones look only at what is declared and at what the array can do, so they answer the same for all volumes of
one kind; the last two look at what is left of the pool.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from planner.placement.model import Candidate, Demand, Enforcement, Rejection
from planner.units import approximate_size

Filter = Callable[[Demand, Candidate], str | None]


@dataclass(slots=True)
class Remainder:
    """What is left of a pool while a placement is made: bytes and IOPS; None where there is no limit."""

    bytes: int | None
    iops: int | None


def enforcement(demand: Demand, candidate: Candidate) -> Enforcement:
    """
    Who would hold each figure on this pool.

    A floor that the array does not hold is "reserved" where the pool has an IOPS budget: floors are then never given
    out twice, though a neighbour without a ceiling can still press on it.
    """
    qos = demand.qos
    if qos is None:
        return Enforcement()
    by_array = candidate.status.enforces

    def limit(figure: str) -> str:
        if figure in by_array:
            return "storage"
        return "hypervisor" if figure in demand.hypervisor_enforces else "none"

    floor = ""
    if qos.min_iops:
        floor = "storage" if "floor" in by_array else "none" if iops_budget(candidate) is None else "reserved"
    return Enforcement(floor, limit("ceiling"), limit("burst") if qos.burst_iops > qos.max_iops else "")


def iops_budget(candidate: Candidate) -> int | None:
    """IOPS that may be given out as floors; None for no limit."""
    declared = candidate.capacity_iops
    budget = candidate.status.capacity_iops if declared is None else declared
    return None if budget is None else int(budget * candidate.overprovision)


def byte_budget(candidate: Candidate) -> int | None:
    """Bytes that may be given out; None for no limit."""
    budget = candidate.status.capacity if candidate.capacity is None else candidate.capacity
    return None if budget is None else int(budget * candidate.overprovision)


def _pin(demand: Demand, candidate: Candidate) -> str | None:
    return f"the volume asks for {demand.pin}" if demand.pin not in (None, candidate.id) else None


def _state(demand: Demand, candidate: Candidate) -> str | None:
    """A pool in maintenance keeps what it has and takes nothing new."""
    return None if candidate.enabled or demand.prior == candidate.id else "it is in maintenance"


def _zone(demand: Demand, candidate: Candidate) -> str | None:
    wrong = sorted(demand.zones - {candidate.zone}) if candidate.zone is not None else []
    return f"it serves zone {candidate.zone}, and the volume is needed in {', '.join(wrong)}" if wrong else None


def _tags(demand: Demand, candidate: Candidate) -> str | None:
    missing = sorted(demand.tags - candidate.tags)
    if missing:
        return f"it lacks the tag {', '.join(missing)} (it has {', '.join(sorted(candidate.tags)) or 'none'})"
    if candidate.exclusive and not demand.tags & candidate.tags:
        return f"it is kept for offerings that name one of its tags ({', '.join(sorted(candidate.tags))})"
    return None


def _qos(demand: Demand, candidate: Candidate) -> str | None:
    who = enforcement(demand, candidate)
    figures = {"floor": who.floor, "ceiling": who.ceiling, "burst": who.burst}
    if demand.enforcement == "storage":
        lacking = [figure for figure, by in figures.items() if by not in ("", "storage")]
        return f"its array ({candidate.array.product}) does not hold the {_words(lacking)} itself" if lacking else None
    if demand.enforcement == "any":
        lacking = [figure for figure, by in figures.items() if by == "none"]
        return f"nobody can hold the {_words(lacking)}: neither its array nor the hypervisor" if lacking else None
    return None


def _limits(demand: Demand, candidate: Candidate) -> str | None:
    limits = candidate.array.limits
    if limits.min_size is not None and demand.size < limits.min_size:
        return f"its array makes no volume below {approximate_size(limits.min_size)}"
    if limits.max_size is not None and demand.size > limits.max_size:
        return f"its array makes no volume above {approximate_size(limits.max_size)}"
    if demand.qos is not None:
        figures = (
            ("min_iops", demand.qos.min_iops, limits.min_iops),
            ("max_iops", demand.qos.max_iops, limits.max_iops),
            ("burst_iops", demand.qos.burst_iops, limits.burst_iops),
        )
        for name, figure, bounds in figures:
            if bounds is not None and not bounds[0] <= figure <= bounds[1]:
                return f"its array takes {name} from {bounds[0]} to {bounds[1]}, not {figure}"
    return None


FIXED_FILTERS: tuple[tuple[str, Filter], ...] = (
    ("pin", _pin),
    ("state", _state),
    ("zone", _zone),
    ("tags", _tags),
    ("qos", _qos),
    ("limits", _limits),
)


def refuse_fixed(demand: Demand, candidate: Candidate) -> Rejection | None:
    """The first of the fixed filters that refuses the pool."""
    for name, refuses in FIXED_FILTERS:
        reason = refuses(demand, candidate)
        if reason is not None:
            return Rejection(candidate.id, name, reason)
    return None


def refuse_full(demand: Demand, candidate: Candidate, left: Remainder) -> Rejection | None:
    """Refused for want of IOPS or of space, in this order. What the volume holds there already is its own."""
    held_bytes, held_iops = demand.holds if demand.prior == candidate.id else (0, 0)
    floor = demand.qos.min_iops if demand.qos else 0
    if left.iops is not None and floor > left.iops + held_iops and floor > held_iops:
        budget = iops_budget(candidate) or 0
        return Rejection(
            candidate.id,
            "iops",
            f"floor {floor} asked, {max(left.iops + held_iops, 0)} of {budget} IOPS left"
            f" ({budget - left.iops} taken, {candidate.status.floors} of them before this plan)",
        )
    if left.bytes is not None and demand.size > left.bytes + held_bytes and demand.size > held_bytes:
        budget = byte_budget(candidate) or 0
        return Rejection(
            candidate.id,
            "space",
            f"{approximate_size(demand.size)} asked, {approximate_size(max(left.bytes + held_bytes, 0))} of"
            f" {approximate_size(budget)} left",
        )
    return None


def _words(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
