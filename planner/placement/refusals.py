"""
Why a volume is not elsewhere. Kept is only what was left of each pool, turn by turn; the rejections of one volume are
worked out from that when somebody looks.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import overload

from planner.placement.eligibility import Eligibility
from planner.placement.filters import Remainder, refuse_full
from planner.placement.model import Demand, Rejection

LAST = math.inf
"""The turn after all others: everything is placed."""


class Ledger:
    """What was left of each pool before each turn, from 0. A turn is over when something is written."""

    def __init__(self, left: Sequence[Remainder]) -> None:
        self.turn = 0
        self._entries = [[(-1, one.bytes, one.iops)] for one in left]

    def write(self, pool: int, left: Remainder) -> None:
        """End the turn: this is left of the pool."""
        self._entries[pool].append((self.turn, left.bytes, left.iops))
        self.turn += 1

    def left(self, pool: int, turn: float) -> Remainder:
        entries = self._entries[pool]
        _, bytes, iops = entries[bisect_left(entries, (turn,)) - 1]
        return Remainder(bytes, iops)


class Refusals(Sequence[Rejection]):
    """Every pool but the chosen one that was refused when it was the volume's turn, by name."""

    __slots__ = ("_chosen", "_demand", "_eligibility", "_ledger", "_turn")

    def __init__(
        self, eligibility: Eligibility, ledger: Ledger, demand: Demand, turn: float = LAST, chosen: int | None = None
    ) -> None:
        self._eligibility = eligibility
        self._ledger = ledger
        self._demand = demand
        self._turn = turn
        self._chosen = chosen

    def _told(self) -> tuple[Rejection, ...]:
        told = []
        pools = zip(self._eligibility.candidates, self._eligibility.refusals(self._demand), strict=True)
        for number, (candidate, refusal) in enumerate(pools):
            if number != self._chosen:
                told.append(refusal or refuse_full(self._demand, candidate, self._ledger.left(number, self._turn)))
        return tuple(refusal for refusal in told if refusal is not None)

    @overload
    def __getitem__(self, index: int) -> Rejection: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Rejection]: ...
    def __getitem__(self, index: int | slice) -> Rejection | Sequence[Rejection]:
        return self._told()[index]

    def __iter__(self) -> Iterator[Rejection]:
        return iter(self._told())

    def __len__(self) -> int:
        return len(self._told())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._told() == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Refusals{self._told()}"
