"""
Which pools the fixed filters leave to a volume, and why not the others.

A filter looks at few things of a volume, such as its tags, and many volumes have these in common. So each filter is
asked once for each pool and for each such thing, and not for each volume. The answers are masks, whole numbers with a
bit for each pool; a volume's pools are what all its masks have in common.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace

from planner.placement.filters import FIXED_FILTERS, Filter, asked_figures, asks_iops, refuse_fixed
from planner.placement.model import Candidate, Demand, Rejection

_TELLING_FIGURES = ("qos", "limits")
"""Filters that tell a volume's own figures: they refuse volumes of one kind alike, but in other words."""
_scope = dict(FIXED_FILTERS)["scope"]


class Eligibility:
    """Bit n of a mask stands for `candidates[n]`."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.candidates = candidates
        self._masks: dict[Hashable, int] = {}
        self._refusals: dict[Hashable, tuple[Rejection | None, ...]] = {}
        limits = [candidate.array.limits for candidate in candidates]
        # A size that is rounded up to the least one is large enough.
        self._sizes = _steps(((one.min_size or 0) - one.size_granularity + 1, one.max_size) for one in limits)
        self._floors = _steps(one.min_iops or (0, None) for one in limits)
        self._ceilings = _steps(one.max_iops or (0, None) for one in limits)
        self._bursts = _steps(one.burst_iops or (0, None) for one in limits)

    def pools(self, demand: Demand) -> int:
        """The mask of the pools that no fixed filter refuses."""
        mask = self._reaching(demand)
        for (name, refuses), looked_at in zip(FIXED_FILTERS, self._kind(demand), strict=True):
            if name != "scope":
                mask &= self._left_by((name, looked_at), refuses, demand)
        return mask

    def refusals(self, demand: Demand) -> tuple[Rejection | None, ...]:
        """For each pool why a fixed filter refuses it; the same object for volumes that it is the same for."""
        kind = self._kind(demand)
        own = (kind, demand.qos, demand.size)
        found = self._refusals.get(kind) or self._refusals.get(own)
        if found is None:
            found = tuple(refuse_fixed(demand, candidate) for candidate in self.candidates)
            telling = any(refusal is not None and refusal.filter in _TELLING_FIGURES for refusal in found)
            self._refusals[own if telling else kind] = found
        return found

    def _kind(self, demand: Demand) -> tuple[Hashable, ...]:
        """What each filter looks at, in their order."""
        return (
            demand.pin,
            demand.prior,
            (demand.zone, demand.hosts),
            demand.tags,
            (asked_figures(demand.qos), demand.enforcement, demand.hypervisor_enforces),
            self._between(demand),
            (demand.clone_of, demand.beside),
        )

    def _left_by(self, looked_at: Hashable, refuses: Filter, demand: Demand) -> int:
        """What a filter leaves to volumes that have in common with `demand` what it looks at."""
        mask = self._masks.get(looked_at)
        if mask is None:
            mask = sum(1 << number for number, pool in enumerate(self.candidates) if refuses(demand, pool) is None)
            self._masks[looked_at] = mask
        return mask

    def _reaching(self, demand: Demand) -> int:
        """Hosts come in many combinations; what reaches all of them, and the zone, is what reaches each."""
        mask = self._masks.get(("zone", demand.zone))
        if mask is None:
            mask = self._left_by(("zone", demand.zone), _scope, replace(demand, hosts=frozenset()))
        for host in demand.hosts:
            alone = self._masks.get(host)
            if alone is None:
                alone = self._left_by(host, _scope, replace(demand, zone=None, hosts=frozenset((host,))))
            mask &= alone
        return mask

    def _between(self, demand: Demand) -> Hashable:
        """Between which of the arrays' limits its figures are."""
        size = bisect_right(self._sizes, demand.size)
        if demand.qos is None or not asks_iops(demand):
            return demand.source is None, size
        return (
            demand.source is None,
            size,
            bisect_right(self._floors, demand.qos.min_iops),
            bisect_right(self._ceilings, demand.qos.max_iops),
            bisect_right(self._bursts, demand.qos.burst_iops),
        )


def _steps(ranges: Iterable[tuple[int, int | None]]) -> list[int]:
    """The figures at which one of the ranges begins, or has just ended."""
    steps = set()
    for least, most in ranges:
        steps.add(least)
        if most is not None:
            steps.add(most + 1)
    return sorted(steps)
