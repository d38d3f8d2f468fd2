"""
How a resource type, or a provider, declares its arguments. Pure data: the evaluator checks and converts by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from planner.values.types import STRING, Type


class Unit(Enum):
    """A string with a unit; kept in canonical form (`planner.units`), so that equal sizes are equal texts."""

    SIZE = "size"
    BANDWIDTH = "bandwidth"


@dataclass(frozen=True, slots=True)
class Argument:
    """
    An argument that may be given, or an attribute that the system gives, or both.

    Attributes:
        summary: one sentence for the reference and for `providers schema`.
        required: the block is wrong without it.
        computed: the system gives it when it is left out ("known after apply").
        settable: False for a pure attribute.
        sensitive: never shown, never stored; read again from its source at apply.
        replaces: a change cannot be made in place.
        reference: the resource type whose instance it names; the value is that instance's address.
        reference_to_data: the type of data source that it may name instead.
        choices: the texts that are allowed.
        default: what stands there when it is left out; plain data.
    """

    name: str
    type: Type = STRING
    summary: str = ""
    required: bool = False
    computed: bool = False
    settable: bool = True
    sensitive: bool = False
    replaces: bool = False
    reference: str | None = None
    reference_to_data: str | None = None
    unit: Unit | None = None
    choices: tuple[str, ...] = ()
    default: Any = None


@dataclass(frozen=True, slots=True)
class NestedBlock:
    """A block inside a resource: `attach { ... }`. Its value is a tuple of objects, or one object or null."""

    type: str
    arguments: tuple[Argument, ...]
    summary: str = ""
    repeated: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class ResourceType:
    """
    Attributes:
        name: as written: `volume`.
        arguments: settable arguments and computed attributes, in the order of the reference.
        blocks: nested blocks.
        provisioned: a provider makes something for it; otherwise it is only recorded.
        holds_data: deleting or replacing it loses a user's data.
    """

    name: str
    summary: str
    arguments: tuple[Argument, ...]
    blocks: tuple[NestedBlock, ...] = ()
    provisioned: bool = False
    holds_data: bool = False

    def block(self, type: str) -> NestedBlock | None:
        return next((block for block in self.blocks if block.type == type), None)

    def argument(self, name: str) -> Argument | None:
        return next((argument for argument in self.arguments if argument.name == name), None)

    def settable(self) -> Iterator[Argument]:
        return (argument for argument in self.arguments if argument.settable)
