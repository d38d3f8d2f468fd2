"""
`moved` blocks: what is recorded under an old address is taken for what is declared under the new one, before anything
is compared. References to it in other objects' records move along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from planner.addresses import InstanceAddress, ModulePath, ModuleStep
from planner.config.model import Module
from planner.diagnostics import Diagnostics, SourceRange
from planner.evaluation.program import StaticPath
from planner.resources.catalog import OBJECT_TYPES
from planner.resources.vm import VM, VOLUME_TYPES, block_address, root_disk_address
from planner.state.model import RecordedObject, Snapshot

_LONGEST_CHAIN = 32
"""Moves of moves that are followed; more is a circle."""


@dataclass(frozen=True, slots=True)
class Moves:
    """
    Attributes:
        snapshot: the recorded state under new addresses.
        previous: old addresses of what moved, by the new ones.
        changed: new addresses of what is recorded differently now: what moved, and what refers to it.
    """

    snapshot: Snapshot
    previous: Mapping[InstanceAddress, InstanceAddress]
    changed: frozenset[InstanceAddress]


def apply_moves(
    snapshot: Snapshot,
    modules: Mapping[StaticPath, Module],
    paths: Mapping[StaticPath, tuple[ModulePath, ...]],
    diagnostics: Diagnostics,
) -> Moves:
    """
    Carry out the moves of all modules, and those between a block without copies and copy 0 of a count.

    Args:
        paths: the instances of each module.
    """
    rules = [
        Rule(of(within(moved.source, path)), of(within(moved.target, path)), moved.range)
        for static, module in modules.items()
        for moved in module.moved
        for path in paths.get(static, ())
        for of in ((_itself, root_disk_address) if moved.source.type == VM.name else (_itself,))
    ]
    by_source: dict[InstanceAddress, Rule] = {}
    for rule in rules:
        by_source.setdefault(rule.source, rule)
    objects = snapshot.objects
    targets: dict[InstanceAddress, InstanceAddress] = {}
    for address in sorted(objects):
        target = _follow(address, by_source, diagnostics) if rules else address
        target = _between_one_and_many(target, modules)
        if target == address:
            continue
        half_moved = target in objects and _are_one(objects[address], objects[target])
        if (target in objects and not half_moved) or target in targets.values():
            diagnostics.warning(
                "Nothing was moved",
                f"{target} is recorded already, so {address} stays where it is recorded.",
                address=str(address),
            )
        else:
            targets[address] = target
    return relocate(snapshot, targets, _moved_before(objects, by_source, modules, diagnostics))


def relocate(
    snapshot: Snapshot,
    targets: Mapping[InstanceAddress, InstanceAddress],
    moved_before: Mapping[InstanceAddress, InstanceAddress] | None = None,
) -> Moves:
    """
    Put what is recorded under new addresses, and have other records refer to it there.

    Args:
        targets: new addresses, by the old ones.
        moved_before: the same of what is under its new address already, while some records refer to the old one.
    """
    renamed = {**targets, **(moved_before or {})}
    if not renamed:
        return Moves(snapshot, {}, frozenset())
    names = {str(old): str(new) for old, new in renamed.items()}
    moved: dict[InstanceAddress, RecordedObject] = {}
    changed: set[InstanceAddress] = set()
    for object in snapshot.objects.values():
        new = _rewritten(object, renamed, names)
        moved[new.address] = new
        if new != object:
            changed.add(new.address)
    return Moves(replace(snapshot, objects=moved), {new: old for old, new in targets.items()}, frozenset(changed))


@dataclass(frozen=True, slots=True)
class Rule:
    """`source` is from now on at `target`, as in `Moved`, and as the root sees it; `range` is where that is written."""

    source: InstanceAddress
    target: InstanceAddress
    range: SourceRange | None = None

    def apply(self, address: InstanceAddress) -> InstanceAddress | None:
        """Where `address` moves by this rule; None where it does not."""
        source, target = self.source, self.target
        whole = source.key is None and target.key is None
        if source.type == "module":
            depth = len(source.module)
            if len(address.module) <= depth or address.module[:depth] != source.module:
                return None
            step = address.module[depth]
            if step.name != source.name or (not whole and step.key != source.key):
                return None
            moved = ModuleStep(target.name, step.key if whole else target.key)
            return replace(address, module=(*target.module, moved, *address.module[depth + 1 :]))
        if (address.type, address.name, address.module) != (source.type, source.name, source.module):
            return None
        if not whole and address.key != source.key:
            return None
        return replace(target, key=address.key if whole else target.key)


def _are_one(old: RecordedObject, new: RecordedObject) -> bool:
    """The same object: a run was killed, or stopped, that had recorded it anew and not yet forgotten the old record."""
    if OBJECT_TYPES[old.address.type].provisioned:
        return bool(old.attributes["id"] == new.attributes["id"])
    return {**old.attributes, "id": str(new.address)} == {**new.attributes, "id": str(new.address)}


def _moved_before(
    objects: Mapping[InstanceAddress, RecordedObject],
    rules: Mapping[InstanceAddress, Rule],
    modules: Mapping[StaticPath, Module],
    diagnostics: Diagnostics,
) -> dict[InstanceAddress, InstanceAddress]:
    """What has moved already, by its old address, while records that refer to it still use that."""
    if not rules:
        return {}
    dangling = {need for object in objects.values() for need in object.dependencies if need not in objects}
    followed = {need: _between_one_and_many(_follow(need, rules, diagnostics), modules) for need in sorted(dangling)}
    return {old: new for old, new in followed.items() if new != old and new in objects}


def _itself(address: InstanceAddress) -> InstanceAddress:
    return address


def within(address: InstanceAddress, path: ModulePath) -> InstanceAddress:
    """An address as a module writes it, as the root sees it."""
    return replace(address, module=(*path, *address.module))


def _follow(
    address: InstanceAddress, rules: Mapping[InstanceAddress, Rule], diagnostics: Diagnostics
) -> InstanceAddress:
    """Through all moves, one after the other: a to b, and b to c. Of several for one address the narrowest counts."""
    at = address
    last: SourceRange | None = None
    for _ in range(_LONGEST_CHAIN):
        found = (rules[source] for source in _sources(at) if source in rules)
        moves = ((target, rule) for rule in found if (target := rule.apply(at)) is not None and target != at)
        target, rule = next(moves, (None, None))
        if target is None or rule is None:
            return at
        at, last = target, rule.range
    diagnostics.error("Moves in a circle", f"{address} is moved on and on. Take one of the moved blocks away.", last)
    return address


def _sources(address: InstanceAddress) -> Iterator[InstanceAddress]:
    """What a move may name to take an object along: itself, its block, and the modules that it is in, inside out."""
    yield address
    yield replace(address, key=None)
    for depth in range(len(address.module) - 1, -1, -1):
        step = address.module[depth]
        yield InstanceAddress("module", step.name, step.key, address.module[:depth])
        yield InstanceAddress("module", step.name, None, address.module[:depth])


def _between_one_and_many(address: InstanceAddress, modules: Mapping[StaticPath, Module]) -> InstanceAddress:
    """A block that got a count keeps its object as copy 0, and one that lost it keeps copy 0."""
    module = modules.get(tuple(step.name for step in address.module))
    resource = module.resources.get((block_address(address).type, address.name)) if module else None
    if resource is None or resource.for_each is not None:
        return address
    if address.key is None and resource.count is not None:
        return replace(address, key=0)
    if address.key == 0 and resource.count is None:
        return replace(address, key=None)
    return address


def _rewritten(
    object: RecordedObject, targets: Mapping[InstanceAddress, InstanceAddress], names: Mapping[str, str]
) -> RecordedObject:
    attributes: dict[str, Any] = dict(object.attributes)
    if object.address.type in VOLUME_TYPES:
        for name in ("offering", "pool"):
            attributes[name] = names.get(attributes[name], attributes[name])
        attributes["access"] = {names.get(host, host): path for host, path in attributes["access"].items()}
        attributes["attachments"] = tuple(
            {**disk, "host": names.get(disk["host"], disk["host"])} for disk in attributes["attachments"]
        )
    elif object.address.type == VM.name:
        for name in ("offering", "host"):
            attributes[name] = names.get(attributes[name], attributes[name])
    elif (id := str(attributes.get("id"))) in names:
        attributes["id"] = names[id]
    return replace(
        object,
        address=targets.get(object.address, object.address),
        attributes=attributes,
        dependencies=tuple(sorted(targets.get(need, need) for need in object.dependencies)),
    )
