"""
What a plan is about, where it is not about everything: `-target` and `-exclude`.

What is told apart is a *unit*: a volume with the one that it stepped aside for, or a vm with its root disk. A unit is
in the plan only together with what it requires. What stays requires what it needs, which comes before it. What goes
requires what needs it, which goes before it. What moves requires what refers to it, which is recorded anew with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from planner.addresses import InstanceAddress, ResourceAddress, names_of
from planner.diagnostics import Diagnostics, did_you_mean
from planner.evaluation.program import Program
from planner.planning.moves import Moves
from planner.resources.catalog import OBJECT_TYPES
from planner.resources.vm import block_address
from planner.state.model import DEPOSED

Addresses = tuple[InstanceAddress, ...]
_Node = InstanceAddress | tuple[str, InstanceAddress]
_Edges = Mapping[_Node, Collection[_Node]]


@dataclass(frozen=True, slots=True)
class Selection:
    """
    Attributes:
        left: the units that are left as they are.
        requires: what each unit is in the plan together with.
    """

    left: frozenset[InstanceAddress] = frozenset()
    requires: _Edges = field(default_factory=dict)

    def leaves(self, address: InstanceAddress) -> bool:
        """Whether the plan leaves an object, declared or recorded, as it is."""
        return bool(self.left) and unit_of(address) in self.left

    def with_also(self, addresses: Iterable[InstanceAddress]) -> Selection:
        """With these in the plan, too, and what they require."""
        return replace(self, left=self.left - _reached(self.requires, addresses))


def unit_of(address: InstanceAddress) -> InstanceAddress:
    """The unit that an object belongs to, by its block's address."""
    if DEPOSED in address.name:
        address = replace(address, name=address.name.partition(DEPOSED)[0])
    return block_address(address)


def select(
    targets: Addresses,
    excludes: Addresses,
    stays: Mapping[InstanceAddress, Addresses],
    moves: Moves,
    program: Program,
    diagnostics: Diagnostics,
) -> Selection:
    """
    Errors for addresses that name nothing.

    Args:
        targets, excludes: as a user names them: objects, blocks, modules and their copies. One of both is empty.
        stays: all units that do not go, with what they need.
        moves: with the recorded state.
    """
    recorded = {unit_of(address): unit_of(address) for address in moves.snapshot.objects}
    before = {unit_of(old): unit_of(new) for new, old in moves.previous.items()}
    units = before | recorded | {address: address for address in stays}
    named: dict[InstanceAddress, list[InstanceAddress]] = {unit_of(address): [] for address in (*targets, *excludes)}
    for address, unit in units.items():
        for name in names_of(address):
            if name in named:
                named[name].append(unit)
    for name, found in named.items():
        if not found and not _is_declared(name, program):
            flag = "-target" if targets else "-exclude"
            refuse_unknown_address(flag, name, units, diagnostics)
    seeds = [unit for found in named.values() for unit in found]
    needs, needing = _requirements(stays, moves, all_needs=bool(excludes))
    if targets:
        edges = {node: {*needs.get(node, ()), *needing.get(node, ())} for node in {*needs, *needing}}
        return Selection(frozenset(units.values()) - _reached(edges, seeds), edges)
    left = _reached(_backwards(needs), seeds)
    # What is needed by what stays where it is stays, too; but what else needs that does not have to.
    return Selection(frozenset(_reached(_backwards(needing), left)))


def check_replacements(
    replaces: Collection[InstanceAddress],
    desired: Collection[InstanceAddress],
    recorded: Collection[InstanceAddress],
    selection: Selection,
    diagnostics: Diagnostics,
) -> None:
    """Errors for what -replace names and cannot be made anew."""
    for address in sorted(replaces):
        block = block_address(address)
        if address.type == "module":
            why = "Only a single volume or vm can be made anew, and not a module."
        elif block in desired and not OBJECT_TYPES[address.type].provisioned:
            why = f"A {address.type} is only recorded: there is nothing to be made anew."
        elif block in desired and selection.leaves(address):
            why = "The plan leaves it out. Take -target or -exclude away, or have it take this in."
        elif block in desired:
            continue
        elif address in recorded:
            why = "It is not in the configuration any more, so it goes and nothing takes its place."
        elif copies := [other for other in desired if other.resource == block.resource]:
            nearest = did_you_mean(str(block), map(str, copies)) or f" One of them is {copies[0]}."
            why = f"{block.resource} has copies, and this is none of them.{nearest}"
        else:
            refuse_unknown_address("-replace", address, {*desired, *recorded}, diagnostics)
            continue
        diagnostics.error("Nothing to replace", f"-replace={address}: {why}", address=str(address))


def refuse_unknown_address(
    flag: str, name: InstanceAddress, known: Iterable[InstanceAddress], diagnostics: Diagnostics
) -> None:
    """An error for an address that names nothing, with the nearest that does."""
    near = {str(other) for address in known for other in names_of(address)}
    hint = did_you_mean(str(name), near) or " lunform state list shows what is recorded."
    diagnostics.error(
        "Nothing of that address",
        f"{flag}={name}: neither the configuration nor the state has anything of that address.{hint}",
    )


def _is_declared(name: InstanceAddress, program: Program) -> bool:
    """There is such a block, if without copies just now."""
    static = tuple(step.name for step in name.module)
    if name.type == "module":
        return name.key is None and (*static, name.name) in program.modules
    return (
        name.key is None and static in program.modules and (name.type, name.name) in program.modules[static].resources
    )


def _requirements(
    stays: Mapping[InstanceAddress, Addresses], moves: Moves, *, all_needs: bool
) -> tuple[_Edges, _Edges]:
    """
    What each unit requires because it needs that, and because that needs it. What names a need is joined in a node of
    its own, so that N x M edges never arise.

    Args:
        all_needs: with needs that go: where these are left out by name, so is what needs them.
    """
    wanted = [(unit, need) for unit, named in stays.items() for need in named]
    copies: dict[ResourceAddress, set[InstanceAddress]] = defaultdict(set)
    for object in moves.snapshot.objects.values():
        unit = unit_of(object.address)
        copies[unit.resource].add(unit)
        wanted.extend((unit, unit_of(need)) for need in object.dependencies)
    for unit in stays:
        copies[unit.resource].add(unit)
    moved = {unit_of(address) for address in moves.previous}
    needs: dict[_Node, set[_Node]] = defaultdict(set)
    needing: dict[_Node, set[_Node]] = defaultdict(set)
    for unit, need in wanted:
        needs[unit].add(("needed", need))
        needing["needing", need].add(unit)
    for need in {need for _, need in wanted}:
        for one in copies[need.resource] if need.key is None else (need,):
            if one in stays or one in moved or all_needs:
                needs["needed", need].add(one)
            if one not in stays:
                needing[one].add(("needing", need))
            if one in moved:
                needs[one].add(("needing", need))
                needs["needing", need] = needing["needing", need]
    return needs, needing


def _backwards(edges: _Edges) -> _Edges:
    backwards: dict[_Node, set[_Node]] = defaultdict(set)
    for node, others in edges.items():
        for other in others:
            backwards[other].add(node)
    return backwards


def _reached(edges: _Edges, seeds: Iterable[_Node]) -> set[InstanceAddress]:
    """The units among the seeds and all that is reached from them."""
    found: set[_Node] = set()
    waiting = list(seeds)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(edges.get(node, ()))
    return {node for node in found if isinstance(node, InstanceAddress)}
