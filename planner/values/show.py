"""Values and types as text: short for diagnostics and plans, in full as `console` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction

from planner.values.compare import type_of
from planner.values.marks import Sensitive, Unknown
from planner.values.numbers import number_text
from planner.values.types import (
    DYNAMIC,
    ListType,
    ListValue,
    MapType,
    MapValue,
    Null,
    ObjectType,
    PrimitiveType,
    SetType,
    SetValue,
    TupleType,
    Type,
    Value,
)
from planner.values.unify import required, type_name

KNOWN_AFTER_APPLY = "(known after apply)"
SENSITIVE = "(sensitive value)"


def short_text(value: Value) -> str:
    """A value in a few words: `"200"`, `object with 2 attributes`, `(known after apply)`, `(sensitive value)`."""
    match value:
        case str():
            return quoted(value)
        case bool():
            return "true" if value else "false"
        case int() | Fraction() | float():
            return number_text(value)
        case Null():
            return "null"
        case Unknown():
            return KNOWN_AFTER_APPLY
        case Sensitive():
            return SENSITIVE
        case dict():
            return _counted("object", len(value), "attribute")
        case tuple():
            return _counted("tuple", len(value), "element")
        case ListValue() | SetValue() | MapValue():
            return _counted(type_name(type_of(value)), len(value.items), "element")


def statement(name: str, value: Value) -> str:
    """What is known of a named value, as a sentence for a diagnostic: `var.size is "200"`."""
    match value:
        case Sensitive():
            return f"{name} has a sensitive value"
        case Unknown(type):
            if type == DYNAMIC:
                return f"{name} will be known only after apply"
            return f"{name} is {required(type)}, known only after apply"
        case _:
            return f"{name} is {short_text(value)}"


def console_text(value: Value) -> str:
    """A value in full, over several lines where it has parts, as `terraform console` prints it."""
    if isinstance(value, str) and "\n" in value:
        return f"<<EOT\n{value}\nEOT"
    return _full(value, 0)


def type_text(type: Type) -> str:
    """A type in full, as the console's `type()` prints it."""
    return _type_text(type, 0)


def quoted(text: str) -> str:
    """A string as it is written in the language, but for `${` and `%{`, which stay as they are."""
    return json.dumps(text, ensure_ascii=False)


def _counted(noun: str, count: int, part: str) -> str:
    if count == 0:
        return f"empty {noun}"
    return f"{noun} with {count} {part}{'s' if count > 1 else ''}"


def _full(value: Value, indent: int) -> str:
    match value:
        case str() if "\n" in value:
            pad = " " * indent
            return f"<<-EOT\n{''.join(pad + line + chr(10) for line in value.split(chr(10)))}{pad}EOT"
        case Null(type):
            return _null_text(type)
        case tuple():
            return _bracketed("[", (_full(item, indent + 2) for item in value), "]", indent)
        case ListValue():
            return _bracketed("tolist([", (_full(item, indent + 2) for item in value.items), "])", indent)
        case SetValue():
            return _bracketed("toset([", (_full(item, indent + 2) for item in value.items), "])", indent)
        case dict():
            return _braced("{", value.items(), "}", indent)
        case Sensitive(Unknown()):
            return KNOWN_AFTER_APPLY
        case MapValue():
            return _braced("tomap({", value.items.items(), "})", indent)
        case _:
            return short_text(value)


def _bracketed(opening: str, items: Iterable[str], closing: str, indent: int) -> str:
    pad = " " * indent
    lines = [f"{pad}  {item},\n" for item in items]
    return f"{opening}\n{''.join(lines)}{pad}{closing}" if lines else opening + closing


def _braced(opening: str, entries: Iterable[tuple[str, Value]], closing: str, indent: int) -> str:
    pad = " " * indent
    lines = [f"{pad}  {quoted(name)} = {_full(value, indent + 2)}\n" for name, value in sorted(entries)]
    return f"{opening}\n{''.join(lines)}{pad}{closing}" if lines else opening + closing


def _null_text(type: Type) -> str:
    match type:
        case PrimitiveType(name):
            return "null" if type == DYNAMIC else f"to{name}(null)"
        case ListType(element):
            return f"tolist(null) /* of {type_name(element)} */"
        case SetType(element):
            return f"toset(null) /* of {type_name(element)} */"
        case MapType(element):
            return f"tomap(null) /* of {type_name(element)} */"
        case _:
            return f"null /* {type_name(type)} */"


def _type_text(type: Type, indent: int) -> str:
    inner = " " * (indent + 4)
    closing = " " * indent
    match type:
        case PrimitiveType(name):
            return name
        case ListType(element):
            return _collection_text("list", element, indent)
        case SetType(element):
            return _collection_text("set", element, indent)
        case MapType(element):
            return _collection_text("map", element, indent)
        case TupleType(elements):
            if not elements:
                return "tuple([])"
            lines = "".join(f"{inner}{_type_text(element, indent + 4)},\n" for element in elements)
            return f"tuple([\n{lines}{closing}])"
        case ObjectType(attributes):
            if not attributes:
                return "object({})"
            lines = "".join(f"{inner}{name}: {_type_text(one, indent + 4)},\n" for name, one in attributes)
            return f"object({{\n{lines}{closing}}})"


def _collection_text(kind: str, element: Type, indent: int) -> str:
    if not isinstance(element, TupleType | ObjectType):
        return f"{kind}({_type_text(element, indent)})"
    return f"{kind}(\n{' ' * (indent + 4)}{_type_text(element, indent + 4)},\n{' ' * indent})"
