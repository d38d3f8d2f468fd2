"""The state for people: recorded objects as blocks, and outputs."""

from __future__ import annotations

from collections.abc import Mapping

from planner.resources.vm import VOLUME_TYPES
from planner.state.model import DELETED_UNTIL, OutputValue, RecordedObject, Snapshot
from planner.state.transfer import moved_to
from planner.views.attributes_text import disk_rows, row_lines, rows_of, values
from planner.views.style import Style
from planner.views.values_text import SENSITIVE, Bare, full


def render_state(snapshot: Snapshot, style: Style) -> str:
    """All objects, sorted by address, then the outputs."""
    objects = sorted(snapshot.objects.values(), key=lambda object: object.address)
    parts = [render_object(object, style) for object in objects]
    if snapshot.in_doubt and not moved_to(snapshot.in_doubt):
        count = len(snapshot.in_doubt)
        steps = f"{count} step{'s' if count > 1 else ''}"
        parts.append(
            style.warning(f"An interrupted run left {steps} in doubt. The next apply finds out what was done.") + "\n"
        )
    if snapshot.outputs:
        parts.append("Outputs:\n\n" + render_outputs(snapshot.outputs, style))
    return "\n".join(parts) or "The state is empty. Nothing was applied yet.\n"


def render_object(object: RecordedObject, style: Style) -> str:
    """One object as a block under its address."""
    address = object.address
    named = values(address.type, object.attributes)
    if object.provider is not None:
        named = {"provider": Bare(str(object.provider)), **named}
    rows = rows_of(" ", named, {})
    if address.type in VOLUME_TYPES:
        rows.extend(disk_rows(" ", object.attributes))
    lines = [line.removeprefix("    ") for row in row_lines(rows, style) for line in row.split("\n")]
    head = [f"{style.bold(f'# {address}')}{remark(object, style)}", f'{address.type} "{address.name}" {{']
    return "\n".join([*head, *lines, "}"]) + "\n"


def remark(object: RecordedObject, style: Style) -> str:
    """What goes behind its address: what makes it other than most objects."""
    if object.is_deleted:
        return style.dim(f" (deleted; its array can restore it until {object.attributes[DELETED_UNTIL]})")
    return style.dim(" (protected from destruction)") if object.protected else ""


def render_outputs(outputs: Mapping[str, OutputValue], style: Style) -> str:
    """A line for each output, or several for a long one."""
    width = max((len(name) for name in outputs), default=0)
    lines = [
        f"{name:{width}} = {style.dim(SENSITIVE) if output.sensitive else full(output.value)}"
        for name, output in sorted(outputs.items())
    ]
    return "".join(f"{line}\n" for line in lines) or "There are no outputs.\n"
