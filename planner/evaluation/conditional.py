"""What `condition ? a : b` gives, once all three are evaluated."""

from __future__ import annotations

from planner.evaluation.errors import Fault
from planner.values.convert import ConversionError, convert, type_name, type_of, unify
from planner.values.marks import Unknown, is_wholly_known, mark_sensitive, unmark
from planner.values.types import (
    DYNAMIC,
    NULL,
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

SUMMARY = "Inconsistent conditional result types"


def choose(condition: bool | None, then: Value, otherwise: Value, condition_sensitive: bool) -> Value:
    """
    The chosen value, as the type that both unify to; unknown of that type when the condition is (None).

    It is sensitive when the condition or either value is: which one was chosen tells about the condition.

    Raises:
        Fault: there is no type that both convert to, or the chosen value turns out not to convert.
    """
    then, then_sensitive = unmark(then)
    otherwise, otherwise_sensitive = unmark(otherwise)
    sensitive = condition_sensitive or then_sensitive or otherwise_sensitive
    type = _common_type(then, otherwise)
    if condition is None:
        return mark_sensitive(_either(type, then, otherwise), sensitive)
    try:
        return convert(mark_sensitive(then if condition else otherwise, sensitive), type)
    except ConversionError as error:
        raise Fault(SUMMARY, f"The chosen value does not have the type of the other one: {error}.") from None


def _common_type(then: Value, otherwise: Value) -> Type:
    if then == NULL:
        return type_of(otherwise)
    if otherwise == NULL:
        return type_of(then)
    one, other = type_of(then), type_of(otherwise)
    if DYNAMIC in (one, other):
        return DYNAMIC
    type = unify((one, other))
    if type is None:
        raise Fault(SUMMARY, f"Both results must have one type, but {_mismatch(one, other)}.")
    return type


def _either(type: Type, then: Value, otherwise: Value) -> Unknown:
    """What is known of a value that will be one of two."""
    not_null = _is_not_null(then) and _is_not_null(otherwise)
    if not not_null or not isinstance(type, ListType | SetType | MapType):
        return Unknown(type, not_null=not_null)
    (least, most), (other_least, other_most) = _length_range(then), _length_range(otherwise)
    return Unknown(
        type,
        not_null=True,
        min_length=min(least, other_least),
        max_length=None if most is None or other_most is None else max(most, other_most),
    )


def _length_range(value: Value) -> tuple[int, int | None]:
    match value:
        case ListValue() | MapValue():
            return len(value.items), len(value.items)
        case SetValue():
            return len(value.items) if is_wholly_known(value) else min(len(value.items), 1), len(value.items)
        case tuple() | dict():
            return len(value), len(value)
        case Unknown():
            return value.min_length, value.max_length
        case _:
            return 0, None


def _is_not_null(value: Value) -> bool:
    return value.not_null if isinstance(value, Unknown) else not isinstance(value, Null)


def _mismatch(one: Type, other: Type) -> str:
    """How two types differ, at the first part where they do."""
    match one, other:
        case (ObjectType(attributes), ObjectType(other_attributes)):
            others = dict(other_attributes)
            for name, attribute in attributes:
                if name not in others:
                    return f'only the first has the attribute "{name}"'
                if unify((attribute, others[name])) is None:
                    return f'the attribute "{name}" differs: {_mismatch(attribute, others[name])}'
        case (TupleType(elements), TupleType(other_elements)):
            for index, (element, other_element) in enumerate(zip(elements, other_elements, strict=False)):
                if unify((element, other_element)) is None:
                    return f"element {index} differs: {_mismatch(element, other_element)}"
    return f"the first is {type_name(one)} and the second {type_name(other)}"
