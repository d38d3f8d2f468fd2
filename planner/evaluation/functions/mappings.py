"""Maps and objects."""

from __future__ import annotations

from collections.abc import Mapping

from planner.diagnostics import did_you_mean
from planner.evaluation.functions.sequences import element_of, items_of
from planner.evaluation.functions.signature import (
    MAPPINGS,
    SEQUENCES,
    ArgumentFault,
    CallFault,
    Family,
    Parameter,
    Takes,
)
from planner.values.convert import ConversionError, convert, type_of
from planner.values.marks import Unknown
from planner.values.show import quoted
from planner.values.types import (
    DYNAMIC,
    STRING,
    ListType,
    ListValue,
    MapType,
    MapValue,
    Null,
    ObjectType,
    Type,
    Value,
)

FUNCTIONS = Family()


def entries_of(value: Value) -> Mapping[str, Value]:
    """The entries of a map or object, as which a parameter's kinds have let it pass."""
    if isinstance(value, dict):
        return value
    assert isinstance(value, MapValue)
    return value.items


def _keys_type(value: Value) -> Type:
    return ListType(STRING) if isinstance(type_of(value), MapType) else DYNAMIC


@FUNCTIONS.add(
    "keys", Parameter("inputMap", DYNAMIC, MAPPINGS, unknown=Takes.ALL, sensitive=Takes.PARTS), returns=_keys_type
)
def keys(value: Value) -> Value:
    if isinstance(value, Unknown):
        match value.type:
            case ObjectType(attributes):
                return tuple(name for name, _ in attributes)
            case MapType():
                return Unknown(
                    ListType(STRING), not_null=True, min_length=value.min_length, max_length=value.max_length
                )
            case _:
                return Unknown()
    names = tuple(sorted(entries_of(value)))
    return ListValue(STRING, names) if isinstance(value, MapValue) else names


def _looked_up_type(items: Value, key: Value, *default: Value) -> Type:
    """A map's element type, which its default must have as well."""
    element = element_of(type_of(items))
    if default:
        _fallback(element, default[0])
    return element


def _fallback(element: Type, default: Value) -> Value:
    try:
        return convert(default, element)
    except ConversionError as error:
        raise ArgumentFault(2, f"it must have the type of the map's elements: {error}") from None


@FUNCTIONS.add(
    "lookup",
    Parameter("inputMap", DYNAMIC, MAPPINGS, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    Parameter("key", STRING),
    variadic=Parameter("default", DYNAMIC, null=True, unknown=Takes.PARTS, sensitive=Takes.ALL),
    most=3,
    returns=_looked_up_type,
)
def lookup(items: Value, key: str, *default: Value) -> Value:
    """The entry of a key, or the default."""
    found = entries_of(items)
    if default and isinstance(items, MapValue):
        fallback = _fallback(items.element, default[0])
        return found.get(key, fallback)
    if key in found:
        return found[key]
    if default:
        return default[0]
    raise CallFault(
        f"there is no element with the key {quoted(key)}, and no default{_further(did_you_mean(key, found))}"
    )


def _further(suggestion: str) -> str:
    return f".{suggestion}" if suggestion else ""


@FUNCTIONS.add(
    "merge",
    variadic=Parameter("maps", DYNAMIC, MAPPINGS, null=True, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=DYNAMIC,
)
def merge(*maps: Value) -> Value:
    """The entries of all, the last one's where several have a key; null is empty. A map if all are one type's."""
    given = [one for one in maps if not isinstance(one, Null)]
    merged: dict[str, Value] = {}
    for one in given:
        merged.update(entries_of(one))
    ordered = {name: merged[name] for name in sorted(merged)}
    if given and all(isinstance(one, MapValue) for one in given) and len({type_of(one) for one in given}) == 1:
        type = type_of(given[0])
        return convert(ordered, type) if ordered else MapValue(element_of(type), {})
    return ordered


@FUNCTIONS.add("transpose", Parameter("values", MapType(ListType(STRING))), returns=MapType(ListType(STRING)))
def transpose(values: MapValue) -> Value:
    """From each string to the keys whose lists have it."""
    found: dict[str, list[Value]] = {}
    for key in sorted(values.items):
        items = values.items[key]
        if isinstance(items, Null):
            raise ArgumentFault(0, f"the element {quoted(key)} must not be null")
        assert isinstance(items, ListValue)
        for item in items.items:
            if isinstance(item, Null):
                raise ArgumentFault(0, f"the list {quoted(key)} must not hold null")
            found.setdefault(str(item), []).append(key)
    return MapValue(
        ListType(STRING), {name: ListValue(STRING, tuple(dict.fromkeys(found[name]))) for name in sorted(found)}
    )


def _values_type(value: Value) -> Type:
    type = type_of(value)
    return ListType(type.element) if isinstance(type, MapType) else DYNAMIC


@FUNCTIONS.add(
    "values", Parameter("mapping", DYNAMIC, MAPPINGS, unknown=Takes.PARTS, sensitive=Takes.PARTS), returns=_values_type
)
def values(mapping: Value) -> Value:
    found = entries_of(mapping)
    items = tuple(found[name] for name in sorted(found))
    return ListValue(mapping.element, items) if isinstance(mapping, MapValue) else items


def _zipped_type(keys: Value, values: Value) -> Type:
    type = type_of(values)
    return MapType(type.element) if isinstance(type, ListType) else DYNAMIC


@FUNCTIONS.add(
    "zipmap",
    Parameter("keys", ListType(STRING)),
    Parameter("values", DYNAMIC, SEQUENCES, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=_zipped_type,
)
def zip_map(keys: ListValue, values: Value) -> Value:
    """An object of keys and values; a map where the values are a list."""
    items = items_of(values)
    if len(keys.items) != len(items):
        raise CallFault(f"there are {len(keys.items)} keys, but {len(items)} values")
    if any(isinstance(key, Null) for key in keys.items):
        raise ArgumentFault(0, "a key must not be null")
    found = dict(sorted(zip(map(str, keys.items), items, strict=True), key=lambda entry: entry[0]))
    return MapValue(values.element, found) if isinstance(values, ListValue) else found
