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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.sdk import (
    AccessPath,
    ActualVolume,
    Conflict,
    CreateVolume,
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


def list_volumes(connection: sqlite3.Connection, identity: str, pool: PoolSpec) -> Iterator[ActualVolume]:
    for row in connection.execute(f"{_SELECT_VOLUME} WHERE pool = ? ORDER BY id", (pools.name_of(pool),)):
        yield _actual(identity, row)


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
    if request.source is not None:
        _check_image(request.source, request.size)
    policies.check(connection, policy, qos)
    pools.check_room(connection, request.pool, request.size, qos.min_iops if qos else 0)
    policies.make(connection, policy, qos)
    cursor = connection.execute(
        f"INSERT INTO volume (pool, name, size, {FIGURES}, policy, source,"
        " lineage, address, intent, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(pool, request.name, request.size),
            *qos_columns(qos),
            *(policy, request.source),
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


def delete(connection: sqlite3.Connection, identity: str, request: DeleteVolume) -> None:
    key, _, _ = _volume(connection, request.volume)
    row = connection.execute("SELECT host, vm FROM attachment WHERE volume = ?", (key,)).fetchone()
    if row is not None:
        raise Rejected("The volume is in use", f"{request.volume} is attached to {row[1]} on {row[0]}; detach it.")
    row = connection.execute("SELECT endpoint FROM access WHERE volume = ?", (key,)).fetchone()
    if row is not None:
        raise Rejected("The volume is in use", f"{row[0]} has access to {request.volume}; revoke that.")
    connection.execute("DELETE FROM volume WHERE id = ?", (key,))


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
