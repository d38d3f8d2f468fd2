"""
Failures that the configuration asks for, and the switch by which crash tests kill the process at a named point.

A rule names a call, what shall go wrong, on which volumes and how often; how often it has hit is kept in the file, so
that a rule which hits once does so once, however many processes there are.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from functools import cache
from pathlib import Path
from typing import assert_never

from planner.sdk import (
    Attach,
    CreateVm,
    CreateVolume,
    DeleteVm,
    DeleteVolume,
    Detach,
    GrantAccess,
    HostSpec,
    OutcomeUnknown,
    PoolSpec,
    ProviderError,
    Rejected,
    ResizeVolume,
    RestoreVolume,
    Retryable,
    RevokeAccess,
    SetPower,
    Unreachable,
    UpdateAttachment,
    UpdatePolicy,
    UpdateQos,
    UpdateVm,
)
from providers.sandbox import vms
from providers.sandbox.array import target_key, volume_key
from providers.sandbox.database import Database
from providers.sandbox.definition import VERBS, FaultRule

KILL_VARIABLE = "LUNFORM_SANDBOX_KILL"

Subject = (
    PoolSpec
    | HostSpec
    | CreateVolume
    | ResizeVolume
    | UpdateQos
    | UpdatePolicy
    | DeleteVolume
    | RestoreVolume
    | GrantAccess
    | RevokeAccess
    | Attach
    | UpdateAttachment
    | Detach
    | CreateVm
    | UpdateVm
    | SetPower
    | DeleteVm
    | str
    | None
)
"""What a call is about: a request, a pool or host that is read, a volume's id, or nothing that has a name."""


class Faults:
    """The rules of one provider block, in their order; the first that fits a call hits it."""

    def __init__(self, database: Database, rules: Sequence[FaultRule]) -> None:
        self._database = database
        self._rules: dict[str, list[tuple[FaultRule, re.Pattern[str]]]] = defaultdict(list)
        for rule in rules:
            # Only `*` is special: addresses hold brackets, which file name patterns would take for sets.
            pattern = ".*".join(re.escape(part) for part in rule.match.split("*"))
            self._rules[rule.verb].append((rule, re.compile(pattern, re.DOTALL)))

    def claim(self, verb: str, subject: Subject) -> FaultRule | None:
        """The rule that hits this call, counted; None when the call shall succeed."""
        if verb not in self._rules:
            return None

        def hit(connection: sqlite3.Connection) -> FaultRule | None:
            names = tuple(_names(connection, self._database.identity, subject))
            for rule, pattern in self._rules[verb]:
                if any(pattern.fullmatch(name) for name in names) and _count(connection, rule):
                    return rule
            return None

        return self._database.write(hit)


def failure(rule: FaultRule, path: Path) -> ProviderError:
    """What a call to the sandbox at `path` raises when a rule hits it."""
    detail = f'A fault rule of provider "sandbox" on {rule.verb} of "{rule.match}" asks for this.'
    match rule.effect:
        case "refuse":
            return Rejected("The sandbox refuses", detail)
        case "retry":
            return Retryable("The sandbox is busy", detail)
        case "lose":
            return OutcomeUnknown("The sandbox's answer was lost", detail)
        case "unreachable":
            return Unreachable(f"The sandbox {path} cannot be reached", detail)
        case _:
            assert_never(rule.effect)


def _names(connection: sqlite3.Connection, identity: str, subject: Subject) -> Iterator[str]:
    """The names by which a rule may mean what a call is about."""
    match subject:
        case None:
            yield ""
            return
        case PoolSpec() | HostSpec():
            yield subject.address
            return
        case CreateVolume() | CreateVm():
            yield subject.name
            yield subject.owner.address
            return
        case UpdatePolicy():
            yield subject.name
            return
        case UpdateVm() | SetPower() | DeleteVm():
            yield subject.name
            yield from vms.address(connection, subject.host, subject.name)
            return
        case str():
            key = volume_key(subject)
        case UpdateAttachment() | Detach() | Attach():
            key = target_key(identity, subject.path.iqn)
        case ResizeVolume() | UpdateQos() | DeleteVolume() | RestoreVolume() | GrantAccess() | RevokeAccess():
            key = volume_key(subject.volume)
        case _:
            assert_never(subject)
    either = "SELECT id, name, address FROM volume UNION ALL SELECT id, name, address FROM deleted_volume"
    row = connection.execute(f"SELECT name, coalesce(address, '') FROM ({either}) WHERE id = ?", (key,)).fetchone()
    yield from row or ("",)


def _count(connection: sqlite3.Connection, rule: FaultRule) -> bool:
    """Whether the rule has a hit left; it is taken."""
    key = json.dumps(astuple(rule))
    connection.execute("INSERT INTO fault VALUES (?, 0) ON CONFLICT DO NOTHING", (key,))
    cursor = connection.execute(
        "UPDATE fault SET hits = hits + 1 WHERE rule = ? AND (?2 IS NULL OR hits < ?2)", (key, rule.times)
    )
    return cursor.rowcount == 1


@dataclass(slots=True)
class KillSwitch:
    """
    Kills this process at the nth call of a verb: before its effect, or after it and before its answer.

    Attributes:
        point: "before" or "after".
        calls: counts the calls of the verb that reach the point; in C, so that threads need no lock.
    """

    verb: str
    point: str
    call: int
    calls: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def reach(self, verb: str, point: str) -> None:
        if verb == self.verb and point == self.point and next(self.calls) == self.call:
            os.kill(os.getpid(), signal.SIGKILL)


@cache
def kill_switch() -> KillSwitch | None:
    """
    The switch of this process, as LUNFORM_SANDBOX_KILL sets it: "create_async:after:3".

    Raises:
        Rejected: the variable says something else.
    """
    text = os.environ.get(KILL_VARIABLE)
    if not text:
        return None
    match text.split(":"):
        case [verb, "before" | "after" as point, call] if verb in VERBS and call.isdecimal():
            return KillSwitch(verb, point, int(call))
        case _:
            raise Rejected("Invalid kill switch", f'{KILL_VARIABLE} is "{text}", not such as "create_async:after:3".')
