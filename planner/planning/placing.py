"""Declared pools as candidates, and what there is to say about those volumes that found no place, or a poor one."""

from __future__ import annotations

import json
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence

from planner.addresses import InstanceAddress
from planner.diagnostics import Diagnostics
from planner.evaluation.resource_graph import ResourceInstance
from planner.placement.model import Candidate, Demand, Placement
from planner.planning.current import held
from planner.planning.refresh import Actual
from planner.planning.refusal import refuse
from planner.resources.declared import pool_arguments
from planner.resources.vm import ROOT_DISK, VM, root_disk_address
from planner.resources.volume import VOLUME
from planner.sdk.storage import PoolSpec
from planner.state.model import Attributes
from planner.units import parse_size
from planner.values.marks import Unknown

_WHOM_IT_SERVES = ("scope", "zone", "cluster", "host", "tags", "exclusive", "state")
_FIGURES = ("capacity", "capacity_iops", "overprovision")


def candidates(
    pools: Mapping[str, Attributes], actual: Actual, ours: Mapping[str, tuple[int, int]] | None = None
) -> Iterator[Candidate]:
    """
    The pools that were read, by their addresses.

    Args:
        ours: what the volumes of this state hold on each: see `held_by_pool`.
    """
    for id, attributes in pools.items():
        reading = actual.pools.get(id)
        if reading is None:
            continue
        declared = {name: attributes.get(name) for name in _FIGURES}
        if any(isinstance(value, Unknown) for value in declared.values()):
            declared = dict.fromkeys(_FIGURES)  # offline: otherwise that is refused
        capacity = declared["capacity"]
        yield Candidate(
            id=id,
            spec=PoolSpec(id, pool_arguments(attributes)),
            array=reading.array,
            status=reading.status,
            tags=frozenset(attributes.get("tags") or ()),
            zone=attributes.get("zone"),
            cluster=attributes.get("cluster"),
            host=attributes.get("host"),
            exclusive=bool(attributes.get("exclusive")),
            enabled=attributes.get("state") == "enabled",
            capacity=None if capacity is None else parse_size(capacity),
            capacity_iops=declared["capacity_iops"],
            overprovision=float(declared["overprovision"] or 1),
            ours=(ours or {}).get(id, (0, 0)),
            asked=reading.asked,
        )


def is_without_pool(instance: ResourceInstance, recorded: Container[InstanceAddress]) -> bool:
    """Whether it is a volume, or a vm with a root disk, for which a pool is to be chosen."""
    address, attributes = instance.address, instance.attributes
    if address.type == VM.name:
        return root_disk_address(address) not in recorded and not (attributes[ROOT_DISK.name] or {}).get("pool")
    return address.type == VOLUME.name and address not in recorded and not isinstance(attributes["pool"], str)


def held_by_pool(volumes: Iterable[Attributes]) -> dict[str, tuple[int, int]]:
    """(bytes, floors) that these volumes, in recorded form, hold on each pool."""
    sums: dict[str, tuple[int, int]] = {}
    for volume in volumes:
        (bytes, iops), (size, floor) = sums.get(volume["pool"], (0, 0)), held(volume)
        sums[volume["pool"]] = (bytes + size, iops + floor)
    return sums


def check_pools(pools: Mapping[str, ResourceInstance], actual: Actual, diagnostics: Diagnostics) -> None:
    """Errors in what pools say of whom they serve, and pools that are the same one of the same array."""
    first: dict[Hashable, ResourceInstance] = {}
    for id, pool in pools.items():
        reading = actual.pools.get(id)
        _check_scope(pool, reading is None or reading.asked, diagnostics)
        if reading is None or not reading.asked:
            continue  # only its array knows which pool it is
        own = json.dumps(pool_arguments(pool.attributes), sort_keys=True, default=str)
        same = first.setdefault((pool.provider, reading.status.identity or own), pool)
        if same is not pool:
            diagnostics.error(
                "One pool declared twice",
                f"{id} and {same.address} are the same pool of the same array, and would both give out all of it."
                " Keep one of the blocks; tags and capacities of both belong there.",
                pool.resource.range,
                address=id,
                related=(("the other one", same.resource.range),),
            )


def _check_scope(pool: ResourceInstance, asked: bool, diagnostics: Diagnostics) -> None:
    """Figures that are not known are left aside where the array was not asked either."""
    for name in _WHOM_IT_SERVES + (_FIGURES if asked else ()):
        if isinstance(pool.attributes[name], Unknown):
            diagnostics.error(
                "Not known when planning",
                f"{name} decides which volumes may go to the pool, so it must be known when planning.",
                pool.resource.range,
                address=str(pool.address),
            )
    scope = pool.attributes["scope"]
    if scope is not None and not isinstance(scope, Unknown) and pool.attributes[scope] is None:
        example = "host.kvm1" if scope == "host" else f'"{scope}-1"'
        diagnostics.error(
            "Scope without its place",
            f'scope = "{scope}" does not say which {scope} that is. Add the argument {scope}, such as'
            f" {scope} = {example}, or take scope away.",
            pool.resource.range,
            address=str(pool.address),
        )


def report(demands: Sequence[Demand], placement: Placement, diagnostics: Diagnostics) -> None:
    """Errors for volumes without a place; a warning where nobody holds what is asked for as best effort."""
    unplaced = placement.unplaced
    refuse(((d, unplaced[d.address]) for d in demands if d.address in unplaced), diagnostics)
    for demand in demands:
        if demand.enforcement == "best_effort" and (assignment := placement.assignments.get(demand.address)):
            who = assignment.enforcement
            figures = ("floor", "ceiling", "burst", "bandwidth")
            lacking = [figure for figure in figures if getattr(who, figure) == "none"]
            if lacking:
                diagnostics.warning(
                    "Figures that nobody holds",
                    f"On {assignment.pool} nobody holds the {', '.join(lacking)} of this volume; its offering asks for"
                    " best effort only.",
                    demand.range,
                    address=str(demand.address),
                )
