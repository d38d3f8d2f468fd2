"""
A plan as JSON, in the shape of Terraform's plan representation, so that policies written for that carry over.

Ours besides: `placements`, `qos`, `reservations`, `steps` and `offline`, and in a change `takes_effect`, `restoring`
(the deleted volume that comes back) and `restorable` (what goes can come back for a while). Volumes are as the language
has them, with `attach` blocks. Nothing sensitive is in it: such values are null, and marked in
`before_sensitive` and `after_sensitive`.

Of a partial plan `complete` is false, and `targets` or `excludes` say what it is about. What is recorded and left out
is a no-op with the reason `left_out`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress
from planner.placement.model import Enforcement
from planner.planning.plan import Action, Change, OutputChange, Plan, Reservation
from planner.resources.catalog import shown
from planner.resources.volume import LIMIT_NAMES
from planner.state.model import Attributes, OutputValue
from planner.steps.graph import Step
from planner.values.marks import Sensitive, Unknown
from planner.version import VERSION
from planner.views.state_json import module_tree, outputs_json, plain, provider_name, resource_json

_ACTIONS = {
    Action.CREATE: ["create"],
    Action.UPDATE: ["update"],
    Action.REPLACE: ["delete", "create"],
    Action.DELETE: ["delete"],
    Action.FORGET: ["forget"],
    Action.NO_OP: ["no-op"],
}

Pools = Mapping[str, ProviderAddress | None]


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The whole plan, no-ops too."""
    pools = _pools(plan)
    data: dict[str, Any] = {
        "format_version": "1.2",
        "lunform_version": VERSION,
        "variables": {name: {"value": plain(value)} for name, value in sorted(plan.variables.items())},
        "planned_values": _values(plan, pools, planned=True),
        "resource_changes": [_resource_change(change, pools) for change in plan.changes],
        "output_changes": {name: _output_change(output) for name, output in sorted(plan.outputs.items())},
        "prior_state": {
            "format_version": "1.0",
            "lunform_version": VERSION,
            "values": _values(plan, pools, planned=False),
        },
        "timestamp": plan.created,
        "applyable": not plan.is_empty and not plan.offline,
        "complete": not plan.is_partial,
        "errored": False,
        "operation": plan.operation,
        "offline": plan.offline,
        "workspace": plan.workspace,
        "placements": {
            str(change.address): {
                "pool": None if change.assignment.among else change.assignment.pool,
                **({"among": list(change.assignment.among)} if change.assignment.among else {}),
                "reason": change.assignment.reason,
                "rejections": [
                    {
                        "pool": refused.pool,
                        "filter": refused.filter,
                        "reason": refused.reason,
                        "figures": dict(refused.figures),
                    }
                    for refused in change.assignment.rejections
                ],
                "fitting": [
                    {"pool": fits.pool, "iops": fits.iops, "bytes": fits.bytes} for fits in change.assignment.fitting
                ],
            }
            for change in plan.changes
            if change.assignment is not None
        },
        "qos": {str(change.address): _qos(change) for change in plan.changes if change.assignment is not None},
        "reservations": [_reservation(item) for item in plan.reservations],
        "steps": [_step(step) for step in plan.steps.steps],
    }
    if plan.is_partial:
        data |= {"targets": list(plan.targets), "excludes": list(plan.excludes)}
    if drifted := _drifted(plan, pools):
        data["resource_drift"] = drifted
    return data


def drift_to_json(plan: Plan) -> dict[str, Any]:
    """What was changed outside: that part of the plan's representation, there also when it is empty."""
    return {
        "format_version": "1.2",
        "lunform_version": VERSION,
        "timestamp": plan.created,
        "resource_drift": _drifted(plan, _pools(plan)),
    }


def unknown_mask(value: Any) -> Any:
    """True where the value is unknown, in the value's own shape; known attributes are left out."""
    return _mask(value, Unknown)


def sensitive_mask(value: Any) -> Any:
    """True where the value is sensitive, in the value's own shape; other attributes are left out."""
    return _mask(value, Sensitive)


def _pools(plan: Plan) -> Pools:
    return {str(change.address): change.provider for change in plan.changes if change.address.type == "pool"}


def _drifted(plan: Plan, pools: Pools) -> list[dict[str, Any]]:
    return [_drift(change, pools) for change in plan.changes if change.drift]


def _mask(value: Any, mark: type) -> Any:
    match value:
        case Mapping():
            masks = ((name, _mask(item, mark)) for name, item in sorted(value.items()))
            return {name: mask for name, mask in masks if mask is not False}
        case tuple() | list():
            return [_mask(item, mark) for item in value]
        case _:
            return isinstance(value, mark)


def _values(plan: Plan, pools: Pools, *, planned: bool) -> dict[str, Any]:
    """What will be, or what is now: outputs, and resources by module."""
    outputs = {name: output.after if planned else output.before for name, output in plan.outputs.items()}
    resources: list[tuple[InstanceAddress, dict[str, Any]]] = []
    for change in plan.changes:
        attributes = change.after if planned else change.before
        if attributes is not None:
            values = shown(change.address.type, attributes)
            named = resource_json(change.address, provider_name(change.provider, attributes, pools))
            own = {"schema_version": 0, "values": plain(values), "sensitive_values": sensitive_mask(values)}
            resources.append((change.address, named | own))
    return {
        "outputs": outputs_json({name: value for name, value in outputs.items() if value is not None}),
        "root_module": module_tree(resources),
    }


def _resource_change(change: Change, pools: Pools) -> dict[str, Any]:
    type = change.address.type
    before = None if change.before is None else shown(type, change.before)
    after = None if change.after is None else shown(type, change.after)
    what: dict[str, Any] = {
        "actions": ["create", "delete"] if change.create_first else _ACTIONS[change.action],
        "before": plain(before),
        "after": plain(after),
        "after_unknown": {} if after is None else unknown_mask(after),
        "before_sensitive": sensitive_mask(before),
        "after_sensitive": sensitive_mask(after),
    }
    if change.replace_paths:
        what["replace_paths"] = [[path] for path in change.replace_paths]
    if change.importing:
        what["importing"] = {"id": change.importing}
    if change.restoring is not None and change.before is not None:
        what["restoring"] = {"id": change.before["id"], "until": change.restoring}
    if change.restorable:
        what["restorable"] = True
    data = _named(change, pools) | {"change": what}
    if change.previous is not None:
        data["previous_address"] = str(change.previous)
    if change.takes_effect:
        data["takes_effect"] = [
            {"host": item.host, "vm": item.vm, "when": "at once" if item.at_once else "at next start"}
            for item in change.takes_effect
        ]
    return data | ({"action_reason": change.reason} if change.reason else {})


def _drift(change: Change, pools: Pools) -> dict[str, Any]:
    """
    What was changed outside, as a change from what was recorded to what is.

    `drift` has all of it, with paths that are no attributes (`disk of db-01`) too.
    """
    gone = any(not item.path for item in change.drift)
    now: Attributes = shown(change.address.type, change.before or {})
    was = {**now, **{item.path: item.recorded for item in change.drift if item.path in now}}
    return _named(change, pools) | {
        "change": {
            "actions": ["delete"] if gone else ["update"],
            "before": plain(was) if change.before is not None else None,
            "after": None if gone else plain(now),
            "after_unknown": {},
            "before_sensitive": False,
            "after_sensitive": False,
        },
        "drift": [
            {"path": item.path, "recorded": plain(item.recorded), "actual": plain(item.actual)} for item in change.drift
        ],
    }


def _named(change: Change, pools: Pools) -> dict[str, Any]:
    attributes = change.after if change.after is not None else change.before
    return resource_json(change.address, provider_name(change.provider, attributes, pools))


def _output_change(output: OutputChange) -> dict[str, Any]:
    before, after = output.before, output.after
    if before == after:
        actions = ["no-op"]
    else:
        actions = ["create"] if before is None else ["delete"] if after is None else ["update"]
    return {
        "actions": actions,
        "before": _output_value(before),
        "after": _output_value(after),
        "after_unknown": unknown_mask(after.value) if after is not None else False,
        "before_sensitive": before is not None and before.sensitive,
        "after_sensitive": after is not None and after.sensitive,
    }


def _output_value(output: OutputValue | None) -> Any:
    return None if output is None or output.sensitive else plain(output.value)


def _qos(change: Change) -> dict[str, Any]:
    """
    For each figure how much, and who holds it: "storage", "hypervisor", "reserved", "none"; "unknown" in an offline
    plan; null for none asked.
    """
    attributes = change.after or {}
    holders = asdict(change.assignment.enforcement if change.assignment else Enforcement())
    return {
        figure: {
            "bandwidth" if figure == "bandwidth" else "iops": plain(attributes.get(name)),
            "enforced_by": by or None,
        }
        for (figure, by), name in zip(holders.items(), LIMIT_NAMES, strict=True)
    }


def _reservation(item: Reservation) -> dict[str, Any]:
    """What is added to a pool, and the budgets that it is held to; null for no limit."""
    return {
        "pool": item.pool.address,
        "bytes": item.bytes,
        "floors": item.floors,
        "byte_budget": item.byte_budget,
        "iops_budget": item.iops_budget,
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "verb": step.verb.value,
        "address": str(step.address),
        "provider": str(step.provider) if step.provider else None,
        "requires": list(step.requires),
        "arguments": plain(step.arguments),
    }
