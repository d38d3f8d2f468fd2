"""Runs of the engine on the sandbox: what is done, what is recorded, and what becomes of failures."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.addresses import InstanceAddress, ProviderAddress
from planner.errors import ProviderNotFound, StateError
from planner.events import ApplyStarted, Event, StepFinished, StepRetrying, StepSkipped, StepStarted, Stopping
from planner.execution.executor import ExecutionResult, Stop, execute
from planner.sdk import (
    ActualVolume,
    CreateVolume,
    Done,
    GrantAccess,
    Missing,
    OutcomeUnknown,
    Pending,
    ProviderError,
    Qos,
    Rejected,
    Reply,
    Retryable,
    UpdateQos,
)
from planner.state.memory import MemoryStore
from planner.state.model import Outcome
from planner.state.sqlite import open_sqlite
from planner.state.store import StateStore
from planner.steps.graph import StepGraph, Verb
from tests.world import FIGURES, GIB, HOSTS, POOL, SEED, VOLUME, Instead, Steps, World, names, new_run

pytestmark = pytest.mark.usefixtures("short_delays")

PATIENCE = 30.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "sandbox.db")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def run(graph: StepGraph, world: Any, store: StateStore, **options: Any) -> ExecutionResult:
    with store.lock("apply"):
        begun = new_run()
        result = execute(begun, graph, store.read().objects, world, store, **options)
        store.finish(replace(begun, finished="later"), None)
        assert store.read().objects.keys() == result.objects.keys()
        assert all(store.read().objects[a].attributes == o.attributes for a, o in result.objects.items())
        return result


def attributes(store: StateStore) -> Any:
    return store.read().objects[VOLUME].attributes


# The normal path


def test_a_volume_comes_lives_and_goes(world: World, store: MemoryStore) -> None:
    result = run(Steps().create().grant().attach().graph(), world, store)
    assert names(result.done) == ["create_async", "grant_access", "attach"]
    (volume,) = world.volumes()
    (disk,) = world.disks()[HOSTS[0]]
    assert disk.serial == attributes(store)["serial"] == volume.owner.intent
    assert volume.owner.lineage == store.read().lineage

    run(Steps().resize().update_qos().update_attachment().graph(), world, store)
    (volume,) = world.volumes()
    (disk,) = world.disks()[HOSTS[0]]
    assert (volume.size, volume.qos) == (2 * GIB, Qos(600, 2000, 2500))
    assert (disk.size, disk.qos) == (2 * GIB, None)
    assert (attributes(store)["size"], attributes(store)["max_iops"]) == ("2GiB", 2000)

    run(Steps().detach().revoke().delete().graph(), world, store)
    assert (world.volumes(), world.disks()[HOSTS[0]], store.read().objects) == ([], [], {})
    assert store.read().in_doubt == ()


@pytest.mark.parametrize("async_after", [0, 30])
def test_two_hosts_share_a_volume(tmp_path: Path, store: MemoryStore, async_after: int) -> None:
    world = World(tmp_path / "sandbox.db", async_after=async_after)
    steps = Steps().create()
    for host in HOSTS:
        steps.grant(host).attach(host, read_only=True)
    assert len(run(steps.graph(), world, store).done) == 5
    assert sorted(attributes(store)["access"]) == list(HOSTS)
    assert [disk["host"] for disk in attributes(store)["attachments"]] == list(HOSTS)
    steps = Steps()
    for host in HOSTS:
        steps.detach(host).revoke(host)
    assert len(run(steps.delete().graph(), world, store).done) == 5
    assert world.volumes() == []


def test_records_alone_need_no_provider(store: MemoryStore) -> None:
    pool = InstanceAddress("pool", "fast")
    run(Steps(pool).record(tags=("ssd",)).graph(), None, store)
    assert store.read().objects[pool].attributes == {"tags": ("ssd",)}
    run(Steps(pool).add(Verb.JOIN, None, {}).forget().graph(), None, store)
    assert store.read().objects == {}


def test_an_empty_graph_is_a_run_too(store: MemoryStore) -> None:
    assert run(StepGraph(), None, store) == ExecutionResult((), (), (), {})
    assert len(store.runs()) == 1


def test_secrets_are_not_at_rest(tmp_path: Path, world: World) -> None:
    store = open_sqlite(tmp_path / "lunform.state")
    run(Steps().create().grant().attach().graph(), world, store)
    path = attributes(store)["access"][HOSTS[0]]
    assert path["chap_username"]
    volume = world.volumes()[0]
    account = world.array.credentials(volume.id, world.array.grant_access(_grant(volume.id)).value)  # type: ignore[union-attr]
    assert account is not None
    content = (tmp_path / "lunform.state").read_bytes()
    assert account.username.encode() in content
    assert account.password.encode() not in content
    assert SEED.encode() not in content


def _grant(volume: str) -> GrantAccess:
    from planner.sdk import Endpoint, PoolSpec
    from tests.world import host_spec

    host = host_spec(HOSTS[0])
    return GrantAccess(PoolSpec(POOL), volume, Endpoint(host.name, host.network_address, host.initiator))


def test_events_tell_the_run(world: World, store: MemoryStore) -> None:
    events: list[Event] = []
    run(Steps().create().grant().graph(), world, store, observer=events.append)
    told = [(type(event).__name__, getattr(event, "verb", "")) for event in events]
    assert told == [
        ("ApplyStarted", ""),
        ("StepStarted", "create_async"),
        ("StepFinished", "create_async"),
        ("StepStarted", "grant_access"),
        ("StepFinished", "grant_access"),
    ]
    assert isinstance(events[0], ApplyStarted)
    assert events[0].steps == 2
    assert isinstance(events[1], StepStarted)
    assert events[1].detail == POOL


# Failures that say what is known of the effect

VERBS = {
    "create_async": Steps.create,
    "grant_access": Steps.grant,
    "attach": Steps.attach,
    "resize_async": Steps.resize,
    "update_qos": Steps.update_qos,
    "update_attachment": Steps.update_attachment,
    "detach": Steps.detach,
    "revoke_access": Steps.revoke,
    "delete_async": Steps.delete,
}
"""A life of a volume, in its order."""

DISK_THERE = ("attach", "resize_async", "update_qos", "update_attachment")
"""The verbs after which a VM has the volume."""


def life(*, upto: str | None = None, only: str | None = None) -> StepGraph:
    steps = Steps()
    for verb, add in VERBS.items():
        if verb == upto:
            break
        if only in (None, verb):
            add(steps)
    return steps.graph()


@pytest.mark.parametrize("async_after", [0, 20], ids=["at-once", "pending"])
@pytest.mark.parametrize("effect", ["retry", "unreachable", "lose"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_failure_that_passes_costs_a_repetition(
    tmp_path: Path, store: MemoryStore, verb: str, effect: str, async_after: int
) -> None:
    """Also a lost answer: the step is done, once, and what is recorded is what is there."""
    run(life(upto=verb), World(tmp_path / "sandbox.db"), store)
    fault = {"verb": verb, "effect": effect, "times": 1}
    world, events = World(tmp_path / "sandbox.db", faults=[fault], async_after=async_after), list[Event]()
    result = run(life(only=verb), world, store, observer=events.append)
    assert names(result.done) == [verb]
    assert any(isinstance(event, StepRetrying) for event in events)
    after = World(tmp_path / "sandbox.db")
    assert len(after.volumes()) == (verb != "delete_async")
    assert len(after.disks()[HOSTS[0]]) == (verb in DISK_THERE)
    assert store.read().in_doubt == ()
    if after.volumes():
        (volume,) = after.volumes()
        assert (volume.id, len(volume.grants)) == (attributes(store)["id"], len(attributes(store)["access"]))
        assert attributes(store)["size"] == f"{volume.size // GIB}GiB"


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_refused_fails_and_what_needs_it_is_skipped(tmp_path: Path, store: MemoryStore, verb: str) -> None:
    run(life(upto=verb), World(tmp_path / "sandbox.db"), store)
    before = store.read().objects
    world = World(tmp_path / "sandbox.db", faults=[{"verb": verb, "effect": "refuse"}])
    steps = VERBS[verb](Steps()).record(a=1).record(b=2)
    other = steps.of(InstanceAddress("pool", "other")).record(c=3)
    events: list[Event] = []
    result = run(other.graph(), world, store, observer=events.append)
    (failure,) = result.failed
    assert (failure.step.verb.value, failure.summary, failure.is_unknown) == (verb, "The sandbox refuses", False)
    assert [(skip.step.id, skip.because) for skip in result.skipped] == [(1, failure.step), (2, failure.step)]
    assert names(result.done) == ["record"], "what does not need it goes on"
    assert {address: store.read().objects.get(address) for address in before} == before
    assert store.read().in_doubt == ()
    assert [event.because for event in events if isinstance(event, StepSkipped)] == [f"{verb} of {VOLUME} failed"] * 2


@pytest.mark.parametrize("effect", ["retry", "unreachable"])
def test_what_does_not_pass_fails_at_its_deadline(tmp_path: Path, store: MemoryStore, effect: str) -> None:
    world = World(tmp_path / "sandbox.db", faults=[{"verb": "create_async", "effect": effect}])
    result = run(Steps().create().graph(), world, store, deadline=0.05)
    assert not result.failed[0].is_unknown
    assert store.read().in_doubt == ()


def test_a_lost_answer_that_cannot_be_looked_up_stays_in_doubt(tmp_path: Path, store: MemoryStore) -> None:
    faults = [{"verb": "create_async", "effect": "lose"}, {"verb": "list_volumes", "effect": "unreachable"}]
    world = World(tmp_path / "sandbox.db", faults=faults)
    result = run(Steps().create().grant().graph(), world, store, deadline=0.05)
    assert result.failed[0].is_unknown
    assert names([skip.step for skip in result.skipped]) == ["grant_access"]
    (intent,) = store.read().in_doubt
    assert intent.step == 0


def test_a_lost_answer_is_never_answered_by_a_second_call_before_it_is_looked_up(
    world: World, store: MemoryStore
) -> None:
    """Not even while the listing fails: else an array that forgets intents would make two."""
    calls: list[str] = []

    def create(original: Any, request: CreateVolume) -> Reply[ActualVolume]:
        calls.append("create")
        original(request)
        raise OutcomeUnknown("lost")

    def listing(original: Any, pool: Any) -> Any:
        calls.append("list")
        if len(calls) < 4:
            raise ProviderError("the listing fails in an unknown way")
        return original(pool)

    world.array = Instead(world.array, create_async=create, list_volumes=listing)
    run(Steps().create().graph(), world, store)
    assert calls == ["create", "list", "list", "list"]
    assert attributes(store)["id"] == world.volumes()[0].id


def test_a_volume_with_the_figures_of_a_policy_is_not_taken_for_one_under_it(
    tmp_path: Path, store: MemoryStore
) -> None:
    world, calls = World(tmp_path / "sandbox.db", policies=True), list[UpdateQos]()
    run(Steps().create().graph(), world, store)

    def update_qos(original: Any, request: UpdateQos) -> Reply[ActualVolume]:
        calls.append(request)
        if len(calls) == 1:
            raise OutcomeUnknown("lost before it had its effect")
        reply: Reply[ActualVolume] = original(request)
        return reply

    world.array = Instead(world.array, update_qos=update_qos)
    run(Steps().update_qos(FIGURES, "media").graph(), world, store)
    assert [volume.policy for volume in world.volumes()] == ["media"]


@pytest.mark.parametrize("verb", ["delete_async", "revoke_access", "detach"])
@pytest.mark.parametrize("async_after", [0, 20])
def test_what_is_gone_already_is_done(tmp_path: Path, store: MemoryStore, verb: str, async_after: int) -> None:
    run(Steps().create().grant().attach().graph(), World(tmp_path / "sandbox.db"), store)
    before = store.read().objects
    run(Steps().detach().revoke().delete().graph(), World(tmp_path / "sandbox.db"), store)
    with store.lock("restore"):
        store.commit([Outcome(store.runs()[0].id, 0, VOLUME, "done", object=before[VOLUME])])
    world = World(tmp_path / "sandbox.db", async_after=async_after)
    assert names(run(life(only=verb), world, store).done) == [verb]


@pytest.mark.parametrize("verb", ["grant_access", "resize_async", "update_qos"])
def test_what_cannot_be_changed_since_it_is_gone_fails(tmp_path: Path, store: MemoryStore, verb: str) -> None:
    world = World(tmp_path / "sandbox.db")
    run(Steps().create().graph(), world, store)
    before = store.read().objects
    run(Steps().delete().graph(), world, store)
    with store.lock("restore"):
        store.commit([Outcome(store.runs()[0].id, 0, VOLUME, "done", object=before[VOLUME])])
    (failure,) = run(life(only=verb), world, store).failed
    assert not failure.is_unknown


def test_a_record_that_lacks_what_the_call_needs_is_told(world: World, store: MemoryStore) -> None:
    for verb in ("grant_access", "attach", "resize_async", "detach", "delete_async"):
        (failure,) = run(life(only=verb), world, store).failed
        assert (str(VOLUME) in failure.summary, failure.is_unknown) == (True, False)
    assert world.volumes() == []


def test_a_provider_that_is_not_there_fails_its_steps_only(store: MemoryStore) -> None:
    class Nobody:
        def storage(self, address: ProviderAddress) -> Any:
            raise ProviderNotFound(f"no {address}")

        hypervisor = storage

        def limit(self, address: ProviderAddress) -> None:
            return None

    steps = Steps().create().of(InstanceAddress("pool", "fast")).record(a=1)
    result = run(steps.graph(), Nobody(), store)
    assert [(failure.summary, failure.is_unknown) for failure in result.failed] == [("no sandbox.array", False)]
    assert names(result.done) == ["record"]


# Providers that do what they may not


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Done(None), id="nothing"),
        pytest.param(Done("vol-1"), id="another-kind"),
        pytest.param(None, id="no-reply"),
        pytest.param(Pending("job-1", float("nan")), id="no-time-to-poll"),
        pytest.param(Pending(None, "soon"), id="no-job"),  # type: ignore[arg-type]
        pytest.param(KeyError("hunter2"), id="exception"),
        pytest.param(SystemExit("hunter2"), id="exit"),
        pytest.param(RecursionError(), id="recursion"),
    ],
)
def test_a_provider_with_a_bug_costs_its_step_and_tells_no_secret(
    world: World, store: MemoryStore, answer: object
) -> None:
    def create(original: Any, request: CreateVolume) -> Any:
        if request.name != "faulty":
            return original(request)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    world.array = Instead(world.array, create_async=create)
    other = InstanceAddress("volume", "other")
    steps = Steps().create("faulty").grant().of(other).create("sound").grant()
    result = run(steps.graph(), world, store)
    (failure,) = result.failed
    assert failure.is_unknown
    assert "sandbox.array" in failure.summary
    assert type(answer).__name__ in failure.summary if isinstance(answer, BaseException) else True
    assert "hunter2" not in repr(failure)
    assert names(result.done) == ["create_async", "grant_access"]
    assert [intent.step for intent in store.read().in_doubt] == [0]


class Careless(Retryable):
    """An error of a provider whose author forgot what the base class sets."""

    def __init__(self, retry_after: Any) -> None:
        self.retry_after = retry_after


@pytest.mark.parametrize("retry_after", [None, "soon", float("nan"), -1])
def test_a_careless_error_is_still_an_error(world: World, store: MemoryStore, retry_after: Any) -> None:
    def create(original: Any, request: CreateVolume) -> Any:
        raise Careless(retry_after)

    world.array = Instead(world.array, create_async=create)
    (failure,) = run(Steps().create().graph(), world, store, deadline=0.01).failed
    assert not failure.is_unknown


def test_a_job_that_nobody_knows_any_more_is_looked_up(world: World, store: MemoryStore) -> None:
    def create(original: Any, request: CreateVolume) -> Reply[ActualVolume]:
        original(request)
        return Pending("forgotten", 0.0)

    def poll(original: Any, job: str) -> Any:
        raise Missing("no such job")

    world.array = Instead(world.array, create_async=create, poll=poll)
    assert names(run(Steps().create().graph(), world, store).done) == ["create_async"]
    assert len(world.volumes()) == 1


def test_a_job_that_is_refused_in_the_end_fails(world: World, store: MemoryStore) -> None:
    def poll(original: Any, job: str) -> Any:
        raise Rejected("no space after all")

    def create(original: Any, request: CreateVolume) -> Reply[ActualVolume]:
        return Pending("job-1", 0.0)

    world.array = Instead(world.array, create_async=create, poll=poll)
    (failure,) = run(Steps().create().graph(), world, store).failed
    assert (failure.summary, failure.is_unknown) == ("no space after all", False)
    assert store.read().in_doubt == ()


# What is recorded when


def test_a_pending_job_is_recorded_before_it_is_asked_for(world: World, store: MemoryStore) -> None:
    """A killed run's successor must be able to ask for it."""
    jobs = []

    def poll(original: Any, job: str) -> Any:
        jobs.append([intent.job for intent in store.read().in_doubt])
        return original(job)

    real = World(world.array._settings.path, async_after=20)  # type: ignore[attr-defined]
    real.array = Instead(real.array, poll=poll)
    run(Steps().create().graph(), real, store)
    assert jobs
    assert all(job == ["job-1"] for job in jobs)


def test_a_step_starts_once_what_it_requires_is_committed(world: World, store: MemoryStore) -> None:
    recorded = []

    def grant(original: Any, request: GrantAccess) -> Any:
        recorded.append(store.read().objects[VOLUME].attributes["id"] == request.volume)
        return original(request)

    world.array = Instead(world.array, grant_access=grant)
    run(Steps().create().grant().grant(HOSTS[1]).graph(), world, store)
    assert recorded == [True, True]


def test_all_intents_are_recorded_before_the_first_call(world: World, store: MemoryStore) -> None:
    seen = []

    def create(original: Any, request: CreateVolume) -> Any:
        seen.append(len(store.read().in_doubt))
        return original(request)

    world.array = Instead(world.array, create_async=create)
    run(Steps().create().grant().attach().graph(), world, store)
    assert seen == [3]


class FullDisk(MemoryStore):
    """Takes the intents, and `commits` outcomes after that."""

    def __init__(self, commits: int) -> None:
        super().__init__()
        self.commits = commits

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        self.commits -= 1
        if self.commits < 0:
            raise StateError("The disk is full")
        super().commit(outcomes)


@pytest.mark.parametrize("commits", [0, 1])
def test_a_state_that_cannot_be_written_ends_the_run(world: World, commits: int) -> None:
    store = FullDisk(commits)
    with store.lock("apply"), pytest.raises(StateError, match="full"):
        execute(new_run(), Steps().create().grant().attach().graph(), {}, world, store)
    assert len(world.volumes()) == 1
    assert [intent.step for intent in store.read().in_doubt] == [0, 1, 2][commits:]
    assert not any(thread.name.startswith("step-") for thread in threading.enumerate())


# Many at once


class Meeting:
    """Counts who is inside, and lets nobody out before `expected` have come in together."""

    def __init__(self, expected: int) -> None:
        self.barrier = threading.Barrier(expected)
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def __call__(self, original: Any, request: CreateVolume) -> Any:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.barrier.wait(PATIENCE)
        with self._lock:
            self.inside -= 1
        return original(request)


def many(number: int) -> StepGraph:
    steps = Steps()
    for key in range(number):
        steps.of(InstanceAddress("volume", "db", key)).create(f"db-{key}")
    return steps.graph()


@pytest.mark.parametrize(("parallelism", "limits", "together"), [(4, {}, 4), (4, {"sandbox.array": 2}, 2), (1, {}, 1)])
def test_as_many_calls_at_once_as_allowed(
    world: World, store: MemoryStore, parallelism: int, limits: dict[str, int], together: int
) -> None:
    meeting = Meeting(together)
    world.array = Instead(world.array, create_async=meeting)
    world.limits = {ProviderAddress(*name.split(".")): limit for name, limit in limits.items()}
    result = run(many(8), world, store, parallelism=parallelism)
    assert len(result.done) == 8
    assert meeting.most == together


def test_jobs_hold_no_thread(tmp_path: Path, store: MemoryStore) -> None:
    """All 50 are under way before the first is done, though one call is made at a time."""
    world, order = World(tmp_path / "sandbox.db", async_after=1500), list[str]()
    world.array = Instead(
        world.array,
        create_async=lambda original, request: order.append("create") or original(request),
        poll=lambda original, job: order.append("poll") or original(job),
    )
    assert len(run(many(50), world, store, parallelism=1).done) == 50
    assert order[:50] == ["create"] * 50


# Stopping


def test_the_first_request_lets_running_steps_end(world: World, store: MemoryStore) -> None:
    stop, events = Stop(), list[Event]()

    def create(original: Any, request: CreateVolume) -> Any:
        stop.request()
        return original(request)

    world.array = Instead(world.array, create_async=create)
    result = run(Steps().create().grant().graph(), world, store, stop=stop, observer=events.append)
    assert names(result.done) == ["create_async"]
    assert [(skip.step.id, skip.because) for skip in result.skipped] == [(1, None)]
    assert attributes(store)["id"] == world.volumes()[0].id
    assert store.read().in_doubt == ()
    assert sum(isinstance(event, Stopping) for event in events) == 1


def test_a_request_before_the_run_starts_nothing_new(world: World, store: MemoryStore) -> None:
    stop = Stop()
    stop.request()
    result = run(many(20), world, store, stop=stop, parallelism=2)
    assert len(result.skipped) >= 18
    assert len(world.volumes()) == len(result.done)


def test_the_second_request_leaves_at_once(world: World, store: MemoryStore) -> None:
    """Calls that have not answered stay in doubt; those that never began do not."""
    stop, let_go = Stop(), threading.Event()

    def create(original: Any, request: CreateVolume) -> Any:
        if request.name == "db-1":
            stop.request()
            stop.request()
            let_go.wait(PATIENCE)
        return original(request)

    world.array = Instead(world.array, create_async=create)
    try:
        result = run(many(4), world, store, stop=stop, parallelism=2)
    finally:
        let_go.set()
    unknown = [failure.step.id for failure in result.failed if failure.is_unknown]
    assert 1 in unknown
    assert [intent.step for intent in store.read().in_doubt] == unknown
    assert len(result.done) + len(result.failed) + len(result.skipped) == 4


def test_leaving_waits_for_no_job(tmp_path: Path) -> None:
    stop = Stop()

    class StopsAtTheJob(MemoryStore):
        def commit(self, outcomes: Sequence[Outcome]) -> None:
            super().commit(outcomes)
            if outcomes[0].status == "pending":
                stop.request()
                stop.request()

    store = StopsAtTheJob()
    result = run(Steps().create().grant().graph(), World(tmp_path / "sandbox.db", async_after=60_000), store, stop=stop)
    assert [failure.is_unknown for failure in result.failed] == [True]
    assert [intent.job for intent in store.read().in_doubt] == ["job-1"]


class Slow(MemoryStore):
    """Its first commit waits for `until`; `second` is set with the second one."""

    def __init__(self, until: threading.Event) -> None:
        super().__init__()
        self.until = until
        self.commits = 0
        self.second = threading.Event()

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        self.commits += 1
        assert self.until.wait(PATIENCE)
        super().commit(outcomes)
        if self.commits == 2:
            self.second.set()


def test_calls_go_on_while_a_commit_takes_its_time(world: World) -> None:
    third_call = threading.Event()

    def create(original: Any, request: CreateVolume) -> Any:
        if request.name == "db-2":
            third_call.set()
        return original(request)

    world.array = Instead(world.array, create_async=create)
    assert len(run(many(4), world, Slow(third_call), parallelism=2).done) == 4


def test_outcomes_are_committed_although_every_worker_is_in_a_long_call(world: World) -> None:
    at_once = threading.Event()
    at_once.set()
    now = 0.0

    class Timed(Slow):
        def commit(self, outcomes: Sequence[Outcome]) -> None:
            nonlocal now
            now += 0.01
            super().commit(outcomes)

    store = Timed(at_once)

    def create(original: Any, request: CreateVolume) -> Any:
        nonlocal now
        if request.name == "db-2":
            now += 1.0
            assert store.second.wait(PATIENCE), "the outcome of db-1 waits for the end of this call"
        return original(request)

    world.array = Instead(world.array, create_async=create)
    assert len(run(many(3), world, store, parallelism=1, clock=lambda: now).done) == 3


def test_leaving_waits_for_the_commit_under_way(world: World) -> None:
    """What it stores is known, and must not meet the last commit."""
    stop, leaving, let_go = Stop(), threading.Event(), threading.Event()

    class StopsWhileItCommits(Slow):
        def commit(self, outcomes: Sequence[Outcome]) -> None:
            stop.request()
            stop.request()
            super().commit(outcomes)

    def create(original: Any, request: CreateVolume) -> Any:
        if request.name == "db-1":
            let_go.wait(PATIENCE)
        return original(request)

    def observe(event: Event) -> None:
        if isinstance(event, Stopping):
            leaving.set()

    world.array = Instead(world.array, create_async=create)
    store = StopsWhileItCommits(leaving)
    try:
        result = run(many(2), world, store, stop=stop, parallelism=2, observer=observe)
    finally:
        let_go.set()
    assert [step.id for step in result.done] == [0]
    assert [intent.step for intent in store.read().in_doubt] == [1]


def test_a_failed_step_is_told_with_its_reason(tmp_path: Path, store: MemoryStore) -> None:
    world = World(tmp_path / "sandbox.db", faults=[{"verb": "create_async", "effect": "refuse"}])
    events: list[Event] = []
    run(Steps().create().graph(), world, store, observer=events.append)
    assert [event.error for event in events if isinstance(event, StepFinished)] == ["The sandbox refuses"]
