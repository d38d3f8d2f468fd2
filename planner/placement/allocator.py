"""
Places all demands together, so that they do not each see the same headroom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from planner.addresses import InstanceAddress
from planner.placement.filters import (
    Remainder,
    byte_budget,
    enforcement,
    iops_budget,
    refuse_fixed,
    refuse_full,
)
from planner.placement.model import Assignment, Candidate, Demand, Headroom, Placement, Rejection


def place(demands: Sequence[Demand], candidates: Sequence[Candidate]) -> Placement:
    """
    Give every demand a pool, or say why there is none.

    A volume that exists stays on its pool: moving it would be a replacement, and that loses its data, so only its owner
    can ask for it, by pinning it elsewhere. Where it does not fit any more it has no place. The others go, largest
    first, where most IOPS stay free (then most bytes); ties go to the lower pool id, so equal input gives equal output.

    Args:
        demands: one per volume, those that exist already too.
        candidates: what the arrays report *before* these demands; what existing volumes hold is part of it.

    Source: floors are summed, ceilings are not: a floor is what the pool owes to all of its volumes at once.
    """
    return _Allocation(candidates).place(demands)


T = TypeVar("T")


class _Allocation:
    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = sorted(candidates, key=lambda candidate: candidate.id)
        self.by_id = {candidate.id: candidate for candidate in self.candidates}
        self.left = {candidate.id: _remainder(candidate) for candidate in self.candidates}
        self.fixed: dict[object, tuple[list[Candidate], tuple[Rejection, ...]]] = {}
        self.assignments: dict[InstanceAddress, Assignment] = {}
        self.unplaced: dict[InstanceAddress, tuple[Rejection, ...]] = {}

    def place(self, demands: Sequence[Demand]) -> Placement:
        stays = [demand for demand in demands if demand.prior is not None and demand.pin in (None, demand.prior)]
        for demand in stays:
            self._keep(demand)
        placed = {demand.address for demand in stays}
        for demand in sorted((demand for demand in demands if demand.address not in placed), key=_largest_first):
            self._choose(demand)
        return Placement(_sorted(self.assignments), _sorted(self.unplaced))

    def _keep(self, demand: Demand) -> None:
        candidate = self.by_id.get(demand.prior or "")
        if candidate is None:
            gone = Rejection(demand.prior or "", "gone", "it is not in the configuration any more")
            self.unplaced[demand.address] = (gone,)
            return
        refusal = refuse_fixed(demand, candidate) or refuse_full(demand, candidate, self.left[candidate.id])
        if refusal is None:
            self._take(demand, candidate, "it is there already")
        else:
            self.unplaced[demand.address] = (refusal,)

    def _choose(self, demand: Demand) -> None:
        eligible, rejections = self._eligible(demand)
        full: list[Rejection] = []
        fitting: list[Headroom] = []
        best: Candidate | None = None
        for candidate in eligible:
            refusal = refuse_full(demand, candidate, self.left[candidate.id])
            if refusal is not None:
                full.append(refusal)
                continue
            left = self.left[candidate.id]
            fitting.append(Headroom(candidate.id, left.iops, left.bytes))
            if best is None or self._headroom(candidate) > self._headroom(best):
                best = candidate
        refused = (*rejections, *full)
        if best is None:
            self.unplaced[demand.address] = tuple(sorted(refused, key=lambda rejection: rejection.pool))
            return
        reason = f"most IOPS left of {len(fitting)} pools that fit" if len(fitting) > 1 else "the only pool that fits"
        fitting.sort(key=lambda one: one.pool != best.id)
        self._take(demand, best, reason, refused, tuple(fitting))

    def _take(
        self,
        demand: Demand,
        candidate: Candidate,
        reason: str,
        rejections: tuple[Rejection, ...] = (),
        fitting: tuple[Headroom, ...] = (),
    ) -> None:
        left = self.left[candidate.id]
        held_bytes, held_iops = demand.holds if demand.prior == candidate.id else (0, 0)
        if left.bytes is not None:
            left.bytes -= demand.size - held_bytes
        if left.iops is not None:
            left.iops -= (demand.qos.min_iops if demand.qos else 0) - held_iops
        who = enforcement(demand, candidate)
        self.assignments[demand.address] = Assignment(candidate.id, who, reason, rejections, fitting)

    def _eligible(self, demand: Demand) -> tuple[list[Candidate], tuple[Rejection, ...]]:
        """Pools that no fixed filter refuses, found once for all demands of a kind."""
        kind = (
            demand.pin,
            demand.prior,
            demand.zones,
            demand.tags,
            demand.enforcement,
            demand.hypervisor_enforces,
            demand.qos,
            demand.size if any(c.array.limits.min_size or c.array.limits.max_size for c in self.candidates) else 0,
        )
        found = self.fixed.get(kind)
        if found is None:
            refusals = [(candidate, refuse_fixed(demand, candidate)) for candidate in self.candidates]
            found = (
                [candidate for candidate, refusal in refusals if refusal is None],
                tuple(refusal for _, refusal in refusals if refusal is not None),
            )
            self.fixed[kind] = found
        return found

    def _headroom(self, candidate: Candidate) -> tuple[float, float]:
        left = self.left[candidate.id]
        return (
            float("inf") if left.iops is None else left.iops,
            float("inf") if left.bytes is None else left.bytes,
        )


def _remainder(candidate: Candidate) -> Remainder:
    bytes, iops = byte_budget(candidate), iops_budget(candidate)
    return Remainder(
        None if bytes is None else bytes - candidate.status.used,
        None if iops is None else iops - candidate.status.floors,
    )


def _largest_first(demand: Demand) -> tuple[int, int, InstanceAddress]:
    return (-(demand.qos.min_iops if demand.qos else 0), -demand.size, demand.address)


def _sorted(mapping: Mapping[InstanceAddress, T]) -> dict[InstanceAddress, T]:
    return dict(sorted(mapping.items()))
