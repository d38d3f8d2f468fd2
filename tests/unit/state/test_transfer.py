"""What may take the place of a state, and what a state leaves behind where it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.addresses import InstanceAddress
from planner.errors import StateError, StateMoved
from planner.state.document import StateDocument, from_text, to_text
from planner.state.model import Intent, OutputValue, RecordedObject, Run
from planner.state.transfer import carry, marked, moved_to, obstacle, push, refuse_moved, unmarked

RUN = Run("run-9", "state push", "2026-01-09T00:00:00Z", "somebody@somewhere:1")


def volume(name: str, size: str = "1GiB", revision: int = 1) -> RecordedObject:
    return RecordedObject(InstanceAddress("volume", name), None, {"size": size}, revision=revision)


def state(*objects: RecordedObject, lineage: str = "ours", serial: int = 5, **more: Any) -> StateDocument:
    return StateDocument(lineage, serial, {object.address: object for object in objects}, **more)


IN_DOUBT = {("run-1", 3): Intent("run-1", 3, "volume.c", {})}
PRESENT = state(volume("a", revision=2), volume("b", revision=3))


@pytest.mark.parametrize(
    ("present", "given"),
    [
        (PRESENT, state(volume("a"), lineage="theirs", serial=9)),
        (PRESENT, state(volume("a"), serial=4)),
        (PRESENT, state(volume("a"), serial=5)),
        (replace(PRESENT, intents=IN_DOUBT), state(volume("a"), serial=6)),
        (marked(PRESENT, RUN, "elsewhere"), state(volume("a"), serial=6)),
    ],
    ids=["another lineage", "older", "as old and different", "forgets steps in doubt", "moved away"],
)
def test_a_push_that_would_lose_something_is_refused_unless_it_is_forced(
    present: StateDocument, given: StateDocument
) -> None:
    with pytest.raises(StateError):
        push(present, given, RUN)
    pushed = push(present, given, RUN, force=True)
    assert pushed.document.serial > max(present.serial, given.serial)
    assert pushed.document.lineage == given.lineage
    assert pushed.document.runs[RUN.id] == RUN
    assert pushed.forgotten == tuple(unmarked(present).intents.values())
    assert not moved_to(pushed.document.intents.values())


def test_only_what_a_push_changes_gets_a_new_revision() -> None:
    pushed = push(PRESENT, state(volume("a", revision=7), volume("b", "2GiB"), volume("c"), serial=8), RUN)
    revisions = {address.name: object.revision for address, object in pushed.document.objects.items()}
    assert revisions == {"a": 2, "b": 9, "c": 9}
    assert [tuple(map(str, part)) for part in (pushed.added, pushed.changed, pushed.removed)] == [
        ("volume.c",),
        ("volume.b",),
        (),
    ]


def test_the_same_state_changes_nothing() -> None:
    assert push(PRESENT, from_text(to_text(PRESENT), "a copy"), RUN).document is PRESENT


def test_a_pushed_output_that_is_sensitive_loses_its_value() -> None:
    given = replace(PRESENT, serial=6, outputs={"password": OutputValue("hunter2", True)})
    assert push(PRESENT, given, RUN).document.outputs == {"password": OutputValue(None, True)}


def test_a_state_never_written_is_not_pushed() -> None:
    with pytest.raises(StateError):
        push(PRESENT, StateDocument(), RUN, force=True)


def test_a_state_is_carried_as_it_is_and_what_stays_behind_says_where_it_went() -> None:
    here = replace(PRESENT, intents=IN_DOUBT)
    there = carry(here, StateDocument(), RUN)
    assert there == here
    left = from_text(to_text(marked(here, RUN, "the new place")), "the old place")
    assert unmarked(left) == here
    with pytest.raises(StateMoved, match="moved"):
        refuse_moved(left.intents.values())
    refuse_moved(here.intents.values())


def later(document: StateDocument) -> StateDocument:
    return replace(document, serial=document.serial + 3, objects={**document.objects, **state(volume("z")).objects})


LEFT = marked(PRESENT, RUN, "there")


@pytest.mark.parametrize(
    ("here", "there", "in_the_way", "stored"),
    [
        (PRESENT, StateDocument(), False, lambda new: new == PRESENT),
        (PRESENT, PRESENT, False, lambda new: new is None),
        (LEFT, later(PRESENT), False, lambda new: new is None),
        (later(PRESENT), LEFT, False, lambda new: new == later(PRESENT)),
        (PRESENT, StateDocument("new", 2), False, lambda new: new == PRESENT),
        (PRESENT, state(volume("x"), lineage="theirs"), True, lambda new: new == PRESENT),
        (PRESENT, later(PRESENT), True, lambda new: new.serial > later(PRESENT).serial),
        (later(PRESENT), PRESENT, False, lambda new: new.objects.keys() == later(PRESENT).objects.keys()),
    ],
    ids=[
        "to an empty place",
        "it is there already",
        "it has gone on from there",
        "back to where it was left",
        "to an empty workspace",
        "another state is there",
        "it has gone on by itself there",
        "to an older copy",
    ],
)
def test_what_is_stored_where_a_state_is_carried_to(
    here: StateDocument, there: StateDocument, in_the_way: bool, stored: Callable[[Any], bool]
) -> None:
    assert bool(obstacle(here, there)) is in_the_way
    assert stored(carry(here, there, RUN))


def test_a_copy_that_stayed_behind_is_carried_nowhere_else() -> None:
    with pytest.raises(StateMoved):
        obstacle(LEFT, StateDocument())
