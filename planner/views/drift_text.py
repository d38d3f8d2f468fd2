"""What was changed outside, for people: object by object, what is recorded and what is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from planner.planning.plan import Action, Change, Drift, Plan
from planner.views.style import Style
from planner.views.values_text import inline

_MEANS = """\
This records what is there, and changes nothing on any system. Afterwards a plain plan shows the way back to the
configuration as your own change; a plain plan made now would put back what was changed outside."""
_GONE = """
What is gone is forgotten, so that the next plan creates it again, empty."""


def drift_line(item: Drift) -> str:
    """`size 10GiB -> 15GiB`; `exists -> gone` for a whole object."""

    def word(value: object) -> str:
        return value if isinstance(value, str) else inline(value)

    return f"{item.path} {word(item.recorded)} -> {word(item.actual)}".lstrip()


def render_drift(plan: Plan, style: Style) -> str:
    """What `lunform drift` found; `plan` is a refresh-only one."""
    drifted = [change for change in plan.changes if change.drift]
    if not drifted:
        return style.bold("No drift. Everything that is recorded is there, as it is recorded.") + "\n"
    sections = [
        style.bold(_count(drifted)),
        *_objects(drifted, style),
        "`lunform plan` shows what would put it back; `lunform apply -refresh-only` records it as it is.",
    ]
    return "\n\n".join(sections) + "\n"


def refresh_sections(plan: Plan, style: Style) -> tuple[str, list[str], str]:
    """Of a refresh-only plan that is not empty: how it begins, its objects, and what applying it means."""
    drifted = [change for change in plan.changes if change.drift]
    if not drifted:
        return style.bold("No drift. Outputs are recorded as they are worked out now."), [], ""
    gone = any(change.action is Action.FORGET for change in drifted)
    return style.bold(_count(drifted)), _objects(drifted, style), _MEANS + (_GONE if gone else "")


def _objects(changes: Sequence[Change], style: Style) -> list[str]:
    return ["\n".join(_object(change, style)) for change in changes]


def _object(change: Change, style: Style) -> Iterable[str]:
    if change.action is Action.FORGET:
        before = change.before or {}
        yield f"  {style.bold(f'# {change.address} is gone')}"
        if "size" in before and "pool" in before:
            yield f"      {style.destroy('-')} it had {before['size']} on {before['pool']}"
    else:
        yield f"  {style.bold(f'# {change.address} was changed outside')}"
        yield from (f"      {style.warning('~')} {drift_line(item)}" for item in change.drift)


def _count(drifted: Sequence[Change]) -> str:
    gone = sum(change.action is Action.FORGET for change in drifted)
    return f"Drift: {len(drifted) - gone} changed outside, {gone} gone."
