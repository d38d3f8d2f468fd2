"""
What a plan takes of each pool: what is placed now may not fit any more when it is applied, since others use the array,
too. So apply holds it against the pool again; see `planner.execution.admission`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.addresses import ProviderAddress
from planner.placement.filters import byte_budget, iops_budget
from planner.placement.model import Candidate, Demand, Placement
from planner.planning.plan import Reservation


def reservations(
    demands: Sequence[Demand],
    placement: Placement,
    candidates: Sequence[Candidate],
    providers: Mapping[str, ProviderAddress],
) -> tuple[Reservation, ...]:
    """For each pool that gets more than it has, what is added; by the pools' addresses."""
    added = {candidate.id: [0, 0] for candidate in candidates}
    limits = {candidate.id: candidate.array.limits for candidate in candidates}
    for demand in demands:
        pool = placement.assignments[demand.address].pool
        size, floor = demand.holds if demand.prior == pool else (0, 0)
        added[pool][0] += limits[pool].rounded(demand.size) - size
        added[pool][1] += (demand.qos.min_iops if demand.qos else 0) - floor
    return tuple(
        Reservation(
            providers[candidate.id],
            candidate.spec,
            added[candidate.id][0],
            added[candidate.id][1],
            byte_budget(candidate),
            iops_budget(candidate),
        )
        for candidate in sorted(candidates, key=lambda candidate: candidate.id)
        if max(added[candidate.id]) > 0
    )
