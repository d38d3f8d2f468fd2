"""
Why each volume of a plan is where it is, and why not elsewhere.

Volumes of one resource for which the same was decided stand together, with the figures of the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence

from planner.placement.model import Assignment, Headroom, Rejection
from planner.planning.plan import Action, Change, Plan
from planner.units import approximate_size
from planner.views.plan_summary import table
from planner.views.style import Style

_POOLS_NAMED = 3


def render_explanation(plan: Plan, style: Style) -> str:
    """All volumes that the plan gives or leaves a pool; an empty text where there is none."""
    groups: dict[Hashable, list[tuple[Change, Assignment]]] = defaultdict(list)
    for change in plan.changes:
        if change.assignment is not None:
            groups[_decision(change, change.assignment)].append((change, change.assignment))
    if not groups:
        return ""
    paragraphs = ["\n".join(_group(members, style)) for members in groups.values()]
    return "\n\n".join([style.bold("Why each volume is where it is:"), *paragraphs])


def _decision(change: Change, assignment: Assignment) -> Hashable:
    """What is the same for volumes that stand together: all but figures."""
    return (
        change.address.resource,
        assignment.among or assignment.pool,
        _stays(change),
        tuple((refused.pool, refused.filter) for refused in assignment.rejections),
        frozenset(fits.pool for fits in assignment.fitting),
    )


def _group(members: Sequence[tuple[Change, Assignment]], style: Style) -> Iterator[str]:
    (change, assignment), others = members[0], len(members) - 1
    whom = f"{change.address}" + (f" and {others} more" if others else "")
    yield f"  {style.bold(whom)}: {'not chosen yet' if assignment.among else assignment.pool}"
    yield f"    {_why(change, assignment)}"
    rows = [*_fitting(assignment), *_refused(assignment.rejections)]
    if rows:
        yield from table(("    " + pools, *row) for pools, *row in rows)
    if others and (assignment.fitting or assignment.rejections):
        yield style.dim(f"    (figures as for {change.address})")


def _why(change: Change, assignment: Assignment) -> str:
    if _stays(change):
        return f"{assignment.reason}, and a plan never moves a volume by itself"
    if any(refused.filter == "pin" for refused in assignment.rejections):
        return f"pinned: the volume asks for {assignment.pool}"
    return assignment.reason


def _stays(change: Change) -> bool:
    """It is there already, or is taken over where it is."""
    return change.before is not None and change.action is not Action.REPLACE


def _fitting(assignment: Assignment) -> Iterator[tuple[str, str, str]]:
    """The chosen pool with what was left of it, and the others beside that."""
    fitting = assignment.fitting
    if not fitting:
        return
    if assignment.among:
        yield from ((fits.pool, "may do", f"{_left(fits)} left") for fits in sorted(fitting, key=lambda one: one.pool))
        return
    chosen, *others = fitting
    yield chosen.pool, "chosen", f"{_left(chosen)} left"
    for other in others:
        yield other.pool, "fits", f"{_left(other)} left: {_compared(other, chosen)}"


def _left(headroom: Headroom) -> str:
    iops = "any number of" if headroom.iops is None else headroom.iops
    size = "any size" if headroom.bytes is None else approximate_size(headroom.bytes)
    return f"{iops} IOPS and {size}"


def _compared(other: Headroom, chosen: Headroom) -> str:
    """By how much they differ in what counts first."""
    if other.iops != chosen.iops:
        if other.iops is None or chosen.iops is None:
            return f"{'more' if other.iops is None else 'fewer'} IOPS"
        return f"{abs(other.iops - chosen.iops)} IOPS {'more' if other.iops > chosen.iops else 'fewer'}"
    if other.bytes != chosen.bytes:
        if other.bytes is None or chosen.bytes is None:
            return f"{'more' if other.bytes is None else 'less'} space"
        return f"{approximate_size(abs(other.bytes - chosen.bytes))} {'more' if other.bytes > chosen.bytes else 'less'}"
    return "as much, and the later name"


def _refused(rejections: Sequence[Rejection]) -> Iterator[tuple[str, str, str]]:
    """Pools that were refused with the same words stand together."""
    pools: dict[tuple[str, str], list[str]] = defaultdict(list)
    for refused in sorted(rejections, key=lambda refused: refused.pool):
        pools[refused.filter, refused.reason].append(refused.pool)
    for (filter, reason), names in pools.items():
        more = len(names) - _POOLS_NAMED
        yield ", ".join(names[:_POOLS_NAMED]) + (f" and {more} more" if more > 0 else ""), filter, reason
