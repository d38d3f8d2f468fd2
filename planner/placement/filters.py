"""
What refuses a pool, in a fixed order. Each filter answers why, in words and figures, or None when it has nothing
against the pool.

The fixed ones look only at what is declared and at what the array can do; `refuse_full` looks at what is left of the
pool.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from planner.placement.model import Candidate, Demand, Enforcement, Host, Rejection
from planner.sdk.storage import Qos
from planner.units import approximate_size, format_bandwidth

Refusal = tuple[str, Mapping[str, int]]
"""(reason, figures) as in `Rejection`."""
Filter = Callable[[Demand, Candidate], Refusal | None]

_HOSTS_NAMED = 3


@dataclass(slots=True)
class Remainder:
    """What is left of a pool while a placement is made: bytes and IOPS; infinite where there is no limit."""

    bytes: float
    iops: float


def iops_budget(candidate: Candidate) -> int | None:
    """IOPS that may be given out as floors; None for no limit."""
    declared = candidate.capacity_iops
    return candidate.status.capacity_iops if declared is None else int(declared)


def byte_budget(candidate: Candidate) -> int | None:
    """Bytes that may be given out; None for no limit."""
    budget = candidate.status.capacity if candidate.capacity is None else candidate.capacity
    return None if budget is None else int(budget * candidate.overprovision)


def remainder(candidate: Candidate) -> Remainder:
    """What is left of a pool before a plan; below 0 where more is taken than there is."""
    bytes, iops = byte_budget(candidate), iops_budget(candidate)
    return Remainder(
        math.inf if bytes is None else bytes - candidate.status.used,
        math.inf if iops is None else iops - candidate.status.floors,
    )


def taken(demand: Demand, candidate: Candidate) -> tuple[int, int]:
    """(bytes, IOPS) that the volume takes from the pool, over what it holds there already."""
    bytes, iops = demand.holds if demand.prior == candidate.id else (0, 0)
    return demand.size - bytes, demand.floor - iops


def asked_figures(qos: Qos | None) -> tuple[bool, bool, bool, bool]:
    """Which of floor, ceiling, burst and bandwidth somebody has to hold. A burst no higher than the ceiling is none."""
    if qos is None:
        return (False, False, False, False)
    return (qos.min_iops > 0, qos.max_iops > 0, qos.burst_iops > qos.max_iops, qos.max_bandwidth > 0)


def enforcement(demand: Demand, candidate: Candidate) -> Enforcement:
    """
    Who would hold each figure on this pool.

    A floor that the array does not hold is "reserved" where the pool has an IOPS budget: floors are then never given
    out twice, though a neighbour without a ceiling can still press on it.
    """
    by_array = candidate.status.enforces
    floor, ceiling, burst, bandwidth = asked_figures(demand.qos)

    if not candidate.asked:
        return Enforcement(*("unknown" if asked else "" for asked in (floor, ceiling, burst, bandwidth)))

    def limit(figure: str, asked: bool) -> str:
        if not asked:
            return ""
        if figure in by_array:
            return "storage"
        return "hypervisor" if figure in demand.hypervisor_enforces else "none"

    reserved = "none" if iops_budget(candidate) is None else "reserved"
    return Enforcement(
        "" if not floor else "storage" if "floor" in by_array else reserved,
        limit("ceiling", ceiling),
        limit("burst", burst),
        limit("bandwidth", bandwidth),
    )


def _pin(demand: Demand, candidate: Candidate) -> Refusal | None:
    return (f"the volume asks for {demand.pin}", {}) if demand.pin not in (None, candidate.id) else None


def _state(demand: Demand, candidate: Candidate) -> Refusal | None:
    """A pool in maintenance keeps what it has and takes nothing new."""
    return None if candidate.enabled or demand.prior == candidate.id else ("it is in maintenance", {})


def _scope(demand: Demand, candidate: Candidate) -> Refusal | None:
    """A pool must serve the volume's own zone, and reach every one of its hosts."""
    unreached: dict[str, list[str]] = {}
    if candidate.zone is not None and demand.zone not in (None, candidate.zone):
        unreached[f"zone {candidate.zone}"] = [f"the volume asks for zone {demand.zone}"]
    for host in sorted(demand.hosts, key=lambda host: host.address):
        if candidate.host not in (None, host.address):
            unreached.setdefault(candidate.host, []).append(f"not {host.address}")
        elif candidate.cluster not in (None, host.cluster):
            unreached.setdefault(f"cluster {candidate.cluster}", []).append(_stands(host, "cluster", host.cluster))
        elif candidate.zone not in (None, host.zone):
            unreached.setdefault(f"zone {candidate.zone}", []).append(_stands(host, "zone", host.zone))
    if not unreached:
        return None
    return "; ".join(f"it serves {serves} only: {_some(where)}" for serves, where in unreached.items()), {}


def _stands(host: Host, what: str, name: str | None) -> str:
    return f"{host.address} names no {what}" if name is None else f"{host.address} is in {what} {name}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _HOSTS_NAMED} more" if len(names) > _HOSTS_NAMED else ""
    return ", ".join(names[:_HOSTS_NAMED]) + more


def _tags(demand: Demand, candidate: Candidate) -> Refusal | None:
    missing = sorted(demand.tags - candidate.tags)
    if missing:
        return f"it lacks the tag {', '.join(missing)} (it has {', '.join(sorted(candidate.tags)) or 'none'})", {}
    if candidate.exclusive and not demand.tags & candidate.tags:
        return f"it is kept for offerings that name one of its tags ({', '.join(sorted(candidate.tags))})", {}
    return None


def _qos(demand: Demand, candidate: Candidate) -> Refusal | None:
    if demand.qos is None or demand.enforcement == "best_effort" or not candidate.asked:
        return None
    who, qos = enforcement(demand, candidate), demand.qos
    figures = (
        (who.floor, "floor", "min_iops", f"{qos.min_iops} IOPS", qos.min_iops),
        (who.ceiling, "ceiling", "max_iops", f"{qos.max_iops} IOPS", qos.max_iops),
        (who.burst, "burst", "burst_iops", f"{qos.burst_iops} IOPS", qos.burst_iops),
        (who.bandwidth, "bandwidth", "max_bandwidth", format_bandwidth(qos.max_bandwidth), qos.max_bandwidth),
    )
    unfit = (lambda by: by not in ("", "storage")) if demand.enforcement == "storage" else (lambda by: by == "none")
    lacking = [(f"{word} {text}", name, figure) for by, word, name, text, figure in figures if unfit(by)]
    if not lacking:
        return None
    words = _listed([text for text, _, _ in lacking])
    if demand.enforcement == "storage":
        reason = f"its array ({candidate.array.product}) does not hold the {words} itself"
    else:
        reason = f"nobody can hold the {words}: neither its array nor the hypervisor"
    return reason, {name: figure for _, name, figure in lacking}


def _limits(demand: Demand, candidate: Candidate) -> Refusal | None:
    """What the array cannot make: from an image, of this size, with these figures."""
    if not candidate.asked:
        return None
    if demand.source is not None and "image" not in candidate.array.supports:
        return f"its array ({candidate.array.product}) makes no volume from an image", {}
    limits = candidate.array.limits
    size = limits.rounded(demand.size)
    if limits.min_size is not None and size < limits.min_size:
        return f"its array makes no volume below {approximate_size(limits.min_size)}", {
            "size": demand.size,
            "least": limits.min_size,
        }
    if limits.max_size is not None and size > limits.max_size:
        return f"its array makes no volume above {approximate_size(limits.max_size)}", {
            "size": demand.size,
            "most": limits.max_size,
        }
    for name, figure, bounds in (
        ("min_iops", demand.floor, limits.min_iops),
        ("max_iops", demand.qos.max_iops if demand.qos else 0, limits.max_iops),
        ("burst_iops", demand.qos.burst_iops if demand.qos else 0, limits.burst_iops),
    ):
        if asks_iops(demand) and bounds is not None and not bounds[0] <= figure <= bounds[1]:
            reason = f"its array takes {name} from {bounds[0]} to {bounds[1]}, not {figure}"
            return reason, {name: figure, "least": bounds[0], "most": bounds[1]}
    return None


def _source(demand: Demand, candidate: Candidate) -> Refusal | None:
    """An array copies volumes of its own only, and not every array does."""
    if demand.clone_of is None or not candidate.asked:
        return None
    if "clone" not in candidate.array.supports:
        return f"its array ({candidate.array.product}) copies no volumes", {}
    if demand.beside not in (None, candidate.array.identity):
        return f"its array is not the one that {demand.clone_of} is on", {}
    return None


def asks_iops(demand: Demand) -> bool:
    """The three IOPS figures go together: with one, the array is given all of them and must take them."""
    qos = demand.qos
    return qos is not None and (qos.min_iops > 0 or qos.max_iops > 0 or qos.burst_iops > 0)


FIXED_FILTERS: tuple[tuple[str, Filter], ...] = (
    ("pin", _pin),
    ("state", _state),
    ("scope", _scope),
    ("tags", _tags),
    ("qos", _qos),
    ("limits", _limits),
    ("source", _source),
)


def refuse_fixed(demand: Demand, candidate: Candidate) -> Rejection | None:
    """The first of the fixed filters that refuses the pool."""
    for name, refuses in FIXED_FILTERS:
        refusal = refuses(demand, candidate)
        if refusal is not None:
            return Rejection(candidate.id, name, *refusal)
    return None


def refuse_full(demand: Demand, candidate: Candidate, left: Remainder) -> Rejection | None:
    """
    Refused for want of IOPS or of space, in this order. What the volume holds there already is its own, and what takes
    no more of either than it has, or nothing, fits a pool that is over-committed, too.
    """
    held_bytes, held_iops = demand.holds if demand.prior == candidate.id else (0, 0)
    bytes, iops = taken(demand, candidate)
    if iops > max(left.iops, 0):
        figures = _budget_figures(
            demand.floor,
            held_iops,
            int(left.iops),
            iops_budget(candidate) or 0,
            candidate.status.floors,
            candidate.ours[1],
        )
        return Rejection(candidate.id, "iops", _full(figures, str, " IOPS", "floor "), figures)
    if bytes > max(left.bytes, 0):
        figures = _budget_figures(
            demand.size,
            held_bytes,
            int(left.bytes),
            byte_budget(candidate) or 0,
            candidate.status.used,
            candidate.ours[0],
        )
        return Rejection(candidate.id, "space", _full(figures, approximate_size), figures)
    return None


def _budget_figures(asked: int, held: int, left: int, budget: int, before: int, ours: int) -> dict[str, int]:
    """The figures of a `Rejection` for want of something. `held` is the volume's own part of `ours`."""
    return {
        "asked": asked,
        "free": left + held,
        "budget": budget,
        "planned": budget - before - left,
        "ours": ours - held,
        "others": before - ours,
    }


def _full(figures: Mapping[str, int], text: Callable[[int], str], unit: str = "", what: str = "") -> str:
    by = (("planned", "by this plan"), ("ours", "by our other volumes"), ("others", "by others"))
    parts = [f"{text(figures[name])} {who}" for name, who in by if figures[name]]
    return (
        f"{what}{text(figures['asked'])} asked, {text(max(figures['free'], 0))} of {text(figures['budget'])}{unit} left"
        + (f" (taken: {', '.join(parts)})" if parts else "")
    )


def _listed(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
