"""The array's QoS policies: figures under a name, which many volumes share. The same rules hold as for volumes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from planner.sdk import Conflict, Missing, Qos, QosPolicy, Rejected, UpdatePolicy
from providers.sandbox.database import FIGURES, qos_columns
from providers.sandbox.pools import check_floors


def list_policies(connection: sqlite3.Connection) -> Iterator[QosPolicy]:
    for name, *figures in connection.execute(f"SELECT name, {FIGURES} FROM policy ORDER BY name"):
        yield QosPolicy(name, Qos(*figures))


def update(connection: sqlite3.Connection, identity: str, request: UpdatePolicy) -> QosPolicy:
    """All the volumes under it at once, or none: a pool without the room for their floors refuses."""
    figures = qos_columns(request.qos)
    if _figures(connection, request.name) is None:
        raise Missing("The policy is gone", f'The array has no QoS policy "{request.name}".')
    for pool, iops, floors, before, volumes in connection.execute(
        "SELECT pool.name, iops, floors, sum(coalesce(min_iops, 0)), count(*)"
        " FROM volume JOIN pool ON pool.name = volume.pool WHERE policy = ? GROUP BY pool.name",
        (request.name,),
    ).fetchall():
        check_floors(pool, iops, floors, volumes * request.qos.min_iops - before)
    for table, key in (("policy", "name"), ("volume", "policy"), ("deleted_volume", "policy")):
        connection.execute(f"UPDATE {table} SET ({FIGURES}) = (?, ?, ?, ?) WHERE {key} = ?", (*figures, request.name))
    return QosPolicy(request.name, request.qos)


def check(connection: sqlite3.Connection, name: str | None, qos: Qos | None) -> None:
    """
    Whether a volume may get these figures from the policy of that name; None for no policy.

    Raises:
        Rejected: there are no figures.
        Conflict: the policy has others. They are those of other volumes, which nobody asked to change.
    """
    if name is None:
        return
    if qos is None:
        raise Rejected("A policy has figures", f'A volume under QoS policy "{name}" cannot be without any.')
    figures, present = qos_columns(qos), _figures(connection, name)
    if present is not None and present != figures:
        raise Conflict("The policy has other figures", f'QoS policy "{name}" has {present}, not {figures}; update it.')


def make(connection: sqlite3.Connection, name: str | None, qos: Qos | None) -> None:
    """Make what `check` found nothing against, unless it is there."""
    if name is not None:
        connection.execute(
            "INSERT INTO policy VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (name, *qos_columns(qos))
        )


def _figures(connection: sqlite3.Connection, name: str) -> tuple[int, ...] | None:
    """The figures of a policy; None when there is none of that name."""
    row: tuple[int, ...] | None = connection.execute(f"SELECT {FIGURES} FROM policy WHERE name = ?", (name,)).fetchone()
    return row
