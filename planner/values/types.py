"""
Types of the language, and how values look in Python.

    language            Python
    string              str (NFC)
    number              int, or Fraction where it is not whole (both rounded to 512 bits, as Terraform does);
                        math.inf and -math.inf, the only floats there are
    bool                bool
    null                Null(type)
    tuple               tuple
    object              dict (never changed once made), iterated in the order of its sorted keys
    list, set, map      ListValue, SetValue, MapValue, which know their element type
    known after apply   Unknown (planner.values.marks)
    sensitive           Sensitive around any of the others (planner.values.marks)

Resource attributes that leave the language (plans, state, providers) are plain data: str, int, bool, None, tuple, dict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from planner.values.marks import Sensitive, Unknown


@dataclass(frozen=True, slots=True)
class PrimitiveType:
    """`string`, `number`, `bool`, or `dynamic`: not known yet, and unifying with anything ("any" in a constraint)."""

    name: str


STRING = PrimitiveType("string")
NUMBER = PrimitiveType("number")
BOOL = PrimitiveType("bool")
DYNAMIC = PrimitiveType("dynamic")


@dataclass(frozen=True, slots=True)
class ListType:
    element: Type


@dataclass(frozen=True, slots=True)
class SetType:
    element: Type


@dataclass(frozen=True, slots=True)
class MapType:
    element: Type


@dataclass(frozen=True, slots=True)
class TupleType:
    elements: tuple[Type, ...]


@dataclass(frozen=True, slots=True)
class ObjectType:
    """
    `attributes` as (name, type) pairs sorted by name.

    `optional` are those that a constraint lets be absent; `defaults` what then stands there, as (name, value) pairs
    (null where nothing is given).
    """

    attributes: tuple[tuple[str, Type], ...]
    optional: frozenset[str] = frozenset()
    defaults: tuple[tuple[str, Value], ...] = ()


Type = PrimitiveType | ListType | SetType | MapType | TupleType | ObjectType


@dataclass(frozen=True, slots=True)
class Null:
    """The absence of a value of some type."""

    type: Type = DYNAMIC


NULL = Null()


@dataclass(frozen=True, slots=True)
class ListValue:
    element: Type
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class SetValue:
    """`items` are distinct and in the language's order (strings by bytes, numbers by size)."""

    element: Type
    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class MapValue:
    element: Type
    items: Mapping[str, Value]


Number = int | Fraction | float

Value: TypeAlias = (
    "str | int | Fraction | float | bool | Null | tuple[Value, ...] | dict[str, Value]"
    " | ListValue | SetValue | MapValue | Unknown | Sensitive"
)
