"""
Kills `lunform apply` wherever it can be killed, applies again, and compares with a life that nobody disturbed. Prints
what came of it, and ends with 1 if anything was left behind, made twice, lost or locked.

    python -m tests.crash.campaign        # `make crash`; ten to twenty minutes

What is killed is a process of its own with the whole command, by SIGKILL. See `points` for where, `lives` for what.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from planner.steps.graph import Verb
from tests.crash.life import Result
from tests.crash.points import RANDOM, Case, Point, cases, in_turn, killed_twice
from tests.crash.processes import warm_up
from tests.crash.worlds import sandbox_life, solidfire_life, tgt_life
from tests.emulators.running import running_element
from tests.rigs.libvirt_host import running_libvirt_host
from tests.rigs.tgtd import running_tgtd

LEAST = 500
"""Kills of a whole campaign."""

SEED = 20261126
LIVES = 6
KILLS_IN_A_PHASE = 4
"""At random times, one run after the other, before it may come to its end; in each of so many lives."""

SLOW = ("async_after=30",)


_OF_HOSTS = frozenset(
    {
        *(Verb.ATTACH, Verb.UPDATE_ATTACHMENT, Verb.DETACH),
        *(Verb.CREATE_VM, Verb.UPDATE_VM, Verb.SET_POWER, Verb.DELETE_VM),
    }
)


@dataclass(slots=True)
class Figures:
    """Of one provider and one kind of point. `recovered` are kills after which the world was as if there were none."""

    kills: int = 0
    recovered: int = 0
    orphans: int = 0
    twins: int = 0
    lost: int = 0
    stale_locks: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Campaign:
    """
    What came of the cases so far.

    Attributes:
        by_step: how often a step kind was killed at a kind of point, by provider.
        missed: points that were not reached: they depend on timing.
        flaws: what was other than it should be, for people.
    """

    figures: dict[tuple[str, str], Figures] = field(default_factory=lambda: defaultdict(Figures))
    by_step: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)

    def add(self, provider: str, result: Result, seconds: float) -> None:
        case, look = result.case, result.look
        row = self.figures[provider, case.kind]
        row.kills += result.kills
        row.recovered += 0 if result.difference else result.kills
        row.orphans += len(look.orphans)
        row.twins += len(look.twins)
        row.lost += len(look.lost)
        row.stale_locks += len(look.stale_locks)
        row.seconds += seconds
        for point in case.kills[: result.kills]:
            self.by_step[provider, point.verb, case.kind] += 1
        if result.kills < len(case.kills):
            self.missed.append(f"{provider}: {case}")
        if result.difference or look.orphans or look.twins or look.lost or look.stale_locks:
            left = [*look.orphans, *look.twins, *look.lost, *look.stale_locks]
            self.flaws.append(f"{provider}: {case}\n{result.difference}\n{left}")

    @property
    def kills(self) -> int:
        return sum(row.kills for row in self.figures.values())

    def unkilled(self, provider: str, verbs: Iterable[Verb]) -> list[str]:
        """Step kinds that were never killed at some kind of point at which all of them can be."""
        places = ("before the call", "effect, no answer", "answer, no record")
        local = {Verb.RECORD.value, Verb.FORGET.value, Verb.JOIN.value}
        return [
            f"{provider}: {verb.value} {place}"
            for verb in verbs
            for place in (places[2:] if verb.value in local else places)
            if not self.by_step[provider, verb.value, place]
        ]

    def table(self) -> str:
        """The figures, and below them how often each step kind was killed where."""
        head = ("provider", "killed", "kills", "recovered", "orphans", "twins", "lost", "stale locks", "seconds")
        rows = [
            (provider, kind, r.kills, r.recovered, r.orphans, r.twins, r.lost, r.stale_locks, round(r.seconds))
            for (provider, kind), r in sorted(self.figures.items())
        ]
        sums = (sum(column) for column in zip(*(row[2:] for row in rows), strict=True))
        kinds = sorted({kind for _, verb, kind in self.by_step if verb})
        steps = sorted({(provider, verb) for provider, verb, _ in self.by_step if verb})
        killed = [(provider, verb, *(self.by_step[provider, verb, kind] for kind in kinds)) for provider, verb in steps]
        return f"{_columns([head, *rows, ('all', '', *sums)])}\n\n{_columns([('provider', 'step', *kinds), *killed])}"


def _columns(rows: Sequence[Sequence[object]]) -> str:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if n < 2 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in texts
    )


# Lines: each has a world of its own, and runs beside the others


def sandbox_points(folder: Path) -> Iterator[Result]:
    """Every point of every step kind: of an array that answers at once, and polls of one that takes its time."""
    life = sandbox_life(folder)
    plain, slow = life.trace(), life.trace(SLOW)
    groups = [
        [*cases(phase, plain[phase]), *cases(phase, slow[phase], SLOW, only=("around a poll",))]
        for phase in life.phases
    ]
    groups += [list(killed_twice(phase, plain[phase])) for phase in life.phases]
    yield from life.live(in_turn(groups))
    moves = sandbox_life(folder, "moves")
    passed = moves.trace()["2-moved"]
    yield from moves.live(cases("2-moved", passed, only=("answer, no record", "commit"), every=True))


def solidfire_points(folder: Path, access: str, only: Sequence[str] = ()) -> Iterator[Result]:
    """
    Every point of every step kind on an emulated cluster; there each call of the API that changes it is two.

    Args:
        access: how hosts are let in: "groups", "cluster" or "chap".
        only: kinds of points; none for all of them, and for kills of the run that goes on.
    """
    (folder / "element").mkdir()
    with running_element(folder / "element") as element:
        life = solidfire_life(folder / "life", element, access)
        passed = life.trace()
        groups = [cases(phase, passed[phase], only=only, effects=20) for phase in life.phases]
        if not only:
            groups += [list(killed_twice(phase, passed[phase])) for phase in life.phases]
        yield from life.live(in_turn(groups))


def tgt_points(folder: Path, part: int) -> Iterator[Result]:
    """
    Every point of every step kind on real daemons; there each single thing that a call does to the box is one.

    Args:
        part: 0 or 1, for either half of them: daemons let wait, so two boxes beside each other take half the time.
    """
    for name in ("box", "kvm"):
        (folder / name).mkdir()
    with running_tgtd(folder / "box") as box, running_libvirt_host(folder / "kvm") as host:
        life = tgt_life(folder / "life", box, host)
        try:
            passed = life.trace()
            groups = [cases(phase, passed[phase], last=False, effects=13) for phase in life.phases]
            groups += [list(killed_twice(phase, passed[phase]))[:4] for phase in life.phases]
            yield from life.live(in_turn(groups)[part::2])
        finally:
            life.systems.clear()
            box.clear()


def random_times(folder: Path) -> Iterator[Result]:
    """Hundreds of volumes, 64 steps at once, killed at any time, again and again before they get to their end."""
    chance = random.Random(SEED)
    life = sandbox_life(folder, "many", parallelism=64)
    began = time.monotonic()
    life.trace()
    longest = (time.monotonic() - began) / len(life.phases)
    for _ in range(LIVES):
        life.begin()
        for phase in life.phases:
            life.enter(phase)
            kills = 0
            while kills < KILLS_IN_A_PHASE and life.killed_after(chance.uniform(0.05, longest)):
                kills += 1
            if kills:
                yield life.recover(Case(phase, (Point(RANDOM),) * kills), kills)


Line = tuple[str, Callable[[Path], Iterator[Result]]]

LINES: tuple[Line, ...] = (
    ("tgt", partial(tgt_points, part=0)),
    ("tgt", partial(tgt_points, part=1)),
    ("solidfire", partial(solidfire_points, access="groups")),
    ("solidfire", partial(solidfire_points, access="chap", only=("before the call", "effect, no answer"))),
    ("solidfire", partial(solidfire_points, access="cluster", only=("effect, no answer",))),
    ("sandbox", sandbox_points),
    ("sandbox, 64 at once", random_times),
)
"""Each with the name under which its figures are summed."""


def run(named: Line) -> tuple[list[tuple[str, Result, float]], str]:
    """All results of a line, each with the seconds that it took; and what broke it off, if anything."""
    line, results_of = named
    results: list[tuple[str, Result, float]] = []
    with tempfile.TemporaryDirectory(prefix="lunform-crash-") as folder:
        warm_up(Path(folder))
        world = Path(folder) / "world"
        world.mkdir()
        began = time.monotonic()
        try:
            for result in results_of(world):
                now = time.monotonic()
                results.append((line, result, now - began))
                began = now
                if result.difference:
                    print(f"{line}: {result.case}: not as it should be", file=sys.stderr, flush=True)
                if len(results) % 25 == 0:
                    print(f"{line}: {len(results)} cases", file=sys.stderr, flush=True)
        except (Exception, pytest.skip.Exception, pytest.fail.Exception):  # the rigs skip where they cannot run
            return results, f"{line} broke off\n{traceback.format_exc()}"
    return results, ""


def main() -> int:
    began = time.monotonic()
    campaign = Campaign()
    with get_context("fork").Pool(len(LINES)) as pool:
        for results, error in pool.imap_unordered(run, LINES):
            campaign.flaws.extend([error] if error else [])
            for line, result, seconds in results:
                campaign.add(line, result, seconds)
    of_tgt = [verb for verb in Verb if verb not in (Verb.UPDATE_POLICY, Verb.RESTORE)]
    short = [
        *campaign.unkilled("sandbox", Verb),
        *campaign.unkilled("tgt", of_tgt),
        *campaign.unkilled("solidfire", (verb for verb in Verb if verb not in _OF_HOSTS)),
    ]
    print(campaign.table())
    print(f"\n{campaign.kills} kills in {time.monotonic() - began:.0f} s; {len(campaign.missed)} points not reached")
    for text in campaign.missed:
        print(f"  {text}")
    for text in short:
        print(f"never killed: {text}")
    for flaw in campaign.flaws:
        print(f"\n{flaw}")
    if campaign.kills < LEAST:
        print(f"Fewer than {LEAST} kills.")
    return 1 if campaign.flaws or short or campaign.kills < LEAST else 0


if __name__ == "__main__":
    sys.exit(main())
