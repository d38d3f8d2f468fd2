"""
The array's own rules: what each request does to the file, or why it is refused.

Every function here runs inside a transaction, checks everything before it writes anything, and finds its work done
when it is asked again. What the array cannot know once a request has been queued (its limits and its CHAP secrets are
settings, which the file does not hold) is checked or added by `providers.sandbox.provider` before.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from planner.sdk import (
    AccessPath,
    ActualSnapshot,
    ActualVolume,
    CloneOf,
    Conflict,
    CreateVolume,
    DeletedVolume,
    DeleteVolume,
    Endpoint,
    GrantAccess,
    HostSpec,
    Missing,
    Owner,
    PoolSpec,
    Qos,
    Rejected,
    ResizeVolume,
    RestoreVolume,
    RevokeAccess,
    UpdateQos,
    format_size,
)
from providers.sandbox import policies, pools
from providers.sandbox.database import FIGURES, qos_columns

PORTAL = "127.0.0.1:3260"
"""Nobody listens there: the simulated hosts look targets up in the file."""

LUN = 0
NAME_LENGTH = 64

_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_LENGTH - 1}}}")


@dataclass(frozen=True, slots=True)
class Grant:
    """
    A request for access, and what the target shall ask of those who log in.

    Attributes:
        chap_digest: digest of the volume's CHAP secret; None for no CHAP.
    """

    request: GrantAccess
    chap_digest: str | None


@dataclass(frozen=True, slots=True)
class Delete:
    """
    A request for a delete.

    Attributes:
        keep: seconds for which the volume can be restored.
    """

    request: DeleteVolume
    keep: float


def list_volumes(connection: sqlite3.Connection, identity: str, pool: PoolSpec) -> Iterator[ActualVolume]:
    for row in connection.execute(f"{_SELECT_VOLUME} WHERE pool = ? ORDER BY id", (pools.name_of(pool),)):
        yield _actual(identity, row)


def list_deleted(connection: sqlite3.Connection, identity: str, pool: PoolSpec) -> Iterator[DeletedVolume]:
    for row in connection.execute(
        f"SELECT id, name, size, {FIGURES}, policy, lineage, address, intent, NULL, NULL, until FROM deleted_volume"
        " WHERE pool = ? AND until > ? ORDER BY id",
        (pools.name_of(pool), time.time()),
    ):
        yield DeletedVolume(_actual(identity, row[:-1]), _iso(row[-1]))


def list_snapshots(connection: sqlite3.Connection, pool: PoolSpec) -> Iterator[ActualSnapshot]:
    for key, volume, name, size, created in connection.execute(
        "SELECT snapshot.id, volume, snapshot.name, snapshot.size, created FROM snapshot"
        " JOIN volume ON volume.id = volume WHERE pool = ? ORDER BY snapshot.id",
        (pools.name_of(pool),),
    ):
        yield ActualSnapshot(f"snap-{key}", f"vol-{volume}", name, size, created)


def has_purgeable(connection: sqlite3.Connection) -> bool:
    """There are deleted volumes whose time is over."""
    found = connection.execute("SELECT 1 FROM deleted_volume WHERE until <= ? LIMIT 1", (time.time(),))
    return found.fetchone() is not None


def purge(connection: sqlite3.Connection) -> None:
    """Take away the deleted volumes whose time is over."""
    connection.execute("DELETE FROM deleted_volume WHERE until <= ?", (time.time(),))


def exists(connection: sqlite3.Connection, volume: str) -> bool:
    return connection.execute("SELECT 1 FROM volume WHERE id = ?", (volume_key(volume),)).fetchone() is not None


def create(connection: sqlite3.Connection, identity: str, request: CreateVolume) -> ActualVolume:
    row = connection.execute(f"{_SELECT_VOLUME} WHERE intent = ?", (request.owner.intent,)).fetchone()
    if row is not None:
        return _actual(identity, row)
    if not _NAME.fullmatch(request.name):
        raise Rejected(
            "The volume's name is not allowed",
            f'"{request.name}" must be 1 to {NAME_LENGTH} letters, digits, ".", "_" or "-", and begin with one of the '
            "first two.",
        )
    pool, qos, policy, owner = pools.name_of(request.pool), request.qos, request.policy, request.owner
    if connection.execute("SELECT 1 FROM volume WHERE pool = ? AND name = ?", (pool, request.name)).fetchone():
        raise Conflict("The volume's name is taken", f'Pool "{pool}" has another volume "{request.name}".')
    source = request.source
    if source is not None:
        _check_image(source, request.size)
    if request.clone_of is not None:
        source = _check_copied(connection, request.clone_of, request.size)
    policies.check(connection, policy, qos)
    pools.check_room(connection, request.pool, request.size, qos.min_iops if qos else 0)
    policies.make(connection, policy, qos)
    cursor = connection.execute(
        f"INSERT INTO volume (pool, name, size, {FIGURES}, policy, source,"
        " lineage, address, intent, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(pool, request.name, request.size),
            *qos_columns(qos),
            *(policy, source),
            *(owner.lineage, owner.address, owner.intent),
            json.dumps(dict(request.metadata), sort_keys=True),
        ),
    )
    if policy is not None:
        pools.note_iops(connection, request.pool)
    volume = f"vol-{cursor.lastrowid}"
    return ActualVolume(
        volume, request.name, request.size, qos, iqn(identity, volume), PORTAL, LUN, owner, policy=policy
    )


def resize(connection: sqlite3.Connection, identity: str, request: ResizeVolume) -> ActualVolume:
    key, size, _ = _volume(connection, request.volume)
    if request.size < size:
        raise Rejected(
            "A volume cannot shrink",
            f"{request.volume} has {format_size(size)}, and {format_size(request.size)} is less.",
        )
    if request.size > size:
        pools.check_room(connection, request.pool, request.size - size, 0)
        connection.execute("UPDATE volume SET size = ? WHERE id = ?", (request.size, key))
    return _read(connection, identity, key)


def update_qos(connection: sqlite3.Connection, identity: str, request: UpdateQos) -> ActualVolume:
    key, _, floor = _volume(connection, request.volume)
    policies.check(connection, request.policy, request.qos)
    pools.check_room(connection, request.pool, 0, (request.qos.min_iops if request.qos else 0) - floor)
    policies.make(connection, request.policy, request.qos)
    connection.execute(
        f"UPDATE volume SET ({FIGURES}, policy) = (?, ?, ?, ?, ?) WHERE id = ?",
        (*qos_columns(request.qos), request.policy, key),
    )
    if request.policy is not None:
        pools.note_iops(connection, request.pool)
    return _read(connection, identity, key)


def delete(connection: sqlite3.Connection, identity: str, asked: Delete) -> str | None:
    request = asked.request
    gone = connection.execute("SELECT until FROM deleted_volume WHERE id = ?", (volume_key(request.volume),)).fetchone()
    if gone is not None and not request.purge:
        return _iso(gone[0])
    if gone is not None:
        connection.execute("DELETE FROM deleted_volume WHERE id = ?", (volume_key(request.volume),))
        return None
    key, _, _ = _volume(connection, request.volume)
    row = connection.execute("SELECT host, vm FROM attachment WHERE volume = ?", (key,)).fetchone()
    if row is not None:
        raise Rejected("The volume is in use", f"{request.volume} is attached to {row[1]} on {row[0]}; detach it.")
    row = connection.execute("SELECT endpoint FROM access WHERE volume = ?", (key,)).fetchone()
    if row is not None:
        raise Rejected("The volume is in use", f"{row[0]} has access to {request.volume}; revoke that.")
    until = None if request.purge or not asked.keep else time.time() + asked.keep
    if until is not None:
        connection.execute(
            f"INSERT INTO deleted_volume SELECT id, {_KEPT}, ? FROM volume WHERE id = ?",
            (until, key),
        )
    connection.execute("DELETE FROM volume WHERE id = ?", (key,))
    return None if until is None else _iso(until)


def restore(connection: sqlite3.Connection, identity: str, request: RestoreVolume) -> ActualVolume:
    key = volume_key(request.volume)
    gone = connection.execute(
        "SELECT pool, name, coalesce(min_iops, 0) FROM deleted_volume WHERE id = ?", (key,)
    ).fetchone()
    if gone is None:
        return _read(connection, identity, _volume(connection, request.volume)[0])
    pool, name, floor = gone
    if connection.execute("SELECT 1 FROM volume WHERE pool = ? AND name = ?", (pool, name)).fetchone():
        raise Conflict("The volume's name is taken", f'Pool "{pool}" has another volume "{name}" by now.')
    pools.check_room(connection, request.pool, 0, floor)
    connection.execute(
        f"INSERT INTO volume (id, {_KEPT}) SELECT id, {_KEPT} FROM deleted_volume WHERE id = ?",
        (key,),
    )
    connection.execute("DELETE FROM deleted_volume WHERE id = ?", (key,))
    return _read(connection, identity, key)


def grant(connection: sqlite3.Connection, identity: str, granted: Grant) -> AccessPath:
    request = granted.request
    key, _, _ = _volume(connection, request.volume)
    endpoint = endpoint_name(request.endpoint)
    connection.execute("INSERT INTO access VALUES (?, ?) ON CONFLICT DO NOTHING", (key, endpoint))
    connection.execute("UPDATE volume SET chap_digest = ? WHERE id = ?", (granted.chap_digest, key))
    return AccessPath(
        PORTAL, iqn(identity, request.volume), LUN, request.volume if granted.chap_digest is not None else None
    )


def revoke(connection: sqlite3.Connection, identity: str, request: RevokeAccess) -> None:
    key, _, _ = _volume(connection, request.volume)
    endpoint = endpoint_name(request.endpoint)
    row = connection.execute("SELECT vm FROM attachment WHERE volume = ? AND endpoint = ?", (key, endpoint)).fetchone()
    if row is not None:
        raise Rejected("The volume is in use", f"{row[0]} on {endpoint} has {request.volume}. Detach it first.")
    connection.execute("DELETE FROM access WHERE volume = ? AND endpoint = ?", (key, endpoint))


def endpoint_name(endpoint: Endpoint | HostSpec) -> str:
    """
    The name by which the array lets a host in.

    Raises:
        Rejected: the host has neither an initiator name nor an address.
    """
    address = endpoint.address if isinstance(endpoint, Endpoint) else endpoint.network_address
    name = endpoint.initiator or address
    if name is None:
        raise Rejected(
            "The host cannot be let in",
            f'Host "{endpoint.name}" has neither an initiator name nor an address; give its block one of them.',
        )
    return name


def volume_key(volume: str) -> int:
    """The row's id in a volume's id ("vol-17"); -1, which no row has, in another text."""
    digits = volume.removeprefix("vol-")
    return int(digits) if digits != volume and digits.isdecimal() else -1


def target_key(identity: str, target: str) -> int:
    """The row's id of the volume that is served as IQN `target`; -1 for another array's target."""
    volume = target.removeprefix(iqn(identity, ""))
    return volume_key(volume) if volume != target else -1


def iqn(identity: str, volume: str) -> str:
    return f"iqn.2026-01.test.lunform:sandbox.{identity}:{volume}"


def chap_secret(seed: str, identity: str, volume: str) -> str:
    """16 characters, the most that every initiator takes. It is derived when it is needed, and nowhere stored."""
    return base64.b32encode(hmac.digest(seed.encode(), iqn(identity, volume).encode(), "sha256"))[:16].decode()


def chap_digest(secret: str) -> str:
    """What the file holds of a secret. A secret is random to whoever has not the seed, so it needs no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


_KEPT = f"pool, name, size, {FIGURES}, policy, source, lineage, address, intent, metadata"
"""What a deleted volume keeps of its row, beside its id."""

_SELECT_VOLUME = (
    f"SELECT id, name, size, {FIGURES}, policy, lineage, address, intent, chap_digest,"
    " (SELECT group_concat(endpoint, char(10)) FROM access WHERE volume = volume.id) FROM volume"
)


def _actual(identity: str, row: tuple[Any, ...]) -> ActualVolume:
    key, name, size, min_iops, max_iops, burst_iops, bandwidth, policy, lineage, address, intent, digest, grants = row
    volume = f"vol-{key}"
    return ActualVolume(
        id=volume,
        name=name,
        size=size,
        qos=None if max_iops is None else Qos(min_iops, max_iops, burst_iops, bandwidth),
        iqn=iqn(identity, volume),
        portal=PORTAL,
        lun=LUN,
        owner=None if intent is None else Owner(lineage, address, intent),
        grants=tuple(sorted(grants.split("\n"))) if grants else (),
        chap_username=None if digest is None else volume,
        policy=policy,
    )


def _read(connection: sqlite3.Connection, identity: str, key: int) -> ActualVolume:
    return _actual(identity, connection.execute(f"{_SELECT_VOLUME} WHERE id = ?", (key,)).fetchone())


def _volume(connection: sqlite3.Connection, volume: str) -> tuple[int, int, int]:
    """(row id, bytes, floor) of a volume that must be there."""
    key = volume_key(volume)
    row = connection.execute("SELECT size, coalesce(min_iops, 0) FROM volume WHERE id = ?", (key,)).fetchone()
    if row is None:
        raise Missing("The volume is gone", f"The array has no volume {volume}.")
    return key, row[0], row[1]


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_copied(connection: sqlite3.Connection, clone_of: CloneOf, size: int) -> str:
    """
    The id of what is copied.

    Raises:
        Rejected: it is not there, or does not fit into `size` bytes.
    """
    source, key = clone_of.snapshot or clone_of.volume, volume_key(clone_of.volume)
    if clone_of.snapshot is None:
        row = connection.execute("SELECT size FROM volume WHERE id = ?", (key,)).fetchone()
    else:
        named = "SELECT size FROM snapshot WHERE volume = ? AND 'snap-' || id = ?"
        row = connection.execute(named, (key, clone_of.snapshot)).fetchone()
    if row is None:
        raise Rejected("What is to be copied is not there", f"The array has no {source} of {clone_of.volume}.")
    if row[0] > size:
        raise Rejected(
            "The copy does not fit", f"{source} has {format_size(row[0])}, and the volume {format_size(size)}."
        )
    return source


def _check_image(source: str, size: int) -> None:
    """Raises Rejected when `source` is no file, or one that does not fit into `size` bytes."""
    path = Path(source)
    if not path.is_file():
        raise Rejected("No such image", f'"{source}" is no file that the sandbox can read.')
    if path.stat().st_size > size:
        raise Rejected(
            "The image does not fit",
            f'"{source}" has {format_size(path.stat().st_size)}, and the volume {format_size(size)}.',
        )
