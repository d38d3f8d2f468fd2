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
    PoolStatus,
    Qos,
    Rejected,
    ResizeVolume,
    RevokeAccess,
    UpdateQos,
    format_size,
    parse_size,
)

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


def pool_status(connection: sqlite3.Connection, pool: PoolSpec) -> PoolStatus:
    capacity, capacity_iops = _pool_limits(pool)
    used, floors = _pool_sums(connection, pool)
    return PoolStatus(capacity, used, capacity_iops, floors, identity=_pool_name(pool))


def list_volumes(connection: sqlite3.Connection, identity: str, pool: PoolSpec) -> Iterator[ActualVolume]:
    for row in connection.execute(f"{_SELECT_VOLUME} WHERE pool = ? ORDER BY id", (_pool_name(pool),)):
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
    pool, qos, owner = _pool_name(request.pool), request.qos, request.owner
    if connection.execute("SELECT 1 FROM volume WHERE pool = ? AND name = ?", (pool, request.name)).fetchone():
        raise Conflict("The volume's name is taken", f'Pool "{pool}" has another volume "{request.name}".')
    _check_room(connection, request.pool, request.size, qos.min_iops if qos else 0)
    cursor = connection.execute(
        "INSERT INTO volume (pool, name, size, min_iops, max_iops, burst_iops, lineage, address, intent, metadata)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(pool, request.name, request.size),
            *_qos_columns(qos),
            *(owner.lineage, owner.address, owner.intent),
            json.dumps(dict(request.metadata), sort_keys=True),
        ),
    )
    volume = f"vol-{cursor.lastrowid}"
    return ActualVolume(volume, request.name, request.size, qos, iqn(identity, volume), PORTAL, LUN, owner)


def resize(connection: sqlite3.Connection, identity: str, request: ResizeVolume) -> ActualVolume:
    key, size, _ = _volume(connection, request.volume)
    if request.size < size:
        raise Rejected(
            "A volume cannot shrink",
            f"{request.volume} has {format_size(size)}, and {format_size(request.size)} is less.",
        )
    if request.size > size:
        _check_room(connection, request.pool, request.size - size, 0)
        connection.execute("UPDATE volume SET size = ? WHERE id = ?", (request.size, key))
    return _read(connection, identity, key)


def update_qos(connection: sqlite3.Connection, identity: str, request: UpdateQos) -> ActualVolume:
    key, _, floor = _volume(connection, request.volume)
    _check_room(connection, request.pool, 0, (request.qos.min_iops if request.qos else 0) - floor)
    connection.execute(
        "UPDATE volume SET min_iops = ?, max_iops = ?, burst_iops = ? WHERE id = ?", (*_qos_columns(request.qos), key)
    )
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
    "SELECT id, name, size, min_iops, max_iops, burst_iops, lineage, address, intent, chap_digest,"
    " (SELECT group_concat(endpoint, char(10)) FROM access WHERE volume = volume.id) FROM volume"
)


def _actual(identity: str, row: tuple[Any, ...]) -> ActualVolume:
    key, name, size, min_iops, max_iops, burst_iops, lineage, address, intent, digest, grants = row
    volume = f"vol-{key}"
    return ActualVolume(
        id=volume,
        name=name,
        size=size,
        qos=None if max_iops is None else Qos(min_iops, max_iops, burst_iops),
        iqn=iqn(identity, volume),
        portal=PORTAL,
        lun=LUN,
        owner=None if intent is None else Owner(lineage, address, intent),
        grants=tuple(sorted(grants.split("\n"))) if grants else (),
        chap_username=None if digest is None else volume,
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


def _qos_columns(qos: Qos | None) -> tuple[int | None, int | None, int | None]:
    return (None, None, None) if qos is None else (qos.min_iops, qos.max_iops, qos.burst_iops)


def _pool_name(pool: PoolSpec) -> str:
    return pool.arguments.get("name") or pool.address


def _pool_limits(pool: PoolSpec) -> tuple[int | None, int | None]:
    """(bytes, IOPS) that the pool has; None for no limit."""
    size, iops = pool.arguments.get("size"), pool.arguments.get("iops")
    return None if size is None else parse_size(size), None if iops is None else int(iops)


def _pool_sums(connection: sqlite3.Connection, pool: PoolSpec) -> tuple[int, int]:
    """(bytes, floors) of the pool's volumes. A pool that holds none yet is not there, and is empty."""
    row = connection.execute("SELECT used, floors FROM pool WHERE name = ?", (_pool_name(pool),)).fetchone()
    return (0, 0) if row is None else (row[0], row[1])


def _check_room(connection: sqlite3.Connection, pool: PoolSpec, size: int, floor: int) -> None:
    """Raises Rejected when the pool has not `size` more bytes, or cannot hold `floor` more guaranteed IOPS."""
    capacity, capacity_iops = _pool_limits(pool)
    used, floors = _pool_sums(connection, pool)
    if capacity is not None and size > 0 and used + size > capacity:
        raise Rejected(
            "The pool has not enough space",
            f'Pool "{_pool_name(pool)}" has {format_size(max(0, capacity - used))} of {format_size(capacity)} left; '
            f"{format_size(size)} more were asked for.",
        )
    if capacity_iops is not None and floor > 0 and floors + floor > capacity_iops:
        raise Rejected(
            "The pool has not enough IOPS",
            f'Pool "{_pool_name(pool)}" can guarantee {max(0, capacity_iops - floors)} of {capacity_iops} IOPS more; '
            f"{floor} more were asked for.",
        )
