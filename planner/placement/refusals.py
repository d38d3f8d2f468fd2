"""
Why a volume is not elsewhere. Kept is only what was left of each pool, turn by turn; the rejections of one volume are
worked out from that when somebody looks.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar, overload

from planner.placement.eligibility import Eligibility
from planner.placement.filters import Remainder, refuse_full
from planner.placement.model import Candidate, Demand, Headroom, Rejection

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


@dataclass(frozen=True, slots=True)
class Turn:
    """
    A volume's turn: what each pool had to say to it, told when it is asked.

    Attributes:
        chosen: the number of the pool that it was given; None where it found no place.
    """

    eligibility: Eligibility
    ledger: Ledger
    demand: Demand
    turn: float = LAST
    chosen: int | None = None

    def refusals(self) -> tuple[Rejection, ...]:
        """Every pool but the chosen one that refused it, by name."""
        said = ((number, refusal) for number, _, refusal in self._said())
        return tuple(refusal for number, refusal in said if refusal is not None and number != self.chosen)

    def fitting(self) -> tuple[Headroom, ...]:
        """The chosen pool, and then the others that did not refuse it, by name."""
        fitted = [(number, candidate) for number, candidate, refusal in self._said() if refusal is None]
        fitted.sort(key=lambda one: one[0] != self.chosen)
        return tuple(self._headroom(number, candidate) for number, candidate in fitted)

    def _said(self) -> Iterator[tuple[int, Candidate, Rejection | None]]:
        pools = zip(self.eligibility.candidates, self.eligibility.refusals(self.demand), strict=True)
        for number, (candidate, refusal) in enumerate(pools):
            left = self.ledger.left(number, self.turn)
            yield number, candidate, refusal or refuse_full(self.demand, candidate, left)

    def _headroom(self, number: int, candidate: Candidate) -> Headroom:
        left = self.ledger.left(number, self.turn)
        return Headroom(
            candidate.id,
            None if math.isinf(left.iops) else int(left.iops),
            None if math.isinf(left.bytes) else int(left.bytes),
        )


T = TypeVar("T")


class Told(Sequence[T]):
    """What `tell` answers, asked for each time that somebody looks."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[], Sequence[T]]) -> None:
        self._tell = tell

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._tell()[index]

    def __iter__(self) -> Iterator[T]:
        return iter(self._tell())

    def __len__(self) -> int:
        return len(self._tell())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self._tell()) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Told({tuple(self._tell())})"
