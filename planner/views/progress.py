"""
What a run tells while it goes on, and how it ended.

`PlainProgress` writes lines, for logs and pipes; `LiveProgress` keeps the lower lines of a terminal up to date and
leaves only what went wrong. Both are context managers and Observers: `with PlainProgress(write, style) as progress:
apply(..., progress)`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, assert_never

from planner.events import (
    ApplyStarted,
    Event,
    RefreshFinished,
    RefreshStarted,
    StepFinished,
    StepRecovered,
    StepRetrying,
    StepSkipped,
    StepStarted,
    Stopping,
    WaitingForLock,
)
from planner.steps.graph import LOCAL_VERBS
from planner.views.style import Style

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

Write = Callable[[str], None]
Clock = Callable[[], float]

_LOCAL = frozenset(verb.value for verb in LOCAL_VERBS)
_REMIND_AFTER = 10.0
_MOST_AT_ONCE = 5
"""Of steps that take long, how many get a line of their own."""


@dataclass(slots=True)
class _Running:
    """A step under way. `since` and `remind_at` in seconds of the clock."""

    what: str
    since: float
    remind_at: float


class _Progress:
    """
    Counts, and what is under way; a subclass says how it looks. May be called from any thread.

    Attributes:
        done, total: steps of any kind.
    """

    def __init__(self, style: Style, clock: Clock) -> None:
        self.style = style
        self.clock = clock
        self.lock = threading.Lock()
        self.running: dict[int, _Running] = {}
        self.done = 0
        self.total = 0

    def __call__(self, event: Event) -> None:
        with self.lock:
            self._count(event)
            self._show(event)

    def _count(self, event: Event) -> None:
        match event:
            case ApplyStarted(_, steps):
                self.done, self.total = 0, steps
            case StepStarted(step, verb, address, detail) if verb not in _LOCAL:
                now = self.clock()
                what = f"{address}: {verb}" + (f" ({detail})" if detail else "")
                self.running[step] = _Running(what, now, now + _REMIND_AFTER)
            case StepFinished(step) | StepSkipped(step):
                self.running.pop(step, None)
                self.done += 1
            case _:
                pass

    def _show(self, event: Event) -> None:
        raise NotImplementedError

    def _text(self, event: Event) -> str:
        """What an event is worth saying, without an end of line; an empty text for nothing."""
        style = self.style
        match event:
            case RefreshStarted(pools, hosts):
                return style.dim(f"Reading {_number(pools, 'pool')} and {_number(hosts, 'host')}...")
            case RefreshFinished(volumes, attachments):
                return style.dim(f"Read {_number(volumes, 'volume')} and {_number(attachments, 'attachment')}.")
            case ApplyStarted():
                return ""
            case StepStarted(_, verb, address, detail):
                return "" if verb in _LOCAL else f"{address}: {verb}{f' ({detail})' if detail else ''}..."
            case StepFinished(_, verb, address, elapsed, error):
                if error:
                    return f"{address}: {verb} {style.error('failed')} after {duration(elapsed)}: {error}"
                if verb in _LOCAL:
                    return ""
                count = style.dim(f"[{self.done}/{self.total}]")
                return f"{address}: {verb} {style.create('done')} after {duration(elapsed)} {count}"
            case StepRetrying(_, verb, address, error, after):
                again = style.update(f"again in {duration(after)}")
                return f"{address}: {verb} {again}: {error}"
            case StepSkipped(_, verb, address, because):
                return "" if verb in _LOCAL else f"{address}: {verb} {style.update('skipped')}: {because}"
            case StepRecovered(address, verb, sentence):
                return f"{address}: {verb} of an interrupted run: {sentence}"
            case Stopping(running):
                return style.warning(
                    f"Stopping. Nothing new is started; {_number(running, 'step')} under way"
                    f" {'is' if running == 1 else 'are'} let end. Interrupt again to leave at once."
                )
            case WaitingForLock(holder, timeout):
                by = f", held by {holder}" if holder else ""
                return style.dim(f"Waiting up to {duration(timeout)} for the state's lock{by}...")
            case _:
                assert_never(event)


class PlainProgress(_Progress):
    """
    A line when a step begins, one when it ends, and one every 10 s in between.

    Args:
        write: is given whole lines, one call at a time.
        clock: seconds from any fixed point.
    """

    def __init__(self, write: Write, style: Style, clock: Clock = time.monotonic) -> None:
        super().__init__(style, clock)
        self._write = write
        self._left = threading.Event()
        self._reminder: threading.Thread | None = None

    def remind(self) -> None:
        """Tell of steps that have been under way for ten seconds more."""
        with self.lock:
            now = self.clock()
            due = [running for running in self.running.values() if running.remind_at <= now]
            for running in due:
                running.remind_at = now + _REMIND_AFTER
            due.sort(key=lambda running: running.since)
            for running in due[:_MOST_AT_ONCE]:
                self._write(f"{running.what} still working after {duration(now - running.since)}\n")
            if len(due) > _MOST_AT_ONCE:
                self._write(f"... and {len(due) - _MOST_AT_ONCE} more steps\n")

    def _show(self, event: Event) -> None:
        if text := self._text(event):
            self._write(text + "\n")

    def __enter__(self) -> Self:
        self._reminder = threading.Thread(target=self._remind_until_left, name="reminder", daemon=True)
        self._reminder.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        if self._reminder is not None:
            self._reminder.join()

    def _remind_until_left(self) -> None:
        while not self._left.wait(1.0):
            self.remind()


class LiveProgress(_Progress):
    """
    A bar and the steps that have been under way longest, at the bottom of a terminal; above it stays what is worth
    keeping: failures, retries, what was recovered. Nothing is left of the bar in the end.

    Args:
        file: the terminal.
    """

    def __init__(self, file: TextIO, style: Style, clock: Clock = time.monotonic) -> None:
        super().__init__(style, clock)
        self._file = file
        self._live: Live | None = None
        self._reading = ""

    def _show(self, event: Event) -> None:
        match event:
            case RefreshStarted():
                self._reading = self._text(event)
            case RefreshFinished():
                self._reading = ""
            case StepStarted() | StepFinished(error=""):
                pass
            case _:
                if self._live is not None and (text := self._text(event)):
                    from rich.text import Text

                    self._live.console.print(Text.from_ansi(text), soft_wrap=True)

    def __rich__(self) -> RenderableType:
        from rich.text import Text

        with self.lock:
            lines = [self._reading] if self._reading else []
            if self.total:
                lines.append(f"{bar(self.done, self.total)} {self.done}/{self.total} steps")
                now = self.clock()
                longest = sorted(self.running.values(), key=lambda running: running.since)
                for running in longest[:_MOST_AT_ONCE]:
                    lines.append(f"  {running.what} {self.style.dim(duration(now - running.since))}")
                if len(longest) > _MOST_AT_ONCE:
                    lines.append(self.style.dim(f"  and {len(longest) - _MOST_AT_ONCE} more under way"))
        text = Text.from_ansi("\n".join(lines))
        text.no_wrap, text.overflow = True, "ellipsis"
        return text

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._file, no_color=not self.style.color, highlight=False)
        self._live = Live(self, console=console, transient=True, refresh_per_second=8, redirect_stdout=False)
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()


def duration(seconds: float) -> str:
    """`0.4s`, `12s`, `3m05s`, `2h10m`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def bar(done: int, total: int, width: int = 30) -> str:
    """`[#####-----]`."""
    filled = width * done // total if total else 0
    return f"[{'#' * filled}{'-' * (width - filled)}]"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
