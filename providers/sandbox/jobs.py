"""
Changes, and those that take their time.

A change that takes its time is a row in the file: what was asked, when it is due, and its answer once it has one. It
takes effect by itself: whichever call, of whatever process, comes first after its time carries out what is due before
doing anything else. So a killed client's jobs go on, as they would on an array.

What a change makes is listed from the start, and only the answer takes its time: a killed client must find it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from planner.sdk import (
    AccessPath,
    ActualVm,
    ActualVolume,
    Attach,
    Attachment,
    CloneOf,
    Conflict,
    CreateVm,
    CreateVolume,
    DeleteVm,
    DeleteVolume,
    Detach,
    Done,
    Endpoint,
    GrantAccess,
    HostSpec,
    Missing,
    Owner,
    Pending,
    PoolSpec,
    ProviderError,
    Qos,
    QosPolicy,
    Rejected,
    Reply,
    ResizeVolume,
    RestoreVolume,
    RevokeAccess,
    SetPower,
    UpdateAttachment,
    UpdatePolicy,
    UpdateQos,
    UpdateVm,
)
from providers.sandbox import array, hypervisor, policies, vms

Change = (
    CreateVolume
    | ResizeVolume
    | UpdateQos
    | UpdatePolicy
    | array.Delete
    | RestoreVolume
    | array.Grant
    | RevokeAccess
    | Attach
    | UpdateAttachment
    | Detach
    | CreateVm
    | UpdateVm
    | SetPower
    | DeleteVm
)

_EFFECTS: Mapping[type, Callable[[sqlite3.Connection, str, Any], Any]] = {
    CreateVolume: array.create,
    ResizeVolume: array.resize,
    UpdateQos: array.update_qos,
    UpdatePolicy: policies.update,
    array.Delete: array.delete,
    RestoreVolume: array.restore,
    array.Grant: array.grant,
    RevokeAccess: array.revoke,
    Attach: hypervisor.attach,
    UpdateAttachment: hypervisor.update_attachment,
    Detach: hypervisor.detach,
    CreateVm: vms.create,
    UpdateVm: vms.update,
    SetPower: vms.set_power,
    DeleteVm: vms.delete,
}

_MAKING = (CreateVolume, array.Grant, Attach, CreateVm)


def change(connection: sqlite3.Connection, identity: str, request: Change, after: float) -> Reply[Any]:
    """
    Carry a change out, or queue it to take effect in `after` seconds where that is more than 0.

    What is refused now is refused at once. What has come in between is met when the job is due, and told by `poll`.
    """
    if after <= 0:
        return Done(_EFFECTS[type(request)](connection, identity, request))
    connection.execute("SAVEPOINT trial")
    value = _EFFECTS[type(request)](connection, identity, request)
    answer = _dump({"value": value}) if isinstance(request, _MAKING) else None
    if answer is None:
        connection.execute("ROLLBACK TO trial")
    cursor = connection.execute(
        "INSERT INTO job (request, due, answer) VALUES (?, ?, ?)", (_dump(request), time.time() + after, answer)
    )
    return Pending(job=f"job-{cursor.lastrowid}", poll_after=after)


def has_due(connection: sqlite3.Connection) -> bool:
    """There are jobs whose time has come, or deleted volumes whose time is over, and nobody has carried that out."""
    if array.has_purgeable(connection):
        return True
    return connection.execute(f"SELECT 1 {_DUE} LIMIT 1", (time.time(),)).fetchone() is not None


def settle(connection: sqlite3.Connection, identity: str) -> None:
    """Carry out what is due, in the order of its time."""
    array.purge(connection)
    for key, text in connection.execute(f"SELECT id, request {_DUE} ORDER BY due, id", (time.time(),)).fetchall():
        request = _load(text)
        try:
            answer = {"value": _EFFECTS[type(request)](connection, identity, request)}
        except (Rejected, Conflict, Missing) as error:
            answer = {"error": type(error).__name__, "summary": str(error), "detail": error.detail}
        connection.execute("UPDATE job SET answer = ? WHERE id = ?", (_dump(answer), key))


def poll(connection: sqlite3.Connection, job: str) -> Reply[Any]:
    """
    Where a job stands.

    Raises:
        Missing: there is no such job.
        Rejected, Conflict, Missing: what became of it.
    """
    digits = job.removeprefix("job-")
    row = None
    if digits.isdecimal():
        row = connection.execute("SELECT due, answer FROM job WHERE id = ?", (int(digits),)).fetchone()
    if row is None:
        raise Missing("The job is unknown", f'The sandbox has no job "{job}".')
    due, text = row
    if text is None or time.time() < due:
        return Pending(job, max(0.0, due - time.time()))
    answer = _load(text)
    if "error" in answer:
        raise _ERRORS[answer["error"]](answer["summary"], answer["detail"])
    return Done(answer["value"])


_DUE = "FROM job WHERE answer IS NULL AND due <= ?"

_ERRORS: Mapping[str, type[ProviderError]] = {kind.__name__: kind for kind in (Rejected, Conflict, Missing)}

_KIND = "$"
_KINDS: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        *_EFFECTS,
        *(AccessPath, ActualVm, ActualVolume, Attachment, CloneOf, DeleteVolume, Endpoint, GrantAccess, HostSpec),
        *(Owner, PoolSpec, Qos, QosPolicy),
    )
}


def _dump(value: Any) -> str:
    """JSON in which a dataclass is an object with its kind beside its fields."""
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> Any:
    kind: type[Any] = type(value)
    if is_dataclass(kind):
        return {_KIND: kind.__name__} | {name: getattr(value, name) for name in _field_names(kind)}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no plain data. This is a bug in lunform.")


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _load(text: str) -> Any:
    return json.loads(text, object_hook=_object)


def _object(data: dict[str, Any]) -> Any:
    data = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    kind = data.pop(_KIND, None)
    return data if kind is None else _KINDS[kind](**data)
