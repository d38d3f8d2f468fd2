"""
Whether a plan may still be applied: an object that it touches must be as recorded as when the plan was made. What was
applied elsewhere in the state does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from planner.errors import StalePlan
from planner.planning.plan import Action, Change, Drift, Plan
from planner.resources.catalog import shown
from planner.state.model import Attributes, RecordedObject, Snapshot
from planner.values.codec import from_plain
from planner.values.show import short_text

_OBJECTS_NAMED = 10
_WOULD = {
    Action.CREATE: "create it",
    Action.UPDATE: "change it",
    Action.REPLACE: "replace it",
    Action.DELETE: "destroy it",
    Action.FORGET: "forget it",
    Action.NO_OP: "record it anew",
}


def refuse_stale(plan: Plan, snapshot: Snapshot) -> None:
    """
    Hold a plan against the state as it is now. Only what the plan touches counts.

    Raises:
        StalePlan: an object that it touches has changed since, or it was made for another state.
    """
    if plan.lineage != snapshot.lineage:
        was = plan.lineage or "a state that had never been written"
        raise StalePlan(
            "The plan was made for another state.",
            f"It was made for {was}; this one is {snapshot.lineage or 'not written yet'}. Plan again.",
        )
    moved = [
        f"  {change.address}: {how}"
        for change in plan.changes
        if not change.is_empty
        if (how := _how_it_moved(change, snapshot.objects.get(change.previous or change.address)))
        or (how := _is_taken(change, snapshot))
    ]
    if moved:
        more = len(moved) - _OBJECTS_NAMED
        raise StalePlan(
            "The plan is stale.",
            "\n".join(
                [
                    "Since it was made, what it touches was changed by another apply:",
                    *moved[:_OBJECTS_NAMED],
                    *([f"  and {more} more"] if more > 0 else []),
                    "Nothing was done. Plan again.",
                ]
            ),
        )


def _how_it_moved(change: Change, object: RecordedObject | None) -> str:
    """What happened to the record since the plan was made; an empty text for nothing."""
    would = f"the plan would {_WOULD[change.action]}"
    if object is None:
        return "" if change.revision is None else f"it is not recorded any more, and {would}"
    if change.revision is None:
        id = object.attributes.get("id")
        known = f" with the id {id}" if id not in (None, str(object.address)) else ""
        return f"it is recorded by now{known}, and {would}"
    if object.revision == change.revision:
        return ""
    if change.before is None:  # the plan found it gone
        return f"it was recorded anew, and {would}"
    said = _differences(change.address.type, change.before, change.drift, object)
    return ", ".join(said) or "it was recorded anew, with the attributes that it had"


def _is_taken(change: Change, snapshot: Snapshot) -> str:
    """Where a deleted volume is to be restored, another one is recorded by now."""
    there = snapshot.objects.get(change.address) if change.restoring is not None and change.previous else None
    if there is None or there.is_deleted:
        return ""
    return "another volume is recorded there by now, and the plan would restore the deleted one"


def _differences(type: str, before: Attributes, drift: Sequence[Drift], object: RecordedObject) -> Iterator[str]:
    """Attributes that are recorded otherwise than when the plan was made, in words."""
    was: dict[str, Any] = {**shown(type, before)}
    # The plan has what it found; with what it found to have drifted, it tells what was recorded.
    was |= {item.path: item.recorded for item in drift if item.path in was}
    is_now: Mapping[str, Any] = shown(type, object.attributes)
    # Of disks and access only the drift is told in the plan, and not what was recorded.
    untold = {"attach"} if any(item.path not in was for item in drift) else set()
    for name in sorted({*was, *is_now} - untold):
        had, has = was.get(name), is_now.get(name)
        if had == has:
            continue
        if any(isinstance(value, (Mapping, tuple)) for value in (had, has)):
            yield name
        else:
            yield f"{name} {_text(had)} -> {_text(has)}"


def _text(value: Any) -> str:
    return "none" if value is None else value if isinstance(value, str) else short_text(from_plain(value))
