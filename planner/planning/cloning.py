"""What new volumes begin as copies of: other volumes, made already or by the same plan, and their snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from planner.addresses import InstanceAddress, parse_instance
from planner.diagnostics import Diagnostics
from planner.placement.model import Demand
from planner.planning.goal import Goal
from planner.planning.needs import is_data
from planner.planning.refresh import Actual
from planner.resources.volume import VOLUME
from planner.state.model import Attributes
from planner.units import format_size, parse_size
from planner.values.marks import Unknown


def source_of(goal: Goal) -> str | None:
    """The address of the volume or data source that the volume begins as a copy of; None where it begins otherwise."""
    source = goal.instance.attributes.get("source")
    return source if goal.instance.address.type == VOLUME.name and isinstance(source, str) else None


def clone_of(goal: Goal, data: Mapping[str, Attributes]) -> Mapping[str, str | None] | None:
    """
    As in `Change.clone_of`, of a volume that is made by the plan.

    Args:
        data: attributes of data sources by address.
    """
    source = source_of(goal)
    if source is None:
        return None
    if not is_data(source):
        return {"address": source, "snapshot": None}
    return {"address": data[source]["volume"], "snapshot": data[source]["id"]}


def demand_of_clone(
    demand: Demand,
    goal: Goal,
    goals: Mapping[InstanceAddress, Goal],
    now_of: Callable[[InstanceAddress], Attributes | None],
    data: Mapping[str, Attributes],
    actual: Actual,
    diagnostics: Diagnostics,
) -> Demand:
    """
    The demand with where its source is: an array copies volumes of its own only. An error for a source that is larger,
    or not known.

    Args:
        goals: of all volumes of the plan.
        now_of: what a volume is now.
        data: as in `clone_of`.
    """
    source, now = source_of(goal), now_of(goal.instance.address)
    stays = now is not None and now.get("source") == source and demand.pin in (None, demand.prior)
    if source is None or stays:
        return demand
    address = None if is_data(source) else parse_instance(source)
    if address is not None:
        there, other = now_of(address), goals.get(address)
        size = other.size if other else parse_size(there["size"]) if there else 0
        pool = there["pool"] if there else None
    else:
        snapshot = data.get(source)
        if snapshot is None or isinstance(snapshot["id"], Unknown):
            _refuse(
                goal, "Not known when planning", f"{source} is not known yet. Apply what it reads first.", diagnostics
            )
            return demand
        there = now_of(parse_instance(snapshot["volume"]))
        size, pool = parse_size(snapshot["size"]), there["pool"] if there else None
    if goal.size < size:
        _refuse(
            goal,
            "Copy smaller than its source",
            f"{goal.instance.address} would have {format_size(goal.size)}, and {source} has {format_size(size)}. Make"
            " it at least that large.",
            diagnostics,
        )
    reading = actual.pools.get(pool) if pool else None
    if reading is not None and reading.asked:
        return replace(demand, clone_of=source, beside=reading.array.identity)
    return replace(demand, clone_of=source, after=address)


def _refuse(goal: Goal, summary: str, detail: str, diagnostics: Diagnostics) -> None:
    given = goal.instance.resource.body.argument("source")
    where = given.value.range if given else goal.instance.resource.range
    diagnostics.error(summary, detail, where, address=str(goal.instance.address))
