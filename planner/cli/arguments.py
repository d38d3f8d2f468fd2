"""
Flags as Terraform users type them: one dash or two, `-flag=value`, booleans bare or with `=true`/`=false`.

click knows none of that by itself, so the words are put into its own form first. What many verbs take is declared
here once, and reaches the verb as one thing: `terminal`, `inputs`, `planning`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from planner.addresses import AddressError, InstanceAddress, parse_instance
from planner.cli.terminal import Terminal
from planner.config.variables import FromCommandLine

if TYPE_CHECKING:
    from planner.planning.builder import PlanRequest

Command = Callable[..., Any]

BOOLEANS = frozenset(
    {
        "-json",
        "-no-color",
        "-input",
        "-refresh",
        "-refresh-only",
        "-destroy",
        "-detailed-exitcode",
        "-explain",
        "-compact-warnings",
        "-auto-approve",
        "-allow-data-loss",
        "-adopt",
        "-reap",
        "-raw",
        "-check",
        "-diff",
        "-list",
        "-lock",
        "-offline",
        "-write",
        "-recursive",
        "-dry-run",
        "-force",
        "-force-copy",
        "-migrate-state",
        "-or-create",
        "-reconfigure",
    }
)
"""All boolean flags of all verbs: known here, since the words are read before the verb's module is imported."""

_FILE = "file:"
"""Marks a -var-file among the -var, whose common order counts. No variable's name holds a colon."""


def normalise(words: Sequence[str]) -> list[str]:
    """
    `--out=x` becomes `-out=x`, `-json` becomes `-json=true`, `-var-file=x` becomes `-var=file:x`, and `-n=5` becomes
    `-n 5`.

    What follows a bare `--` is left alone.
    """
    result: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            return [*result, word, *rest]
        if word.startswith("--"):
            word = word[1:]
        if word in BOOLEANS:
            word += "=true"
        elif word == "-var-file":
            word = f"-var={_FILE}{next(rest, '')}"
        elif word[:1] == "-" and word[2:3] == "=":
            result.append(word[:2])
            word = word[3:]
        elif word.startswith("-var-file="):
            word = f"-var={_FILE}{word.removeprefix('-var-file=')}"
        result.append(word)
    return result


def boolean(name: str, default: bool, help: str) -> Callable[[Command], Command]:
    """A flag that is bare, or has `=true` or `=false`."""
    assert name in BOOLEANS
    return click.option(name, type=bool, default=default, metavar="", help=help)


@dataclass(frozen=True, slots=True)
class Planning:
    """
    Attributes:
        refresh: read what is really there.
        lock_timeout: seconds to wait for the state; None to go without its lock.
        may_ask: a person may be asked, if there is one.
        parallelism: provider calls at once.
    """

    refresh: bool
    lock_timeout: float | None
    may_ask: bool
    parallelism: int

    @property
    def locks(self) -> bool:
        return self.lock_timeout is not None


@dataclass(frozen=True, slots=True)
class Selecting:
    """What a plan is about: as in `PlanRequest`, and one of both is empty."""

    targets: tuple[InstanceAddress, ...] = ()
    excludes: tuple[InstanceAddress, ...] = ()


def takes_terminal(command: Command) -> Command:
    """For every verb that shows something: passes `terminal`."""

    @boolean("-json", False, "Answer in JSON.")
    @boolean("-no-color", False, "No colours.")
    @boolean("-compact-warnings", False, "Show warnings as one line each.")
    @functools.wraps(command)
    def wrapped(*args: Any, json: bool, no_color: bool, compact_warnings: bool, **more: Any) -> Any:
        return command(*args, terminal=Terminal(json, no_color, compact_warnings), **more)

    return wrapped


def takes_inputs(command: Command) -> Command:
    """For every verb that evaluates the configuration: passes `inputs`."""

    @click.option("-var", "given", multiple=True, metavar="NAME=VALUE", help="Give a variable a value.")
    @click.option("-var-file", "_", metavar="FILE", help="Read values from a file. The last value given wins.")
    @functools.wraps(command)
    def wrapped(*args: Any, given: tuple[str, ...], _: Any, **more: Any) -> Any:
        from planner.operations import Inputs

        return command(*args, inputs=Inputs([_given(text) for text in given], dict(os.environ)), **more)

    return wrapped


takes_refresh_only = boolean("-refresh-only", False, "Only record what is there; change nothing on any system.")
"""For the verbs that can leave the configuration's wishes aside."""


def refuse_with_refresh_only(destroy: bool, planning: Planning) -> None:
    """
    Raises:
        click.UsageError: something that is asked for besides contradicts it.
    """
    if destroy:
        raise click.UsageError(
            "-refresh-only records what is there, and -destroy takes it away: they do not go together."
        )
    if not planning.refresh:
        raise click.UsageError("-refresh-only reads what is there, and -refresh=false does not: take one of them away.")


def takes_planning(command: Command) -> Command:
    """For every verb that plans: passes `planning`."""

    @boolean("-refresh", True, "-refresh=false takes what is recorded for what is there.")
    @click.option("-parallelism", type=click.IntRange(1, 1024), default=10, help="Provider calls at once (10).")
    @click.option("-lock-timeout", metavar="TIME", help="How long to wait for the state: 30s, 5m.")
    @boolean("-lock", True, "-lock=false goes without the state's lock.")
    @boolean("-input", True, "-input=false never asks.")
    @functools.wraps(command)
    def wrapped(
        *args: Any, refresh: bool, parallelism: int, lock_timeout: str | None, lock: bool, input: bool, **more: Any
    ) -> Any:
        if not lock and lock_timeout is not None:
            raise click.UsageError("-lock-timeout waits for the lock, and -lock=false goes without: take one away.")
        wait = _seconds(lock_timeout or "0s") if lock else None
        return command(*args, planning=Planning(refresh, wait, input, parallelism), **more)

    return wrapped


def takes_selection(command: Command) -> Command:
    """For every verb that can plan for a part: passes `selecting`."""

    @click.option("-target", multiple=True, metavar="ADDRESS", help="Plan only for this, and what that takes along.")
    @click.option("-exclude", multiple=True, metavar="ADDRESS", help="Leave this out, and what needs it.")
    @functools.wraps(command)
    def wrapped(*args: Any, target: tuple[str, ...], exclude: tuple[str, ...], **more: Any) -> Any:
        if target and exclude:
            raise click.UsageError(
                "-target plans for what it names, and -exclude for all but what it names: they do not go together."
            )
        selecting = Selecting(addresses("-target", target), addresses("-exclude", exclude))
        return command(*args, selecting=selecting, **more)

    return wrapped


def takes_lock_timeout(command: Command) -> Command:
    """For every verb that writes the state without a plan: passes `lock_timeout`, in seconds."""

    @click.option("-lock-timeout", default="0s", metavar="TIME", help="How long to wait for the state: 30s, 5m.")
    @functools.wraps(command)
    def wrapped(*args: Any, lock_timeout: str, **more: Any) -> Any:
        return command(*args, lock_timeout=_seconds(lock_timeout), **more)

    return wrapped


takes_replace = click.option(
    "-replace", "replaces", multiple=True, metavar="ADDRESS", help="Make this volume or vm anew."
)
"""For the verbs that can be asked to make something anew."""


def refuse_replace(replaces: Sequence[str], destroy: bool, refresh_only: bool) -> None:
    """
    Raises:
        click.UsageError: there is nothing that could be replaced in such a plan.
    """
    if replaces and (destroy or refresh_only):
        flag = "-destroy" if destroy else "-refresh-only"
        raise click.UsageError(f"-replace makes something anew, and {flag} makes nothing: they do not go together.")


def plan_request(
    planning: Planning,
    selecting: Selecting,
    replaces: Sequence[str] = (),
    *,
    destroy: bool = False,
    refresh_only: bool = False,
) -> PlanRequest:
    """
    What the flags of a verb that plans ask for.

    Raises:
        click.UsageError: they do not go together, or one is no address.
    """
    from planner.planning.builder import PlanRequest

    if refresh_only:
        refuse_with_refresh_only(destroy, planning)
    refuse_replace(replaces, destroy, refresh_only)
    return PlanRequest(
        destroy,
        planning.refresh,
        refresh_only,
        selecting.targets,
        selecting.excludes,
        frozenset(addresses("-replace", replaces)),
        parallelism=planning.parallelism,
    )


def addresses(flag: str, texts: Sequence[str]) -> tuple[InstanceAddress, ...]:
    """
    Raises:
        click.UsageError: one of the texts is no address.
    """
    try:
        return tuple(dict.fromkeys(parse_instance(text) for text in texts))
    except AddressError as error:
        raise click.UsageError(f"{flag}: {error}") from None


def _given(text: str) -> FromCommandLine:
    if text.startswith(_FILE):
        return FromCommandLine(None, text.removeprefix(_FILE))
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f'-var takes NAME=VALUE, and "{text}" has no equals sign.')
    return FromCommandLine(name.strip(), value)


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, factor = (text[:-1], units[text[-1]]) if text and text[-1] in units else (text, 1)
    try:
        return float(number) * factor
    except ValueError:
        raise click.UsageError(f'"{text}" is not a time such as 30s or 5m.') from None
