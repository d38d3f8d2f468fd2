"""The array's pools: what is in them, and what still fits. A pool comes into being with its first volume."""

from __future__ import annotations

import sqlite3

from planner.sdk import PoolSpec, PoolStatus, Rejected, format_size, parse_size


def status(connection: sqlite3.Connection, pool: PoolSpec) -> PoolStatus:
    capacity, capacity_iops = _limits(pool)
    used, floors = _sums(connection, pool)
    return PoolStatus(capacity, used, capacity_iops, floors, identity=name_of(pool))


def name_of(pool: PoolSpec) -> str:
    """What tells pools apart in the file."""
    return pool.arguments.get("name") or pool.address


def check_room(connection: sqlite3.Connection, pool: PoolSpec, size: int, floor: int) -> None:
    """Raises Rejected when the pool has not `size` more bytes, or cannot hold `floor` more guaranteed IOPS."""
    capacity, capacity_iops = _limits(pool)
    used, floors = _sums(connection, pool)
    if capacity is not None and size > 0 and used + size > capacity:
        raise Rejected(
            "The pool has not enough space",
            f'Pool "{name_of(pool)}" has {format_size(max(0, capacity - used))} of {format_size(capacity)} left; '
            f"{format_size(size)} more were asked for.",
        )
    check_floors(name_of(pool), capacity_iops, floors, floor)


def check_floors(pool: str, capacity: int | None, floors: int, more: int) -> None:
    """Raises Rejected when `more` than its `floors` are more IOPS than the pool has the `capacity` to guarantee."""
    if capacity is not None and more > 0 and floors + more > capacity:
        raise Rejected(
            "The pool has not enough IOPS",
            f'Pool "{pool}" can guarantee {max(0, capacity - floors)} of {capacity} IOPS more; '
            f"{more} more were asked for.",
        )


def note_iops(connection: sqlite3.Connection, pool: PoolSpec) -> None:
    """Write down what the pool can guarantee, for `policies.update`, which is about volumes and names no pool."""
    connection.execute(
        "UPDATE pool SET iops = ?2 WHERE name = ?1 AND iops IS NOT ?2", (name_of(pool), _limits(pool)[1])
    )


def _limits(pool: PoolSpec) -> tuple[int | None, int | None]:
    """(bytes, IOPS) that the pool has; None for no limit."""
    size, iops = pool.arguments.get("size"), pool.arguments.get("iops")
    return None if size is None else parse_size(size), None if iops is None else int(iops)


def _sums(connection: sqlite3.Connection, pool: PoolSpec) -> tuple[int, int]:
    """(bytes, floors) of the pool's volumes. A pool that holds none yet is not there, and is empty."""
    row = connection.execute("SELECT used, floors FROM pool WHERE name = ?", (name_of(pool),)).fetchone()
    return (0, 0) if row is None else (row[0], row[1])
