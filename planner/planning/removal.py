"""What is recorded and not declared any more: it is destroyed, or let go, or protected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from planner.addresses import InstanceAddress, ModulePath, ResourceAddress, names_of
from planner.dependency import CycleError, DependencyGraph
from planner.diagnostics import Diagnostics
from planner.evaluation.program import Program, StaticPath
from planner.planning.current import Current
from planner.planning.moves import within
from planner.planning.plan import Action, Change
from planner.resources.catalog import OBJECT_TYPES
from planner.resources.vm import VM, VOLUME_TYPES, block_address
from planner.state.model import DEPOSED, RecordedObject, Snapshot


def recorded_twice(
    objects: Mapping[InstanceAddress, RecordedObject], declared: Collection[InstanceAddress]
) -> set[InstanceAddress]:
    """
    Addresses whose volume or VM is recorded at another address as well, by a run that did not get to its end: it had
    begun to move it, or to set it aside for a successor that was never made. Only the record of them goes. The address
    that counts is one that is declared, if any is.
    """
    found: dict[tuple[str, ...], list[InstanceAddress]] = defaultdict(list)
    for address, object in objects.items():
        if OBJECT_TYPES[address.type].provisioned:
            is_vm = address.type == VM.name
            found[address.type, object.attributes["host" if is_vm else "pool"], object.attributes["id"]].append(address)
    doubles: set[InstanceAddress] = set()
    for addresses in found.values():
        addresses.sort(key=lambda address: (address not in declared, DEPOSED in address.name, address))
        doubles.update(address for address in addresses[1:] if address not in declared)
    return doubles


class Removals:
    """
    Args:
        paths: the instances of each module.
        destroy: everything goes, but for what is left out.
        leaves: whether the plan leaves an object out.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        currents: Mapping[InstanceAddress, Current],
        program: Program,
        paths: Mapping[StaticPath, tuple[ModulePath, ...]],
        destroy: bool,
        leaves: Callable[[InstanceAddress], bool],
    ) -> None:
        self._objects = snapshot.objects
        self._currents = currents
        self._program = program
        self._paths = paths
        self._destroy = destroy
        self._leaves = leaves
        self._removed = {
            within(removed.source, path): removed.destroy
            for static, module in program.modules.items()
            for removed in module.removed
            for path in paths.get(static, ())
        }

    def plan(self, declared: Collection[InstanceAddress], diagnostics: Diagnostics) -> Iterator[Change]:
        """A change for everything that goes. What is protected stays, with a warning."""
        doubles = recorded_twice(self._objects, declared)
        kept = self._kept({*declared, *doubles}, diagnostics)
        for object in self._objects.values():
            address = object.address
            if address in declared or address in kept or self._leaves(address):
                continue
            now = self._currents[address]
            released = self._is_released(object)
            retained = address.type in VOLUME_TYPES and object.attributes.get("on_destroy") == "retain"
            forgets = released or retained or now.attributes is None or address in doubles
            yield Change(
                address=address,
                action=Action.FORGET if forgets else Action.DELETE,
                before=object.attributes if now.attributes is None else now.attributes,
                after=None,
                provider=object.provider,
                reason="forget_because_removed" if released else self._why(address),
                drift=now.drift,
                revision=object.revision,
                holds_data=OBJECT_TYPES[address.type].holds_data,
            )

    def vanished(self, declared: Collection[InstanceAddress]) -> Iterator[RecordedObject]:
        """Volumes that are not declared any more, and no `removed` block says so."""
        for object in self._objects.values():
            address = object.address
            if address.type in VOLUME_TYPES and DEPOSED not in address.name and address not in declared:
                is_there = self._currents[address].attributes is not None
                if is_there and not self._leaves(address) and not self._said_of(object):
                    yield object

    def _said_of(self, object: RecordedObject) -> list[bool]:
        """Of each `removed` block, of any module, that names it: whether it is destroyed."""
        return [self._removed[name] for name in names_of(block_address(object.address)) if name in self._removed]

    def _is_released(self, object: RecordedObject) -> bool:
        """A `removed` block lets it go without destroying it."""
        return not self._destroy and not all(self._said_of(object))

    def _why(self, address: InstanceAddress) -> str:
        if self._destroy:
            return ""
        if DEPOSED in address.name:
            return "delete_because_deposed"
        static = tuple(step.name for step in address.module)
        module = self._program.modules.get(static)
        if module is None or address.module not in self._paths.get(static, ()):
            return "delete_because_no_module"
        if (block_address(address).type, address.name) not in module.resources:
            return "delete_because_no_resource_config"
        if address.key is None:
            return "delete_because_wrong_repetition"
        return "delete_because_each_key" if isinstance(address.key, str) else "delete_because_count_index"

    def _kept(self, declared: Collection[InstanceAddress], diagnostics: Diagnostics) -> set[InstanceAddress]:
        """What would go, but is protected, and what that needs. The rest of the plan goes on without it."""
        copies: dict[ResourceAddress, list[InstanceAddress]] = defaultdict(list)
        for address in self._objects:
            copies[address.resource].append(address)
        waiting = [
            object.address
            for object in self._objects.values()
            if object.protected
            and object.address not in declared
            and not self._leaves(object.address)
            and self._currents[object.address].attributes is not None
        ]
        for address in waiting:
            gone = "" if self._destroy else " is not in the configuration any more, and prevent_destroy outlives it: it"
            diagnostics.warning(
                "Protected from destruction",
                f"{address}{gone} is left as it is, with what it needs. To lift the protection, apply its block with"
                " prevent_destroy = false first.",
                address=str(address),
            )
        kept: set[InstanceAddress] = set()
        while waiting:
            address = waiting.pop()
            if address not in kept and address in self._objects:
                kept.add(address)
                for need in self._objects[address].dependencies:
                    waiting.extend(copies[need.resource] if need.key is None else [need])
        return kept


def in_order(
    changes: Mapping[InstanceAddress, Change], dependencies: Mapping[InstanceAddress, Iterable[InstanceAddress]]
) -> list[Change]:
    """What stays is in dependency order already; what goes comes behind, each block after those that it depends on."""
    stays = [change for change in changes.values() if change.after is not None]
    blocks: dict[ResourceAddress, list[InstanceAddress]] = defaultdict(list)
    graph: DependencyGraph[ResourceAddress] = DependencyGraph()
    for address in sorted(address for address, change in changes.items() if change.after is None):
        blocks[address.resource].append(address)
        needs = {need.resource for need in dependencies.get(address, ())}
        graph.add(address.resource, needs - {address.resource})
    try:
        order = graph.order()
    except CycleError:  # recorded at different times, records may contradict each other
        order = sorted(blocks)
    return [*stays, *(changes[address] for block in order for address in blocks.get(block, ()))]
