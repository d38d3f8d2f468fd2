"""
The log, for whoever has to find out why: LUNFORM_LOG says how much of it, LUNFORM_LOG_PATH where it goes.

    error   what stopped the command
    warn    what failed, or is tried again
    info    runs: begun, recovered, ended
    debug   each step, and where an unexpected failure happened
    trace   each call of a provider, with its request and its answer, and each transaction of the state

It is the logger "lunform" of the standard library, with a handler of its own: no other library's log comes with it. No
secret gets in: nothing that holds any is handed to a log call, messages of unexpected exceptions are left out, and
`planner.guard` takes secrets out of what providers say. Where the log is off, it costs a comparison.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

from planner.errors import LunformError
from planner.events import (
    ApplyStarted,
    Event,
    Observer,
    StepFinished,
    StepRecovered,
    StepRefuted,
    StepRetrying,
    Stopping,
    WaitingForLock,
)

T = TypeVar("T")

TRACE = 5
LEVELS = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}

log = logging.getLogger("lunform")
log.propagate = False
log.setLevel(LEVELS["off"])


def configure(environment: Mapping[str, str]) -> None:
    """
    Switch the log on as the environment says. A file is appended to, and made for its owner only.

    Raises:
        LunformError: there is no such level, or the file cannot be written.
    """
    word = environment.get("LUNFORM_LOG", "").lower() or "off"
    if word not in LEVELS:
        raise LunformError(f'LUNFORM_LOG is one of {", ".join(LEVELS)}, not "{word}".')
    if word == "off":
        return
    stream, path = sys.stderr, environment.get("LUNFORM_LOG_PATH")
    if path:
        try:
            stream = open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8")  # noqa: SIM115, PTH123 - kept open to the end
        except OSError as error:
            raise LunformError(f"The log cannot be written to {path}: {error.strerror}.") from error
    for name, level in LEVELS.items():
        logging.addLevelName(level, name)
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)-5s %(threadName)s: %(message)s", "%FT%T")
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    log.handlers[:] = [handler]
    log.setLevel(LEVELS[word])


def logged(observer: Observer) -> Observer:
    """An observer that also logs what it is told."""
    if not log.isEnabledFor(logging.ERROR):
        return observer

    def observe(event: Event) -> None:
        log.log(_level(event), "%s", _Line(event))
        observer(event)

    return observe


def where(error: BaseException | None) -> str:
    """The kinds and places of an exception and of what it came from, without messages: those may hold anything."""
    lines = []
    while error is not None:
        lines.append(type(error).__name__)
        for frame in traceback.extract_tb(error.__traceback__):
            lines.append(f"  {frame.filename}:{frame.lineno}, in {frame.name}: {frame.line}")
        error = error.__cause__ or error.__context__
    return "\n".join(lines)


def stand_in(inner: T, names: Iterable[str], around: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> T:
    """
    An object with those of the methods `names` that `inner` has, each as `around` makes it of its name and itself.

    The methods are those of a class made for it, so that it is an instance of the same protocols.
    """
    methods = {name: staticmethod(around(name, getattr(inner, name))) for name in names if hasattr(inner, name)}
    return cast(T, type(type(inner).__name__, (), methods)())


def _level(event: Event) -> int:
    match event:
        case ApplyStarted() | StepRecovered() | WaitingForLock() | Stopping():
            return logging.INFO
        case StepRetrying() | StepRefuted():
            return logging.WARNING
        case StepFinished(error=error) if error:
            return logging.WARNING
        case _:
            return logging.DEBUG


class _Line:
    """An event as a line of text, made only where it is written."""

    def __init__(self, event: Event) -> None:
        self._event = event

    def __str__(self) -> str:
        given = ((field.name, getattr(self._event, field.name)) for field in fields(self._event))
        shown = ((name, f"{value:.3f}" if isinstance(value, float) else value) for name, value in given)
        return f"{type(self._event).__name__}: " + ", ".join(f"{name} {value}" for name, value in shown if value != "")
