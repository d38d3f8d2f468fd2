"""What an instance needs. Where the very copy is known, it stands for the reference to all copies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from planner.addresses import InstanceAddress, parse_instance
from planner.evaluation.resource_graph import ResourceInstance
from planner.resources.vm import VM, root_disk_address
from planner.resources.volume import VOLUME
from planner.state.model import Attributes
from planner.values.marks import Unknown


def needs_as_declared(instance: ResourceInstance) -> tuple[InstanceAddress, ...]:
    """What it refers to, whatever is decided."""
    return _with_exact(instance, (parse_instance(id) for id in _references(instance)))


def needs_as_planned(instance: ResourceInstance, after: Attributes) -> tuple[InstanceAddress, ...]:
    """
    What must outlive it: what it refers to, and for a volume its pool and hosts, whoever chose them, and for a vm its
    root disk.
    """
    if not instance.type.provisioned:
        return instance.dependencies
    named = {parse_instance(after["offering"])}
    if instance.address.type == VM.name:
        # Its root disk outlives it: it is taken from a vm that is gone, and not from under a running one.
        named |= {parse_instance(after["host"]), root_disk_address(instance.address)}
    else:
        named |= {parse_instance(id) for id in (after["pool"], *after["access"]) if not isinstance(id, Unknown)}
        source = instance.attributes["source"] if instance.address.type == VOLUME.name else None
        named |= {parse_instance(source)} if isinstance(source, str) and not is_data(source) else set()
    return _with_exact(instance, named)


def is_data(name: str) -> bool:
    """Whether what an argument names is a data source: `data.snapshot.nightly`, `module.east.data.snapshot.nightly`."""
    return name.startswith("data.") or ".data." in name


def _with_exact(instance: ResourceInstance, named: Iterable[InstanceAddress]) -> tuple[InstanceAddress, ...]:
    exact = set(named)
    resources = {address.resource for address in exact}
    return tuple(sorted({*exact, *(need for need in instance.dependencies if need.resource not in resources)}))


def _references(instance: ResourceInstance) -> Iterator[str]:
    """The addresses that its arguments name, those of nested blocks too."""
    given = [(argument, instance.attributes.get(argument.name)) for argument in instance.type.arguments]
    for block in instance.type.blocks:
        value = instance.attributes.get(block.type)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Mapping):
                given += [(argument, item.get(argument.name)) for argument in block.arguments]
    named = (value for argument, value in given if argument.reference is not None and isinstance(value, str))
    return (name for name in named if not is_data(name))
