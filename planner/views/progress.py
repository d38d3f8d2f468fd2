"""
What a run tells while it goes on, and how it ended.

`PlainProgress` writes lines, for logs and pipes; `LiveProgress` keeps the lower lines of a terminal up to date and
leaves only what went wrong. Both are context managers and Observers: `with PlainProgress(write, style) as progress:
apply(..., progress)`.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, assert_never

from planner.addresses import InstanceAddress
from planner.events import (
    ApplyStarted,
    Event,
    RefreshFinished,
    RefreshStarted,
    RunInterrupted,
    StepFinished,
    StepRecovered,
    StepRefuted,
    StepRetrying,
    StepSkipped,
    StepStarted,
    Stopping,
    WaitingForLock,
)
from planner.execution.executor import ExecutionResult, Failure
from planner.planning.plan import Plan
from planner.steps.graph import LOCAL_VERBS, Step
from planner.views.plan_summary import count_changes, in_workspace
from planner.views.steps_text import step_text
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
            text = self._text(event) if self._is_worth_a_line(event) else ""
            if isinstance(event, StepFinished):
                self.running.pop(event.step, None)
        # Not under the lock: a terminal that is written to asks for the lower lines, which takes it.
        if text:
            self._write_line(text)

    def _count(self, event: Event) -> None:
        match event:
            case ApplyStarted(_, steps):
                self.done, self.total = 0, steps
            case StepStarted(step, verb, address, detail) if verb not in _LOCAL:
                now = self.clock()
                what = f"{address}: {verb}" + (f" ({detail})" if detail else "")
                self.running[step] = _Running(what, now, now + _REMIND_AFTER)
            case StepFinished() | StepSkipped():
                self.done += 1
            case _:
                pass

    def _is_worth_a_line(self, event: Event) -> bool:
        return True

    def _write_line(self, text: str) -> None:
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
            case StepStarted(step, verb, address):
                return "" if verb in _LOCAL else f"{self._what(step, verb, address)}..."
            case StepFinished(step, verb, address, elapsed, error):
                what = self._what(step, verb, address)
                if error:
                    return f"{what} {style.error('failed')} after {duration(elapsed)}: {error}"
                if verb in _LOCAL:
                    return ""
                count = style.dim(f"[{self.done}/{self.total}]")
                return f"{what} {style.create('done')} after {duration(elapsed)} {count}"
            case StepRetrying(step, verb, address, error, after):
                again = style.update(f"again in {duration(after)}")
                return f"{self._what(step, verb, address)} {again}: {error}"
            case StepRefuted(step, verb, address, error):
                return f"{self._what(step, verb, address)} {style.error('not confirmed')}: {error}"
            case StepSkipped(_, verb, address, because):
                return "" if verb in _LOCAL else f"{address}: {verb} {style.update('skipped')}: {because}"
            case RunInterrupted(_, operation, who, started):
                return f"The {operation} that {who} began at {started} was interrupted."
            case StepRecovered(address, verb, sentence):
                return f"{address}: {verb} of an interrupted run: {sentence}"
            case Stopping(running):
                return style.warning(f"Stopping: {_number(running, 'step')} under way {_is(running)} let end.")
            case WaitingForLock(holder, timeout):
                by = f", held by {holder}" if holder else ""
                return style.dim(f"Waiting up to {duration(timeout)} for the state's lock{by}...")
            case _:
                assert_never(event)

    def _what(self, step: int, verb: str, address: InstanceAddress) -> str:
        """The step in the words of its start, which say which of a volume's hosts it is about."""
        return self.running[step].what if step in self.running else f"{address}: {verb}"


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
        self._writing = threading.Lock()
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
            self._write_line(f"{running.what} still working after {duration(now - running.since)}")
        if len(due) > _MOST_AT_ONCE:
            self._write_line(f"... and {_number(len(due) - _MOST_AT_ONCE, 'more step')}")

    def _write_line(self, text: str) -> None:
        with self._writing:
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
        file: the terminal; standard output when left out.
    """

    def __init__(self, style: Style, file: TextIO | None = None, clock: Clock = time.monotonic) -> None:
        super().__init__(style, clock)
        self._file = file
        self._live: Live | None = None
        self._reading = ""

    def _count(self, event: Event) -> None:
        super()._count(event)
        match event:
            case RefreshStarted():
                self._reading = self._text(event)
            case RefreshFinished():
                self._reading = ""
            case _:
                pass

    def _is_worth_a_line(self, event: Event) -> bool:
        return not isinstance(event, RefreshStarted | RefreshFinished | StepStarted) and not (
            isinstance(event, StepFinished) and not event.error
        )

    def _write_line(self, text: str) -> None:
        if self._live is not None:
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


def render_result(plan: Plan, result: ExecutionResult | None, style: Style) -> str:
    """
    How an apply ended: one line where all is done; else what failed, each with its error and what was not started
    because of it.

    Args:
        result: None when there was nothing to do.
    """
    done = frozenset(step.id for step in result.done) if result else frozenset()
    counted = _done_counts(plan, done)
    verb = plan.operation.capitalize() + in_workspace(plan)
    if result is None or not (result.failed or result.skipped):
        return f"{style.create(style.bold(f'{verb} complete!'))} {counted}\n"
    because: dict[int | None, list[Step]] = defaultdict(list)
    for skipped in result.skipped:
        because[skipped.because.id if skipped.because else None].append(skipped.step)
    steps = f"{len(result.done)} done, {len(result.failed)} failed, {len(result.skipped)} skipped"
    lines = [
        f"{style.error(f'{verb} incomplete.')} {counted}",
        f"Of {_number(len(plan.steps.steps), 'step')} {steps}.",
    ]
    causes: dict[tuple[str, str, bool], list[Failure]] = defaultdict(list)
    for failure in result.failed:
        causes[failure.summary, failure.detail, failure.is_unknown].append(failure)
    for failures in causes.values():
        dependents = [step for failure in failures for step in because[failure.step.id]]
        lines.extend(["", *_failure_lines(failures, dependents, style)])
    if stopped := because[None]:
        lines.extend(["", f"{style.warning('Stopped before')} {_steps_by_object(stopped)}"])
    lines.extend(["", "What is done is recorded. The next apply goes on from there."])
    return "\n".join(lines) + "\n"


def _done_counts(plan: Plan, done: frozenset[int]) -> str:
    """
    `5 added, 1 changed, 0 destroyed.`: objects of which all steps are done; a replaced one counts twice. Of a refresh,
    whose steps cannot fail: `1 recorded, 0 forgotten.`; nor can those of an import: `1 imported.`
    """
    counts = count_changes(change for change in plan.changes if change.steps and done.issuperset(change.steps))
    if plan.operation == "import":
        return f"{sum(bool(change.importing) for change in plan.changes)} imported."
    if plan.operation == "adopt":
        return f"{len(plan.changes)} recorded."
    if plan.operation == "refresh":
        return f"{sum(change.recorded_anew for change in plan.changes)} recorded, {counts.forget} forgotten."
    parts = [f"{counts.destroy} destroyed"] + ([f"{counts.forget} forgotten"] if counts.forget else [])
    if plan.operation == "apply":
        restored = [f"{counts.restore} restored"] if counts.restore else []
        parts = [*restored, f"{counts.add} added", f"{counts.change} changed", *parts]
    return f"{', '.join(parts)}."


def _failure_lines(failures: list[Failure], skipped: list[Step], style: Style) -> list[str]:
    """Of steps that failed for the same reason, which is told once."""
    failure = failures[0]
    state = style.warning("in doubt") if failure.is_unknown else style.error("failed")
    if len(failures) == 1:
        lines = [f"{state}  {failure.step.address}: {step_text(failure.step)}: {failure.summary}"]
    else:
        lines = [f"{state}  {_number(len(failures), 'step')}: {failure.summary}"]
        lines.append(f"    {_steps_by_object(each.step for each in failures)}")
    if failure.detail:
        lines.extend(f"    {line}" for line in failure.detail.splitlines())
    if failure.is_unknown:
        lines.append("    It may have had its effect: the next run looks it up.")
    if skipped:
        lines.append(f"    Skipped because of it: {_steps_by_object(skipped)}")
    return lines


def _steps_by_object(steps: Iterable[Step]) -> str:
    """`volume.a: attach db-01; volume.b: 3 steps`, of five objects at most."""
    by_object: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        if step.verb not in LOCAL_VERBS:
            by_object[str(step.address)].append(step)
    texts = [
        f"{address}: {', '.join(map(step_text, steps)) if len(steps) <= 3 else _number(len(steps), 'step')}"
        for address, steps in sorted(by_object.items())
    ]
    more = len(texts) - _MOST_AT_ONCE
    return "; ".join(texts[:_MOST_AT_ONCE]) + (f"; and {_number(more, 'other')}" if more > 0 else "")


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


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
