"""
A lease: the lock of a place that cannot see its holder die. It runs out, unless it is renewed.

All times are the server's, in seconds since 1970: what the clocks of the holder and of the others say does not matter.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from planner.state.lock import who

_OURS = "lunform-"
"""How the ids of our leases begin, so that nobody else's lock is taken for one that has run out."""

_DEAD = frozenset("XZ")
"""States of a process in Linux (proc(5)) that does not run any more: dead, and not waited for by its parent."""


@dataclass(frozen=True, slots=True)
class Lease:
    """
    Attributes:
        who: user@host:pid.
        since: when the lock was taken.
        until: when it runs out; None for a lock that does not.
        process: the holder, for others on the same machine; empty where that cannot be told.
    """

    id: str
    who: str
    operation: str
    since: float
    until: float | None
    process: str = ""

    @property
    def is_ours(self) -> bool:
        """It was made by Lunform."""
        return self.id.startswith(_OURS)

    def is_over(self, now: float | None) -> bool:
        """It has run out, or its holder is a process of this machine that is dead. None when the time is not known."""
        return (self.until is not None and now is not None and now >= self.until) or is_dead(self.process)

    def __str__(self) -> str:
        """Who has it and until when, as the end of a sentence and a sentence of its own."""
        end = f"runs out at {_text(self.until)}, unless it is renewed" if self.until else "does not run out by itself"
        since = f" since {_text(self.since)}" if self.since else ""
        return f"{self.operation or 'something'} by {self.who or 'somebody'}{since}. Its lease {self.id} {end}."

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "who": self.who,
            "operation": self.operation,
            "since": _text(self.since),
            "until": None if self.until is None else _text(self.until),
            "process": self.process,
        }


def new_lease(operation: str, now: float, seconds: float) -> Lease:
    """Of this process, for so many seconds."""
    return Lease(_OURS + secrets.token_hex(8), who(), operation, now, now + seconds, this_process())


def lease_from(data: Mapping[str, Any]) -> Lease:
    """
    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    return Lease(
        id=str(data["id"]),
        who=str(data["who"]),
        operation=str(data["operation"]),
        since=seconds_of(data["since"]),
        until=None if data["until"] is None else seconds_of(data["until"]),
        process=str(data["process"]),
    )


def seconds_of(text: str) -> float:
    """Of a time in ISO 8601; ValueError for anything else."""
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# Processes of this machine


def this_process() -> str:
    """
    A name of this process that no other ever has: of this run of the kernel, its namespace of processes, its number
    there, and when it was started. Empty where the system does not tell.
    """
    try:
        _, started = _state_and_start(os.getpid())
        return f"{_surroundings()} {os.getpid()} {started}"
    except (OSError, ValueError, IndexError):
        return ""


def is_dead(process: str) -> bool:
    """Whether a process, named as by `this_process`, is known not to run any more."""
    surroundings, _, rest = process.partition(" ")
    number, _, started = rest.partition(" ")
    with contextlib.suppress(OSError, ValueError, IndexError):
        if not number.isdecimal() or surroundings != _surroundings():
            return False
        try:
            os.kill(int(number), 0)  # /proc may hide the processes of other users, and this does not
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        state, start = _state_and_start(int(number))
        return start != started or state in _DEAD
    return False


def _surroundings() -> str:
    """Where numbers of processes mean the same."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"


def _state_and_start(number: int) -> tuple[str, str]:
    # The name of the program comes before, in brackets, and may hold anything. Fields 3 and 22 of proc(5).
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[19]
