"""Which step runs when: the state machine is played by hand, and against random worlds."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.addresses import InstanceAddress, ProviderAddress
from planner.execution.scheduler import (
    Event,
    GiveUp,
    Instruction,
    Poll,
    Rest,
    Scheduler,
    Skip,
    Start,
    StepDone,
    StepFailed,
    StepPending,
    StepRetry,
    StepReturned,
    Stop,
)
from planner.steps.graph import Step, StepGraph, Verb

EAST, WEST = ProviderAddress("array", "east"), ProviderAddress("array", "west")


def graph(*requires: Iterable[int], providers: Sequence[ProviderAddress | None] = ()) -> StepGraph:
    """A step for each entry of `requires`."""
    address = InstanceAddress("volume", "db")
    return StepGraph(
        tuple(
            Step(id, Verb.CREATE, address, providers[id] if providers else EAST, f"{id:016x}", requires=tuple(needs))
            for id, needs in enumerate(requires)
        )
    )


def scheduler(
    steps: StepGraph,
    parallelism: int = 10,
    deadline: float = 100.0,
    limits: dict[ProviderAddress, int] | None = None,
    jitter: float = 1.0,
) -> Scheduler:
    """With the given jitter, 1 for the longest delays."""
    return Scheduler(steps, parallelism=parallelism, deadline=deadline, jitter=lambda: jitter, provider_limits=limits)


@pytest.mark.parametrize(
    ("events", "instructions"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([StepReturned(0)], [Start(2)], id="returned-frees-the-place"),
        pytest.param([StepDone(0)], [Start(2)], id="done-frees-the-place"),
        pytest.param([StepReturned(0), StepDone(0)], [Start(2)], id="only-once"),
        pytest.param([StepDone(0), StepDone(1)], [Start(2), Start(3)], id="done-releases-what-requires-it"),
        pytest.param([StepDone(1), StepDone(0)], [Start(2), Start(3)], id="in-any-order"),
        pytest.param([StepFailed(0)], [Skip(3, 0), Skip(4, 0), Start(2)], id="failed-skips-all-that-needs-it"),
        pytest.param([StepFailed(1)], [Skip(3, 1), Skip(4, 1), Start(2)], id="the-first-cause-counts"),
        pytest.param([StepPending(0, "j", 5.0)], [Start(2)], id="pending-frees-the-place"),
        pytest.param([StepRetry(0)], [Rest(0, 0.5), Start(2)], id="retry-frees-the-place"),
        pytest.param([Stop()], [Skip(2, None), Skip(3, None), Skip(4, None)], id="stop-starts-nothing"),
        pytest.param(
            [StepDone(0), StepDone(1), Stop()], [Skip(2, None), Skip(3, None), Skip(4, None)], id="stop-comes-first"
        ),
        pytest.param([Stop(), StepFailed(0)], [Skip(2, None), Skip(3, None), Skip(4, None)], id="skipped-once"),
        pytest.param([Stop(), StepRetry(0)], [Skip(2, None), Skip(3, None), Skip(4, None), GiveUp(0)], id="no-retry"),
    ],
)
def test_events_give_instructions(events: list[Event], instructions: list[Instruction]) -> None:
    """Two at once; 0, 1 and 2 need nothing, 3 needs 0 and 1, 4 needs 3."""
    play = scheduler(graph((), (), (), (0, 1), (3,)), parallelism=2)
    assert play.handle(0.0) == [Start(0), Start(1)]
    assert play.handle(1.0, events) == instructions


def test_an_empty_graph_is_finished() -> None:
    play = scheduler(graph())
    assert play.handle(0.0) == []
    assert play.finished


def test_a_step_may_require_earlier_ones_only() -> None:
    for requires in ((0,), (1,), (-1,)):
        with pytest.raises(ValueError, match="requires"):
            scheduler(graph(requires, ()))


@pytest.mark.parametrize(("parallelism", "limits"), [(0, None), (1, {EAST: 0})])
def test_a_limit_that_lets_nothing_start_is_refused(
    parallelism: int, limits: dict[ProviderAddress, int] | None
) -> None:
    with pytest.raises(ValueError, match="limit"):
        scheduler(graph(()), parallelism, limits=limits)


def test_what_has_begun_goes_on_before_more_begins() -> None:
    play = scheduler(graph((), (0,), (), (2,)), parallelism=1)
    order = []
    instructions = play.handle(0.0)
    while instructions:
        (start,) = instructions
        assert isinstance(start, Start)
        order.append(start.step)
        instructions = play.handle(0.0, [StepDone(start.step)])
    assert order == [0, 1, 2, 3]
    assert play.finished


# Limits of a provider


def test_a_provider_gets_no_more_than_its_limit() -> None:
    play = scheduler(graph((), (), (), (), providers=(EAST, EAST, EAST, WEST)), limits={EAST: 1})
    assert play.handle(0.0) == [Start(0), Start(3)]
    assert play.handle(1.0, [StepReturned(0)]) == [Start(1)], "the provider is not burdened by what we record"
    assert play.handle(1.0, [StepDone(0)]) == []
    assert play.handle(2.0, [StepPending(1, "j", 10.0)]) == [], "the provider still works on it"
    assert play.handle(12.0) == [Poll(1, "j")]
    assert play.handle(12.0, [StepRetry(1, job="j")]) == [Rest(1, 0.5)]
    assert play.handle(12.5) == [Poll(1, "j")]
    assert play.handle(13.0, [StepFailed(1)]) == [Start(2)]


def test_stop_forgets_those_that_wait_for_their_provider() -> None:
    play = scheduler(graph((), (), providers=(EAST, EAST)), limits={EAST: 1})
    play.handle(0.0)
    assert play.handle(1.0, [Stop()]) == [Skip(1, None)]
    assert play.handle(2.0, [StepDone(0)]) == []
    assert play.finished


# Time


def test_a_job_is_asked_for_when_the_provider_said() -> None:
    play = scheduler(graph((), ()), parallelism=1)
    play.handle(0.0)
    assert play.handle(1.0, [StepPending(0, "job-7", 4.0)]) == [Start(1)]
    assert play.wake_at == 5.0
    assert play.handle(4.9) == []
    assert play.handle(5.0) == [], "there is no place"
    assert play.handle(5.5, [StepDone(1)]) == [Poll(0, "job-7")]
    assert play.wake_at is None
    assert play.handle(6.0, [StepPending(0, "job-8", 1.0)]) == []
    assert play.handle(7.0) == [Poll(0, "job-8")]
    assert not play.finished
    play.handle(8.0, [StepDone(0)])
    assert play.finished


def test_thousands_of_jobs_rest_beside_one_place() -> None:
    play = scheduler(graph(*[()] * 3000), parallelism=1)
    instructions = play.handle(0.0)
    while instructions:
        (start,) = instructions
        instructions = play.handle(0.0, [StepPending(start.step, "j", 50.0)])
    assert play.running == 0
    assert play.handle(50.0) == [Poll(0, "j")]


@pytest.mark.parametrize(
    ("jitter", "delays"), [(1.0, [0.5, 1, 2, 4, 8, 16, 30, 30]), (0.0, [0.25, 0.5, 1, 2, 4, 8, 15])]
)
def test_delays_double_up_to_a_bound(jitter: float, delays: list[float]) -> None:
    play = scheduler(graph(()), jitter=jitter, deadline=1000.0)
    play.handle(0.0)
    now, seen = 0.0, []
    for _ in delays:
        (rest,) = play.handle(now, [StepRetry(0)])
        assert isinstance(rest, Rest)
        seen.append(rest.seconds)
        now = play.wake_at or 0.0
        assert play.handle(now) == [Start(0)]
    assert seen == delays


def test_a_system_that_asks_for_more_time_gets_it() -> None:
    play = scheduler(graph(()))
    play.handle(0.0)
    assert play.handle(0.0, [StepRetry(0, after=20.0)]) == [Rest(0, 20.0)]


def test_progress_of_a_job_begins_the_delays_anew() -> None:
    play = scheduler(graph(()))
    play.handle(0.0)
    assert play.handle(0.0, [StepRetry(0, job="j")]) == [Rest(0, 0.5)]
    assert play.handle(0.5) == [Poll(0, "j")]
    assert play.handle(0.5, [StepRetry(0, job="j")]) == [Rest(0, 1.0)]
    assert play.handle(1.5) == [Poll(0, "j")]
    play.handle(1.5, [StepPending(0, "j", 1.0)])
    assert play.handle(2.5) == [Poll(0, "j")]
    assert play.handle(2.5, [StepRetry(0, job="j")]) == [Rest(0, 0.5)]


def test_a_step_is_not_tried_beyond_its_deadline() -> None:
    play = scheduler(graph((), (0,)), deadline=10.0)
    play.handle(5.0)
    assert play.handle(14.0, [StepRetry(0)]) == [Rest(0, 0.5)]
    assert play.handle(14.5) == [Start(0)]
    assert play.handle(14.6, [StepRetry(0)]) == [GiveUp(0)], "the next delay would end at 15.6"
    assert play.handle(14.6, [StepFailed(0)]) == [Skip(1, 0)]
    assert play.finished


def test_a_job_is_asked_for_a_last_time_at_the_deadline() -> None:
    play = scheduler(graph(()), deadline=10.0)
    play.handle(0.0)
    play.handle(1.0, [StepPending(0, "j", 60.0)])
    assert play.handle(10.0) == [Poll(0, "j")]
    assert play.handle(10.1, [StepPending(0, "j", 60.0)]) == [GiveUp(0)]


def test_stop_ends_what_rests_and_lets_jobs_end() -> None:
    play = scheduler(graph((), (), (), (0,)), parallelism=3)
    play.handle(0.0)
    play.handle(0.0, [StepRetry(0), StepPending(1, "j", 5.0)])
    assert play.handle(1.0, [Stop(), Stop()]) == [Skip(3, None), GiveUp(0)]
    assert play.handle(1.0, [StepFailed(0), StepDone(2)]) == []
    assert play.handle(5.0) == [Poll(1, "j")]
    assert play.handle(6.0, [StepRetry(1, job="j")]) == [Rest(1, 0.5)], "a job is still asked for"
    assert play.handle(6.5) == [Poll(1, "j")]
    play.handle(7.0, [StepDone(1)])
    assert play.finished


def test_stop_ends_what_woke_without_finding_a_place() -> None:
    play = scheduler(graph((), ()), parallelism=1)
    play.handle(0.0)
    assert play.handle(0.0, [StepRetry(0)]) == [Rest(0, 0.5), Start(1)]
    assert play.handle(1.0) == []
    assert play.handle(2.0, [Stop()]) == [GiveUp(0)]


# Random worlds


@st.composite
def graphs(draw: st.DrawFn) -> StepGraph:
    size = draw(st.integers(0, 12))
    providers = draw(st.lists(st.sampled_from((EAST, WEST, None)), min_size=size, max_size=size))
    requires = [draw(st.sets(st.integers(0, max(0, step - 1)), max_size=3)) if step else () for step in range(size)]
    return graph(*requires, providers=providers)


@given(graphs(), st.integers(1, 4), st.integers(1, 2), st.integers(0, 2**32), st.booleans())
def test_whatever_happens_the_rules_hold(
    steps: StepGraph, parallelism: int, limit: int, seed: int, stops: bool
) -> None:
    """Plays a world that answers by chance, and checks each instruction against what went before."""
    chance = random.Random(seed)
    play = scheduler(steps, parallelism, deadline=30.0, limits={EAST: limit})
    now, waits = 0.0, set[int]()
    calls: dict[int, str | None] = {}
    started, done, failed, skipped = set[int](), set[int](), set[int](), set[int]()
    stopped = False

    def answer(step: int) -> Event:
        job = calls.pop(step)
        kind = chance.choice(("done", "done", "failed", "pending", "retry"))
        if kind == "done":
            done.add(step)
            return StepDone(step)
        if kind == "failed":
            failed.add(step)
            return StepFailed(step)
        waits.add(step)
        return StepPending(step, "job", chance.random() * 10) if kind == "pending" else StepRetry(step, 0.0, job)

    events: list[Event] = []
    for _ in range(3000):
        instructions = play.handle(now, events)
        events = []
        for instruction in instructions:
            step = instruction.step
            assert step not in done | failed | skipped, "a settled step is left alone"
            match instruction:
                case Start():
                    assert done.issuperset(steps.steps[step].requires)
                    assert not (stopped and step not in started)
                    started.add(step)
                    waits.discard(step)
                    calls[step] = None
                case Poll(_, job):
                    waits.discard(step)
                    calls[step] = job
                case Rest():
                    assert step in waits
                case GiveUp():
                    waits.discard(step)
                    failed.add(step)
                    events.append(StepFailed(step))
                case Skip(_, because):
                    assert step not in started
                    assert (because in failed) if because is not None else stopped
                    skipped.add(step)
        assert play.running == len(calls) <= parallelism
        at_east = started - done - failed
        assert sum(steps.steps[step].provider == EAST for step in at_east) <= limit
        if play.finished:
            break
        if stops and not stopped and chance.random() < 0.1:
            stopped = True
            events.append(Stop())
        if calls and (chance.random() < 0.7 or play.wake_at is None):
            events.extend(answer(step) for step in chance.sample(sorted(calls), chance.randint(1, len(calls))))
        elif play.wake_at is not None:
            now = max(now, play.wake_at)
        else:
            assert events, "nothing is under way, nothing is awaited, and yet there is no end"
    assert play.finished
    assert done | failed | skipped == set(range(len(steps.steps)))
    if not stopped:
        assert all(set(steps.steps[step].requires) & (failed | skipped) for step in skipped)
