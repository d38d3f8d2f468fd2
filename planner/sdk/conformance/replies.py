"""What the suites of both kinds do with answers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

from planner.sdk.errors import OutcomeUnknown, Retryable, Unreachable
from planner.sdk.storage import Done, Owner, Pending, Reply

T = TypeVar("T")


class Polled(Protocol):
    """What both kinds of provider have."""

    def poll(self, job: str) -> Reply[Any]: ...


def finish(provider: Polled, reply: Reply[T], deadline: float = 60.0) -> T:
    """
    The value of a reply, polled for as the provider asks when it is pending.

    Fails the test when that takes longer than `deadline` seconds.
    """
    end = time.monotonic() + deadline
    while isinstance(reply, Pending):
        assert isinstance(reply.job, str), "a job is plain text, for another process to poll"
        assert reply.job.isprintable()
        assert reply.poll_after >= 0
        assert time.monotonic() < end, f"{reply.job} was not done within {deadline} s"
        time.sleep(reply.poll_after)
        reply = provider.poll(reply.job)
    assert isinstance(reply, Done)
    return reply.value


def new_owner(address: str = 'volume.db["wal"]', lineage: str = "f3b0c442-98fc-1c14-9afb-f4c8996fb924") -> Owner:
    """The owner of an object about to be made: its intent is new."""
    return Owner(lineage, address, secrets.token_hex(8))


def answers_of_equal_calls(call: Callable[[], T], threads: int) -> list[T]:
    """
    What several threads get that make the same call at once.

    One of several equal calls may be told to come again or to look; at least one has to succeed.
    """

    def answer(_: int) -> T | None:
        try:
            return call()
        except (Retryable, OutcomeUnknown, Unreachable):
            return None

    with ThreadPoolExecutor(threads) as pool:
        answers = [answer for answer in pool.map(answer, range(threads)) if answer is not None]
    assert answers
    return answers
