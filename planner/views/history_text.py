"""The history, in words and as JSON: runs, and what became of the steps of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from planner.addresses import InstanceAddress
from planner.state.model import Outcome, Run
from planner.views.plan_summary import table
from planner.views.style import Style

_HEAD = ("run", "what", "started", "took", "who", "outcome")


def render_runs(runs: Sequence[Run], style: Style) -> str:
    """A line for each, in the order given."""
    if not runs:
        return "Nothing was ever applied."
    head, *lines = table([_HEAD, *((run.id, *_columns(run)) for run in runs)])
    return "\n".join([style.bold(head), *lines])


def render_run(run: Run, outcomes: Sequence[Outcome], style: Style) -> str:
    """One run with its steps, by the object that they are about, in the order in which those were first touched."""
    operation, started, took, who, outcome = _columns(run)
    lines = [style.bold(f"Run {run.id}: {operation}"), f"Started {started} by {who}, {took or 'did not finish'}."]
    if outcome and run.finished is not None:
        lines.append(f"{outcome}.")
    by_object: dict[InstanceAddress, list[Outcome]] = defaultdict(list)
    for item in outcomes:
        by_object[item.address].append(item)
    for address, items in by_object.items():
        lines.extend(["", f"  {address}"])
        rows = table((f"    {item.verb}", item.status, item.error) for item in items)
        lines.extend(row if item.status == "done" else style.error(row) for row, item in zip(rows, items, strict=True))
    if not outcomes:
        lines.extend(["", "Of its steps nothing is kept, or it had none."])
    return "\n".join(lines)


def run_to_json(run: Run) -> dict[str, Any]:
    """`finished` is null for one that did not finish, or is still at it."""
    return {
        "id": run.id,
        "operation": run.operation,
        "started": run.started,
        "finished": run.finished,
        "who": run.who,
        "summary": run.summary,
    }


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "step": outcome.step,
        "address": str(outcome.address),
        "verb": outcome.verb,
        "status": outcome.status,
        "error": outcome.error,
    }


def _columns(run: Run) -> tuple[str, str, str, str, str]:
    started = datetime.fromisoformat(run.started)
    took = f"{_seconds(run)} s" if run.finished is not None else ""
    outcome = run.summary if run.finished is not None else "did not finish"
    return run.operation, f"{started:%Y-%m-%d %H:%M:%S}Z", took, run.who, outcome


def _seconds(run: Run) -> int:
    """A clock that was set back makes no negative duration."""
    took = datetime.fromisoformat(run.finished or run.started) - datetime.fromisoformat(run.started)
    return max(0, round(took.total_seconds()))
