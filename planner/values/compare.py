"""
When two values are equal, and the order in which a set's elements stand.

Both follow Terraform: values of different types are never equal (`1 == "1"` and `[1] == tolist([1])` are false), and
what hangs on an unknown is unknown.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable
from fractions import Fraction
from typing import Any

from planner.values.marks import Sensitive, Unknown, is_wholly_known, mark_sensitive, unmark_deep
from planner.values.numbers import number_text
from planner.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListType,
    ListValue,
    MapType,
    MapValue,
    Null,
    ObjectType,
    SetType,
    SetValue,
    TupleType,
    Type,
    Value,
)
from planner.values.unify import has_dynamic

_SCALARS = frozenset((str, bool, int, float, Fraction))
UNKNOWN_BOOL = Unknown(BOOL, not_null=True)


def type_of(value: Value) -> Type:
    """The type of a value; of a sensitive one, the type of what it hides."""
    match value:
        case str():
            return STRING
        case bool():
            return BOOL
        case int() | Fraction() | float():
            return NUMBER
        case tuple():
            return TupleType(tuple(type_of(item) for item in value))
        case dict():
            return ObjectType(tuple((name, type_of(item)) for name, item in sorted(value.items())))
        case ListValue():
            return ListType(value.element)
        case SetValue():
            return SetType(value.element)
        case MapValue():
            return MapType(value.element)
        case Null() | Unknown():
            return value.type
        case Sensitive():
            return type_of(value.value)


def equal(left: Value, right: Value) -> bool | Unknown:
    """
    What `==` gives for two values without marks.

    Nulls are equal whatever their types, unless they are parts of other values; an unknown leaves it open unless what
    is known of it (type, prefix, length, not null) rules the other value out.
    """
    if type(left) is type(right) is str:
        return left == right
    if type(left) is Null or type(right) is Null:
        return _equal_to_null(left, right)
    if type(left) is Unknown or type(right) is Unknown:
        if type(left) is Unknown and type(right) is Unknown:
            return UNKNOWN_BOOL
        unknown, known = (left, right) if type(left) is Unknown else (right, left)
        assert type(unknown) is Unknown
        return UNKNOWN_BOOL if _may_become(unknown, known) else False
    if type(left) not in _SCALARS and not (is_wholly_known(left) and is_wholly_known(right)):
        # Values of different types are never equal, whatever their unknown parts turn out to be.
        one, other = type_of(left), type_of(right)
        if not has_dynamic(one) and not has_dynamic(other) and one != other:
            return False
    return _equal_part(left, right)


def _equal_part(left: Value, right: Value) -> bool | Unknown:
    kind, other = type(left), type(right)
    if kind is other and (kind is str or kind is bool):
        return left == right
    match left, right:
        case (Unknown(), _) | (_, Unknown()):
            return UNKNOWN_BOOL
        case (Null(), Null()):
            return left.type == right.type
        case (Null(), _) | (_, Null()):
            return False
        case (int() | Fraction() | float(), int() | Fraction() | float()):
            return (kind is bool) is (other is bool) and left == right
        case (tuple(), tuple()):
            return len(left) == len(right) and _all_equal(zip(left, right, strict=True))
        case (dict(), dict()):
            return left.keys() == right.keys() and _all_equal((left[name], right[name]) for name in sorted(left))
        case (ListValue(), ListValue()):
            if left.element != right.element or len(left.items) != len(right.items):
                return False
            return _all_equal(zip(left.items, right.items, strict=True))
        case (MapValue(), MapValue()):
            if left.element != right.element or left.items.keys() != right.items.keys():
                return False
            return _all_equal((left.items[key], right.items[key]) for key in sorted(left.items))
        case (SetValue(), SetValue()):
            if left.element != right.element:
                return False
            if not is_wholly_known(left) or not is_wholly_known(right):
                return UNKNOWN_BOOL
            return [identity(item) for item in left.items] == [identity(item) for item in right.items]
        case _:
            return False


def _all_equal(pairs: Iterable[tuple[Value, Value]]) -> bool | Unknown:
    """False at the first pair that differs; unknown as soon as a pair is, as Terraform decides it."""
    for left, right in pairs:
        verdict = _equal_part(left, right)
        if verdict is not True:
            return verdict
    return True


def _equal_to_null(left: Value, right: Value) -> bool | Unknown:
    other = right if type(left) is Null else left
    if type(other) is Unknown:
        return False if other.not_null else UNKNOWN_BOOL
    return type(other) is Null


def _may_become(unknown: Unknown, known: Value) -> bool:
    if unknown.type == DYNAMIC:
        return True
    if not _conforms(type_of(known), unknown.type):
        return False
    if isinstance(known, str):
        return known.startswith(unknown.prefix)
    if isinstance(known, ListValue | MapValue) or (isinstance(known, SetValue) and is_wholly_known(known)):
        length = len(known.items)
        return unknown.min_length <= length and (unknown.max_length is None or length <= unknown.max_length)
    return True


def _conforms(type: Type, wanted: Type) -> bool:
    """Whether types agree where both are known."""
    match type, wanted:
        case (_, wanted) if wanted == DYNAMIC or type == DYNAMIC:
            return True
        case (ListType(a), ListType(b)) | (SetType(a), SetType(b)) | (MapType(a), MapType(b)):
            return _conforms(a, b)
        case (TupleType(a), TupleType(b)):
            return len(a) == len(b) and all(_conforms(one, other) for one, other in zip(a, b, strict=True))
        case (ObjectType(a), ObjectType(b)):
            return len(a) == len(b) and all(
                name == other_name and _conforms(one, other)
                for (name, one), (other_name, other) in zip(a, b, strict=True)
            )
        case _:
            return type == wanted


def set_of(element: Type, items: Iterable[Value]) -> Value:
    """
    The set of items that all have the type `element`: each once, in the language's order.

    A set cannot say which of its elements is sensitive, so one such element makes the whole sensitive. Unknown elements
    are all kept, since nobody knows yet which are the same.
    """
    sensitive = False
    distinct: dict[Any, Value] = {}
    nulls: list[Value] = []
    unknown: list[Value] = []
    for item in items:
        if type(item) is not str:
            item, marked = unmark_deep(item)
            sensitive = sensitive or marked
            if not is_wholly_known(item):
                unknown.append(item)
                continue
            if type(item) is Null:
                nulls = [item]
                continue
        distinct.setdefault(identity(item), item)
    ordered = (distinct[key] for key in sorted(distinct))
    return mark_sensitive(SetValue(element, (*ordered, *nulls, *unknown)), sensitive)


def identity(value: Value) -> Hashable:
    """
    A key that is equal for equal values of one type. Keys of one type sort in the language's order, but for null.

    The value is wholly known and has no sensitive part.
    """
    if isinstance(value, str | int | Fraction | float):
        return value
    return (None,) if isinstance(value, Null) else _text(value)


def _text(value: Value) -> str:
    """
    The text that compound elements are told apart and sorted by.

    Terraform sorts them by the bytes of such a text too, which puts [10] before [9].
    """
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return "T" if value else "F"
        case int() | Fraction() | float():
            return number_text(value)
        case Null():
            return "~"
        case tuple():
            return f"<{''.join(_text(item) + ';' for item in value)}>"
        case dict():
            return f"<{''.join(_text(value[name]) + ';' for name in sorted(value))}>"
        case ListValue() | SetValue():
            return f"[{''.join(_text(item) + ';' for item in value.items)}]"
        case MapValue():
            entries = "".join(f"{_text(key)}:{_text(value.items[key])};" for key in sorted(value.items))
            return f"{{{entries}}}"
        case _:
            return "?"
