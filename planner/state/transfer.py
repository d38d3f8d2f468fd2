"""
When a whole state may take the place of another, and what is stored then: the rules of `state push` and of
`init -migrate-state`. Pure.

A state that was moved to another backend stays where it was, so that nothing is lost, with a mark: a step in doubt that
no run ever ends. Whoever would go on from it looks first at what is in doubt, and is told where the state is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from planner.addresses import InstanceAddress
from planner.errors import StateError, StateMoved
from planner.state.document import StateDocument
from planner.state.model import Intent, OutputValue, RecordedObject, Run

_MOVED_TO = "moved_to"
"""In the payload of the intent that is the mark: where the state is now, in words."""


@dataclass(frozen=True, slots=True)
class Push:
    """
    What a pushed state does to the one that is there.

    Attributes:
        document: what is to be stored; the present one itself where it is the same.
        is_new: it is not.
        forgotten: steps in doubt that the pushed state does not know of.
    """

    document: StateDocument
    is_new: bool
    added: tuple[InstanceAddress, ...] = ()
    changed: tuple[InstanceAddress, ...] = ()
    removed: tuple[InstanceAddress, ...] = ()
    forgotten: tuple[Intent, ...] = ()


def push(present: StateDocument, given: StateDocument, run: Run, *, force: bool = False) -> Push:
    """
    Put `given` in the place of `present`. The serial ends above both, and what changes gets a revision of its own, so
    that no plan which was made before is taken for one of what is there now. The history of both stays.

    Raises:
        StateError: it is of another lineage, older, or as old and different, or it knows nothing of steps in doubt.
            With `force` all that is allowed.
        StateMoved: the state is kept somewhere else by now; allowed with `force`.
    """
    if not given.lineage:
        raise StateError(
            "Nothing is recorded in what is pushed", "It is the state of a workspace that was never applied to."
        )
    if unmarked(present) == unmarked(given) and not moved_to(present.intents.values()):
        return Push(present, is_new=False)
    given = unmarked(given)
    forgotten = tuple(intent for key, intent in unmarked(present).intents.items() if key not in given.intents)
    if not force:
        refuse_moved(present.intents.values())
        _refuse_unrelated(present, given, forgotten)
    serial = max(present.serial, given.serial) + 1
    objects = {
        address: _as_it_was(object, present.objects.get(address)) or replace(object, revision=serial)
        for address, object in given.objects.items()
    }
    stored = replace(
        given,
        serial=serial,
        objects=objects,
        outputs={name: OutputValue(None, True) if o.sensitive else o for name, o in given.outputs.items()},
        runs=_in_order({**given.runs, **unmarked(present).runs, run.id: run}),
        outcomes={**given.outcomes, **present.outcomes},
        origins={**given.origins, **present.origins},
    )
    return Push(
        document=stored,
        is_new=True,
        added=tuple(sorted(objects.keys() - present.objects.keys())),
        changed=tuple(
            sorted(at for at in objects.keys() & present.objects.keys() if objects[at] != present.objects[at])
        ),
        removed=tuple(sorted(present.objects.keys() - objects.keys())),
        forgotten=forgotten,
    )


def obstacle(source: StateDocument, target: StateDocument) -> str:
    """
    Why a state may not simply be carried to where `target` is, as a sentence; empty where it may.

    Raises:
        StateMoved: `source` was left for another place than that.
    """
    mine, theirs = unmarked(source), unmarked(target)
    if _has_it(source, target):
        return ""
    refuse_moved(source.intents.values())
    if not (theirs.objects or theirs.outputs or theirs.intents or theirs.lineage == mine.lineage):
        return ""
    count = f"{len(theirs.objects)} object{'' if len(theirs.objects) == 1 else 's'}"
    if theirs.lineage != mine.lineage:
        return f"another state is there, with {count} recorded, which would be lost"
    if theirs.serial < mine.serial or (theirs.serial == mine.serial and moved_to(target.intents.values())):
        return ""
    return f"the state there has gone on by itself to serial {theirs.serial}, with {count} recorded"


def carry(source: StateDocument, target: StateDocument, run: Run) -> StateDocument | None:
    """What is to be stored where `target` is, obstacle or not; None where it has the state already."""
    if _has_it(source, target):
        return None
    content = unmarked(source)
    went_on_from_it = moved_to(target.intents.values()) and target.serial <= content.serial
    if target.lineage != content.lineage or went_on_from_it:
        return content  # no plan is left that could take a revision for another one: the copy is exact
    return push(target, content, run, force=True).document


def _has_it(source: StateDocument, target: StateDocument) -> bool:
    """The same, or one that has gone on from `source`, which was left for it."""
    if source.lineage != target.lineage or moved_to(target.intents.values()):
        return False
    return unmarked(source) == target or bool(moved_to(source.intents.values()))


# The mark


def marked(document: StateDocument, run: Run, to: str) -> StateDocument:
    """
    `document` as it stays behind.

    Args:
        run: the one that moved it.
        to: where it is now, in words.
    """
    document, key = unmarked(document), (run.id, 0)
    return replace(
        document,
        runs={**document.runs, run.id: run},
        intents={**document.intents, key: Intent(run.id, 0, "", {_MOVED_TO: to})},
        begun=document.begun | {key},
    )


def unmarked(document: StateDocument) -> StateDocument:
    """`document` as it was before it was left for another place; itself where it never was."""
    marks = {key for key, intent in document.intents.items() if _MOVED_TO in intent.payload}
    if not marks:
        return document
    runs = {run for run, _ in marks}
    return replace(
        document,
        runs={id: run for id, run in document.runs.items() if id not in runs},
        intents={key: intent for key, intent in document.intents.items() if key not in marks},
        begun=document.begun - marks,
    )


def moved_to(in_doubt: Iterable[Intent]) -> str:
    """Where the state is now, in words; empty where it is where it was read."""
    return next((str(intent.payload[_MOVED_TO]) for intent in in_doubt if _MOVED_TO in intent.payload), "")


def refuse_moved(in_doubt: Iterable[Intent]) -> None:
    """
    Raises:
        StateMoved: the state is kept somewhere else by now.
    """
    where = moved_to(in_doubt)
    if where:
        raise StateMoved(
            "The state was moved",
            f"It was moved to {where}, and what is here is the copy that stayed behind. Bring the configuration up to"
            " date and run: lunform init -reconfigure. If you mean to go on from the copy:"
            " lunform state pull > copy.json, then lunform state push -force copy.json",
        )


# Pieces of a push


def _refuse_unrelated(present: StateDocument, given: StateDocument, forgotten: tuple[Intent, ...]) -> None:
    force = "If that is meant, add -force."
    if present.lineage and present.lineage != given.lineage:
        raise StateError(
            "The state is another one",
            f"What is pushed has the lineage {given.lineage}, and what is there has {present.lineage}, with"
            f" {len(present.objects)} recorded: they are not two ages of one state. {force}",
        )
    if given.serial < present.serial:
        raise StateError(
            "The state that is there is newer",
            f"It has serial {present.serial}, and what is pushed has {given.serial}: what was recorded since would be"
            f" lost. {force}",
        )
    if given.serial == present.serial:
        raise StateError(
            "The state that is there is another one of the same age",
            f"Both have serial {present.serial}, with different content. If you have changed it by hand, raise its"
            f" serial. {force}",
        )
    if forgotten:
        steps = ", ".join(sorted({intent.address for intent in forgotten}))
        raise StateError(
            "Steps in doubt would be forgotten",
            f"A killed run may have changed {steps}, and what is pushed knows nothing of it. Find out first, with:"
            f" lunform apply. {force}",
        )


def _as_it_was(object: RecordedObject, before: RecordedObject | None) -> RecordedObject | None:
    """`before`, where `object` is the same but for its revision."""
    return before if before is not None and replace(object, revision=before.revision) == before else None


def _in_order(runs: Mapping[str, Run]) -> dict[str, Run]:
    return {run.id: run for run in sorted(runs.values(), key=lambda run: run.started)}
