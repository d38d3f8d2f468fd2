"""
Decides which step runs when. A pure state machine: events and the time go in, instructions come out; it has no clock,
no thread and no I/O, so every run can be played again.

    waiting --> ready --> running --> settled        settled: done, failed, or skipped without having started
                           ^   |
                           |   v
                          resting                    a job that the provider works on, or a call to be made again

A call takes one of `parallelism` places from `Start` or `Poll` until the next event about its step; a resting step
takes none, so thousands of jobs can be under way with a few threads. Of the ready steps the lowest number goes first:
what has begun is brought to its end before more is begun.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from planner.addresses import ProviderAddress
from planner.steps.graph import StepGraph

_FIRST_DELAY = 0.5
"""Seconds before a call is made again for the first time; doubled each time."""

_LONGEST_DELAY = 30.0


# Events


@dataclass(frozen=True, slots=True)
class StepReturned:
    """The call has ended and its place is free; what became of the step is yet to be told, by one of the others."""

    step: int


@dataclass(frozen=True, slots=True)
class StepDone:
    """Its outcome is recorded: what requires it may start."""

    step: int


@dataclass(frozen=True, slots=True)
class StepFailed:
    step: int


@dataclass(frozen=True, slots=True)
class StepPending:
    """The provider works on it and is to be asked again after `poll_after` seconds."""

    step: int
    job: str
    poll_after: float


@dataclass(frozen=True, slots=True)
class StepRetry:
    """
    The call may be made again, `after` seconds from now at the soonest.

    Attributes:
        job: the job to ask for again; None for the step's own call.
    """

    step: int
    after: float = 0.0
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """Start nothing new. What runs, and what the provider works on, is let end; nothing is tried again."""


Event = StepReturned | StepDone | StepFailed | StepPending | StepRetry | Stop


# Instructions


@dataclass(frozen=True, slots=True)
class Start:
    step: int


@dataclass(frozen=True, slots=True)
class Poll:
    step: int
    job: str


@dataclass(frozen=True, slots=True)
class Rest:
    """The step's call will be made again in `seconds`. To be told, not to be done."""

    step: int
    seconds: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The step is not tried or asked for any more: its time is over, or the run stops. Answered by `StepFailed`."""

    step: int


@dataclass(frozen=True, slots=True)
class Skip:
    """The step will not start, since step `because` failed; None since the run stops. Not answered."""

    step: int
    because: int | None


Instruction = Start | Poll | Rest | GiveUp | Skip


class Scheduler:
    """
    Plays one step graph.

    Args:
        parallelism: calls at once.
        deadline: seconds from a step's first start after which it is neither tried nor asked for again.
        provider_limits: steps under way at a provider at once, resting ones included, those that returned not.
        jitter: gives numbers in [0, 1) that spread repeated calls.

    Attributes:
        running: places that are taken.
        finished: every step is settled.
        wake_at: when `handle` is to be called at the latest, events or not; None when only events matter.
    """

    def __init__(
        self,
        graph: StepGraph,
        *,
        parallelism: int,
        deadline: float,
        jitter: Callable[[], float],
        provider_limits: Mapping[ProviderAddress, int] | None = None,
    ) -> None:
        if parallelism < 1 or any(limit < 1 for limit in (provider_limits or {}).values()):
            raise ValueError("a limit below 1 would never let a step start")
        self._parallelism = parallelism
        self._deadline = deadline
        self._jitter = jitter
        self._stopping = False
        self._providers = [step.provider for step in graph.steps]

        self._unmet = [len(step.requires) for step in graph.steps]
        self._dependents: list[list[int]] = [[] for _ in graph.steps]
        for step in graph.steps:
            for required in step.requires:
                if not 0 <= required < step.id:
                    raise ValueError(f"step {step.id} requires step {required}")
                self._dependents[required].append(step.id)
        self._unsettled = set(range(len(graph.steps)))
        self._unstarted = set(self._unsettled)
        self._running: set[int] = set()
        self._ready = [step.id for step in graph.steps if not step.requires]  # sorted, and so a heap

        # Resting steps by the time they wake, then woken ones until there is a place; the job, or None to start again.
        self._timers: list[tuple[float, int, str | None]] = []
        self._woken: list[tuple[int, str | None]] = []
        self._expires: dict[int, float] = {}
        self._attempts: dict[int, int] = {}

        self._limits = dict(provider_limits or {})
        self._under_way: dict[ProviderAddress, set[int]] = {provider: set() for provider in self._limits}
        self._parked: dict[ProviderAddress, list[int]] = {provider: [] for provider in self._limits}

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def finished(self) -> bool:
        return not self._unsettled

    @property
    def wake_at(self) -> float | None:
        return self._timers[0][0] if self._timers else None

    def handle(self, now: float, events: Iterable[Event] = ()) -> list[Instruction]:
        """What to do after `events`, at time `now` in seconds from any fixed point."""
        instructions: list[Instruction] = []
        for event in events:
            match event:
                case StepReturned(step):
                    self._free(step)
                case StepDone(step):
                    self._settle(step)
                    for dependent in self._dependents[step]:
                        self._unmet[dependent] -= 1
                        if not self._unmet[dependent] and dependent in self._unstarted:
                            heapq.heappush(self._ready, dependent)
                case StepFailed(step):
                    self._settle(step)
                    self._skip_dependents(step, instructions)
                case StepPending(step, job, poll_after):
                    self._attempts.pop(step, None)
                    self._rest(step, now, poll_after, job, instructions)
                case StepRetry(step, after, job):
                    delay = self._delay(step, after)
                    if self._rest(step, now, delay, job, instructions):
                        instructions.append(Rest(step, delay))
                case Stop():
                    self._stop(instructions)
                case _:
                    assert_never(event)
        self._wake(now)
        self._start(now, instructions)
        return instructions

    # What events do

    def _settle(self, step: int) -> None:
        self._free(step)
        self._unsettled.discard(step)
        self._expires.pop(step, None)
        self._attempts.pop(step, None)

    def _free(self, step: int) -> None:
        """Its call is over: its place, and the one at its provider, are free."""
        self._running.discard(step)
        provider = self._providers[step]
        if provider is not None and provider in self._limits and step in self._under_way[provider]:
            self._under_way[provider].discard(step)
            if self._parked[provider]:
                heapq.heappush(self._ready, heapq.heappop(self._parked[provider]))

    def _skip_dependents(self, failed: int, instructions: list[Instruction]) -> None:
        """Skip what requires `failed`, directly or not; each step once, with the first cause."""
        reached = list(self._dependents[failed])
        while reached:
            step = reached.pop()
            if step in self._unstarted:
                self._skip(step, failed, instructions)
                reached.extend(self._dependents[step])

    def _skip(self, step: int, because: int | None, instructions: list[Instruction]) -> None:
        self._unstarted.discard(step)
        self._unsettled.discard(step)
        instructions.append(Skip(step, because))

    def _rest(self, step: int, now: float, seconds: float, job: str | None, instructions: list[Instruction]) -> bool:
        """Wake the step in `seconds`, a job at its deadline at the latest; or give it up, and say False."""
        self._running.discard(step)
        left = self._expires[step] - now
        if job is not None:
            seconds = min(seconds, left)
        if left <= 0 or seconds > left or (job is None and self._stopping):
            instructions.append(GiveUp(step))
            return False
        heapq.heappush(self._timers, (now + max(seconds, 0.0), step, job))
        return True

    def _delay(self, step: int, after: float) -> float:
        """Seconds before the next call: doubled from call to call, spread by half, and at least `after`."""
        attempt = self._attempts.get(step, 0)
        self._attempts[step] = attempt + 1
        longest = min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(attempt, 16))
        return max(after, longest * (0.5 + 0.5 * self._jitter()))

    def _stop(self, instructions: list[Instruction]) -> None:
        if self._stopping:
            return
        self._stopping = True
        for step in sorted(self._unstarted):
            self._skip(step, None, instructions)
        self._ready.clear()
        for parked in self._parked.values():
            parked.clear()
        instructions.extend(GiveUp(step) for _, step, job in sorted(self._timers) if job is None)
        instructions.extend(GiveUp(step) for step, job in sorted(self._woken) if job is None)
        self._timers = [timer for timer in self._timers if timer[2] is not None]
        self._woken = [woken for woken in self._woken if woken[1] is not None]
        heapq.heapify(self._timers)
        heapq.heapify(self._woken)

    # What time and free places do

    def _wake(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            _, step, job = heapq.heappop(self._timers)
            heapq.heappush(self._woken, (step, job))

    def _start(self, now: float, instructions: list[Instruction]) -> None:
        while self._woken and len(self._running) < self._parallelism:
            step, job = heapq.heappop(self._woken)
            self._running.add(step)
            instructions.append(Start(step) if job is None else Poll(step, job))
        while self._ready and len(self._running) < self._parallelism:
            step = heapq.heappop(self._ready)
            provider = self._providers[step]
            if provider is not None and provider in self._limits:
                if len(self._under_way[provider]) >= self._limits[provider]:
                    heapq.heappush(self._parked[provider], step)
                    continue
                self._under_way[provider].add(step)
            self._unstarted.discard(step)
            self._running.add(step)
            self._expires[step] = now + self._deadline
            instructions.append(Start(step))
