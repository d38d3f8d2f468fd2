"""
What every state backend keeps. A backend's tests subclass one of the first two suites and give the fixture `opener`: a
function without arguments that opens the same empty place each time. The last suite is about workspaces.

    class TestPostgres(DurableStateConformance):
        @pytest.fixture
        def opener(self) -> Opener: ...

    class TestPostgresWorkspaces(BackendConformance):
        @pytest.fixture
        def backend(self) -> StateBackend: ...
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

import pytest

from planner.addresses import InstanceAddress, ModuleStep, ProviderAddress
from planner.errors import StateError, StateLocked
from planner.state.document import StateDocument, from_text, to_text
from planner.state.memory import MemoryStore
from planner.state.model import Intent, Origin, Outcome, OutputValue, RecordedObject, Run
from planner.state.store import DEFAULT_WORKSPACE, LeasedStore, StateBackend, StateStore
from planner.values.numbers import rounded

Opener = Callable[[], StateStore]
"""For `DurableStateConformance` it is given to other processes, so it must be picklable."""

PATIENCE = 30.0
"""Seconds after which a test that waits for another thread or process fails."""

PROVIDER = ProviderAddress("sandbox", "east")
POOL = InstanceAddress("pool", "east-ssd")
VOLUME = InstanceAddress("volume", "db", 'a "quoted" \u00e9', (ModuleStep("east", 3), ModuleStep("db")))
ATTRIBUTES = {
    "text": "200GiB \u00b5 \U0001f40c \\ ' \"",
    "whole": 2**200,
    "negative": -1,
    "fraction": (Fraction(3, 2), Fraction(rounded(Fraction(1, 10))), Fraction(rounded(Fraction(-1, 3)))),
    "yes": True,
    "none": None,
    "empty": (),
    "nested": ({"b": (1, (2, ())), "a": {}}, "last"),
    "by name": {"host.kvm": {"lun": 0}},
}


def new_run(id: str = "run-1") -> Run:
    return Run(id, "apply", "2026-01-01T00:00:00Z", "somebody@somewhere:1")


def new_intents(number: int, run: str = "run-1") -> list[Intent]:
    return [Intent(run, step, f"volume.db[{step}]", {"id": step, "requires": (step - 1,)}) for step in range(number)]


def counter(value: int, name: str = "counter") -> RecordedObject:
    return RecordedObject(InstanceAddress("volume", name), PROVIDER, {"value": value})


def done(step: int, object: RecordedObject, run: str = "run-1") -> Outcome:
    return Outcome(run, step, object.address, "done", object=object)


class StateConformance:
    @pytest.fixture
    def opener(self) -> Opener:
        raise NotImplementedError("a subclass says how its backend is opened")

    @pytest.fixture
    def store(self, opener: Opener) -> StateStore:
        return opener()

    # what is recorded

    def test_nothing_recorded_is_an_empty_snapshot(self, store: StateStore) -> None:
        snapshot = store.read()
        assert (snapshot.lineage, snapshot.serial, store.runs()) == ("", 0, ())
        assert (snapshot.objects, snapshot.outputs, snapshot.in_doubt) == ({}, {}, ())

    def test_the_first_run_makes_a_lineage_that_stays(self, store: StateStore, opener: Opener) -> None:
        with store.lock("apply"):
            lineage = store.begin(new_run(), ())
            assert store.begin(new_run("run-2"), ()) == lineage
        assert lineage
        assert opener().read().lineage == lineage

    def test_an_object_comes_back_as_it_went(self, store: StateStore, opener: Opener) -> None:
        volume = RecordedObject(VOLUME, PROVIDER, ATTRIBUTES, dependencies=(POOL, VOLUME), protected=True)
        offering = RecordedObject(InstanceAddress("disk_offering", "fast", 0), None, {})
        with store.lock("apply"):
            store.begin(new_run(), ())
            store.commit([done(0, volume), done(1, offering)])
        objects = opener().read().objects
        assert objects == {
            volume.address: replace(volume, revision=2),
            offering.address: replace(offering, revision=2),
        }
        assert type(objects[VOLUME].attributes["nested"]) is tuple
        assert type(objects[VOLUME].attributes["yes"]) is bool

    def test_outcomes_may_be_committed_by_any_thread(self, store: StateStore, opener: Opener) -> None:
        with store.lock("apply"):
            store.begin(new_run(), ())
            for step in range(3):
                thread = threading.Thread(target=store.commit, args=([done(step, counter(step, f"c{step}"))],))
                thread.start()
                thread.join(PATIENCE)
            store.finish(replace(new_run(), finished="later"), None)
        assert [object.attributes["value"] for object in opener().read().objects.values()] == [0, 1, 2]

    def test_an_object_is_replaced_left_and_removed(self, store: StateStore) -> None:
        first, second = counter(1), counter(2)
        with store.lock("apply"):
            store.begin(new_run(), ())
            store.commit([done(0, first)])
            store.commit([done(1, second)])
            store.commit([Outcome("run-1", 2, first.address, "failed", "refused")])
            assert store.read().objects[first.address].attributes == {"value": 2}
            store.commit([Outcome("run-1", 3, first.address, "done", removed=True)])
            assert store.read().objects == {}

    def test_an_object_moves_to_another_address_in_one_outcome(self, store: StateStore) -> None:
        there, gone_to = counter(1), counter(1, "other")
        with store.lock("apply"):
            store.begin(new_run(), ())
            store.commit([done(0, there), Outcome("run-1", 1, there.address, "done", object=gone_to, removed=True)])
        assert list(store.read().objects) == [gone_to.address]

    @pytest.mark.parametrize("values", [(1, None, 2), (None, 3), (1, 2, None), (1, None)])
    def test_the_last_outcome_of_a_commit_wins(self, store: StateStore, values: Sequence[int | None]) -> None:
        outcomes = [
            Outcome("run-1", step, counter(0).address, "done", removed=True)
            if value is None
            else done(step, counter(value))
            for step, value in enumerate(values)
        ]
        with store.lock("apply"):
            store.begin(new_run(), ())
            store.commit(outcomes)
        left = [object.attributes["value"] for object in store.read().objects.values()]
        assert left == [value for value in values[-1:] if value is not None]

    def test_the_serial_counts_transactions(self, store: StateStore) -> None:
        serials = []
        with store.lock("apply"):
            store.begin(new_run(), new_intents(2))
            serials.append(store.read().serial)
            store.commit([done(0, counter(1)), done(1, counter(2, "other"))])
            serials.append(store.read().serial)
            store.finish(new_run(), {})
            serials.append(store.read().serial)
        assert serials == [1, 2, 3]

    def test_a_revision_never_comes_again(self, store: StateStore) -> None:
        """A saved plan must not take an object for the one that had its address before."""
        seen = []
        with store.lock("apply"):
            store.begin(new_run(), ())
            for value in range(3):
                store.commit([done(0, counter(value))])
                seen.append(store.read().objects[counter(0).address].revision)
                store.commit([Outcome("run-1", 1, counter(0).address, "done", removed=True)])
        assert seen == sorted(set(seen))

    def test_a_revision_stays_while_others_change(self, store: StateStore) -> None:
        with store.lock("apply"):
            store.begin(new_run(), ())
            store.commit([done(0, counter(1))])
            before = store.read().objects[counter(1).address]
            store.commit([done(1, counter(1, "other"))])
        assert store.read().objects[counter(1).address] == before

    def test_outputs_are_replaced_as_a_whole_or_kept(self, store: StateStore) -> None:
        outputs = {"iqns": OutputValue({"a": ("x", 1)}), "secret": OutputValue("hidden", sensitive=True)}
        with store.lock("apply"):
            store.begin(new_run(), ())
            store.finish(new_run(), outputs)
            recorded = store.read().outputs
            assert recorded == {"iqns": outputs["iqns"], "secret": OutputValue(None, sensitive=True)}
            store.finish(new_run(), None)
            assert store.read().outputs == recorded
            store.finish(new_run(), {"new": OutputValue(True)})
            assert store.read().outputs == {"new": OutputValue(True)}

    # the journal

    def test_intents_are_in_doubt_in_their_order(self, store: StateStore, opener: Opener) -> None:
        first, second = new_intents(12), new_intents(3, "a-later-run")
        with store.lock("apply"):
            store.begin(new_run(), first)
            store.begin(new_run("a-later-run"), second)
        assert opener().read().in_doubt == (*first, *second)

    @pytest.mark.parametrize(
        ("status", "job", "in_doubt"),
        [("done", "", False), ("failed", "", False), ("pending", "job-1", True), ("unknown", "", True)],
    )
    def test_an_outcome_says_whether_its_intent_is_in_doubt(
        self, store: StateStore, status: str, job: str, in_doubt: bool
    ) -> None:
        (intent,) = new_intents(1)
        with store.lock("apply"):
            store.begin(new_run(), [intent])
            store.commit([Outcome("run-1", 0, VOLUME, status, job=job)])
            expected = (replace(intent, job=job),) if in_doubt else ()
            assert store.read().in_doubt == expected
            store.finish(new_run(), None)
        assert store.read().in_doubt == expected

    def test_what_was_in_doubt_is_settled_by_a_later_outcome(self, store: StateStore) -> None:
        with store.lock("apply"):
            store.begin(new_run(), new_intents(2))
            store.commit([Outcome("run-1", 0, VOLUME, "unknown"), Outcome("run-1", 1, VOLUME, "pending", job="j")])
            store.finish(new_run(), None)
        with store.lock("recover"):
            store.commit([done(0, counter(1)), Outcome("run-1", 1, VOLUME, "failed", "not done")])
        assert store.read().in_doubt == ()

    def test_finish_closes_what_never_began(self, store: StateStore) -> None:
        with store.lock("apply"):
            store.begin(new_run("another"), new_intents(1, "another"))
            store.begin(new_run(), new_intents(3))
            store.commit([done(0, counter(1))])
            store.finish(new_run(), None)
        assert store.read().in_doubt == tuple(new_intents(1, "another"))

    def test_outcomes_are_kept_for_the_history(self, store: StateStore, opener: Opener) -> None:
        first = Outcome("run-1", 0, VOLUME, "failed", "refused", verb="create_async")
        second = Outcome("run-1", 1, VOLUME, "pending", verb="attach", job="job-1")
        with store.lock("apply"):
            store.begin(new_run(), new_intents(2))
            store.begin(new_run("run-2"), ())
            store.commit([second, first])
            store.commit([replace(second, status="done", job=""), done(0, counter(1), "run-2")])
            store.finish(new_run(), None)
        assert [
            (outcome.step, outcome.address, outcome.status, outcome.error, outcome.verb)
            for outcome in opener().outcomes("run-1")
        ] == [(0, VOLUME, "failed", "refused", "create_async"), (1, VOLUME, "done", "", "attach")]
        assert opener().outcomes("no-such-run") == ()

    def test_what_a_plan_was_made_from_is_kept(self, store: StateStore, opener: Opener) -> None:
        origin = Origin({"main.lun.hcl": 'output "x" {}\n', "east/main.lun.hcl": ""}, {"size": "1GiB", "number": 3})
        with store.lock("apply"):
            store.begin(new_run(), (), origin)
            store.begin(new_run("run-2"), (), origin)
            store.begin(new_run("run-3"), (), replace(origin, variables={"size": "2GiB"}))
            store.begin(new_run("run-4"), ())
            store.finish(new_run(), None)
        reader = opener()
        assert reader.origin("run-1") == reader.origin("run-2") == origin
        assert reader.origin("run-3") == Origin(origin.sources, {"size": "2GiB"})
        assert reader.origin("run-4") is None
        assert reader.origin("no-such-run") is None

    # as one value

    def test_a_document_goes_into_another_place_whole(self, store: StateStore, opener: Opener) -> None:
        volume = RecordedObject(VOLUME, PROVIDER, ATTRIBUTES, dependencies=(POOL, VOLUME), protected=True)
        with store.lock("apply"):
            store.begin(new_run(), new_intents(4), Origin({"main.lun.hcl": ""}, {"number": Fraction(3, 2)}))
            store.commit([done(0, volume), Outcome("run-1", 1, VOLUME, "pending", job="job-1")])
            store.begin(new_run("run-2"), (), Origin({"main.lun.hcl": ""}, {}))
            store.finish(new_run("run-2"), {"iqns": OutputValue({"a": ("x", 1)})})
        document = store.document()
        assert document.snapshot() == store.read()
        memory = MemoryStore()
        with memory.lock("state push"):
            memory.replace(from_text(to_text(document), "here"))
        assert memory.document() == document
        with store.lock("state push"):
            store.replace(replace(document, serial=100, objects={}))
            assert store.read() == replace(document.snapshot(), serial=100, objects={})
            store.replace(memory.document())
            store.finish(new_run(), None)
        reader = opener()
        assert reader.read().serial == document.serial + 1
        assert [intent.step for intent in reader.read().in_doubt] == [1], "what had begun is still known"
        assert replace(reader.document(), serial=document.serial, intents=document.intents) == document

    def test_runs_are_listed_oldest_first(self, store: StateStore) -> None:
        runs = [new_run(id) for id in ("z", "a", "m")]
        with store.lock("apply"):
            for run in runs:
                store.begin(run, ())
            runs[1] = replace(runs[1], finished="2026-01-01T00:01:00Z", summary="1 done")
            store.finish(runs[1], None)
        assert tuple(store.runs()) == tuple(runs)

    def test_a_commit_that_fails_leaves_nothing(self, store: StateStore) -> None:
        with store.lock("apply"):
            store.begin(new_run(), new_intents(1))
            before = store.read()
            with pytest.raises(StateError):
                store.commit([done(0, counter(1)), done(0, counter(2), run="no-such-run")])
            assert store.read() == before
            store.commit([done(0, counter(1))])
        assert store.read().serial == before.serial + 1

    def test_a_run_begins_once(self, store: StateStore) -> None:
        with store.lock("apply"):
            store.begin(new_run(), ())
            with pytest.raises(StateError):
                store.begin(new_run(), new_intents(1))
        assert store.read().in_doubt == ()

    # the lock

    def test_writing_takes_the_lock(self, store: StateStore) -> None:
        writes: Sequence[Callable[[], object]] = (
            lambda: store.begin(new_run(), ()),
            lambda: store.commit([done(0, counter(1))]),
            lambda: store.finish(new_run(), None),
            lambda: store.replace(StateDocument("lineage", 1)),
        )
        for write in writes:
            with pytest.raises(StateError):
                write()
        assert store.read().serial == 0

    def test_without_the_lock_is_written_only_where_that_is_said(self, store: StateStore, opener: Opener) -> None:
        other = opener()
        if isinstance(other, LeasedStore):
            return
        with store.lock("apply"):
            store.begin(new_run(), new_intents(1))
            with other.unlocked():
                other.begin(new_run("run-2"), new_intents(1, "run-2"))
            store.commit([done(0, counter(1))])
        assert [run.id for run in opener().runs()] == ["run-1", "run-2"]
        assert [(intent.run, intent.step) for intent in opener().read().in_doubt] == [("run-2", 0)]
        with pytest.raises(StateError):
            other.begin(new_run("run-3"), [])

    def test_a_lease_is_not_gone_without(self, store: StateStore, opener: Opener) -> None:
        other = opener()
        if not isinstance(other, LeasedStore):
            return
        with store.lock("apply"):
            store.begin(new_run(), new_intents(1))
            with pytest.raises(StateError, match="without its lock"), other.unlocked():
                pass
            store.commit([done(0, counter(1))])
        assert [run.id for run in opener().runs()] == ["run-1"]

    def test_a_held_lock_names_its_holder(self, store: StateStore, opener: Opener) -> None:
        with store.lock("apply"), pytest.raises(StateLocked) as caught, opener().lock("destroy", timeout=0.05):
            pass
        assert caught.value.holder
        assert caught.value.holder in caught.value.detail

    def test_a_lock_is_let_go_whatever_happens(self, store: StateStore, opener: Opener) -> None:
        with pytest.raises(KeyError), store.lock("apply"):
            raise KeyError
        with opener().lock("apply"):
            pass

    def test_a_lock_is_waited_for(self, store: StateStore, opener: Opener) -> None:
        held, waiting = threading.Event(), threading.Event()

        def hold() -> None:
            with store.lock("apply"):
                held.set()
                waiting.wait(PATIENCE)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(PATIENCE)
        threading.Timer(0.1, waiting.set).start()
        with opener().lock("apply", timeout=PATIENCE):
            assert waiting.is_set()
        holder.join()

    def test_reading_takes_no_lock(self, store: StateStore, opener: Opener) -> None:
        with store.lock("apply"):
            store.begin(new_run(), ())
            assert opener().read().serial == 1

    def test_a_reader_sees_whole_commits(self, store: StateStore, opener: Opener) -> None:
        """Two objects always change together: whoever sees one of them changed sees the other changed too."""
        ended = threading.Event()
        pairs = []

        def read() -> None:
            reader = opener()
            while not ended.is_set():
                pairs.append(tuple(sorted(o.attributes["value"] for o in reader.read().objects.values())))

        with store.lock("apply"):
            store.begin(new_run(), ())
            store.commit([done(0, counter(0)), done(1, counter(0, "other"))])
            reader = threading.Thread(target=read)
            reader.start()
            value = 0
            while len(pairs) < 20 and reader.is_alive():
                value += 1
                store.commit([done(0, counter(value)), done(1, counter(value, "other"))])
                ended.wait(0.002)  # no apply commits without a pause
            ended.set()
            reader.join()
        assert len(pairs) >= 20
        assert all(first == second for first, second in pairs)


class DurableStateConformance(StateConformance):
    """
    For backends that outlive their process. Starts processes, and kills some.

    Attributes:
        turns: that each of eight processes takes at the lock; fewer where that would take too long.
    """

    turns = 20

    def test_a_killed_holder_lets_go(self, opener: Opener) -> None:
        process, answers = _start(_hold_and_wait, opener)
        assert answers.recv() == "held"
        with pytest.raises(StateLocked) as caught, opener().lock("apply"):
            pass
        assert str(process.pid) in caught.value.holder
        process.kill()
        process.join()
        with opener().lock("apply", timeout=PATIENCE):
            assert opener().read().in_doubt == tuple(new_intents(1))

    def test_processes_take_turns(self, opener: Opener) -> None:
        """Eight of them add to one number, each many times; a lost turn would be a lost addition."""
        with (store := opener()).lock("apply"):
            store.begin(new_run(), ())
            store.commit([done(0, counter(0))])
        processes = [_start(_add, opener, self.turns)[0] for _ in range(8)]
        for process in processes:
            process.join(PATIENCE)
        assert [process.exitcode for process in processes] == [0] * 8
        assert opener().read().objects[counter(0).address].attributes == {"value": 8 * self.turns}

    @pytest.mark.parametrize("acknowledged", [1, 2, 3, 5, 8, 13])
    def test_a_writer_killed_in_the_middle_of_commits_loses_none(self, opener: Opener, acknowledged: int) -> None:
        process, answers = _start(_commit_for_ever, opener)
        for _ in range(acknowledged):
            last = answers.recv()
        process.kill()
        process.join()
        while answers.poll():  # what it said before it died
            try:
                last = answers.recv()
            except EOFError:
                break
        snapshot = opener().read()
        first, *others = [object.attributes["value"] for object in snapshot.objects.values()]
        assert first >= last
        assert set(others) == {first}, "a commit is there whole or not at all"
        assert snapshot.serial == first + 1
        with (store := opener()).lock("apply", timeout=PATIENCE):
            store.commit([done(0, counter(0))])


class BackendConformance:
    """What the place of many workspaces' states keeps."""

    @pytest.fixture
    def backend(self) -> StateBackend:
        raise NotImplementedError("a subclass makes one in an empty place")

    def test_a_place_begins_without_workspaces(self, backend: StateBackend) -> None:
        assert list(backend.workspaces()) == []
        assert backend.open(DEFAULT_WORKSPACE).read().lineage == ""
        assert list(backend.workspaces()) == [], "looking makes nothing"

    def test_each_workspace_has_a_state_of_its_own(self, backend: StateBackend) -> None:
        lineages = set()
        for number, name in enumerate(("west", DEFAULT_WORKSPACE, "east-1")):
            with (store := backend.open(name)).lock("apply"):
                lineages.add(store.begin(new_run(), ()))
                store.commit([done(0, counter(number))])
        assert list(backend.workspaces()) == [DEFAULT_WORKSPACE, "east-1", "west"]
        assert len(lineages) == 3
        objects = backend.open("east-1").read().objects
        assert [object.attributes for object in objects.values()] == [{"value": 2}]

    def test_a_lock_is_of_one_workspace(self, backend: StateBackend) -> None:
        with backend.open("east").lock("apply"), backend.open("west").lock("apply"):
            pass

    def test_a_workspace_is_removed_for_good(self, backend: StateBackend) -> None:
        for name in ("east", "west"):
            with (store := backend.open(name)).lock("apply"):
                store.begin(new_run(), new_intents(1))
                store.finish(new_run(), None)
        backend.remove("east")
        backend.remove("no-such-workspace")
        assert list(backend.workspaces()) == ["west"]
        assert backend.open("east").read().lineage == ""
        assert backend.open("east").runs() == ()

    def test_a_workspace_that_is_held_is_not_removed(self, backend: StateBackend) -> None:
        with (store := backend.open("east")).lock("apply"):
            store.begin(new_run(), ())
            with pytest.raises(StateLocked):
                backend.remove("east")
        assert list(backend.workspaces()) == ["east"]


# Other processes


def _start(work: Callable[..., None], *arguments: Any) -> tuple[SpawnProcess, Connection]:
    """A process that does `work`, and what it sends."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(there, *arguments), daemon=True)
    process.start()
    there.close()
    return process, here


def _hold_and_wait(answers: Connection, opener: Opener) -> None:
    with (store := opener()).lock("apply"):
        store.begin(new_run(), new_intents(1))
        answers.send("held")
        threading.Event().wait(PATIENCE)


def _add(answers: Connection, opener: Opener, times: int) -> None:
    for _ in range(times):
        with (store := opener()).lock("apply", timeout=PATIENCE):
            value = store.read().objects[counter(0).address].attributes["value"]
            store.commit([done(0, counter(value + 1))])


def _commit_for_ever(answers: Connection, opener: Opener) -> None:
    with (store := opener()).lock("apply"):
        store.begin(new_run(), ())
        value = 0
        while True:
            value += 1
            store.commit([done(step, counter(value, f"db-{step}")) for step in range(200)])
            answers.send(value)
