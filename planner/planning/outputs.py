"""The root module's outputs before and after. Those of a partial plan are only those that it can tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from planner.addresses import InstanceAddress
from planner.dependency import DependencyGraph
from planner.evaluation.program import Node, Program
from planner.evaluation.resource_graph import ResourceGraph
from planner.planning.plan import OutputChange
from planner.planning.selection import Selection, unit_of
from planner.state.model import OutputValue, Snapshot
from planner.values.marks import Unknown


def outputs_as_planned(before: Mapping[str, OutputValue], graph: ResourceGraph) -> dict[str, OutputChange]:
    after = {name: OutputValue(value.value, value.sensitive) for name, value in graph.outputs.items()}
    return {name: OutputChange(before.get(name), after.get(name)) for name in sorted({*before, *after})}


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


def without_left_out(
    outputs: Mapping[str, OutputChange], selection: Selection, program: Program
) -> dict[str, OutputChange]:
    """Those that depend on nothing that the plan leaves out. The others stay as they are recorded."""
    touched = _depending_on(selection.left, program)
    return {name: output for name, output in outputs.items() if name not in touched}


def outputs_destroyed(snapshot: Snapshot, selection: Selection, program: Program) -> dict[str, OutputChange]:
    """Those that go with what they depend on; all of them, where everything goes."""
    gone = {name: OutputChange(value, None) for name, value in snapshot.outputs.items()}
    if not selection.left:
        return gone
    touched = _depending_on({unit_of(address) for address in snapshot.objects} - selection.left, program)
    return {name: output for name, output in gone.items() if name in touched}


def _depending_on(units: Collection[InstanceAddress], program: Program) -> set[str]:
    """The outputs that refer to a block of one of these units, directly or not."""
    graph: DependencyGraph[Node] = DependencyGraph()
    for needing, needed in program.edges:
        graph.add(needing, (needed,))
    blocks = {Node(unit.type, unit.name, tuple(step.name for step in unit.module)) for unit in units}
    for block in blocks:
        graph.add(block)
    return {node.name for node in graph.downstream(blocks) if node.kind == "output" and not node.module}


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
