"""
What a refresh-only plan changes: the record alone, made what was found. Nothing of it depends on what the configuration
asks for; only outputs are worked out by its expressions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner.addresses import InstanceAddress
from planner.evaluation.resource_graph import ResourceGraph
from planner.planning.current import Current
from planner.planning.plan import Action, Change, OutputChange
from planner.resources.catalog import OBJECT_TYPES
from planner.state.model import OutputValue, Snapshot
from planner.values.marks import Unknown


def recordings(snapshot: Snapshot, currents: Mapping[InstanceAddress, Current]) -> Iterator[Change]:
    """
    A change for every recorded object: what differs is recorded anew, what is gone is forgotten, and the rest is a
    no-op.
    """
    for object in snapshot.objects.values():
        found = currents[object.address]
        gone = found.attributes is None
        yield Change(
            address=object.address,
            action=Action.FORGET if gone else Action.NO_OP,
            before=object.attributes if gone else found.attributes,
            after=found.attributes,
            provider=object.provider,
            reason="gone_outside" if gone else "",
            drift=found.drift,
            revision=object.revision,
            holds_data=OBJECT_TYPES[object.address.type].holds_data,
            recorded_anew=bool(found.drift) and not gone,
        )


def outputs_as_found(before: Mapping[str, OutputValue], graph: ResourceGraph) -> dict[str, OutputChange]:
    """
    Outputs with what was found. Nothing comes from an apply here, so what is unknown is not there: it becomes null, and
    an output that was never recorded waits until it is.
    """
    after = {
        name: OutputValue(_null_for_unknown(output.value), output.sensitive)
        for name, output in graph.outputs.items()
        if name in before or not has_unknown(output.value)
    }
    return {name: OutputChange(before.get(name), after.get(name)) for name in sorted({*before, *after})}


def has_unknown(value: Any) -> bool:
    match value:
        case Mapping():
            return any(has_unknown(item) for item in value.values())
        case tuple() | list():
            return any(has_unknown(item) for item in value)
        case _:
            return isinstance(value, Unknown)


def _null_for_unknown(value: Any) -> Any:
    match value:
        case Mapping():
            return {name: _null_for_unknown(item) for name, item in value.items()}
        case tuple() | list():
            return tuple(_null_for_unknown(item) for item in value)
        case _:
            return None if isinstance(value, Unknown) else value
