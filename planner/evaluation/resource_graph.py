"""
The resource graph: every copy of every resource, with its arguments evaluated, in an order in which each comes after
what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress
from planner.config.model import Resource
from planner.resources.schema import ResourceType


@dataclass(frozen=True, slots=True)
class ResourceInstance:
    """
    One copy of a resource, as the configuration wants it.

    Attributes:
        type: its schema, with the arguments that its provider adds.
        attributes: plain data for every argument of the type: None where nothing is given, Unknown where only
            planning or apply can tell.
        dependencies: what it refers to, sorted; an address without a key stands for all copies of that resource.
    """

    address: InstanceAddress
    resource: Resource
    type: ResourceType
    attributes: Mapping[str, Any]
    provider: ProviderAddress | None
    dependencies: tuple[InstanceAddress, ...]

    @property
    def is_data(self) -> bool:
        """It is read, not made: its address begins with `data.`"""
        return self.address.type.startswith("data.")


@dataclass(frozen=True, slots=True)
class DesiredOutput:
    """`value` is plain data, Unknown where only apply can tell."""

    value: Any
    sensitive: bool


@dataclass(frozen=True, slots=True)
class ResourceGraph:
    """
    Attributes:
        instances: in dependency order.
        providers: evaluated settings by provider, only for those that blocks configure; may hold secrets, never stored.
        secrets: texts that are sensitive, in the root's variables and in those settings; never stored.
    """

    instances: Mapping[InstanceAddress, ResourceInstance] = field(default_factory=dict)
    providers: Mapping[ProviderAddress, Mapping[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, DesiredOutput] = field(default_factory=dict)
    imports: Mapping[InstanceAddress, Any] = field(default_factory=dict)
    """The ids that `import` blocks name, by the address that each becomes."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Values given from outside and not sensitive, as plain data."""
    secrets: frozenset[str] = frozenset()
