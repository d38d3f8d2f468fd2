"""What the verb `import` records, for people."""

from __future__ import annotations

from planner.planning.plan import Action, Plan
from planner.state.model import RecordedObject
from planner.views.state_text import render_object
from planner.views.style import Style

_MEANS = """\
This records the volume as its array has it, and changes nothing on any system. `lunform plan` then shows how it
differs from its block."""


def render_import(plan: Plan, style: Style) -> str:
    """The volume as it is recorded, and what is recorded besides since the volume names it."""
    sections = []
    for change in plan.changes:
        if change.importing and change.after is not None:
            sections.append(style.bold(f'Import: {change.address} from "{change.importing}".'))
            record = RecordedObject(change.address, change.provider, change.after)
            sections.append(render_object(record, style).rstrip("\n"))
    besides = [str(change.address) for change in plan.changes if change.action is Action.CREATE]
    if besides:
        sections.append(f"Recorded with it, since it names them: {', '.join(besides)}.")
    return "\n\n".join([*sections, _MEANS]) + "\n"
