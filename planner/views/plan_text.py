"""
A plan for people: the summary, what becomes of each instance and why, what data goes, and the summary again.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from planner.addresses import module_text
from planner.planning.plan import LEFT_OUT, Action, Change, OutputChange, Plan
from planner.resources.catalog import OBJECT_TYPES
from planner.resources.vm import VM, VOLUME_TYPES, block_address
from planner.resources.volume import attach_blocks
from planner.state.model import OutputValue
from planner.steps.graph import LOCAL_VERBS
from planner.values.marks import Sensitive
from planner.views.attributes_text import (
    FIGURES,
    Row,
    changed_disk_rows,
    changed_rows,
    disk_rows,
    effect_rows,
    notes,
    pool_rows,
    row_lines,
    rows_of,
    values,
)
from planner.views.drift_text import drift_line, refresh_sections
from planner.views.explain_text import render_explanation
from planner.views.import_text import render_import
from planner.views.plan_summary import in_workspace, render_summary, table
from planner.views.steps_text import order_text
from planner.views.style import Style
from planner.views.values_text import Bare, difference, full, inline

_WIDTH = 100
_NAMED = 5
"""Targets that are named; more are counted."""
_SYMBOLS = {
    Action.CREATE: ("  +", "create"),
    Action.UPDATE: ("  ~", "update in place"),
    Action.REPLACE: ("-/+", "destroy and then create again"),
    Action.DELETE: ("  -", "destroy"),
    Action.FORGET: ("  .", "forget: no longer recorded, not destroyed"),
}
_CREATE_FIRST = ("+/-", "create a replacement and then destroy the old one")
_RESTORE = ("  +", "restore with its data")
_BECOMES = {
    Action.CREATE: "will be created",
    Action.UPDATE: "will be updated in place",
    Action.REPLACE: "must be replaced",
    Action.DELETE: "will be destroyed",
    Action.FORGET: "will be forgotten",
}
_REPLACED_BECAUSE = {
    "replace_by_request": "will be replaced, as requested",
    "replace_by_triggers": "will be replaced due to changes in replace_triggered_by",
}


_OFFLINE = "Offline plan: made of what is recorded and declared. No system was asked, and it cannot be applied."
_OFFLINE_LACKS = "Offline plan: drift, the room that others have taken, and who holds which figures are not known."


def render_plan(plan: Plan, style: Style, *, show_steps: bool = True, explain: bool = False) -> str:
    """
    The whole plan, ending in a new line. No-ops are not shown, but for what was changed outside to what is wanted now.
    An offline plan begins and ends with a line that says so.

    Args:
        show_steps: with the provider calls that each volume takes.
        explain: with why each volume is where it is, no-ops too.
    """
    text = _plan(plan, style, show_steps, explain)
    if plan.offline:
        return f"{style.warning(_OFFLINE)}\n\n{text}\n{style.warning(_OFFLINE_LACKS)}\n"
    return text


def _plan(plan: Plan, style: Style, show_steps: bool, explain: bool) -> str:
    if plan.operation == "refresh":
        return _refresh(plan, style)
    if plan.operation == "import":
        return render_import(plan, style)
    changes = [change for change in plan.changes if change.action is not Action.NO_OP]
    settled = _settled_drift(plan, style)
    if plan.is_empty:
        nothing = (
            f"No changes. Nothing is recorded{in_workspace(plan)} that could be destroyed."
            if plan.operation == "destroy"
            else f"No changes. What is recorded{in_workspace(plan)} matches the configuration."
            if plan.offline
            else f"No changes. Your storage{in_workspace(plan)} matches the configuration."
        )
        if plan.is_partial:
            nothing = "No changes to what the plan is about."
        why = render_explanation(plan, style) if explain else ""
        return "\n\n".join(filter(None, [settled, why, style.bold(nothing), _partial(plan, style)])) + "\n"
    summary = render_summary(plan, style)
    sections = [
        summary,
        _legend(changes, style),
        *(_change(change, plan, style, show_steps) for change in changes),
        _recorded_anew(plan, style),
        settled,
        render_explanation(plan, style) if explain else _refused_pools(changes, style),
        _outputs(plan, style),
        _data_loss(changes, style),
        _partial(plan, style),
        summary,
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def _refresh(plan: Plan, style: Style) -> str:
    """A plan that changes the record alone."""
    partial = _partial(plan, style)
    if plan.is_empty:
        what = "What the plan is about" if plan.is_partial else "Everything that is recorded"
        nothing = style.bold(f"No changes. {what} is there, as it is recorded.")
        return "\n\n".join(filter(None, [nothing, partial])) + "\n"
    begin, objects, means = refresh_sections(plan, style)
    return "\n\n".join(filter(None, [begin, *objects, _outputs(plan, style), partial, means])) + "\n"


def _legend(changes: Sequence[Change], style: Style) -> str:
    used = {(change.action, change.create_first) for change in changes if change.restoring is None}
    mark = _marks(style)
    legend = [(Action.CREATE, _RESTORE)] if any(change.restoring is not None for change in changes) else []
    legend += [(action, symbol) for action, symbol in _SYMBOLS.items() if (action, False) in used]
    legend += [(Action.REPLACE, _CREATE_FIRST)] if (Action.REPLACE, True) in used else []
    return "\n".join(f"{mark[action](symbol)} {meaning}" for action, (symbol, meaning) in legend)


# -- one change --


def _change(change: Change, plan: Plan, style: Style, show_steps: bool) -> str:
    becomes = _REPLACED_BECAUSE.get(change.reason, _BECOMES[change.action])
    becomes = "will be restored" if change.restoring is not None else becomes
    lines = [f"  {style.bold(f'# {change.address} {becomes}')}"]
    lines.extend(f"  {style.dim(f'# ({reason})')}" for reason in _because(change))
    symbol = _marks(style)[change.action](_CREATE_FIRST[0] if change.create_first else _SYMBOLS[change.action][0])
    symbol = _marks(style)[Action.CREATE](_RESTORE[0]) if change.restoring is not None else symbol
    lines.append(f'{symbol} {change.address.type} "{change.address.name}" {{')
    drift = [drift_line(item) for item in change.drift if item.path]
    lines.extend(f"      {style.warning('# changed outside:')} {text}" for text in drift)
    lines.extend(row_lines([*_rows(change, style), *effect_rows(change.takes_effect)], style))
    if show_steps and (OBJECT_TYPES[change.address.type].provisioned or _calls(plan, change)):
        lines.extend(_steps(order_text(plan.steps, change.steps), style))
    return "\n".join([*lines, "    }"])


def _calls(plan: Plan, change: Change) -> bool:
    return any(plan.steps.steps[number].verb not in LOCAL_VERBS for number in change.steps)


def _steps(order: str, style: Style) -> list[str]:
    if not order:
        return []
    begin = "# steps: "
    wrapped = textwrap.wrap(
        begin + order,
        _WIDTH - 6,
        subsequent_indent="#".ljust(len(begin)),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"      {style.dim(line)}" for line in wrapped]


def _rows(change: Change, style: Style) -> list[Row]:
    before, after, type = change.before, change.after, change.address.type
    said = notes(change.assignment) if change.assignment else {}
    own: dict[str, object] = {}
    if change.provider is not None and type not in VOLUME_TYPES:
        own["provider"] = Bare(str(change.provider))
    open_pool = pool_rows(change.assignment) if change.assignment else []
    if before is None and after is not None:
        return _remarks_last([*rows_of("+", own | values(type, after), said), *disk_rows("+", after), *open_pool])
    if before is not None and after is None:
        symbol = "-" if change.action is Action.DELETE else " "
        return [*rows_of(symbol, own | values(type, before), {}), *disk_rows(symbol, before)]
    if before is None or after is None:
        return []
    if change.action is Action.UPDATE:
        said.pop("pool", None)  # it stays
    if change.action is Action.UPDATE and type == VM.name and before.get("power") == "on":
        said |= dict.fromkeys((name for name in ("cpus", "memory") if before[name] != after[name]), "at its next start")
    rows = changed_rows(
        own | values(type, before),
        own | values(type, after),
        said,
        style,
        forcing=[FIGURES.get(path, path) for path in change.replace_paths],
        shown=("provider", "pool", "size", *FIGURES.values()),
        made_anew=change.action is Action.REPLACE,
    )
    return _remarks_last([*rows, *changed_disk_rows(before, after), *open_pool])


def _remarks_last(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.symbol == "#")


def _because(change: Change) -> Iterable[str]:
    address, key = change.address, inline(change.address.key)
    if change.restoring is not None:
        yield f"with its data: it was deleted, and its array keeps it until {change.restoring}"
    elif change.previous is not None:
        yield f"moved from {change.previous}"
    if change.importing:
        yield f'imported from "{change.importing}"'
    match change.reason:
        case "" | "replace_by_request" | "replace_by_triggers":
            pass
        case "gone_outside":
            yield "it was deleted outside; it will be created again" + (", empty" if change.holds_data else "")
        case "replace_with_root_disk":
            yield "because its root disk is made anew"
        case "reattach_to_remade_vm":
            yield "because its VM is made anew"
        case "replace_because_cannot_update":
            yield f"because {' and '.join(change.replace_paths)} cannot be changed in place"
        case "delete_because_no_resource_config":
            yield f"because {block_address(address).resource} is not in configuration"
        case "delete_because_deposed" if change.action is Action.FORGET:
            yield "its replacement was never made; only this second record of it goes"
        case "delete_because_deposed":
            yield "left over from a replacement"
        case "delete_because_no_module":
            yield f"because {module_text(address.module)} is not in configuration"
        case "forget_because_removed":
            yield "a removed block lets it go; it stays where it is, with its data"
        case "delete_because_each_key":
            yield f"because key [{key}] is not in for_each map"
        case "delete_because_count_index":
            yield f"because index [{key}] is out of range for count"
        case "delete_because_wrong_repetition":
            yield f"because {block_address(address).resource} uses count or for_each now"
        case other:
            yield other.replace("_", " ")
    if change.action is Action.FORGET and change.reason not in ("forget_because_removed", "delete_because_deposed"):
        gone = any(not item.path for item in change.drift)
        yield "it was deleted outside" if gone else "it stays where it is, with its data: on_destroy is retain"
    schema = OBJECT_TYPES.get(address.type)
    if change.action is Action.DELETE and schema is not None and not schema.provisioned:
        yield "only its record goes; no system is touched"
    if change.action is Action.REPLACE and change.before is not None and change.assignment is not None:
        for refused in change.assignment.rejections:
            if refused.pool == change.before.get("pool"):
                yield f"it cannot stay on {refused.pool}: {refused.reason}"


# -- sections --


def _recorded_anew(plan: Plan, style: Style) -> str:
    """What nothing is done to, but what is recorded differently from now on."""
    lines = []
    for change in plan.changes:
        if change.action is Action.NO_OP and change.recorded_anew:
            if change.previous is not None:
                what = f"{change.previous} has moved to {change.address}"
            elif change.importing:
                as_it_is = "" if plan.offline else ", as it is"
                what = f'{change.address} will be imported from "{change.importing}"{as_it_is}'
            else:
                what = f"{change.address} follows what it refers to"
            lines.append(f"  {style.bold(f'# {what}')}")
    return "\n".join(lines)


def _settled_drift(plan: Plan, style: Style) -> str:
    lines = [
        f"  {change.address}: {drift_line(item)}"
        for change in plan.changes
        if change.action is Action.NO_OP
        for item in change.drift
    ]
    if not lines:
        return ""
    record = style.dim("  # lunform apply -refresh-only records it")
    return "\n".join([style.warning("Changed outside, and as configured now:"), *lines, record])


def _refused_pools(changes: Sequence[Change], style: Style) -> str:
    """For each pool and filter the first volume's figures, and how many others it refused."""
    refused: dict[tuple[str, str], tuple[Change, str]] = {}
    times: Counter[tuple[str, str]] = Counter()
    for change in changes:
        for item in change.assignment.rejections if change.assignment else ():
            refused.setdefault((item.pool, item.filter), (change, item.reason))
            times[item.pool, item.filter] += 1
    if not refused:
        return ""
    rows = []
    for (pool, filter), (first, reason) in sorted(refused.items(), key=lambda item: item[0]):
        others = times[pool, filter] - 1
        whom = f"for {first.address}" + (f" and {others} more" if others else "")
        rows.append((f"  {pool}", filter, whom, reason))
    return "\n".join([style.bold("Pools that were refused:"), *table(rows)])


def _outputs(plan: Plan, style: Style) -> str:
    changed = {name: output for name, output in sorted(plan.outputs.items()) if output.before != output.after}
    if not changed:
        return ""
    width = max(len(name) for name in changed)
    lines = [f"  {_output(name.ljust(width), output, style)}" for name, output in changed.items()]
    return "\n".join([style.bold("Changes to outputs:"), *lines])


def _output(name: str, output: OutputChange, style: Style) -> str:
    def shown(value: OutputValue) -> object:
        return Sensitive(None) if value.sensitive else value.value  # type: ignore[arg-type]

    if output.before is None and output.after is not None:
        return f"{style.create('+')} {name} = {full(shown(output.after), 4)}"
    if output.after is None and output.before is not None:
        return f"{style.destroy('-')} {name} = {full(shown(output.before), 4)}"
    if output.before is None or output.after is None:
        return ""
    return f"{style.update('~')} {name} = {difference(shown(output.before), shown(output.after), style, 4)}"


def _data_loss(changes: Sequence[Change], style: Style) -> str:
    lost = [(change, change.before) for change in changes if change.loses_data and change.before is not None]
    if not lost:
        return ""
    rows = []
    for change, before in lost:
        how = "purged" if before.get("on_destroy") == "purge" else "destroyed"
        source = (change.after or {}).get("source")
        anew = f"one made from {source}" if source else "an empty volume"
        how = f"replaced by {anew}" if change.action is Action.REPLACE else how
        how += "; its array can restore it for a while" if change.restorable else ""
        disks = ", ".join(f"{block['vm']} on {block['host']}" for block in attach_blocks(before) if block["vm"])
        rows.append((f"  {change.address}", before["size"], how, f"attached to {disks}" if disks else "not attached"))
    number = f"{len(lost)} volume{'s' if len(lost) > 1 else ''}"
    return "\n".join([style.error(f"DATA LOSS: {number} will be destroyed"), *table(rows)])


def _partial(plan: Plan, style: Style) -> str:
    """What a partial plan is about."""
    if not plan.is_partial:
        return ""
    flag, names = ("-target", plan.targets) if plan.targets else ("-exclude", plan.excludes)
    about = " ".join(f"{flag}={name}" for name in names[:_NAMED])
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    left = sum(change.reason == LEFT_OUT for change in plan.changes)
    stays = {0: "", 1: " 1 recorded object stays as it is."}.get(left, f" {left} recorded objects stay as they are.")
    return style.warning(f"Partial plan: {about}{more}.") + stays


# -- text --


def _marks(style: Style) -> dict[Action, Callable[[str], str]]:
    return {
        Action.CREATE: style.create,
        Action.UPDATE: style.update,
        Action.REPLACE: style.destroy,
        Action.DELETE: style.destroy,
        Action.FORGET: style.dim,
    }
