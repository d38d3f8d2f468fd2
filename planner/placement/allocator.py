"""
Places all demands together, so that they do not each see the same headroom.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace

from planner.addresses import InstanceAddress
from planner.placement.eligibility import Eligibility
from planner.placement.filters import (
    Remainder,
    asked_figures,
    enforcement,
    refuse_fixed,
    refuse_full,
    remainder,
    taken,
)
from planner.placement.model import Assignment, Candidate, Demand, Enforcement, Placement, Rejection
from planner.placement.refusals import Ledger, Told, Turn
from planner.placement.repacking import EFFORT, Item, Room, repack
from planner.placement.weighers import WEIGHERS
from planner.units import approximate_size


def place(
    demands: Sequence[Demand], candidates: Sequence[Candidate], weigher: str = "headroom", effort: int = EFFORT
) -> Placement:
    """
    Give every demand a pool, or say why there is none.

    A volume that exists stays on its pool: moving it would be a replacement, and that loses its data, so only its owner
    can ask for it, by pinning it elsewhere. Where it does not fit any more it has no place. Then the others go, largest
    first, where the weigher likes them best; ties go to the lower pool id. Equal input gives equal output, in whatever
    order it comes.

    Args:
        demands: one per volume, those that exist already too.
        candidates: what the arrays report *before* these demands; what existing volumes hold is part of it.
        weigher: one of `WEIGHERS`.
        effort: steps that may be taken to find a place for what the weigher leaves without one.

    Source: floors are summed, ceilings are not: a floor is what the pool owes to all of its volumes at once.
    """
    return _Allocation(candidates, weigher, effort).place(demands)


@dataclass(slots=True)
class _Row:
    """
    A volume on its way.

    Attributes:
        pools: mask of those that it may be on.
        bytes, iops: what it takes from a pool, over what it holds there.
        pool: the number of the pool that it is given.
    """

    demand: Demand
    pools: int
    bytes: int
    iops: int
    pool: int | None = None


_THERE = "it is there already"


class _Allocation:
    def __init__(self, candidates: Sequence[Candidate], weigher: str, effort: int) -> None:
        self.candidates = sorted(candidates, key=lambda candidate: candidate.id)
        self.numbers = {candidate.id: number for number, candidate in enumerate(self.candidates)}
        self.eligibility = Eligibility(self.candidates)
        self.left = [remainder(candidate) for candidate in self.candidates]
        self.ledger = Ledger(self.left)
        self.effort = effort
        self.weigher = weigher
        self.weigh = WEIGHERS[weigher]
        self.order = sorted((self.weigh(left), number) for number, left in enumerate(self.left))
        """Pools as (weight, number), those that the weigher prefers first."""
        self.words: list[str | None] = [None] * len(self.left)
        """What is left of each pool, in words; None where nobody asked since it changed."""
        self.masks: dict[int, frozenset[int]] = {}
        self.enforcements: dict[Hashable, Enforcement] = {}
        self.assignments: dict[InstanceAddress, Assignment] = {}
        self.unplaced: dict[InstanceAddress, Sequence[Rejection]] = {}

    def place(self, demands: Sequence[Demand]) -> Placement:
        ordered = sorted(demands, key=lambda demand: demand.address.order)
        stuck = self.keep([demand for demand in ordered if _stays(demand)])
        for demand in self.choose([demand for demand in ordered if not _stays(demand)]):
            self.unplaced[demand.address] = Told(Turn(self.eligibility, self.ledger, demand).refusals)
        for demand in stuck:
            self.unplaced[demand.address] = self.why_stuck(demand)
        addresses = [demand.address for demand in ordered]
        return Placement(
            {address: self.assignments[address] for address in addresses if address in self.assignments},
            {address: self.unplaced[address] for address in addresses if address in self.unplaced},
        )

    def keep(self, demands: Sequence[Demand]) -> list[Demand]:
        """
        Leave volumes that exist where they are, those first that give something back, then those that grow least.
        Answers those that do not fit.
        """
        stuck, rows = [], []
        for demand in demands:
            number = self.numbers.get(demand.prior or "")
            if number is None or not self.eligibility.pools(demand) >> number & 1:
                stuck.append(demand)
            else:
                rows.append(_Row(demand, 1 << number, *taken(demand, self.candidates[number])))
        rows.sort(key=lambda row: (row.iops, row.bytes))
        for row in rows:
            self.give_best(row)
        self.look_harder([row for row in rows if row.bytes > 0 or row.iops > 0])
        return stuck + [row.demand for row in rows if row.pool is None]

    def choose(self, demands: Sequence[Demand]) -> list[Demand]:
        """Place new volumes, the largest first, and copies after their sources. Answers those that fit nowhere."""
        left: list[Demand] = []
        for wave in _waves(demands):
            settled = [self.beside(demand) for demand in wave]
            rows = [_Row(demand, self.eligibility.pools(demand), demand.size, demand.floor) for demand in settled]
            rows.sort(key=lambda row: (-row.iops, -row.bytes))
            for row in rows:
                self.give_best(row)
            self.look_harder(rows)
            left.extend(row.demand for row in rows if row.pool is None)
        return left

    def beside(self, demand: Demand) -> Demand:
        """The demand with the array that its source was placed on."""
        source = None if demand.after is None else self.assignments.get(demand.after)
        if source is None:
            return demand
        return replace(demand, beside=self.candidates[self.numbers[source.pool]].array.identity)

    def look_harder(self, rows: Sequence[_Row]) -> None:
        """Where some of the rows found no place, move the others of them so that as many as possible have one."""
        short = [row for row in rows if row.pool is None and row.pools]
        if not short:
            return
        movable = _reachable(rows, short)
        for row in movable:
            if row.pool is not None:
                self.change(row.pool, -row.bytes, -row.iops)
        rooms = [Room(max(left.bytes, 0), max(left.iops, 0)) for left in self.left]
        items = [Item(max(row.bytes, 0), max(row.iops, 0), self.empty_rooms(row)) for row in movable]
        able = [number for number, item in enumerate(items) if item.rooms]
        found = repack(
            [items[number] for number in able], rooms, [movable[number].pool for number in able], self.effort
        )
        for number, pool in zip(able, found, strict=True):
            row = movable[number]
            if pool is not None:
                self.change(pool, row.bytes, row.iops)
            moved, row.pool = row.pool != pool, pool
            if moved and row.pool is None:
                del self.assignments[row.demand.address]
            elif moved and _stays(row.demand):
                self.assign(row, _THERE)
            elif moved:
                why = f"repacked: by {self.weigher} alone {_volumes(len(short))} found no place"
                self.assign(row, why, Turn(self.eligibility, self.ledger, row.demand, chosen=pool))
        for number, left in enumerate(self.left):
            self.ledger.write(number, left)
        for row in movable:
            if row.pool is None:
                self.give_best(row)

    def empty_rooms(self, row: _Row) -> tuple[int, ...]:
        """The pools that it would fit if nothing that can be moved were there."""
        return tuple(sorted(number for number in self.members(row.pools) if _fits(self.left[number], row)))

    def give_best(self, row: _Row) -> None:
        best, next_best = self.preferred(row)
        if best is not None and _stays(row.demand):
            self.give(row, best, _THERE)
        elif best is not None:
            turn = Turn(self.eligibility, self.ledger, row.demand, self.ledger.turn, best)
            self.give(row, best, self.reason(best, next_best), turn)

    def preferred(self, row: _Row) -> tuple[int | None, int | None]:
        """The two pools that the weigher prefers of those that fit."""
        best, allowed, left = None, self.members(row.pools), self.left
        for _, number in self.order:
            if number in allowed and _fits(left[number], row):
                if best is not None:
                    return best, number
                best = number
        return best, None

    def members(self, pools: int) -> frozenset[int]:
        """The numbers in a mask."""
        found = self.masks.get(pools)
        if found is None:
            found = frozenset(number for number in range(len(self.left)) if pools >> number & 1)
            self.masks[pools] = found
        return found

    def reason(self, best: int, next_best: int | None) -> str:
        if next_best is None:
            return "the only pool that fits"
        if self.weigher == "first":
            return "first: the lowest name of those that fit"
        return (
            f"{self.weigher}: {self.left_of(best)} left; {self.candidates[next_best].id} has {self.left_of(next_best)}"
        )

    def left_of(self, number: int) -> str:
        words = self.words[number]
        if words is None:
            words = self.words[number] = _words(self.left[number])
        return words

    def give(self, row: _Row, number: int, reason: str, turn: Turn | None = None) -> None:
        self.change(number, row.bytes, row.iops)
        self.ledger.write(number, self.left[number])
        row.pool = number
        self.assign(row, reason, turn)

    def change(self, number: int, bytes: int, iops: int) -> None:
        """Take so much from the pool."""
        left = self.left[number]
        del self.order[bisect_left(self.order, (self.weigh(left), number))]
        left.bytes -= bytes
        left.iops -= iops
        insort(self.order, (self.weigh(left), number))
        self.words[number] = None

    def assign(self, row: _Row, reason: str, turn: Turn | None = None) -> None:
        assert row.pool is not None
        self.assignments[row.demand.address] = Assignment(
            self.candidates[row.pool].id,
            self.enforcement(row.demand, row.pool),
            reason,
            Told(turn.refusals) if turn else (),
            Told(turn.fitting) if turn else (),
        )

    def enforcement(self, demand: Demand, number: int) -> Enforcement:
        key = (asked_figures(demand.qos), demand.hypervisor_enforces, number)
        found = self.enforcements.get(key)
        if found is None:
            found = self.enforcements[key] = enforcement(demand, self.candidates[number])
        return found

    def why_stuck(self, demand: Demand) -> tuple[Rejection, ...]:
        number = self.numbers.get(demand.prior or "")
        if number is None:
            return (Rejection(demand.prior or "", "gone", "it is not in the configuration any more"),)
        candidate = self.candidates[number]
        refusal = refuse_fixed(demand, candidate) or refuse_full(demand, candidate, self.left[number])
        return () if refusal is None else (refusal,)


def _waves(demands: Sequence[Demand]) -> Iterator[list[Demand]]:
    """What is copied goes before its copies. Without copies there is one wave."""
    waiting = {demand.address: demand for demand in demands}
    while waiting:
        wave = {address: demand for address, demand in waiting.items() if demand.after not in waiting}
        wave = wave or waiting  # a circle was reported where it was evaluated
        yield list(wave.values())
        waiting = {address: demand for address, demand in waiting.items() if address not in wave}


def _stays(demand: Demand) -> bool:
    """It exists, and nobody asks for it elsewhere."""
    return demand.prior is not None and demand.pin in (None, demand.prior)


def _reachable(rows: Sequence[_Row], short: Sequence[_Row]) -> list[_Row]:
    """Those that found no place, and those that are on pools which making room for them may lead to."""
    pools = 0
    for row in short:
        pools |= row.pools
    while True:
        movable = [row for row in rows if (row.pools if row.pool is None else 1 << row.pool) & pools]
        wider = pools
        for row in movable:
            wider |= row.pools
        if wider == pools:
            return movable
        pools = wider


def _fits(left: Remainder, row: _Row) -> bool:
    """As in `refuse_full`: what takes nothing always fits."""
    return (row.iops <= left.iops or row.iops <= 0) and (row.bytes <= left.bytes or row.bytes <= 0)


def _words(left: Remainder) -> str:
    iops = [] if math.isinf(left.iops) else [f"{left.iops:.0f} IOPS"]
    bytes = [] if math.isinf(left.bytes) else [approximate_size(int(left.bytes))]
    return " and ".join(iops + bytes) or "no limit"


def _volumes(count: int) -> str:
    return "1 volume" if count == 1 else f"{count} volumes"
