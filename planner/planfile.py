"""
The saved plan: one zip file of mode 0600 with the plan as JSON and the configuration that it was made from, so that
what was shown is what runs. It holds no sensitive values; those are read again at apply. Where encryption is asked for,
the file is the sealed text of such a zip file, each of whose bytes is a character.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.addresses import parse_instance, parse_provider
from planner.diagnostics import Source
from planner.errors import PlanFileError
from planner.placement.model import Assignment, Enforcement, Headroom, Rejection
from planner.planning.plan import Action, Change, Drift, OutputChange, Plan, Reservation, TakesEffect
from planner.sdk.storage import PoolSpec
from planner.state.model import OutputValue
from planner.state.store import Cipher, NoCipher
from planner.steps.graph import Step, StepGraph
from planner.values import codec
from planner.values.marks import UNKNOWN, Unknown
from planner.values.numbers import parse_number

FORMAT = 3
_PLAN = "plan.json"
_SOURCES = "configuration/"
_IN_PLAIN = NoCipher()
_UNKNOWN = {"known after apply": True}
"""Stands for Unknown. No attribute looks like this: only metadata has free keys, and its values are texts."""


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """`sources` is the configuration that the plan was made from."""

    plan: Plan
    sources: tuple[Source, ...]


def write(path: Path, plan: Plan, sources: Sequence[Source], cipher: Cipher = _IN_PLAIN) -> None:
    """
    Save a plan: whole, or not at all.

    Raises:
        PlanFileError: the file cannot be written, or the plan is an offline one.
        StateError: the key cannot be had.
    """
    if plan.offline:
        raise PlanFileError("An offline plan is not saved.", "It could not be applied: no system was asked for it.")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_PLAN, _text(_plan_json(plan)))
        for name, text in {source.filename: source.text for source in sources}.items():
            archive.writestr(_SOURCES + name, text)
    sealed = cipher.seal(content.getvalue().decode("latin-1")).encode("latin-1")
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).rename(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise PlanFileError(f"The plan cannot be saved to {path}: {error.strerror}.") from error


def read(path: Path, cipher: Cipher = _IN_PLAIN) -> SavedPlan:
    """
    Raises:
        PlanFileError: there is no such file, it is no plan, it is damaged, or it is of another version.
        StateError: it does not open with the keys that there are, or one of those cannot be had.
    """
    try:
        content = cipher.open(path.read_bytes().decode("latin-1")).encode("latin-1")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            data = json.loads(archive.read(_PLAN), parse_float=parse_number)
            sources = tuple(
                Source(name.removeprefix(_SOURCES), archive.read(name).decode())
                for name in archive.namelist()
                if name.startswith(_SOURCES)
            )
    except FileNotFoundError:
        raise PlanFileError(f"There is no plan file {path}.", "Make one with: lunform plan -out=FILE") from None
    except OSError as error:
        raise PlanFileError(f"The plan file {path} cannot be read: {error.strerror}.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError, NotImplementedError, zlib.error) as error:
        raise PlanFileError(
            f"{path} is not a saved plan, or is damaged.", "Make a new one with: lunform plan -out=FILE"
        ) from error
    version = data.get("format") if isinstance(data, dict) else None
    if version != FORMAT:
        raise PlanFileError(
            f"{path} has plan format {version}, and this Lunform reads format {FORMAT}.",
            "Make the plan with the Lunform that applies it.",
        )
    try:
        return SavedPlan(_plan_from(data), sources)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PlanFileError(f"{path} is damaged.", "Make a new one with: lunform plan -out=FILE") from error


# -- plan <-> JSON --


def _text(data: Any) -> str:
    try:
        return json.dumps(data, sort_keys=True)
    except TypeError:  # a fraction: the language's numbers are exact, and `json` has no exact number but int
        return codec.encode(codec.from_plain(data))


def _encode(value: Any) -> Any:
    if isinstance(value, Unknown):
        return _UNKNOWN
    if isinstance(value, Mapping):
        return {name: _encode(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encode(item) for item in value]
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return UNKNOWN if value == _UNKNOWN else {name: _decode(item) for name, item in value.items()}
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    return value


def _plan_json(plan: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "operation": plan.operation,
        "lineage": plan.lineage,
        "serial": plan.serial,
        "created": plan.created,
        "changes": [_change_json(change) for change in plan.changes],
        "outputs": {
            name: [_output_json(output.before), _output_json(output.after)] for name, output in plan.outputs.items()
        },
        "steps": [_encode(step.to_json()) for step in plan.steps.steps],
        "variables": _encode(plan.variables),
        "reservations": [_reservation_json(item) for item in plan.reservations],
        "targets": list(plan.targets),
        "excludes": list(plan.excludes),
        "workspace": plan.workspace,
    }


def _plan_from(data: Mapping[str, Any]) -> Plan:
    return Plan(
        operation=data["operation"],
        lineage=data["lineage"],
        serial=data["serial"],
        created=data["created"],
        changes=tuple(_change_from(item) for item in data["changes"]),
        outputs={
            name: OutputChange(_output_from(before), _output_from(after))
            for name, (before, after) in data["outputs"].items()
        },
        steps=StepGraph(tuple(Step.from_json(_decode(item)) for item in data["steps"])),
        variables=_decode(data["variables"]),
        reservations=tuple(_reservation_from(item) for item in data["reservations"]),
        targets=tuple(data["targets"]),
        excludes=tuple(data["excludes"]),
        workspace=data["workspace"],
    )


def _change_json(change: Change) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "action": change.action.value,
        "before": _encode(change.before),
        "after": _encode(change.after),
        "provider": str(change.provider) if change.provider else None,
        "reason": change.reason,
        "replace_paths": list(change.replace_paths),
        "drift": [[item.path, _encode(item.recorded), _encode(item.actual)] for item in change.drift],
        "steps": list(change.steps),
        "assignment": _assignment_json(change.assignment) if change.assignment else None,
        "revision": change.revision,
        "holds_data": change.holds_data,
        "previous": str(change.previous) if change.previous else None,
        "importing": change.importing,
        "restoring": change.restoring,
        "restorable": change.restorable,
        "clone_of": dict(change.clone_of) if change.clone_of else None,
        "recorded_anew": change.recorded_anew,
        "create_first": change.create_first,
        "takes_effect": [[item.host, item.vm, item.at_once] for item in change.takes_effect],
    }


def _change_from(data: Mapping[str, Any]) -> Change:
    return Change(
        address=parse_instance(data["address"]),
        action=Action(data["action"]),
        before=_decode(data["before"]),
        after=_decode(data["after"]),
        provider=parse_provider(data["provider"]) if data["provider"] else None,
        reason=data["reason"],
        replace_paths=tuple(data["replace_paths"]),
        drift=tuple(Drift(path, _decode(recorded), _decode(actual)) for path, recorded, actual in data["drift"]),
        steps=tuple(data["steps"]),
        assignment=_assignment_from(data["assignment"]) if data["assignment"] else None,
        revision=data["revision"],
        holds_data=data["holds_data"],
        previous=parse_instance(data["previous"]) if data["previous"] else None,
        importing=data["importing"],
        restoring=data["restoring"],
        restorable=data["restorable"],
        clone_of=data["clone_of"],
        recorded_anew=data["recorded_anew"],
        create_first=data["create_first"],
        takes_effect=tuple(TakesEffect(*item) for item in data["takes_effect"]),
    )


def _assignment_json(assignment: Assignment) -> dict[str, Any]:
    held = assignment.enforcement
    return {
        "pool": assignment.pool,
        "enforcement": [held.floor, held.ceiling, held.burst, held.bandwidth],
        "reason": assignment.reason,
        "rejections": [[item.pool, item.filter, item.reason, dict(item.figures)] for item in assignment.rejections],
        "fitting": [[item.pool, item.iops, item.bytes] for item in assignment.fitting],
    }


def _assignment_from(data: Mapping[str, Any]) -> Assignment:
    return Assignment(
        data["pool"],
        Enforcement(*data["enforcement"]),
        data["reason"],
        tuple(Rejection(*item) for item in data["rejections"]),
        tuple(Headroom(*item) for item in data["fitting"]),
    )


def _reservation_json(item: Reservation) -> dict[str, Any]:
    return {
        "provider": str(item.provider),
        "pool": item.pool.address,
        "pool_arguments": _encode(item.pool.arguments),
        "bytes": item.bytes,
        "floors": item.floors,
        "byte_budget": item.byte_budget,
        "iops_budget": item.iops_budget,
    }


def _reservation_from(data: Mapping[str, Any]) -> Reservation:
    return Reservation(
        provider=parse_provider(data["provider"]),
        pool=PoolSpec(data["pool"], _decode(data["pool_arguments"])),
        bytes=data["bytes"],
        floors=data["floors"],
        byte_budget=data["byte_budget"],
        iops_budget=data["iops_budget"],
    )


def _output_json(output: OutputValue | None) -> Any:
    return None if output is None else [_encode(output.value), output.sensitive]


def _output_from(data: Any) -> OutputValue | None:
    return None if data is None else OutputValue(_decode(data[0]), data[1])
