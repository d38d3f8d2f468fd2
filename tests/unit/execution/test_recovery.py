"""What recovery finds out of a run that was killed: here one whose call was made, or not, and nothing recorded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.addresses import InstanceAddress
from planner.errors import Unsettled
from planner.execution.calls import call
from planner.execution.executor import execute
from planner.execution.recovery import Recovery, recover
from planner.sdk import Missing, Pending, Rejected, Unreachable
from planner.state.memory import MemoryStore
from planner.state.model import Intent, Outcome, RecordedObject, Run
from planner.state.store import StateStore
from planner.steps.graph import Step, StepGraph
from tests.unit.execution.test_executor import VERBS, Instead, life, run
from tests.world import HOSTS, VOLUME, Steps, World, new_run

pytestmark = pytest.mark.usefixtures("short_delays")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "sandbox.db")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def die(graph: StepGraph, world: Any, store: StateStore, *, made: int, job: bool = False) -> Run:
    """A run that made the calls of its first `made` steps and recorded nothing but, if asked, the last one's job."""
    killed = new_run()
    with store.lock("apply"):
        intents = [Intent(killed.id, step.id, str(step.address), step.to_json()) for step in graph.steps]
        lineage = store.begin(killed, intents)
        for step in graph.steps[:made]:
            reply = call(step, store.read().objects.get(step.address), lineage, world)
            if job:
                assert isinstance(reply, Pending)
                store.commit([Outcome(killed.id, step.id, step.address, "pending", job=reply.job)])
    return killed


def settle(world: Any, store: StateStore, **options: Any) -> Recovery:
    """Recover as apply does: the outcomes are committed."""
    found = recover(store.read(), world, **options)
    with store.lock("recover"):
        store.commit(found.outcomes)
    assert store.read().in_doubt == ()
    assert {a: o.attributes for a, o in store.read().objects.items()} == {
        a: o.attributes for a, o in found.snapshot.objects.items()
    }
    return found


def undisturbed(graph: StepGraph, world: Any, before: dict[InstanceAddress, RecordedObject]) -> Any:
    """What a run that was not killed records: calls may be repeated, so it is made on the same world."""
    store = MemoryStore()
    with store.lock("apply"):
        return execute(new_run(), graph, before, world, store).objects


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_done_is_recorded_as_if_nothing_had_happened(world: World, store: MemoryStore, verb: str) -> None:
    run(life(upto=verb), world, store)
    before, graph = dict(store.read().objects), life(only=verb)
    die(graph, world, store, made=1)
    found = settle(world, store)
    assert found.snapshot.objects == undisturbed(graph, world, before)
    (finding,) = found.findings
    assert (finding.address, finding.verb) == (VOLUME, verb)
    assert finding.sentence.startswith(f"{VOLUME} had been ")


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_not_done_is_closed(world: World, store: MemoryStore, verb: str) -> None:
    run(life(upto=verb), world, store)
    before = store.read().objects
    die(life(only=verb), world, store, made=0)
    found = settle(world, store)
    assert store.read().objects == before
    assert found.findings == ()
    assert [outcome.status for outcome in found.outcomes] == ["failed"]


def test_planning_uses_what_was_found_and_changes_nothing(world: World, store: MemoryStore) -> None:
    die(Steps().create().graph(), world, store, made=1)
    before = store.read()
    found = recover(before, world)
    assert found.snapshot.objects.keys() == {VOLUME}
    assert found.snapshot.in_doubt == ()
    assert store.read() == before


def test_a_chain_is_followed_as_far_as_it_came(world: World, store: MemoryStore) -> None:
    """A volume's id is known from its create, which is itself only now found."""
    chain = Steps().create().grant().grant(HOSTS[1]).attach()
    first = StepGraph(chain.graph().steps[:1])
    run(first, world, store)
    made = store.read().objects
    store = MemoryStore()
    killed = new_run()
    with store.lock("apply"):
        steps = chain.graph().steps
        lineage = store.begin(killed, [Intent(killed.id, s.id, str(s.address), s.to_json()) for s in steps])
        call(steps[1], made[VOLUME], lineage, world)
    found = settle(world, store)
    assert [finding.verb for finding in found.findings] == ["create_async", "grant_access"]
    assert sorted(store.read().objects[VOLUME].attributes["access"]) == [HOSTS[0]]


@pytest.mark.parametrize("knows_the_job", [True, False])
@pytest.mark.parametrize("verb", VERBS)
def test_a_job_that_goes_on_is_waited_for(tmp_path: Path, store: MemoryStore, verb: str, knows_the_job: bool) -> None:
    """What is made is listed from the start; what is changed is waited for, if its job was recorded in time."""
    world, slow = World(tmp_path / "sandbox.db"), World(tmp_path / "sandbox.db", async_after=120)
    run(life(upto=verb), world, store)
    before, graph = store.read().objects, life(only=verb)
    die(graph, slow, store, made=1, job=knows_the_job)
    found = settle(slow, store)
    if found.findings:
        assert found.snapshot.objects == undisturbed(graph, world, dict(before))
    else:
        assert not knows_the_job
        assert verb not in ("create_async", "grant_access", "attach"), "the next plan would make it twice"
        assert store.read().objects == before


def test_a_job_that_takes_too_long_is_not_guessed_at(tmp_path: Path, store: MemoryStore) -> None:
    world = World(tmp_path / "sandbox.db")
    run(Steps().create().graph(), world, store)
    slow = World(tmp_path / "sandbox.db", async_after=60_000)
    die(Steps().resize().graph(), slow, store, made=1, job=True)
    before, waits = store.read(), list[float]()
    time = iter(range(0, 1000, 10))
    with pytest.raises(Unsettled) as caught:
        recover(before, slow, patience=25.0, clock=lambda: float(next(time)), sleep=waits.append)
    assert str(VOLUME) in caught.value.detail
    assert waits == [15.0, 5.0], "25 seconds, of which 10 pass with each look at the clock"
    assert store.read() == before


@pytest.mark.parametrize("error", [Missing("no such job"), Rejected("no space after all")])
def test_a_job_that_failed_or_is_forgotten_is_not_done(world: World, store: MemoryStore, error: Exception) -> None:
    def poll(original: Any, job: str) -> Any:
        raise error

    killed = die(Steps().create().graph(), world, store, made=0)
    with store.lock("apply"):
        store.commit([Outcome(killed.id, 0, VOLUME, "pending", job="job-1")])
    world.array = Instead(world.array, poll=poll)
    assert settle(world, store).findings == ()


@pytest.mark.parametrize("call", ["list_volumes", "list_attachments", "poll"])
def test_a_system_that_cannot_be_read_leaves_all_in_doubt(
    tmp_path: Path, world: World, store: MemoryStore, call: str
) -> None:
    run(Steps().create().grant().graph(), world, store)
    slow = World(tmp_path / "sandbox.db", async_after=300)
    die(Steps().resize().graph(), slow, store, made=1, job=True)
    die(Steps().attach().graph(), world, store, made=1)
    dark = World(tmp_path / "sandbox.db", faults=[{"verb": call, "effect": "unreachable"}])
    before = store.read()
    with pytest.raises(Unsettled, match="settled") as caught:
        recover(before, dark)
    assert isinstance(caught.value.__cause__, Unreachable)
    assert len(before.in_doubt) == 2


def test_a_pool_or_host_that_is_gone_has_done_nothing(world: World, store: MemoryStore) -> None:
    """Above all, it has not deleted what was on it: the record stays until somebody looks."""
    run(Steps().create().grant().attach().graph(), world, store)
    before = store.read().objects
    die(Steps().detach().revoke().delete().graph(), world, store, made=0)
    die(Steps(InstanceAddress("volume", "other")).create("other").graph(), world, store, made=0)

    def gone(original: Any, *arguments: Any) -> Any:
        raise Missing("there is no such pool or host")

    world.array = Instead(world.array, list_volumes=gone)
    world.hosts = Instead(world.hosts, list_attachments=gone)
    settle(world, store)
    assert store.read().objects == before


def test_each_pool_and_host_is_read_once(world: World, store: MemoryStore) -> None:
    reads = []

    def count(original: Any, place: Any) -> Any:
        reads.append(place.address)
        return original(place)

    steps = Steps()
    for key in range(50):
        steps.of(InstanceAddress("volume", "db", key)).create(f"db-{key}").grant().attach(vm=f"vm-{key}")
    creates = StepGraph(tuple(replace(s, id=n, requires=()) for n, s in enumerate(steps.graph().steps[::3])))
    killed = new_run()
    with store.lock("apply"):
        every = steps.graph().steps
        store.begin(killed, [Intent(killed.id, s.id, str(s.address), s.to_json()) for s in every])
    other = MemoryStore()
    with other.lock("apply"):
        execute(new_run(), creates, {}, world, other)
    world.array = Instead(world.array, list_volumes=count)
    world.hosts = Instead(world.hosts, list_attachments=count)
    assert len(settle(world, store).findings) == 50
    assert reads == ["pool.fast", HOSTS[0]]


def test_a_new_disk_of_the_same_volume_does_not_hide_that_the_old_one_is_gone(world: World, store: MemoryStore) -> None:
    """Detached and attached again in one run, with another bus say: same VM, same serial number, another intent."""
    run(Steps().create().grant().attach().graph(), world, store)
    graph = Steps().detach().attach().graph()
    die(graph, world, store, made=2)
    found = settle(world, store)
    assert [finding.verb for finding in found.findings] == ["detach", "attach"]
    (disk,) = store.read().objects[VOLUME].attributes["attachments"]
    assert disk["intent"] == graph.steps[1].intent


def test_an_old_disk_of_the_same_volume_is_not_taken_for_the_new_one(world: World, store: MemoryStore) -> None:
    run(Steps().create().grant().attach().graph(), world, store)
    before = store.read().objects
    die(Steps().detach().attach().graph(), world, store, made=0)
    assert settle(world, store).findings == ()
    assert store.read().objects == before


def test_what_is_only_recorded_is_planned_again(world: World, store: MemoryStore) -> None:
    die(Steps().record(a=1).graph(), world, store, made=0)
    assert settle(world, store).findings == ()
    assert store.read().objects == {}


def test_an_intent_survives_being_stored(tmp_path: Path) -> None:
    from planner.state.sqlite import open_sqlite

    store, graph = open_sqlite(tmp_path / "lunform.state"), Steps().create().grant().attach().graph()
    with store.lock("apply"):
        store.begin(new_run(), [Intent("x", step.id, str(step.address), step.to_json()) for step in graph.steps])
    assert tuple(Step.from_json(intent.payload) for intent in store.read().in_doubt) == graph.steps
