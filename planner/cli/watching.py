"""Which observer watches a run, and how Ctrl-C reaches it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from planner.cli.terminal import Terminal, colours, lasting_output
from planner.events import (
    Event,
    Observer,
    RefreshFinished,
    RefreshStarted,
    RunInterrupted,
    StepRecovered,
    WaitingForLock,
)
from planner.planning.plan import Plan
from planner.views.style import Style

if TYPE_CHECKING:
    from planner.execution.executor import Stop


def tell_recovery(terminal: Terminal) -> Observer:
    """
    What a person must know while planning, to standard error: what a killed run had done, and who is waited for. A
    terminal shows also what is being read, as long as it is.
    """
    style = Style(colours(sys.stderr, terminal.no_color))
    is_live = sys.stderr.isatty() and not terminal.json

    def observe(event: Event) -> None:
        match event:
            case RefreshStarted(pools=pools, hosts=hosts) if is_live:
                sys.stderr.write(f"Reading {pools} pools and {hosts} hosts ...\r")
                sys.stderr.flush()
            case RefreshFinished() if is_live:
                sys.stderr.write("\x1b[K")
            case RunInterrupted(operation=operation, who=who, started=started):
                sys.stderr.write(
                    f"{style.update('Interrupted:')} the {operation} that {who} began at {started}. "
                    "What it left is looked up.\n"
                )
            case StepRecovered(sentence=sentence):
                sys.stderr.write(style.update("Recovered: ") + sentence + "\n")
            case WaitingForLock(holder=holder):
                sys.stderr.write(f"Waiting for the state, held by {holder} ...\n")

    return observe


@contextmanager
def apply_progress(plan: Plan, terminal: Terminal) -> Iterator[Observer]:
    """Shows an apply as it goes: live on a terminal, lines elsewhere, JSON lines where JSON is asked for."""
    if terminal.json:
        from planner.views.json_lines import JsonLines

        with lasting_output():
            yield JsonLines(terminal.result, plan)
    elif terminal.is_live:
        from planner.views.progress import LiveProgress

        with lasting_output(), LiveProgress(terminal.style) as live:
            yield live
    else:
        from planner.views.progress import PlainProgress

        with lasting_output(), PlainProgress(terminal.result, terminal.style) as plain:
            yield plain


@contextmanager
def stopping(stop: Stop) -> Iterator[None]:
    """
    Ctrl-C, SIGTERM and a terminal that is closed ask the run to stop: first to start nothing new, then to leave at
    once. A run that has not begun, and waits for the state perhaps, is left at once.

    The old handlers are back when the context ends.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        if not stop.is_heard:
            raise KeyboardInterrupt
        stop.request()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
