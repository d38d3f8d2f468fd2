"""The state's transactions and locks in the log, at trace level: how much was read or written, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from planner.log import TRACE, log, stand_in
from planner.state.document import StateDocument
from planner.state.model import Intent, Outcome, Run, Snapshot
from planner.state.store import LeasedStore, StateStore

_CALLS = [name for protocol in (StateStore, LeasedStore) for name in vars(protocol) if not name.startswith("_")]


def traced(store: StateStore) -> StateStore:
    """The store; where the trace is on, one that logs what is asked of it. Contents are not logged."""
    return stand_in(store, _CALLS, _around) if log.isEnabledFor(TRACE) else store


def _around(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    if name == "lock":
        return _around_lock(call)

    def traced_call(*arguments: Any) -> Any:
        began = time.monotonic()
        try:
            answer = call(*arguments)
        except Exception as error:
            log.log(TRACE, "state: %s failed with %s", name, type(error).__name__)
            raise
        parts = [text for value in (*arguments, answer) if (text := _amount(value))]
        log.log(TRACE, "state: %s in %.3f s", " ".join([name, *parts]), time.monotonic() - began)
        return answer

    return traced_call


def _around_lock(call: Callable[..., Any]) -> Callable[..., Any]:
    @contextmanager
    def lock(operation: str, timeout: float = 0.0) -> Iterator[None]:
        began = time.monotonic()
        log.log(TRACE, "state: lock for %s is asked for, within %g s", operation, timeout)
        with call(operation, timeout):
            log.log(TRACE, "state: lock for %s is held, after %.3f s", operation, time.monotonic() - began)
            yield
        log.log(TRACE, "state: lock for %s was let go", operation)

    return lock


def _amount(value: Any) -> str:
    match value:
        case Snapshot() | StateDocument():
            return f"(serial {value.serial}, {len(value.objects)} objects)"
        case Run(id):
            return f"run {id}"
        case [Intent(), *_]:
            return f"({len(value)} intents)"
        case [Outcome(), *_]:
            listed = ", ".join(f"step {item.step} of {item.run} {item.status}" for item in value[:20])
            return f"({len(value)} outcomes: {listed}{', ...' if len(value) > 20 else ''})"
        case _:
            return ""
