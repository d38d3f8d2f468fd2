"""
Runs a step graph against the providers.

One thread coordinates: it asks the scheduler and folds answers into objects, one after the other, so that each ended
call is followed by the next one at once. Worker threads, at most `parallelism` of them, make calls, and commit outcomes
as well: a commit waits for a disk, and whoever waits cannot coordinate. A job that a provider works on by itself holds
no thread.

When outcomes are committed: one commit at a time; at once when no call is under way, and otherwise so seldom that it is
a fifth of the time, or every 50 ms, or half of the time in a slow store. The worker is one whose call has just ended.
Where all calls last longer than the next commit can wait, the coordinator makes it, which has nothing else to do then.
A step starts only once the outcomes that it requires are committed. Intents alone would let a killed run find nearly
everything again, but not what only an answer says, such as the account of a grant; so no effect may stand on an answer
that can still be lost. It costs no throughput: other steps take the places meanwhile.
"""

from __future__ import annotations

import queue
import random
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, assert_never

from planner.addresses import InstanceAddress
from planner.errors import LunformError
from planner.events import (
    ApplyStarted,
    Observer,
    StepFinished,
    StepRetrying,
    StepSkipped,
    StepStarted,
    Stopping,
    ignore,
)
from planner.execution import scheduler as plays
from planner.execution.calls import call, poll, source_of
from planner.execution.faults import fault_point
from planner.execution.lookup import Actual
from planner.execution.outcome import done, fold, frees
from planner.execution.scheduler import Scheduler
from planner.sdk.errors import Conflict, Missing, OutcomeUnknown, ProviderError, Rejected, Retryable, Unreachable
from planner.sdk.provider import Providers
from planner.sdk.storage import Done, Pending
from planner.state.model import Intent, Origin, Outcome, RecordedObject, Run
from planner.state.store import StateStore
from planner.steps.graph import LOCAL_VERBS, Step, StepGraph

DEADLINE = 1800.0
"""Seconds that one step may take, with all repetitions and all waiting."""

_LONGEST_PAUSE = 0.05
"""Seconds between two quick commits. A longer pause would save little: by then a commit has outcomes enough."""


def _nobody() -> None:
    """Listens."""


class Stop:
    """How a run is asked to end; `request` may be called from a signal handler and from any thread."""

    def __init__(self) -> None:
        self.requests = 0
        self._wake: Callable[[], None] = _nobody

    def request(self) -> None:
        """First time: start nothing new, let running steps end. Second: leave at once; the journal makes that safe."""
        self.requests += 1
        self._wake()

    @property
    def is_heard(self) -> bool:
        """A run has begun and listens: before that there is nothing to let end."""
        return self._wake is not _nobody

    def on_request(self, wake: Callable[[], None]) -> None:
        """Have `wake` called with each request from now on, and now if there was one."""
        self._wake = wake
        if self.requests:
            wake()


@dataclass(frozen=True, slots=True)
class Failure:
    """
    A step that did not succeed.

    Attributes:
        is_unknown: it may have happened all the same; its intent stays in doubt, and the next run looks it up.
    """

    step: Step
    summary: str
    detail: str = ""
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    """A step that was not started, since `because` failed; None since the run was stopped."""

    step: Step
    because: Step | None


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """
    Attributes:
        done: in the order they ended.
        objects: all objects afterwards; the revisions of changed ones are those from before.
    """

    done: tuple[Step, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[Skipped, ...]
    objects: Mapping[InstanceAddress, RecordedObject]


def execute(
    run: Run,
    graph: StepGraph,
    objects: Mapping[InstanceAddress, RecordedObject],
    providers: Providers,
    store: StateStore,
    observer: Observer = ignore,
    *,
    parallelism: int = 10,
    deadline: float = DEADLINE,
    stop: Stop | None = None,
    clock: Callable[[], float] = time.monotonic,
    jitter: Callable[[], float] = random.random,
    origin: Origin | None = None,
) -> ExecutionResult:
    """
    Begin `run` in the store, carry out all steps, and commit their outcomes. The caller holds the state's lock, and
    finishes the run.

    Args:
        objects: as recorded, with what recovery found.
        parallelism: calls at once. Of each provider there are besides no more steps under way than it bears, those that
            it works on by itself included.
        deadline: seconds that a step may take, from its first call on.
        clock: seconds from any fixed point.
        origin: what the plan was made from, to be kept with the run.

    Raises:
        StateError: an outcome could not be committed. Calls under way were let end; the intents of all that is not
            committed stay in doubt.
    """
    involved = {step.provider for step in graph.steps if step.provider is not None and step.verb not in LOCAL_VERBS}
    limits = {provider: limit for provider in involved if (limit := providers.limit(provider)) is not None}
    scheduler = Scheduler(graph, parallelism=parallelism, deadline=deadline, jitter=jitter, provider_limits=limits)
    intents = [Intent(run.id, step.id, str(step.address), step.to_json()) for step in graph.steps]
    fault_point("before-begin")
    lineage = store.begin(run, intents, origin)
    fault_point("after-begin")
    observer(ApplyStarted(run.id, len(graph.steps)))
    with _Workers(min(parallelism, len(graph.steps))) as workers:
        execution = _Execution(
            run, graph, dict(objects), providers, store, lineage, observer, scheduler, workers, stop or Stop(), clock
        )
        return execution.go()


# Workers


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a worker has for the coordinator: a reply, or what was raised instead of one. No step: it was a commit."""

    step: int | None
    reply: object


class _Workers:
    """Threads that make calls and put the answers into `answers`; a None there says that somebody asks to stop."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.answers: queue.SimpleQueue[_Answer | None] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[tuple[int | None, Callable[[], object]] | None] = queue.SimpleQueue()
        # Daemons, so that a call that never ends cannot hold a process that was told to leave.
        self._threads = [threading.Thread(target=self._work, name=f"step-{n}", daemon=True) for n in range(number)]
        self._abandoned = False

    def submit(self, step: int | None, call: Callable[[], object]) -> None:
        self._calls.put((step, call))

    def abandon(self) -> None:
        """Do not wait for the calls under way."""
        self._abandoned = True

    def _work(self) -> None:
        while (given := self._calls.get()) is not None:
            step, call = given
            try:
                self.answers.put(_Answer(step, call()))
            except BaseException as error:  # whatever a provider raises, it costs no more than its step
                self.answers.put(_Answer(step, error))

    def __enter__(self) -> _Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for _thread in self._threads:
            self._calls.put(None)
        if not self._abandoned:
            for thread in self._threads:
                thread.join()


# The coordinator


@dataclass(slots=True)
class _Execution:
    """
    The coordinating thread's state.

    Attributes:
        began: when each step that is under way was first started.
        calling: steps that a worker has.
        jobs: of steps that the provider works on, or whose poll is to be made again.
        doubtful: steps whose last answer was lost: they are looked up before their call is made again.
        errors: why a step that rests is to be called again.
        outcomes: what is not committed yet; `ended` are the steps among them that are done.
        committing: the done steps of the commit under way; None when there is none.
        commit_at: when the next commit is due although calls are under way.
        commit_took: seconds of the last one.
    """

    run: Run
    graph: StepGraph
    objects: dict[InstanceAddress, RecordedObject]
    providers: Providers
    store: StateStore
    lineage: str
    observer: Observer
    scheduler: Scheduler
    workers: _Workers
    stop: Stop
    clock: Callable[[], float]

    is_stopping: bool = False
    began: dict[int, float] = field(default_factory=dict)
    calling: set[int] = field(default_factory=set)
    jobs: dict[int, str] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    errors: dict[int, ProviderError] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    committing: list[int] | None = None
    commit_at: float = 0.0
    commit_took: float = 0.0
    done: list[Step] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def go(self) -> ExecutionResult:
        self.stop.on_request(lambda: self.workers.answers.put(None))
        events: list[plays.Event] = []
        while True:
            now = self.clock()
            # Before the scheduler gives the worker whose call has ended to the next call.
            due = self.commit_due()
            if due is not None and due <= now:
                events.extend(self.commit())
            events = self.carry_out(self.scheduler.handle(now, events), now)
            if events:
                continue
            if self.scheduler.finished and self.committing is None and not self.outcomes:
                break
            events = self.wait(now)
            if self.stop.requests and not self.is_stopping:
                self.is_stopping = True
                self.observer(Stopping(len(self.began)))
                events.append(plays.Stop())
            if self.stop.requests > 1:
                self.leave(events)
                break
        return ExecutionResult(tuple(self.done), tuple(self.failed), tuple(self.skipped), self.objects)

    def wait(self, now: float) -> list[plays.Event]:
        """What the next answer makes known; nothing when the time to wake or to commit has come."""
        until = [time for time in (self.scheduler.wake_at, self.commit_due()) if time is not None]
        try:
            answer = self.workers.answers.get(timeout=max(0.0, min(until) - now) if until else None)
        except queue.Empty:
            return []
        return self.accept(answer)

    def accept(self, answer: _Answer | None) -> list[plays.Event]:
        if answer is None:
            return []
        if answer.step is None:
            return self.committed(answer.reply)
        self.calling.discard(answer.step)
        return [self.take(self.graph.steps[answer.step], answer.reply)]

    # Commits

    @property
    def has_free_worker(self) -> bool:
        return len(self.calling) < self.workers.number

    def commit_due(self) -> float | None:
        """When the next commit is to be made; None when there is nothing to commit, or one is under way."""
        if not self.outcomes or self.committing is not None:
            return None
        if not self.scheduler.running:
            return 0.0
        return self.commit_at if self.has_free_worker else self.commit_at + self.commit_took

    def commit(self) -> list[plays.Event]:
        outcomes, self.committing = self.outcomes, self.ended
        self.outcomes, self.ended = [], []

        def commit() -> tuple[float, float]:
            fault_point("before-commit")
            before = self.clock()
            self.store.commit(outcomes)
            after = self.clock()
            fault_point("after-commit")
            return before, after

        if not self.has_free_worker:
            return self.committed(commit())
        self.workers.submit(None, commit)
        return []

    def committed(self, reply: object) -> list[plays.Event]:
        """
        Raises:
            StateError: the outcomes could not be committed.
        """
        if isinstance(reply, BaseException):
            raise reply
        assert isinstance(reply, tuple)
        before, after = reply
        self.commit_took = after - before
        self.commit_at = after + min(4 * self.commit_took, max(self.commit_took, _LONGEST_PAUSE))
        ended, self.committing = self.committing or [], None
        return [plays.StepDone(step) for step in ended]

    def end_commit(self) -> None:
        """Wait for the commit under way."""
        while self.committing is not None:
            self.accept(self.workers.answers.get())

    def leave(self, events: Sequence[plays.Event]) -> None:
        """Record what is known, and wait for nothing."""
        self.workers.abandon()
        now = self.clock()
        self.carry_out(self.scheduler.handle(now, events), now)
        self.end_commit()
        for number in sorted(self.began):
            self.fail(
                self.graph.steps[number], "Left before the answer came", is_unknown=self.may_have_happened(number)
            )
        if self.outcomes:
            self.commit()
            self.end_commit()

    # Instructions

    def carry_out(self, instructions: Sequence[plays.Instruction], now: float) -> list[plays.Event]:
        """What can be answered at once."""
        events: list[plays.Event] = []
        for instruction in instructions:
            step = self.graph.steps[instruction.step]
            match instruction:
                case plays.Start():
                    if step.verb not in LOCAL_VERBS:
                        self.submit(step, self.attempt(step))  # first of all: a worker waits for it
                    if step.id not in self.began:
                        self.began[step.id] = now
                        self.observer(StepStarted(step.id, step.verb.value, step.address, _about(step)))
                    if step.verb in LOCAL_VERBS:
                        events.append(self.take(step, Done(None)))
                case plays.Poll(_, job):
                    self.submit(step, self.asking(step, job))
                case plays.Rest(_, seconds):
                    error = str(self.errors[step.id])
                    self.observer(StepRetrying(step.id, step.verb.value, step.address, error, seconds))
                case plays.GiveUp():
                    events.append(self.give_up(step))
                case plays.Skip(_, because):
                    cause = None if because is None else self.graph.steps[because]
                    self.skipped.append(Skipped(step, cause))
                    text = "the run was stopped" if cause is None else f"{cause.verb.value} of {cause.address} failed"
                    self.observer(StepSkipped(step.id, step.verb.value, step.address, text))
                case _:
                    assert_never(instruction)
        return events

    def submit(self, step: Step, call: Callable[[], Done[Any] | Pending]) -> None:
        self.calling.add(step.id)
        self.workers.submit(step.id, call)

    def attempt(self, step: Step) -> Callable[[], Done[Any] | Pending]:
        """The step's call, for a worker; after a lost answer only if its effect is not there."""
        recorded, is_doubtful = self.objects.get(step.address), step.id in self.doubtful
        source = self.objects.get(address) if (address := source_of(step)) else None
        self.jobs.pop(step.id, None)

        def attempt() -> Done[Any] | Pending:
            if is_doubtful:
                try:
                    found = Actual(self.providers).effect(step, recorded)
                except ProviderError as error:
                    raise OutcomeUnknown(str(error), error.detail) from error
                if found is not None:
                    return found
            fault_point(f"{step.verb.value}:before-call")
            reply = call(step, recorded, self.lineage, self.providers, source)
            fault_point(f"{step.verb.value}:after-call")
            return reply

        return attempt

    def asking(self, step: Step, job: str) -> Callable[[], Done[Any] | Pending]:
        def ask() -> Done[Any] | Pending:
            fault_point(f"{step.verb.value}:before-poll")
            reply = poll(step, job, self.providers)
            fault_point(f"{step.verb.value}:after-poll")
            return reply

        return ask

    # Answers

    def take(self, step: Step, reply: object) -> plays.Event:
        """Make an answer an outcome, or have the step wait."""
        job = self.jobs.get(step.id)
        match reply:
            case Done(value):
                try:
                    folded = fold(self.objects.get(step.address), step, value)
                except Exception as error:  # the value is not what the provider's contract says
                    return self.blame(step, error)
                return self.succeed(step, folded)
            case Pending(str(new_job), int() | float() as poll_after) if poll_after >= 0:
                if new_job != job:
                    self.jobs[step.id] = new_job
                    self.outcomes.append(
                        Outcome(self.run.id, step.id, step.address, "pending", job=new_job, verb=step.verb.value)
                    )
                self.doubtful.discard(step.id)
                return plays.StepPending(step.id, new_job, poll_after)
            case Retryable() | Unreachable():
                self.errors[step.id] = reply
                self.doubtful.discard(step.id)
                asked = getattr(reply, "retry_after", None)
                after = asked if isinstance(asked, int | float) and asked >= 0 else 0.0
                return plays.StepRetry(step.id, after, job)
            case Rejected() | Conflict():
                return self.fail(step, str(reply), reply.detail)
            case Missing() if job is None:
                return self.fail(step, str(reply), reply.detail)
            case ProviderError():  # the answer was lost, or the job is not known any more
                self.errors[step.id] = reply
                self.doubtful.add(step.id)
                return plays.StepRetry(step.id)
            case LunformError():  # there is no such provider: nothing was asked of any
                return self.fail(step, str(reply), reply.detail)
            case BaseException():
                return self.blame(step, reply)
            case _:
                return self.blame(step, TypeError("the answer is no reply"))

    def succeed(self, step: Step, folded: RecordedObject | None) -> plays.Event:
        fault_point(f"{step.verb.value}:before-record")
        before = self.objects.get(step.address)
        self.objects.pop(frees(step), None)
        if folded is not None:
            self.objects[folded.address] = folded
        self.outcomes.append(done(self.run.id, step, before, folded))
        self.ended.append(step.id)
        self.done.append(step)
        self.end(step)
        return plays.StepReturned(step.id)

    def fail(self, step: Step, summary: str, detail: str = "", *, is_unknown: bool = False) -> plays.Event:
        status = "unknown" if is_unknown else "failed"
        job = self.jobs.get(step.id, "") if is_unknown else ""
        self.outcomes.append(
            Outcome(self.run.id, step.id, step.address, status, summary, job=job, verb=step.verb.value)
        )
        self.failed.append(Failure(step, summary, detail, is_unknown))
        self.end(step, summary, detail)
        return plays.StepFailed(step.id)

    def end(self, step: Step, error: str = "", detail: str = "") -> None:
        elapsed = self.clock() - self.began.pop(step.id)
        self.jobs.pop(step.id, None)
        self.doubtful.discard(step.id)
        self.errors.pop(step.id, None)
        self.observer(StepFinished(step.id, step.verb.value, step.address, elapsed, error, detail or _about(step)))

    def give_up(self, step: Step) -> plays.Event:
        error, is_unknown = self.errors.get(step.id), self.may_have_happened(step.id)
        why = "the run was stopped" if self.is_stopping else "its deadline has passed"
        summary = str(error) if error is not None else f"{step.provider} still works on it"
        return self.fail(step, f"{summary}; {why}", error.detail if error else "", is_unknown=is_unknown)

    def may_have_happened(self, step: int) -> bool:
        return step in self.calling or step in self.jobs or step in self.doubtful

    def blame(self, step: Step, error: BaseException) -> plays.Event:
        """What only a faulty provider does. Its message is not shown: it may hold anything, also a secret."""
        frames = traceback.extract_tb(error.__traceback__)
        where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        return self.fail(
            step,
            f"Provider {step.provider} failed with {type(error).__name__}",
            f"{step.verb.value} ended with {type(error).__name__}{where}, which is a bug in provider {step.provider}.",
            is_unknown=True,
        )


def _about(step: Step) -> str:
    """The VM and its host, the host, or the pool."""
    arguments = step.arguments
    if "vm" in arguments:
        return f"{arguments['vm']} on {arguments['host']}"
    return str(arguments.get("host") or arguments.get("pool", ""))
