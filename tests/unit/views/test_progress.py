"""What an apply tells while it goes on, and how it ended: texts in `progress/`."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from planner.events import (
    ApplyStarted,
    Event,
    RefreshFinished,
    RefreshStarted,
    StepFinished,
    StepRecovered,
    StepRefuted,
    StepRetrying,
    StepSkipped,
    StepStarted,
    Stopping,
    WaitingForLock,
)
from planner.execution.executor import ExecutionResult, Failure, Skipped
from planner.planning.plan import Plan
from planner.steps.graph import Step, Verb
from planner.views.progress import LiveProgress, PlainProgress, bar, duration, render_result
from planner.views.style import Style
from tests.unit.views.artefacts import expected
from tests.unit.views.plans import PLANS

CASES = Path(__file__).with_name("progress")
ROOT = Path(__file__).resolve().parents[3]
PLAIN = Style(color=False)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def starts(step: Step) -> StepStarted:
    return StepStarted(step.id, step.verb.value, step.address, str(step.arguments.get("vm", "")))


def ends(step: Step, error: str = "") -> StepFinished:
    return StepFinished(step.id, step.verb.value, step.address, 0.4, error)


def a_run(plan: Plan) -> Iterator[Event]:
    """Everything that can happen: `attach db-02` fails, and the last volume is not reached."""
    steps = plan.steps.steps
    yield WaitingForLock("ann@nas:17", 30.0)
    yield RefreshStarted(2, 1)
    yield RefreshFinished(3, 1)
    yield StepRecovered(steps[3].address, "attach", "it was not there; it is made now.")
    yield ApplyStarted("r1", len(steps))
    for step in steps:
        if step.address.name == "backup":
            yield StepSkipped(step.id, step.verb.value, step.address, "the run was stopped")
        else:
            yield starts(step)
            if step.verb is Verb.CREATE:
                yield StepRetrying(step.id, step.verb.value, step.address, "connection refused", 2.0)
            yield ends(step, "Device is busy" if step.arguments.get("vm") == "db-02" else "")
    yield Stopping(1)
    yield StepRefuted(3, "create_async", steps[3].address, "The array was told max_iops 400 and reads back 200")


def test_a_run_is_told_in_lines() -> None:
    lines: list[str] = []
    progress = PlainProgress(lines.append, PLAIN)

    for event in a_run(PLANS["first_apply"]()):
        progress(event)

    assert all(line.endswith("\n") for line in lines)
    assert "".join(lines) == expected(CASES / "run.txt", "".join(lines))


def test_steps_that_take_long_are_told_of_every_ten_seconds() -> None:
    lines: list[str] = []
    clock = Clock()
    progress = PlainProgress(lines.append, PLAIN, clock)
    step = next(step for step in PLANS["first_apply"]().steps.steps if step.verb is Verb.CREATE)
    progress(starts(step))
    told = []
    for now in (9.0, 10.0, 19.0, 20.5):
        clock.now = now
        lines.clear()
        progress.remind()
        told.append("".join(lines))

    assert told == [
        "",
        'volume.db["data"]: create_async still working after 10s\n',
        "",
        'volume.db["data"]: create_async still working after 20s\n',
    ]


def test_many_steps_that_take_long_do_not_fill_the_screen() -> None:
    lines: list[str] = []
    clock = Clock()
    progress = PlainProgress(lines.append, PLAIN, clock)
    step = next(step for step in PLANS["first_apply"]().steps.steps if step.verb is Verb.CREATE)
    for number in range(1000):
        progress(StepStarted(number, step.verb.value, step.address))
    clock.now = 60.0
    lines.clear()

    progress.remind()

    assert len(lines) == 6
    assert lines[-1] == "... and 995 more steps\n"


def test_lines_of_many_threads_stay_whole() -> None:
    writing = threading.Lock()
    lines: list[str] = []

    def write(line: str) -> None:
        assert writing.acquire(blocking=False), "two lines at once"
        lines.append(line)
        writing.release()

    plan = PLANS["first_apply"]()
    with PlainProgress(write, PLAIN) as progress:
        threads = [threading.Thread(target=lambda: [progress(e) for e in a_run(plan)]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    alone: list[str] = []
    single = PlainProgress(alone.append, PLAIN)
    for event in a_run(plan):
        single(event)
    assert len(lines) == 8 * len(alone)


def test_a_terminal_keeps_only_what_matters() -> None:
    screen = Screen()
    with LiveProgress(PLAIN, screen) as progress:
        for event in a_run(PLANS["first_apply"]()):
            progress(event)

    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue())
    assert 'volume.db["data"]: attach (db-02) failed after 0.4s: Device is busy' in text
    assert "attach of an interrupted run" in text
    assert "done after" not in text


def test_a_terminal_shows_what_is_under_way() -> None:
    clock = Clock()
    progress = LiveProgress(PLAIN, Screen(), clock)
    steps = PLANS["first_apply"]().steps.steps
    calls = [step for step in steps if step.verb not in (Verb.RECORD, Verb.JOIN)]
    progress(ApplyStarted("r1", len(steps)))
    for step in calls[:7]:
        progress(starts(step))
    progress(ends(calls[0]))
    clock.now = 12.0

    lines = str(progress.__rich__()).splitlines()

    assert lines[0] == f"{bar(1, len(steps))} 1/{len(steps)} steps"
    assert lines[1] == '  volume.db["data"]: grant_access 12s'
    assert lines[-1] == "  and 1 more under way"


def result_of(plan: Plan, failed: Sequence[Failure], skipped: Sequence[Skipped]) -> ExecutionResult:
    missing = {failure.step.id for failure in failed} | {skip.step.id for skip in skipped}
    done = tuple(step for step in plan.steps.steps if step.id not in missing)
    return ExecutionResult(done, tuple(failed), tuple(skipped), {})


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("first_apply", "Apply complete! 6 added, 0 changed, 0 destroyed.\n"),
        ("losses", "Apply complete! 2 added, 0 changed, 4 destroyed, 2 forgotten.\n"),
        ("whole_destroy", "Destroy complete! 1 destroyed.\n"),
    ],
)
def test_a_good_end_is_one_line(case: str, text: str) -> None:
    plan = PLANS[case]()

    assert render_result(plan, result_of(plan, [], []), PLAIN) == text


def test_nothing_to_do_is_a_good_end() -> None:
    assert render_result(PLANS["nothing"](), None, PLAIN) == "Apply complete! 0 added, 0 changed, 0 destroyed.\n"


def test_a_bad_end_tells_each_cause_once() -> None:
    plan = PLANS["first_apply"]()
    calls = [step for step in plan.steps.steps if step.verb not in (Verb.RECORD, Verb.JOIN)]
    of = {name: [step for step in calls if str(step.address) == name] for name in map(str, {s.address for s in calls})}
    data, wal, backup = of['volume.db["data"]'], of['volume.db["wal"]'], of["volume.backup"]
    result = result_of(
        plan,
        [
            Failure(data[0], "No room left", "The array says:\nxENOSPC"),
            Failure(wal[1], "The answer was lost", "", True),
        ],
        [*(Skipped(step, data[0]) for step in data[1:]), Skipped(wal[2], wal[1]), *(Skipped(s, None) for s in backup)],
    )

    text = render_result(plan, result, PLAIN)

    assert text == expected(CASES / "incomplete.txt", text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0s"), (9.94, "9.9s"), (9.96, "10s"), (59.6, "1m00s"), (185, "3m05s"), (7815, "2h10m")],
)
def test_durations_have_two_figures_or_so(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_bar_is_full_only_at_the_end() -> None:
    assert [bar(done, 3, 6) for done in range(4)] == ["[------]", "[##----]", "[####--]", "[######]"]
    assert bar(999, 1000, 10) == "[#########-]"


def test_what_draws_on_terminals_is_loaded_only_for_one() -> None:
    code = "import sys, planner.views.progress; sys.exit('rich' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
