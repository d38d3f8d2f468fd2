"""
Whether a plan's pools can still hold what it adds, asked under the lock and before anything is stored or made: between
plan and apply others may have used them. One read for each pool that gets more, all of them at once.

The state's lock keeps out only those who use the same state. What another state or a person makes between this read
and the last create is left to the array, which refuses what it cannot hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from planner.diagnostics import Diagnostics
from planner.errors import InvalidConfiguration, NoRoom
from planner.planning.plan import Reservation
from planner.planning.refresh import PARALLELISM, Read, read_at_once
from planner.sdk.provider import Providers
from planner.sdk.storage import PoolStatus
from planner.units import approximate_size


def refuse_overcommitted(
    reservations: Sequence[Reservation], providers: Providers, parallelism: int = PARALLELISM
) -> None:
    """
    Args:
        parallelism: pools that are read at once.

    Raises:
        NoRoom: naming each pool, with its figures.
        InvalidConfiguration: a pool cannot be read.
    """
    unread = Diagnostics()
    reads = {item.pool.address: Read(item.provider, partial(_read, item, providers)) for item in reservations}
    found = read_at_once(reads, providers, unread, parallelism)
    if unread.has_errors:
        raise InvalidConfiguration(unread)
    short = {item.pool.address: lacks for item in reservations if (lacks := _lacks(item, found[item.pool.address]))}
    if short:
        raise NoRoom(
            "A pool has no room any more for what the plan adds.",
            "\n".join(
                [
                    "Since the plan was made, others have used what it counts on:",
                    *(f"  {pool}: {what}" for pool, lacks in short.items() for what in lacks),
                    "Nothing was changed. Plan again.",
                ]
            ),
            tuple(short),
        )


def _read(item: Reservation, providers: Providers) -> PoolStatus:
    return providers.storage(item.provider).pool_status(item.pool)


def _lacks(item: Reservation, status: PoolStatus) -> list[str]:
    """In words with figures, what the pool has too little of; empty where the plan fits."""
    lacks = []
    if item.iops_budget is not None and item.floors > 0:
        over = status.floors + item.floors - item.iops_budget
        if over > 0:
            lacks.append(
                f"floors of {item.floors} IOPS are added, and {status.floors} of {item.iops_budget} IOPS are given out"
                f" by now: {over} too many"
            )
    if item.byte_budget is not None and item.bytes > 0:
        over = status.used + item.bytes - item.byte_budget
        if over > 0:
            added, used, budget = map(approximate_size, (item.bytes, status.used, item.byte_budget))
            lacks.append(
                f"{added} are added, and {used} of {budget} are taken by now: {approximate_size(over)} too much"
            )
    return lacks
