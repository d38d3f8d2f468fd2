"""
A whole state as one value, for backends that store it in one piece, and for what carries it from one place to another
(`state pull`, `state push`, `init -migrate-state`). The folds below say what each write of a store means.

As JSON, format 1:

    {"lunform_state": 1, "lineage": "...", "serial": 7,
     "objects": [{"address", "provider", "attributes", "dependencies", "revision", "protected"}, ...],
     "outputs": {name: {"value", "sensitive"}},
     "runs": [{"id", "operation", "started", "who", "finished", "summary", "sources", "variables"}, ...],
     "intents": [{"run", "step", "address", "payload", "job", "begun"}, ...],
     "outcomes": [{"run", "step", "address", "status", "error", "verb"}, ...]}
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from planner.addresses import InstanceAddress, parse_instance, parse_provider
from planner.errors import ForeignState, NewerState, StateError
from planner.state.model import Intent, Origin, Outcome, OutputValue, RecordedObject, Run, Snapshot
from planner.state.text import decode, encode

FORMAT = 1

HISTORY = 10
"""Runs whose outcomes and origins a document keeps: it is written as a whole, and must not grow for ever."""

StepKey = tuple[str, int]
"""A run's id and the number of one of its steps."""


@dataclass(frozen=True, slots=True)
class StateDocument:
    """
    Attributes:
        runs: by id, oldest first.
        intents: those that are in doubt.
        begun: intents with an outcome that is "pending" or "unknown".
        outcomes: what became of each step, for the history; without objects and jobs.
        origins: by run.
    """

    lineage: str = ""
    serial: int = 0
    objects: Mapping[InstanceAddress, RecordedObject] = field(default_factory=dict)
    outputs: Mapping[str, OutputValue] = field(default_factory=dict)
    runs: Mapping[str, Run] = field(default_factory=dict)
    intents: Mapping[StepKey, Intent] = field(default_factory=dict)
    begun: frozenset[StepKey] = frozenset()
    outcomes: Mapping[StepKey, Outcome] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        return Snapshot(
            lineage=self.lineage,
            serial=self.serial,
            objects=dict(self.objects),
            outputs=dict(self.outputs),
            in_doubt=tuple(self.intents.values()),
        )

    def outcomes_of(self, run: str) -> tuple[Outcome, ...]:
        """By the numbers of their steps."""
        return tuple(outcome for key, outcome in sorted(self.outcomes.items()) if key[0] == run)


# The folds


def begin(document: StateDocument, run: Run, intents: Sequence[Intent], origin: Origin | None = None) -> StateDocument:
    """
    Raises:
        StateError: a run of this id was begun before.
    """
    if run.id in document.runs:
        raise StateError("The state knows this run already", f'"{run.id}" was begun before.')
    return replace(
        document,
        lineage=document.lineage or uuid.uuid4().hex,
        serial=document.serial + 1,
        runs={**document.runs, run.id: run},
        intents={**document.intents, **{(intent.run, intent.step): intent for intent in intents}},
        origins=document.origins if origin is None else {**document.origins, run.id: origin},
    )


def commit(document: StateDocument, outcomes: Sequence[Outcome]) -> StateDocument:
    """
    Raises:
        StateError: a run was not begun.
    """
    serial, begun = document.serial + 1, set(document.begun)
    objects, intents, ended = dict(document.objects), dict(document.intents), dict(document.outcomes)
    for outcome in outcomes:
        if outcome.run not in document.runs:
            raise StateError("The state knows no such run", f'Run "{outcome.run}" was not begun.')
        key = (outcome.run, outcome.step)
        ended[key] = replace(outcome, object=None, removed=False, job="")
        if outcome.status in ("done", "failed"):
            intents.pop(key, None)
            begun.discard(key)
        elif key in intents:
            intents[key] = replace(intents[key], job=outcome.job)
            begun.add(key)
        if outcome.removed:
            objects.pop(outcome.address, None)
        if outcome.object is not None:
            objects[outcome.object.address] = replace(outcome.object, revision=serial)
    return replace(document, serial=serial, objects=objects, intents=intents, begun=frozenset(begun), outcomes=ended)


def finish(document: StateDocument, run: Run, outputs: Mapping[str, OutputValue] | None) -> StateDocument:
    kept = set(list(document.runs)[-HISTORY:])
    if outputs is not None:
        outputs = {
            name: OutputValue(None, True) if output.sensitive else output for name, output in sorted(outputs.items())
        }
    return replace(
        document,
        serial=document.serial + 1,
        outputs=document.outputs if outputs is None else outputs,
        runs={**document.runs, run.id: run},
        intents={key: intent for key, intent in document.intents.items() if key[0] != run.id or key in document.begun},
        outcomes={key: outcome for key, outcome in document.outcomes.items() if key[0] in kept},
        origins={id: origin for id, origin in document.origins.items() if id in kept},
    )


# Document <-> JSON


def to_text(document: StateDocument) -> str:
    """Canonical JSON: equal documents give equal texts."""
    return Texts().of(document)


class Texts:
    """Writes documents of which each is mostly the one before: what has not changed since is not encoded again."""

    def __init__(self) -> None:
        self._known: dict[Any, tuple[object, str]] = {}

    def of(self, document: StateDocument) -> str:
        """As `to_text`."""
        before, self._known = self._known, {}

        def text(key: Any, item: object, to_json: Callable[[Any], object]) -> str:
            known = before.get(key)
            if known is None or known[0] is not item:
                known = (item, encode(to_json(item)))
            self._known[key] = known
            return known[1]

        objects = [
            text(address, object, _object_json)
            for address, object in sorted(document.objects.items(), key=lambda item: item[0].order)
        ]
        intents = [
            text((key, True), intent, _begun_json)
            if key in document.begun
            else text((key, False), intent, _intent_json)
            for key, intent in document.intents.items()
        ]
        outcomes = [
            text(key, outcome, _outcome_json)
            for key, outcome in sorted(document.outcomes.items(), key=lambda item: item[0])
        ]
        runs = [encode(_run_json(run, document.origins.get(run.id))) for run in document.runs.values()]
        outputs = {
            name: {"value": output.value, "sensitive": output.sensitive} for name, output in document.outputs.items()
        }
        parts = {
            "lunform_state": encode(FORMAT),
            "lineage": encode(document.lineage),
            "serial": encode(document.serial),
            "objects": f"[{','.join(objects)}]",
            "outputs": encode(outputs),
            "runs": f"[{','.join(runs)}]",
            "intents": f"[{','.join(intents)}]",
            "outcomes": f"[{','.join(outcomes)}]",
        }
        return f"{{{','.join(f'{encode(name)}:{part}' for name, part in sorted(parts.items()))}}}"


def from_text(text: str, where: str) -> StateDocument:
    """
    Args:
        where: names the place of the text in messages.

    Raises:
        ForeignState: it is not a state, or damaged.
        NewerState: this Lunform does not know its format.
    """
    try:
        data = decode(text)
    except ValueError as error:
        raise foreign(where, f"is no JSON ({error})") from error
    version = data.get("lunform_state") if isinstance(data, dict) else None
    if type(version) is not int or version < 1:
        raise foreign(where, "is of another kind")
    if version > FORMAT:
        raise newer(where, version, FORMAT)
    try:
        return _from_json(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise foreign(where, f"is damaged ({type(error).__name__}: {error})") from error


def _from_json(data: Mapping[str, Any]) -> StateDocument:
    objects = [_object_from(item) for item in data["objects"]]
    intents = {
        (item["run"], item["step"]): Intent(item["run"], item["step"], item["address"], item["payload"], item["job"])
        for item in data["intents"]
    }
    return StateDocument(
        lineage=_text(data["lineage"]),
        serial=int(data["serial"]),
        objects={object.address: object for object in objects},
        outputs={
            name: OutputValue(output["value"], bool(output["sensitive"])) for name, output in data["outputs"].items()
        },
        runs={item["id"]: _run_from(item) for item in data["runs"]},
        intents=intents,
        begun=frozenset((item["run"], item["step"]) for item in data["intents"] if item["begun"]),
        outcomes={
            (item["run"], item["step"]): Outcome(
                item["run"],
                item["step"],
                parse_instance(item["address"]),
                item["status"],
                item["error"],
                verb=item["verb"],
            )
            for item in data["outcomes"]
        },
        origins={
            item["id"]: Origin(item["sources"], item["variables"])
            for item in data["runs"]
            if item["sources"] is not None
        },
    )


def _object_json(object: RecordedObject) -> dict[str, Any]:
    return {
        "address": str(object.address),
        "provider": str(object.provider) if object.provider else None,
        "attributes": object.attributes,
        "dependencies": [str(address) for address in object.dependencies],
        "revision": object.revision,
        "protected": object.protected,
    }


def _object_from(data: Mapping[str, Any]) -> RecordedObject:
    return RecordedObject(
        address=parse_instance(data["address"]),
        provider=parse_provider(data["provider"]) if data["provider"] else None,
        attributes=dict(data["attributes"]),
        dependencies=tuple(parse_instance(address) for address in data["dependencies"]),
        revision=int(data["revision"]),
        protected=bool(data["protected"]),
    )


def _intent_json(intent: Intent, begun: bool = False) -> dict[str, Any]:
    return {
        "run": intent.run,
        "step": intent.step,
        "address": intent.address,
        "payload": intent.payload,
        "job": intent.job,
        "begun": begun,
    }


_begun_json = partial(_intent_json, begun=True)


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "run": outcome.run,
        "step": outcome.step,
        "address": str(outcome.address),
        "status": outcome.status,
        "error": outcome.error,
        "verb": outcome.verb,
    }


def _run_json(run: Run, origin: Origin | None) -> dict[str, Any]:
    return {
        "id": run.id,
        "operation": run.operation,
        "started": run.started,
        "who": run.who,
        "finished": run.finished,
        "summary": run.summary,
        "sources": None if origin is None else origin.sources,
        "variables": {} if origin is None else origin.variables,
    }


def _run_from(data: Mapping[str, Any]) -> Run:
    return Run(data["id"], data["operation"], data["started"], data["who"], data["finished"], data["summary"])


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


# What every backend says of a place that does not hold a state


def foreign(where: str, what: str) -> ForeignState:
    return ForeignState(
        "Not a Lunform state",
        f"{where} {what}. It was not touched. Restore it from a copy, or move it away if nothing is recorded in it.",
    )


def newer(where: str, version: int, known: int) -> NewerState:
    return NewerState(
        "The state was written by a newer Lunform",
        f"{where} has state format {version}; this Lunform knows formats up to {known}. "
        "Use the newer Lunform. It was not touched.",
    )
