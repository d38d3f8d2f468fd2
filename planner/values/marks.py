"""What is known about a value besides itself: that it is not known yet, or that it must not be shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from planner.values.types import DYNAMIC, ListValue, MapValue, Null, SetValue, Type, Value


@dataclass(frozen=True, slots=True)
class Unknown:
    """
    A value that only apply will know.

    What is known of it all the same narrows what depends on it:

    Attributes:
        type: its type; DYNAMIC when not even that is known.
        not_null: it will not be null, so that `== null` is false.
        prefix: the text that a string will begin with.
        min_length, max_length: bounds of a collection's length; no upper bound when None.
    """

    type: Type = DYNAMIC
    not_null: bool = False
    prefix: str = ""
    min_length: int = 0
    max_length: int | None = None


UNKNOWN = Unknown()

_LONGEST_PREFIX = 128


def lasting_prefix(text: str) -> str:
    """What will still be the beginning of a text once more is appended: a letter may yet get an accent."""
    text = text[:_LONGEST_PREFIX]
    while text and (text[-1].isalnum() or not text[-1].isascii()):
        text = text[:-1]
        if text and text[-1].isascii():
            break
    return text


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A value that is not shown and not stored. `value` is never itself Sensitive, though its parts may be."""

    value: Value

    def __repr__(self) -> str:
        return "Sensitive(...)"


def mark_sensitive(value: Value, sensitive: bool = True) -> Value:
    """`value` wrapped in Sensitive, unless it is already or `sensitive` is false."""
    return value if not sensitive or type(value) is Sensitive else Sensitive(value)


def unmark(value: Value) -> tuple[Value, bool]:
    """The value without its own mark, and whether it had one; marks of its parts stay."""
    return (value.value, True) if type(value) is Sensitive else (value, False)


def unmark_deep(value: Value) -> tuple[Value, bool]:
    """The value without any mark, its own or of its parts, and whether there was one."""
    return (_strip(value), True) if has_sensitive(value) else (value, False)


def has_sensitive(value: Value) -> bool:
    """Whether the value or any part of it is sensitive."""
    kind = type(value)
    if kind is Sensitive:
        return True
    return kind in _CONTAINERS and any(has_sensitive(part) for part in _compound_parts(value))


def is_wholly_known(value: Value) -> bool:
    """Whether neither the value nor any part of it is unknown."""
    kind = type(value)
    if kind is Unknown:
        return False
    return kind not in _CONTAINERS or all(is_wholly_known(part) for part in _compound_parts(value))


def parts(value: Value) -> Iterable[Value]:
    """The values directly inside a tuple, object, collection or mark; nothing for the others."""
    match value:
        case tuple():
            return value
        case dict():
            return value.values()
        case ListValue() | SetValue():
            return value.items
        case MapValue():
            return value.items.values()
        case Sensitive():
            return (value.value,)
        case _:
            return ()


def _compound_parts(value: Value) -> Iterable[Value]:
    """The parts, or none where all of them are plain: most are, and there may be many thousand."""
    found = parts(value)
    return () if _PLAIN.issuperset(map(type, found)) else found


_PLAIN: frozenset[type] = frozenset((str, int, bool, Fraction, float, Null))
_CONTAINERS = frozenset((tuple, dict, ListValue, SetValue, MapValue, Sensitive))


def _strip(value: Value) -> Value:
    match value:
        case Sensitive(inner):
            return _strip(inner)
        case tuple():
            return tuple(_strip(item) for item in value)
        case dict():
            return {name: _strip(item) for name, item in value.items()}
        case ListValue(element, items):
            return ListValue(element, tuple(_strip(item) for item in items))
        case MapValue(element, entries):
            return MapValue(element, {name: _strip(item) for name, item in entries.items()})
        case _:
            return value
