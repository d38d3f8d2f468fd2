"""
Where a run is killed, as data: which points an undisturbed run passes, and the cases that are made of them.

A point's name is `VERB:PLACE` or `PLACE`. Those of `planner.execution.faults` are in the planner itself; these are put
into a run from outside, so that the product knows nothing of them:

    VERB:before-effect, VERB:after-effect     in the sandbox, around a call's transaction
    VERB:effect                               in tgt, after each single thing that a call does to the storage box; in
                                              solidfire, after each call of the API that changes the cluster, and
                                              VERB:before-effect before it
    VERB:after-effect                         in libvirt, as in the sandbox
    state:COMMIT                              the state's transaction is written and not yet committed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, zip_longest

KINDS = {
    "before-begin": "begin",
    "after-begin": "begin",
    "before-call": "before the call",
    "before-effect": "before the call",
    "effect": "effect, no answer",
    "after-effect": "effect, no answer",
    "after-call": "answer, no record",
    "before-record": "answer, no record",
    "before-poll": "around a poll",
    "after-poll": "around a poll",
    "before-commit": "commit",
    "after-commit": "commit",
    "state:COMMIT": "commit",
    "before-finish": "finish",
    "after-finish": "finish",
}
"""By the place that ends a point's name; `recovery` and `readback` have places of the same names."""

RECOVERY = ("recovery:looked-up", "recovery:before-commit", "state:COMMIT", "recovery:after-commit", "recovery:closed")
"""What a run that settles a killed one passes; it is killed there as well."""

RANDOM = "random time"
"""Stands for a point's name where a run is killed from outside, whatever it is doing."""


@dataclass(frozen=True, slots=True)
class Point:
    """The nth time that a run passes a point; `str()` is what LUNFORM_CRASH takes."""

    name: str
    time: int = 1

    def __str__(self) -> str:
        return f"{self.name} {self.time}"

    @property
    def verb(self) -> str:
        """Of which step; empty for a point of the run."""
        verb, colon, _ = self.name.partition(":")
        return verb if colon and verb not in ("recovery", "readback", "state") else ""

    @property
    def kind(self) -> str:
        group = self.name.partition(":")[0]
        if group in ("recovery", "readback", RANDOM):
            return group
        return KINDS.get(self.name) or KINDS[self.name.split(":")[1]]


@dataclass(frozen=True, slots=True)
class Case:
    """
    A phase of a life, and where its runs are killed, one after the other. The run after the last of them is not.

    Attributes:
        settings: variables of the configuration, by which the same phase takes another way.
    """

    phase: str
    kills: tuple[Point, ...]
    settings: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        kinds = {point.kind for point in self.kills} or {"undisturbed"}
        return "recovery" if len(kinds) > 1 else kinds.pop()

    def __str__(self) -> str:
        return f"{self.phase} {' '.join(self.settings)}killed at {', then '.join(map(str, self.kills))}"


def cases(
    phase: str,
    passed: Counter[str],
    settings: tuple[str, ...] = (),
    *,
    only: Sequence[str] = (),
    last: bool = True,
    every: bool = False,
    effects: int = 8,
) -> list[Case]:
    """
    What an undisturbed run of `phase` gives to be killed at: each point that it passed.

    Args:
        passed: how often it passed each point.
        only: kinds of points; none for all of them.
        last: not only the first time that a point is passed, but also the last.
        every: each time.
        effects: of the single effects of a call, that many.
    """
    points: list[Point] = []
    for name, times in sorted(passed.items()):
        point = Point(name)
        if not name.startswith("recovery:") and (not only or point.kind in only):
            each: Iterable[int] = range(1, times + 1) if every else {1, times} if last else {1}
            if name.endswith(":effect"):
                each = range(1, min(effects, times) + 1)
            points.extend(Point(name, time) for time in sorted(each))
    return [Case(phase, (point,), settings) for point in points]


def killed_twice(phase: str, passed: Counter[str]) -> Iterator[Case]:
    """For each step kind of `phase`: killed with its answer, and again while that is settled."""
    places = cycle(RECOVERY)
    for name in sorted(passed):
        if name.endswith(":after-call"):
            for _ in range(2):
                yield Case(phase, (Point(name), Point(next(places))))


def in_turn(groups: Iterable[Sequence[Case]]) -> list[Case]:
    """Cases of several phases in an order that goes through the life again and again."""
    return [case for round in zip_longest(*groups) for case in round if case is not None]
