"""Conversion of values to types and to type constraints, as Terraform converts them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from planner.values.compare import set_of, type_of
from planner.values.marks import Sensitive, Unknown, is_wholly_known, mark_sensitive
from planner.values.numbers import number_text, parse_number
from planner.values.types import (
    DYNAMIC,
    STRING,
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
from planner.values.unify import converted_type, has_dynamic, plain, required, type_name, unify

__all__ = ["ConversionError", "convert", "type_name", "type_of", "unify"]

_BOOLS = {"true": True, "false": False, "1": True, "0": False}
_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")


class ConversionError(ValueError):
    """
    A value does not have the type that is asked for. `str()` says where inside the value, and what is asked for.

    Attributes:
        path: the way to the part that is wrong: attribute names, map keys and indexes.
        message: what is wrong there, without the path.
    """

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        return f"{path_text(self.path)}: {self.message}" if self.path else self.message


def path_text(path: Iterable[str | int]) -> str:
    """`.disks[0].size`; what is no identifier is quoted: `["a b"]`."""
    return "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if _IDENTIFIER.fullmatch(step) else f'["{step}"]'
        for step in path
    )


def convert(value: Value, type: Type) -> Value:
    """
    The value as one of `type`, which may be a constraint: an open part takes what is there (elements are unified),
    an absent or null attribute with a default gets it, attributes that the constraint does not name are dropped.

    Raises:
        ConversionError: no value of that type corresponds to it.
    """
    if isinstance(type, PrimitiveType):
        return _to_primitive(value, type)
    match value:
        case Sensitive():
            return _convert_sensitive(value, type)
        case Unknown():
            return _convert_unknown(value, type)
        case Null(source):
            return Null(_converted_type(source, type))
    match type:
        case ListType(element):
            items, element = _elements(value, element, type)
            if isinstance(value, SetValue) and len(items) > 1 and not is_wholly_known(value):
                # Elements that turn out to be equal will be one, so nobody knows how many there are.
                return Unknown(ListType(element), not_null=True)
            return ListValue(element, tuple(items))
        case SetType(element):
            items, element = _elements(value, element, type)
            return set_of(element, items)
        case MapType(element):
            return _to_map(value, type)
        case TupleType(elements):
            if not isinstance(value, tuple):
                raise _mismatch(value, type)
            if len(value) != len(elements):
                raise ConversionError(f"a tuple of {len(elements)} elements is required, not of {len(value)}")
            return tuple(
                _part(item, element, index) for index, (item, element) in enumerate(zip(value, elements, strict=True))
            )
        case ObjectType():
            return _to_object(value, type)


def _to_primitive(value: Value, type: PrimitiveType) -> Value:
    name = type.name
    match value:
        case _ if name == "dynamic":
            return value
        case str():
            if name == "string":
                return value
            if name == "bool":
                if value in _BOOLS:
                    return _BOOLS[value]
                raise ConversionError(f'a bool is required, and "{value}" is neither "true" nor "false"')
            number = parse_number(value)
            if number is None:
                raise ConversionError(f'a number is required, and "{value}" is not the decimal text of one')
            return number
        case bool():
            if name == "bool":
                return value
            if name == "string":
                return "true" if value else "false"
        case int() | Fraction() | float():
            if name == "number":
                return value
            if name == "string":
                return number_text(value)
        case Sensitive():
            return _convert_sensitive(value, type)
        case Unknown():
            return _convert_unknown(value, type)
        case Null(source):
            return Null(_converted_type(source, type))
    raise _mismatch(value, type)


def _convert_sensitive(value: Sensitive, type: Type) -> Value:
    try:
        return mark_sensitive(convert(value.value, type))
    except ConversionError:
        # What the error says of the value, and where in it, may be the secret itself.
        raise ConversionError(f"{required(type)} is required, and the sensitive value does not convert to it") from None


def _convert_unknown(value: Unknown, type: Type) -> Unknown:
    if value.type == type:
        return value
    new = _converted_type(value.type, type)
    if isinstance(new, ListType) and isinstance(value.type, ListType | SetType | MapType):
        return replace(value, type=new)
    if isinstance(new, MapType) and isinstance(value.type, MapType):
        return replace(value, type=new)
    # As strings become other things, and lists sets, what was known of prefix and length no longer holds.
    return Unknown(new, not_null=value.not_null)


def _converted_type(source: Type, type: Type) -> Type:
    new = converted_type(source, type)
    if new is None:
        raise ConversionError(f"{required(type)} is required, not {required(source)}")
    return new


def _elements(value: Value, element: Type, type: Type) -> tuple[Sequence[Value], Type]:
    """The elements of a sequence, each converted to `element`, and the type that they all have then."""
    if isinstance(value, ListValue | SetValue):
        if value.element == element:
            return value.items, element
        if not value.items:
            return (), value.element if element == DYNAMIC else plain(element)
        items: Sequence[Value] = value.items
    elif isinstance(value, tuple):
        items = value
    else:
        raise _mismatch(value, type)
    if element == STRING and all(item.__class__ is str for item in items):
        return items, STRING
    if element == DYNAMIC and isinstance(value, tuple):
        element = _unified(items, type)
    converted = [_part(item, element, index) for index, item in enumerate(items)]
    return _agreeing(converted, element)


def _to_map(value: Value, type: MapType) -> MapValue:
    element = type.element
    if isinstance(value, MapValue):
        if value.element == element:
            return value
        if not value.items:
            return MapValue(value.element if element == DYNAMIC else plain(element), {})
        entries: Mapping[str, Value] = value.items
    elif isinstance(value, dict):
        entries = value
    else:
        raise _mismatch(value, type)
    if element == DYNAMIC and isinstance(value, dict):
        element = _unified(list(entries.values()), type)
    converted, element = _agreeing([_part(item, element, key) for key, item in entries.items()], element)
    return MapValue(element, dict(zip(entries, converted, strict=True)))


def _to_object(value: Value, type: ObjectType) -> Value:
    if isinstance(value, MapValue):
        entries: Mapping[str, Value] = value.items
    elif isinstance(value, dict):
        entries = value
    else:
        raise _mismatch(value, type)
    missing = [name for name, _ in type.attributes if name not in entries and name not in type.optional]
    if missing:
        names = " and ".join(f'"{name}"' for name in missing)
        raise ConversionError(f"attribute{'s' if len(missing) > 1 else ''} {names} required")
    defaults = dict(type.defaults)
    result: dict[str, Value] = {}
    for name, wanted in type.attributes:
        given = entries.get(name)
        if given is None or (given.__class__ is Null and name in defaults):
            given = defaults.get(name, Null(DYNAMIC))
        result[name] = _part(given, wanted, name)
    return result


def _part(value: Value, type: Type, step: str | int) -> Value:
    try:
        return convert(value, type)
    except ConversionError as error:
        error.path = (step, *error.path)
        raise


def _unified(items: Sequence[Value], type: Type) -> Type:
    """The one type of all elements of something that becomes a collection of an open element type."""
    types = [type_of(item) for item in items]
    if not types:
        return DYNAMIC
    unified = unify(types)
    if unified is None or (unified == DYNAMIC and any(one != DYNAMIC for one in types)):
        kinds = " and ".join(sorted({type_name(one) for one in types}))
        raise ConversionError(f"all elements must be of one type, and {kinds} have none in common")
    return unified


def _agreeing(items: Sequence[Value], element: Type) -> tuple[Sequence[Value], Type]:
    """Elements converted to a partly open type may still differ there; make them agree."""
    if not has_dynamic(element) or not items:
        return items, plain(element)
    unified = _unified(items, element)
    return [_part(item, unified, index) for index, item in enumerate(items)], unified


def _mismatch(value: Value, type: Type) -> ConversionError:
    return ConversionError(f"{required(type)} is required, not {required(type_of(value))}")
