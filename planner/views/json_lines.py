"""
An apply as Terraform's stream of JSON, one object per line: `version`, `planned_change`, `change_summary`,
`apply_start`, `apply_progress`, `apply_complete`, `apply_errored`, `outputs`, `diagnostic`.

Terraform tells of resources; so do these. An apply of a resource starts with its first step and is complete with its
last. Each step in between is an `apply_progress`; ours besides are the verb and `step_retry`, `step_skipped`,
`recovered` and `stopping`, and the action `record` of a refresh or an import.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from planner.addresses import InstanceAddress, module_text
from planner.diagnostics import Diagnostic, Severity
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
from planner.planning.plan import Action, Change, Plan
from planner.state.model import OutputValue
from planner.version import VERSION
from planner.views.diagnostics_json import diagnostic_to_json
from planner.views.plan_json import unknown_mask
from planner.views.plan_summary import count_changes
from planner.views.state_json import outputs_json

_PLANNED = {
    Action.CREATE: "create",
    Action.UPDATE: "update",
    Action.REPLACE: "replace",
    Action.DELETE: "delete",
    Action.FORGET: "forget",
}


class JsonLines:
    """
    An Observer that writes the stream; the version and the plan at once, the rest as it happens.

    Args:
        write: is given whole lines, one call at a time.
        now: the time in UTC.
    """

    def __init__(self, write: Callable[[str], None], plan: Plan, now: Callable[[], datetime] | None = None) -> None:
        self._write = write
        self._now = now or (lambda: datetime.now(UTC))
        self._lock = threading.Lock()
        self._operation = plan.operation
        self._actions = {change.address: _action(change, plan) for change in plan.changes}
        self._left = {change.address: set(change.steps) for change in plan.changes}
        self._started: dict[InstanceAddress, datetime] = {}
        self._complete: list[InstanceAddress] = []
        self._planned = {change.address: change for change in plan.changes}
        self._tell_plan(plan)

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._tell(event)

    def diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Warnings and errors, in any part of the run."""
        with self._lock:
            for item in diagnostics:
                level = "error" if item.severity is Severity.ERROR else "warn"
                message = f"{item.severity.value.capitalize()}: {item.summary}"
                self._line("diagnostic", message, level, diagnostic=diagnostic_to_json(item))

    def finish(self, outputs: Mapping[str, OutputValue]) -> None:
        """The end of the run: what was done, and the outputs as they are now."""
        with self._lock:
            self._summary(self._complete, self._operation)
            named = outputs_json(outputs)
            self._line("outputs", f"Outputs: {len(named)}", outputs=named)

    def _tell_plan(self, plan: Plan) -> None:
        self._line("version", f"Lunform {VERSION}", lunform=VERSION, ui="1.2")
        for change in plan.changes:
            resource = _resource(change.address)
            if change.drift:
                drift = "delete" if any(not item.path for item in change.drift) else "update"
                message = f"{change.address}: Drift detected ({drift})"
                self._line("resource_drift", message, change={"resource": resource, "action": drift})
            action = self._actions[change.address]
            if action != "noop":
                planned = {"resource": resource, "action": action}
                if change.reason:
                    planned["reason"] = change.reason
                message = f"{change.address}: Plan to {action}"
                self._line("planned_change", message, change=planned)
        self._summary(self._planned, "plan")
        outputs = {
            name: {
                "sensitive": output.after.sensitive,
                "action": "noop" if output.before == output.after else "update" if output.before else "create",
                **({} if _is_open(output.after) else outputs_json({name: output.after})[name]),
            }
            for name, output in sorted(plan.outputs.items())
            if output.after is not None
        }
        if outputs:
            self._line("outputs", f"Outputs: {len(outputs)}", outputs=outputs)

    def _tell(self, event: Event) -> None:
        match event:
            case StepStarted(_, verb, address):
                if address in self._actions and address not in self._started:
                    self._started[address] = self._now()
                    self._hook("apply_start", f"{address}: {verb}...", address, verb=verb)
            case StepFinished(step, verb, address, elapsed, error, detail):
                self._finished(step, verb, address, elapsed, error, detail)
            case StepRetrying(_, verb, address, error, after):
                message = f"{address}: {verb} again in {after:.1f}s: {error}"
                self._hook(
                    "step_retry", message, address, "warn", verb=verb, error=error, after_seconds=round(after, 3)
                )
            case StepRefuted(_, verb, address, error, detail):
                message = f"{address}: {verb} not confirmed: {error}"
                self._hook("apply_errored", message, address, "error", verb=verb)
                self._diagnostic(address, error, detail)
            case StepSkipped(_, verb, address, because):
                message = f"{address}: {verb} skipped: {because}"
                self._hook("step_skipped", message, address, "warn", verb=verb, because=because)
            case RunInterrupted(run, operation, who, started):
                text = f"The {operation} that {who} began at {started} was interrupted"
                self._line("interrupted", text, "warn", run=run, operation=operation, who=who, started=started)
            case StepRecovered(address, verb, sentence):
                self._hook("recovered", f"{address}: {sentence}", address, verb=verb)
            case Stopping(running):
                self._line("stopping", f"Stopping: {running} steps under way are let end", "warn", running=running)
            case WaitingForLock(holder, timeout):
                self._line("log", f"Waiting for the state's lock, held by {holder}", holder=holder, timeout=timeout)
            case RefreshStarted() | RefreshFinished() | ApplyStarted():
                pass
            case _:
                assert_never(event)

    def _finished(
        self, step: int, verb: str, address: InstanceAddress, elapsed: float, error: str, detail: str
    ) -> None:
        if address not in self._actions:
            return
        whole = round((self._now() - self._started.get(address, self._now())).total_seconds(), 3)
        if error:
            self._hook(
                "apply_errored",
                f"{address}: {verb} failed: {error}",
                address,
                "error",
                verb=verb,
                elapsed_seconds=whole,
            )
            self._diagnostic(address, error, detail)
            return
        left = self._left[address]
        left.discard(step)
        if left:
            message = f"{address}: {verb} done after {elapsed:.1f}s"
            self._hook("apply_progress", message, address, verb=verb, elapsed_seconds=whole)
        else:
            self._complete.append(address)
            message = f"{address}: {self._actions[address]} complete after {whole:.1f}s"
            self._hook("apply_complete", message, address, verb=verb, elapsed_seconds=whole)

    def _diagnostic(self, address: InstanceAddress, error: str, detail: str) -> None:
        failed = Diagnostic(Severity.ERROR, error, detail, address=str(address))
        self._line("diagnostic", f"Error: {error}", "error", diagnostic=diagnostic_to_json(failed))

    def _hook(self, type: str, message: str, address: InstanceAddress, level: str = "info", **more: Any) -> None:
        action = self._actions.get(address, "noop")
        self._line(type, message, level, hook={"resource": _resource(address), "action": action, **more})

    def _summary(self, objects: Collection[InstanceAddress], operation: str) -> None:
        counts = count_changes(self._planned[address] for address in objects)
        changes = {
            "add": counts.add,
            "change": counts.change,
            "import": sum(bool(self._planned[address].importing) for address in objects),
            "remove": counts.destroy,
            "forget": counts.forget,
            "restore": counts.restore,
            "operation": operation,
        }
        if self._operation == "refresh":
            recorded = sum(self._actions[address] == "record" for address in objects)
            text = f"{recorded} recorded, {counts.forget} forgotten"
            if operation == "plan":
                text = f"{recorded} to record, {counts.forget} to forget"
            self._line("change_summary", f"{operation.capitalize()}: {text}", changes=changes | {"record": recorded})
            return
        words = ("to add", "to change", "to destroy") if operation == "plan" else ("added", "changed", "destroyed")
        counted = zip((counts.add, counts.change, counts.destroy), words, strict=True)
        text = ", ".join(f"{count} {word}" for count, word in counted)
        if counts.restore:
            text = f"{counts.restore} {'to restore' if operation == 'plan' else 'restored'}, {text}"
        self._line("change_summary", f"{operation.capitalize()}: {text}", changes=changes)

    def _line(self, type: str, message: str, level: str = "info", **more: Any) -> None:
        stamp = self._now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        data = {"@level": level, "@message": message, "@module": "lunform.ui", "@timestamp": stamp, "type": type}
        self._write(json.dumps(data | more, ensure_ascii=False) + "\n")


def _action(change: Change, plan: Plan) -> str:
    if plan.operation in ("refresh", "import") and change.recorded_anew:
        return "record"
    if change.restoring is not None:
        return "restore"
    return _PLANNED.get(change.action, "noop")


def _resource(address: InstanceAddress) -> dict[str, Any]:
    return {
        "addr": str(address),
        "module": module_text(address.module),
        "resource": str(address.resource.instance(address.key)).removeprefix(module_text(address.module)).lstrip("."),
        "implied_provider": "lunform",
        "resource_type": address.type,
        "resource_name": address.name,
        "resource_key": address.key,
    }


def _is_open(output: OutputValue) -> bool:
    """Some of it is known only after apply."""
    return unknown_mask(output.value) not in (False, {}, [])
