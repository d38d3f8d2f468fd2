"""
What operators, attribute access and indexes do with values: the general case, marks and unknowns included.

The compiler has its own short way for plain numbers, strings and objects and comes here for the rest.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction

from planner.diagnostics import did_you_mean
from planner.evaluation.errors import Fault
from planner.values import numbers
from planner.values.compare import UNKNOWN_BOOL, equal
from planner.values.convert import ConversionError, convert, type_name, type_of
from planner.values.marks import Sensitive, Unknown, mark_sensitive, unmark, unmark_deep
from planner.values.show import quoted
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
    Number,
    ObjectType,
    SetType,
    SetValue,
    TupleType,
    Type,
    Value,
)

BinaryOperator = Callable[[Value, Value], Value]

UNKNOWN_NUMBER = Unknown(NUMBER, not_null=True)


def _operand(value: Value, type: Type, index: int) -> tuple[Value, bool]:
    """The operand as one of `type`, and whether it is sensitive."""
    try:
        converted, sensitive = unmark(convert(value, type))
    except ConversionError as error:
        raise Fault("Invalid operand", f"This operator needs {type_name(type)}s: {error}.", index) from None
    if isinstance(converted, Null):
        raise Fault("Invalid operand", "This operator cannot work with null.", index)
    return converted, sensitive


def _of_two(
    type: Type, compute: Callable[[Number, Number], Value] | Callable[[bool, bool], Value], unknown: Unknown
) -> BinaryOperator:
    """An operator on two operands of one type: converted, marks carried over, unknown if either is."""

    def operate(left: Value, right: Value) -> Value:
        left, left_sensitive = _operand(left, type, 0)
        right, right_sensitive = _operand(right, type, 1)
        if isinstance(left, Unknown) or isinstance(right, Unknown):
            result: Value = unknown
        else:
            try:
                result = compute(left, right)  # type: ignore[arg-type] # converted to what compute takes
            except ZeroDivisionError:
                raise Fault("Operation failed", "The result of this operation is not a number.") from None
        return mark_sensitive(result, left_sensitive or right_sensitive)

    return operate


def _equals(left: Value, right: Value) -> Value:
    left, left_sensitive = unmark_deep(left)
    right, right_sensitive = unmark_deep(right)
    return mark_sensitive(equal(left, right), left_sensitive or right_sensitive)


def _differs(left: Value, right: Value) -> Value:
    verdict, sensitive = unmark(_equals(left, right))
    return mark_sensitive(not verdict if isinstance(verdict, bool) else verdict, sensitive)


BINARY: dict[str, BinaryOperator] = {
    "+": _of_two(NUMBER, numbers.add, UNKNOWN_NUMBER),
    "-": _of_two(NUMBER, lambda left, right: numbers.add(left, -right), UNKNOWN_NUMBER),
    "*": _of_two(NUMBER, numbers.multiply, UNKNOWN_NUMBER),
    "/": _of_two(NUMBER, numbers.divide, UNKNOWN_NUMBER),
    "%": _of_two(NUMBER, numbers.remainder, UNKNOWN_NUMBER),
    "<": _of_two(NUMBER, operator.lt, UNKNOWN_BOOL),
    "<=": _of_two(NUMBER, operator.le, UNKNOWN_BOOL),
    ">": _of_two(NUMBER, operator.gt, UNKNOWN_BOOL),
    ">=": _of_two(NUMBER, operator.ge, UNKNOWN_BOOL),
    "==": _equals,
    "!=": _differs,
    "&&": _of_two(BOOL, lambda left, right: left and right, UNKNOWN_BOOL),
    "||": _of_two(BOOL, lambda left, right: left or right, UNKNOWN_BOOL),
}


def negate(value: Value) -> Value:
    """`-value`"""
    number, sensitive = _operand(value, NUMBER, 0)
    assert isinstance(number, Unknown | int | Fraction | float)
    return mark_sensitive(UNKNOWN_NUMBER if isinstance(number, Unknown) else -number, sensitive)


def invert(value: Value) -> Value:
    """`!value`"""
    operand, sensitive = _operand(value, BOOL, 0)
    return mark_sensitive(UNKNOWN_BOOL if isinstance(operand, Unknown) else not operand, sensitive)


def truth(value: Value, what: str) -> tuple[bool | None, bool]:
    """
    What a condition says (None when that is not known yet), and whether it is sensitive.

    Raises:
        Fault: it is null, or neither a bool nor the text of one. `what` names the condition.
    """
    bare, sensitive = unmark(value)
    if isinstance(bare, Null):
        raise Fault(f"Invalid {what}", f"The {what} is null; it must be true or false.")
    if isinstance(bare, Unknown):
        return None, sensitive
    try:
        verdict, _ = unmark(convert(value, BOOL))
    except ConversionError as error:
        raise Fault(f"Invalid {what}", f"The {what} must be true or false: {error}.") from None
    return (verdict if isinstance(verdict, bool) else None), sensitive


def get_attribute(value: Value, name: str) -> Value:
    """
    `value.name`: an attribute of an object, an element of a map.

    Raises:
        Fault: there is none, with the names that there are.
    """
    match value:
        case dict() if name in value:
            return value[name]
        case MapValue() if name in value.items:
            return value.items[name]
        case dict():
            raise _missing("Unsupported attribute", "This object has no attribute", name, value, "attributes")
        case MapValue():
            raise _missing("Missing map element", "This map has no element with the key", name, value.items, "keys")
        case Sensitive(inner):
            try:
                return mark_sensitive(get_attribute(inner, name))
            except Fault as fault:
                raise _without_names(fault, name) from None
        case Unknown(type):
            return _attribute_of_unknown(type, name)
        case Null():
            raise Fault("Attempt to get attribute from null value", "This value is null, so it has no attributes.")
        case tuple() | ListValue() | SetValue():
            raise _attribute_of_sequence(value, name)
        case _:
            raise Fault("Unsupported attribute", f"A value of type {type_name(type_of(value))} has no attributes.")


def _attribute_of_unknown(type: Type, name: str) -> Value:
    match type:
        case ObjectType(attributes):
            found = dict(attributes).get(name)
            if found is None:
                names = [attribute for attribute, _ in attributes]
                raise _missing("Unsupported attribute", "This object has no attribute", name, names, "attributes")
            return Unknown(found)
        case MapType(element):
            return Unknown(element)
        case _ if type == DYNAMIC:
            return Unknown()
        case _:
            raise Fault("Unsupported attribute", f"A value of type {type_name(type)} has no attributes.")


def _attribute_of_sequence(value: tuple[Value, ...] | ListValue | SetValue, name: str) -> Fault:
    detail = f"A value of type {type_name(type_of(value))} has no attributes."
    items = value if isinstance(value, tuple) else value.items
    if any(isinstance(item, dict) and name in item for item in items):
        detail += f" Its elements have: did you mean [*].{name}"
        detail += f", or [0].{name} for the first one?" if not isinstance(value, SetValue) else "?"
    return Fault("Unsupported attribute", detail)


def get_index(value: Value, key: Value) -> Value:
    """
    `value[key]`: an element by number, or an attribute or map element by name.

    Raises:
        Fault: there is none; operand 0 for the value, 1 for the key.
    """
    value, sensitive = unmark(value)
    key, key_sensitive = unmark(key)
    if isinstance(value, Null):
        raise Fault("Attempt to index null value", "This value is null, so it has no elements.", 0)
    if isinstance(key, Null):
        raise Fault("Invalid index", "A null value cannot be an index.", 1)
    try:
        found = _element(value, key)
    except Fault as fault:
        raise _without_names(fault, "") if sensitive or key_sensitive else fault from None
    return mark_sensitive(found, sensitive or key_sensitive)


def _element(value: Value, key: Value) -> Value:
    match value:
        case tuple() | ListValue():
            items = value if isinstance(value, tuple) else value.items
            index = _index(key)
            if isinstance(index, Unknown):
                return Unknown(value.element if isinstance(value, ListValue) else DYNAMIC)
            if not 0 <= index < len(items):
                raise Fault("Invalid index", _out_of_range(value, index, len(items)), 1)
            return items[index]
        case dict() | MapValue():
            entries = value if isinstance(value, dict) else value.items
            name = _name(key)
            if isinstance(name, Unknown):
                return Unknown(value.element if isinstance(value, MapValue) else DYNAMIC)
            if name not in entries:
                raise _missing("Invalid index", "There is no element with the key", name, entries, "keys", 1)
            return entries[name]
        case Unknown(type):
            return _element_of_unknown(type, key)
        case SetValue():
            raise Fault("Invalid index", "The elements of a set have no index. Convert it with tolist() first.", 0)
        case _:
            raise Fault("Invalid index", f"A value of type {type_name(type_of(value))} has no elements.", 0)


def _element_of_unknown(type: Type, key: Value) -> Value:
    match type:
        case ListType(element):
            _index(key, whole=False)
            return Unknown(element)
        case MapType(element):
            _name(key)
            return Unknown(element)
        case TupleType(elements):
            index = _index(key)
            if isinstance(index, Unknown):
                return Unknown()
            if not 0 <= index < len(elements):
                raise Fault("Invalid index", f"The tuple has {len(elements)} elements, so there is no [{index}].", 1)
            return Unknown(elements[index])
        case ObjectType():
            name = _name(key)
            return Unknown() if isinstance(name, Unknown) else _attribute_of_unknown(type, name)
        case _ if type == DYNAMIC:
            return Unknown()
        case SetType():
            raise Fault("Invalid index", "The elements of a set have no index. Convert it with tolist() first.", 0)
        case _:
            raise Fault("Invalid index", f"A value of type {type_name(type)} has no elements.", 0)


def _index(key: Value, *, whole: bool = True) -> int | Unknown:
    try:
        number = convert(key, NUMBER)
    except ConversionError as error:
        raise Fault("Invalid index", f"The index of a list or tuple must be a number: {error}.", 1) from None
    if isinstance(number, int | Unknown):
        return number
    if not whole:
        return 0
    raise Fault("Invalid index", "The index of a list or tuple must be a whole number.", 1)


def _name(key: Value) -> str | Unknown:
    try:
        name = convert(key, STRING)
    except ConversionError as error:
        raise Fault("Invalid index", f"The key of a map or object must be a string: {error}.", 1) from None
    assert isinstance(name, str | Unknown)
    return name


def _out_of_range(value: Value, index: int, length: int) -> str:
    kind = "tuple" if isinstance(value, tuple) else "list"
    if length == 0:
        return f"The {kind} is empty, so there is no [{index}]."
    count = "one element, [0]" if length == 1 else f"{length} elements, [0] to [{length - 1}]"
    return f"The {kind} has {count}, so there is no [{index}]."


def _missing(
    summary: str, sentence: str, name: str, available: Iterable[str], noun: str, operand: int | None = None
) -> Fault:
    names = list(available)
    shown = ", ".join(quoted(one) for one in names[:10]) + (", ..." if len(names) > 10 else "")
    there = f" It has the {noun if len(names) > 1 else noun[:-1]} {shown}." if names else " It is empty."
    return Fault(summary, f"{sentence} {quoted(name)}.{did_you_mean(name, names)}{there}", operand)


def _without_names(fault: Fault, name: str) -> Fault:
    """The same fault of a sensitive value, whose keys may be secrets."""
    return Fault(fault.summary, "There is no such element in this sensitive value.", fault.operand)


def pairs(value: Value) -> Iterator[tuple[Value, Value]] | None:
    """Keys and elements of what a for-expression goes over, without its own mark; None for what cannot be gone over."""
    match value:
        case tuple():
            return iter(enumerate(value))
        case ListValue():
            return iter(enumerate(value.items))
        case SetValue():
            return ((item, item) for item in value.items)
        case dict():
            return iter(value.items())
        case MapValue():
            return iter(value.items.items())
        case _:
            return None
