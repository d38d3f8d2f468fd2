"""
What is taken for what there is when nobody is asked: the record, and what is declared. It is for plans of pull
requests, made where there are no credentials, and never applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from planner.addresses import InstanceAddress, parse_instance
from planner.placement.model import Assignment, Placement
from planner.planning.outputs import has_unknown
from planner.planning.placing import held_by_pool
from planner.planning.plan import OutputChange
from planner.planning.refresh import Actual, PoolReading
from planner.resources.vm import VOLUME_TYPES
from planner.sdk.storage import ArrayInfo, PoolStatus
from planner.state.model import Attributes, RecordedObject

_OPEN = "nothing declared refuses these, and without their arrays' own figures none is better"
_NOBODY = ArrayInfo(identity="", product="not asked", supports=frozenset())


def as_recorded(known: Mapping[str, Attributes], objects: Mapping[InstanceAddress, RecordedObject]) -> Actual:
    """
    Pools with what this state's volumes hold on them. Hosts are left out, as everything that is not read.

    Args:
        known: attributes of pools, among others, by address.
    """
    held = held_by_pool(object.attributes for address, object in objects.items() if address.type in VOLUME_TYPES)
    pools = {}
    for id in known:
        if parse_instance(id).type == "pool":
            bytes, floors = held.get(id, (0, 0))
            pools[id] = PoolReading(_NOBODY, PoolStatus(None, bytes, None, floors), volumes=None, asked=False)
    return Actual(pools)


def leave_open(placement: Placement, weigher: str) -> Placement:
    """
    The placement with those volumes' pools left open that only the arrays' own figures could choose: of several pools
    that nothing declared refuses, at least one has figures that are not declared.
    """
    return replace(
        placement,
        assignments={
            address: assignment
            if weigher == "first" or _is_decided(assignment)
            else replace(assignment, reason=_OPEN, among=tuple(sorted(fits.pool for fits in assignment.fitting)))
            for address, assignment in placement.assignments.items()
        },
    )


def outputs_as_recorded(outputs: Mapping[str, OutputChange]) -> dict[str, OutputChange]:
    """
    Outputs where no object changes: one that is not known now depends on what nobody read, such as a data source, and
    that is no change.
    """
    return {
        name: replace(output, after=output.before)
        if output.before is not None and output.after is not None and has_unknown(output.after.value)
        else output
        for name, output in outputs.items()
    }


def _is_decided(assignment: Assignment) -> bool:
    fitting = assignment.fitting
    return len(fitting) < 2 or all(fits.iops is not None and fits.bytes is not None for fits in fitting)
