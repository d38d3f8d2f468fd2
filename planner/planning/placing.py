"""Declared pools as candidates, and what there is to say about those volumes that found no place, or a poor one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from planner.diagnostics import Diagnostics
from planner.placement.model import Candidate, Demand, Placement, Rejection
from planner.planning.current import held
from planner.planning.refresh import Actual
from planner.resources.declared import pool_arguments
from planner.sdk.storage import PoolSpec
from planner.state.model import Attributes
from planner.units import parse_size


def candidates(
    pools: Mapping[str, Attributes], actual: Actual, ours: Mapping[str, tuple[int, int]] | None = None
) -> Iterator[Candidate]:
    """
    The pools that were read, by their addresses.

    Args:
        ours: what the volumes of this state hold on each: see `held_by_pool`.
    """
    for id, attributes in pools.items():
        reading = actual.pools.get(id)
        if reading is None:
            continue
        capacity = attributes.get("capacity")
        yield Candidate(
            id=id,
            spec=PoolSpec(id, pool_arguments(attributes)),
            array=reading.array,
            status=reading.status,
            tags=frozenset(attributes.get("tags") or ()),
            zone=attributes.get("zone"),
            cluster=attributes.get("cluster"),
            host=attributes.get("host"),
            exclusive=bool(attributes.get("exclusive")),
            enabled=attributes.get("state") == "enabled",
            capacity=None if capacity is None else parse_size(capacity),
            capacity_iops=attributes.get("capacity_iops"),
            overprovision=float(attributes.get("overprovision") or 1),
            ours=(ours or {}).get(id, (0, 0)),
        )


def held_by_pool(volumes: Iterable[Attributes]) -> dict[str, tuple[int, int]]:
    """(bytes, floors) that these volumes, in recorded form, hold on each pool."""
    sums: dict[str, tuple[int, int]] = {}
    for volume in volumes:
        (bytes, iops), (size, floor) = sums.get(volume["pool"], (0, 0)), held(volume)
        sums[volume["pool"]] = (bytes + size, iops + floor)
    return sums


def report(demands: Sequence[Demand], placement: Placement, diagnostics: Diagnostics) -> None:
    """An error for each volume without a place; a warning where nobody holds what is asked for as best effort."""
    for demand in demands:
        if (rejections := placement.unplaced.get(demand.address)) is not None:
            _report_unplaced(demand, rejections, diagnostics)
        elif demand.enforcement == "best_effort":
            assignment = placement.assignments[demand.address]
            who = assignment.enforcement
            lacking = [
                figure for figure in ("floor", "ceiling", "burst", "bandwidth") if getattr(who, figure) == "none"
            ]
            if lacking:
                diagnostics.warning(
                    "Figures that nobody holds",
                    f"On {assignment.pool} nobody holds the {', '.join(lacking)} of this volume; its offering asks for"
                    " best effort only.",
                    demand.range,
                    address=str(demand.address),
                )


def _report_unplaced(demand: Demand, rejections: Sequence[Rejection], diagnostics: Diagnostics) -> None:
    summary = "No pool can take the volume"
    if demand.prior is not None and [rejection.pool for rejection in rejections] == [demand.prior]:
        summary = "The volume does not fit its pool any more"
        detail = (
            f"{demand.address} is on {demand.prior}: {rejections[0].reason}. It is not moved by itself: that would lose"
            " its data. Make room there; or pin it elsewhere with the argument pool, which replaces it."
        )
    elif rejections:
        width = max(len(rejection.pool) for rejection in rejections)
        rows = [f"  {r.pool:<{width}}  {r.filter:<6}  {r.reason}" for r in rejections]
        detail = "\n".join(["Every pool was refused:", *rows])
    else:
        detail = "The configuration declares no pool."
    diagnostics.error(summary, detail, demand.range, address=str(demand.address))
