"""
Where a leased state lies, and what lies there: one text, JSON, the state together with the lease of whoever writes it.

    {"lease": {"id", "who", "operation", "since", "until", "process"} or null,
     "lineage": "...", "serial": 12, "state": {...} or "sealed text"}

`serial` counts writings, renewals of the lease among them, so no two texts of a place are the same; it is not the
serial of the state (`planner.state.document`), which is inside. Servers for Terraform's states read these two members.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from planner.errors import ForeignState
from planner.state.lease import Lease, lease_from
from planner.state.text import decode, encode


class Unanswered(Exception):
    """
    No answer, or one that says to come again: the call may have had its effect. `str()` says what was seen; `status`
    is the HTTP status, 0 where there was none.
    """

    def __init__(self, seen: str, status: int = 0) -> None:
        super().__init__(seen)
        self.status = status


class Refused(Exception):
    """
    The place did not take a text, as somebody else has written there or has the lock now. `str()` says what it must
    mean when nobody has.
    """


@dataclass(frozen=True, slots=True)
class Found:
    """
    What a place holds.

    Attributes:
        text: None when there is nothing.
        version: of the text, for the place itself.
        now: the server's time, in seconds since 1970; None when it did not say.
    """

    text: str | None
    version: str
    now: float | None


class Place(Protocol):
    """
    Raises (all methods): Unanswered, and StateError when asking again is no use.

    Attributes:
        name: for messages, without secrets.
    """

    name: str

    def get(self) -> Found: ...

    def put(self, text: str, version: str, lease: str) -> tuple[str, float | None]:
        """
        Put a text in the place of the one of this version, "" for none. Only the holder of the lease may.

        Args:
            lease: its id.

        Returns:
            The new version, and the server's time.

        Raises:
            Refused: another version is there, or somebody else has the lease.
        """
        ...

    def keeps_others_out(self, text: Callable[[], str]) -> bool:
        """
        Whether the place refuses who has lost its lease. It is tried once in a process.

        Args:
            text: what is there, which is written once more.
        """
        ...

    def remove(self, version: str) -> None:
        """Let there be nothing. Raises Refused as `put` does."""
        ...

    def close(self) -> None: ...


class Locks(Protocol):
    """A server's own locks. They never run out; only their ids are known for sure."""

    def take(self, lease: Lease) -> Lease | None:
        """Lock under the lease's id. The answer is who has the lock, as far as it is known, when it is another."""
        ...

    def free(self, id: str) -> None:
        """Unlock. Nothing happens when another lock is held, or none."""
        ...


@dataclass(frozen=True, slots=True)
class Stored:
    """
    A text of a place, taken apart. The state is not looked into, as it may be long.

    Attributes:
        state: sealed; "" when there is nothing.
    """

    version: str = ""
    now: float | None = None
    serial: int = 0
    lineage: str = ""
    lease: Lease | None = None
    state: str = ""

    @property
    def writing(self) -> tuple[int, str]:
        """Which writing made it: its number and by whom. Two that are equal are the same."""
        return self.serial, self.lease.id if self.lease else ""

    def text(self) -> str:
        head = encode(
            {"lease": self.lease.to_json() if self.lease else None, "lineage": self.lineage, "serial": self.serial}
        )
        # A sealed state is no JSON that others may write anew, so it is kept as a string.
        state = self.state if self.state.startswith(_PLAIN) else encode(self.state)
        return f"{head[:-1]}{_STATE}{state}}}"


_STATE = ',"state":'
"""Stands once only in a text that was written above: inside of strings a quote is written with a backslash."""

_PLAIN = '{"intents":'
"""How each document begins, as its first member in alphabetical order."""


def read_stored(found: Found, where: str) -> Stored:
    """
    Raises:
        ForeignState: what lies there is none of ours, or damaged.
    """
    if found.text is None:
        return Stored(found.version, found.now)
    try:
        head, state = _apart(found.text)
        return Stored(
            version=found.version,
            now=found.now,
            serial=int(head["serial"]),
            lineage=str(head["lineage"]),
            lease=None if head["lease"] is None else lease_from(head["lease"]),
            state=state,
        )
    except (KeyError, TypeError, ValueError) as error:
        what = "is empty" if not found.text.strip() else f"is damaged or of another kind ({type(error).__name__})"
        raise ForeignState(
            "Not a Lunform state",
            f"{where} {what}. It was not touched. Restore it from a copy, or remove it if nothing is recorded in it.",
        ) from error


def _apart(text: str) -> tuple[Any, str]:
    """What stands around the state, and the state."""
    head, found, state = text.partition(_STATE)
    if found and state.endswith("}"):
        try:
            return json.loads(head + "}"), json.loads(state[:-1]) if state.startswith('"') else state[:-1]
        except ValueError:
            pass
    # The server keeps the meaning and not the text, as one with JSON in its database does.
    whole = decode(text)
    state = whole["state"]
    return whole, state if isinstance(state, str) else encode(state)
