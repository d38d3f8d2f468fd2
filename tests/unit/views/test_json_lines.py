"""The stream of an apply in JSON: `json_lines/<case>.jsonl`, and what its readers rely on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from planner.diagnostics import Diagnostic, Severity
from planner.events import ApplyStarted, StepFinished, StepRetrying, StepSkipped, StepStarted
from planner.planning.plan import Plan
from planner.state.model import OutputValue
from planner.steps.graph import Step, Verb
from planner.views.json_lines import JsonLines
from tests.unit.views.artefacts import expected
from tests.unit.views.plans import PLANS

CASES = Path(__file__).with_name("json_lines")
THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def stream(plan: Plan, *, failing: Verb | None = None) -> list[str]:
    """All lines of an apply in which the first step of a verb fails, and what follows of its object is skipped."""
    lines: list[str] = []
    observer = JsonLines(lines.append, plan, lambda: THEN)
    observer(ApplyStarted("r1", len(plan.steps.steps)))
    failed: Step | None = None
    for step in plan.steps.steps:
        if failed is not None and step.address == failed.address:
            observer(StepSkipped(step.id, step.verb.value, step.address, f"{failed.verb.value} failed"))
            continue
        observer(StepStarted(step.id, step.verb.value, step.address))
        error = ""
        if failed is None and step.verb is failing:
            failed, error = step, "Device is busy"
            observer(StepRetrying(step.id, step.verb.value, step.address, error, 1.5))
        observer(
            StepFinished(step.id, step.verb.value, step.address, 0.25, error, "Look at the array." if error else "")
        )
    observer.finish({"pool": OutputValue("pool.east-ssd"), "secret": OutputValue(None, sensitive=True)})
    return lines


def of_type(lines: list[str], type: str) -> list[dict[str, Any]]:
    return [data for line in lines if (data := json.loads(line))["type"] == type]


def test_a_stream_with_a_failure() -> None:
    text = "".join(stream(PLANS["first_apply"](), failing=Verb.ATTACH))

    assert text == expected(CASES / "failure.jsonl", text)


def test_every_line_is_an_object_with_what_terraforms_have() -> None:
    for line in stream(PLANS["losses"]()):
        data = json.loads(line)
        assert {"@level", "@message", "@module", "@timestamp", "type"} <= data.keys()
        assert (line.count("\n"), line[-1]) == (1, "\n")


def test_each_resource_starts_once_and_completes_once() -> None:
    plan = PLANS["first_apply"]()
    lines = stream(plan)

    for type in ("apply_start", "apply_complete"):
        addresses = [data["hook"]["resource"]["addr"] for data in of_type(lines, type)]
        assert sorted(addresses) == sorted(str(change.address) for change in plan.changes)


def test_what_failed_is_errored_and_not_complete() -> None:
    lines = stream(PLANS["first_apply"](), failing=Verb.ATTACH)

    [errored] = of_type(lines, "apply_errored")
    complete = {data["hook"]["resource"]["addr"] for data in of_type(lines, "apply_complete")}
    assert errored["hook"]["resource"]["addr"] == 'volume.db["data"]'
    assert 'volume.db["data"]' not in complete
    [diagnostic] = of_type(lines, "diagnostic")
    assert diagnostic["diagnostic"]["detail"] == "Look at the array."


def test_summaries_count_the_plan_and_then_what_was_done() -> None:
    planned, applied = of_type(stream(PLANS["first_apply"](), failing=Verb.ATTACH), "change_summary")

    assert (planned["changes"]["operation"], planned["changes"]["add"]) == ("plan", 6)
    assert (applied["changes"]["operation"], applied["changes"]["add"]) == ("apply", 5)


def test_secrets_are_not_told() -> None:
    assert "hunter2" not in "".join(stream(PLANS["first_apply"]()))


def test_diagnostics_have_their_level() -> None:
    lines: list[str] = []
    observer = JsonLines(lines.append, PLANS["nothing"](), lambda: THEN)
    observer.diagnostics([Diagnostic(Severity.WARNING, "Old", "Write it anew."), Diagnostic(Severity.ERROR, "Wrong")])

    assert [(data["@level"], data["@message"]) for data in of_type(lines, "diagnostic")] == [
        ("warn", "Warning: Old"),
        ("error", "Error: Wrong"),
    ]
