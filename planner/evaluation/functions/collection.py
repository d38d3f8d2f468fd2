"""Lists, sets, tuples, maps and objects: what is in them, and others made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice, product

from planner.diagnostics import did_you_mean
from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Parameter, Takes
from planner.evaluation.functions.text import graphemes, whole_number
from planner.values import numbers
from planner.values.compare import equal, set_of
from planner.values.convert import ConversionError, convert, type_name, type_of, unify
from planner.values.marks import (
    UNKNOWN,
    Unknown,
    is_wholly_known,
    mark_sensitive,
    unmark,
)
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

FUNCTIONS = Family()

_LONGEST_RANGE = 1024

_ANY_LIST = ListType(DYNAMIC)
_ANY_SET = SetType(DYNAMIC)
_SOME_LIST = Parameter("list", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS)


def sequence(value: Value, index: int, *, sets: bool = False) -> Sequence[Value]:
    """
    The elements of a list or tuple argument, or of a set where these are good too.

    Raises:
        ArgumentFault: it is none of them.
    """
    if isinstance(value, tuple):
        return value
    if isinstance(value, ListValue) or (sets and isinstance(value, SetValue)):
        return value.items
    kinds = "a list, tuple or set" if sets else "a list or tuple"
    raise ArgumentFault(index, f"{kinds} is required, not {type_name(type_of(value))}")


def entries(value: Value, index: int) -> Mapping[str, Value]:
    """
    The entries of a map or object argument.

    Raises:
        ArgumentFault: it is neither.
    """
    if isinstance(value, dict):
        return value
    if isinstance(value, MapValue):
        return value.items
    raise ArgumentFault(index, f"a map or object is required, not {type_name(type_of(value))}")


def _like(source: Value, items: Iterable[Value]) -> Value:
    """Elements of `source` in a sequence of its kind."""
    return ListValue(source.element, tuple(items)) if isinstance(source, ListValue | SetValue) else tuple(items)


def _type_of_first(value: Value, *rest: Value) -> Type:
    return type_of(value)


@FUNCTIONS.add("alltrue", Parameter("list", ListType(BOOL)), returns=BOOL)
def all_true(conditions: ListValue) -> Value:
    return all(condition is True for condition in conditions.items)


@FUNCTIONS.add("anytrue", Parameter("list", ListType(BOOL), unknown=Takes.PARTS), returns=BOOL)
def any_true(conditions: ListValue) -> Value:
    if any(condition is True for condition in conditions.items):
        return True
    return False if is_wholly_known(conditions) else Unknown(BOOL, not_null=True)


@FUNCTIONS.add(
    "chunklist",
    Parameter("list", _ANY_LIST, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    Parameter("size", NUMBER),
    returns=lambda items, size: ListType(type_of(items)),
)
def chunk_list(whole: ListValue, size: Number) -> Value:
    """Lists of `size` elements each, the last perhaps shorter; one of all elements for size 0."""
    length = whole_number(size, 1)
    if length < 0:
        raise ArgumentFault(1, "it must not be negative")
    step = length or max(len(whole.items), 1)
    chunks = tuple(
        ListValue(whole.element, whole.items[start : start + step]) for start in range(0, len(whole.items), step)
    )
    return ListValue(ListType(whole.element), chunks)


@FUNCTIONS.add("coalesce", variadic=Parameter("vals", DYNAMIC, null=True, unknown=Takes.ALL), returns=DYNAMIC)
def coalesce(*values: Value) -> Value:
    """The first that is neither null nor an empty string, as the type that all unify to."""
    type = unify(type_of(value) for value in values)
    if type is None:
        detail = "all arguments must have one type" if values else "at least one argument is required"
        raise CallFault(detail)
    for index, value in enumerate(values):
        if isinstance(value, Null):
            continue
        if isinstance(value, Unknown):
            # Whether it is empty decides what comes next, unless it is known to be neither.
            return Unknown(type, not_null=value.not_null and index == len(values) - 1)
        try:
            converted = convert(value, type)
        except ConversionError as error:
            raise ArgumentFault(index, str(error)) from None
        if converted != "":
            return converted
    raise CallFault("no argument has a value: all are null or empty strings")


@FUNCTIONS.add(
    "coalescelist",
    variadic=Parameter("vals", DYNAMIC, null=True, unknown=Takes.ALL, sensitive=Takes.PARTS),
    returns=DYNAMIC,
)
def coalesce_list(*lists: Value) -> Value:
    candidates: list[Value] = []
    for index, one in enumerate(lists):
        if isinstance(one, Unknown):
            candidates.append(one)
            break
        if not (isinstance(one, Null) and isinstance(one.type, ListType | TupleType)) and sequence(one, index):
            candidates.append(one)
    if candidates:
        return UNKNOWN if isinstance(candidates[0], Unknown) else candidates[0]
    raise CallFault("no argument is a list with elements")


@FUNCTIONS.add("compact", Parameter("list", ListType(STRING)), returns=ListType(STRING))
def compact(items: ListValue) -> Value:
    return ListValue(STRING, tuple(item for item in items.items if item != "" and not isinstance(item, Null)))


def _concatenated_type(*sequences: Value) -> Type:
    types = [type_of(one) for one in sequences]
    if all(isinstance(type, ListType) for type in types):
        return unify(types) or DYNAMIC
    return DYNAMIC


@FUNCTIONS.add(
    "concat",
    variadic=Parameter("seqs", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=_concatenated_type,
)
def concatenate(*sequences: Value) -> Value:
    """A list when all are lists whose elements have one type, else a tuple."""
    if not sequences:
        raise CallFault("at least one argument is required")
    parts = [sequence(one, index) for index, one in enumerate(sequences)]
    if all(isinstance(one, ListValue) for one in sequences):
        type = unify(type_of(one) for one in sequences)
        if type is not None:
            element = type.element if isinstance(type, ListType) else DYNAMIC
            return ListValue(element, tuple(convert(item, element) for item in chain.from_iterable(parts)))
    return tuple(chain.from_iterable(parts))


@FUNCTIONS.add(
    "contains",
    Parameter("list", DYNAMIC, unknown=Takes.PARTS),
    Parameter("value", DYNAMIC, unknown=Takes.PARTS),
    returns=BOOL,
)
def contains(items: Value, wanted: Value) -> Value:
    """Found as soon as a known element is equal, whatever the others turn out to be."""
    known = True
    for item in sequence(items, 0, sets=True):
        verdict = equal(item, wanted)
        if verdict is True:
            return True
        known = known and verdict is False
    return False if known else Unknown(BOOL, not_null=True)


@FUNCTIONS.add("distinct", Parameter("list", _ANY_LIST), returns=_type_of_first)
def distinct(items: ListValue) -> Value:
    if items.element in (STRING, NUMBER, BOOL):
        return ListValue(items.element, tuple(dict.fromkeys(items.items)))
    kept: list[Value] = []
    for item in items.items:
        if not any(equal(item, other) is True for other in kept):
            kept.append(item)
    return ListValue(items.element, tuple(kept))


@FUNCTIONS.add(
    "element",
    Parameter("list", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    Parameter("index", NUMBER),
    returns=lambda items, index: items.element if isinstance(items, ListValue) else DYNAMIC,
)
def element(items: Value, index: Number) -> Value:
    """The element at an index; one past the end counts on from the start, a negative one from the end."""
    parts = sequence(items, 0)
    number = whole_number(index, 1)
    if not parts:
        raise ArgumentFault(0, "it has no elements")
    return parts[number % len(parts)]


@FUNCTIONS.add("flatten", _SOME_LIST, returns=DYNAMIC)
def flatten(items: Value) -> Value:
    flat: list[Value] = []
    sensitive = False
    pending = [iter(sequence(items, 0, sets=True))]
    while pending:
        for item in pending[-1]:
            inner, marked = unmark(item)
            kind = inner.type if isinstance(inner, Unknown | Null) else None
            if isinstance(inner, Unknown) and (kind == DYNAMIC or isinstance(kind, ListType | SetType | TupleType)):
                return UNKNOWN
            if isinstance(inner, tuple | ListValue | SetValue):
                sensitive = sensitive or marked
                if isinstance(inner, SetValue) and not is_wholly_known(inner):
                    return UNKNOWN
                pending.append(iter(sequence(inner, 0, sets=True)))
                break
            flat.append(item)
        else:
            pending.pop()
    return mark_sensitive(tuple(flat), sensitive)


@FUNCTIONS.add("index", Parameter("list", DYNAMIC), Parameter("value", DYNAMIC), returns=NUMBER)
def index_of(items: Value, wanted: Value) -> Value:
    for index, item in enumerate(sequence(items, 0)):
        if equal(item, wanted) is True:
            return index
    raise CallFault("there is no such element")


def _keys_type(value: Value) -> Type:
    return ListType(STRING) if isinstance(type_of(value), MapType) else DYNAMIC


@FUNCTIONS.add("keys", Parameter("inputMap", DYNAMIC, unknown=Takes.ALL, sensitive=Takes.PARTS), returns=_keys_type)
def keys(value: Value) -> Value:
    if isinstance(value, Unknown):
        match value.type:
            case ObjectType(attributes):
                return tuple(name for name, _ in attributes)
            case MapType():
                return Unknown(
                    ListType(STRING), not_null=True, min_length=value.min_length, max_length=value.max_length
                )
            case _ if value.type == DYNAMIC:
                return UNKNOWN
    names = tuple(sorted(entries(value, 0)))
    return ListValue(STRING, names) if isinstance(value, MapValue) else names


@FUNCTIONS.add("length", Parameter("value", DYNAMIC, unknown=Takes.ALL, sensitive=Takes.PARTS), returns=NUMBER)
def length(value: Value) -> Value:
    """Elements of a collection, attributes of an object, or characters of a string."""
    match value:
        case str():
            return len(graphemes(value))
        case tuple() | dict():
            return len(value)
        case ListValue() | MapValue():
            return len(value.items)
        case SetValue():
            # Unknown elements may turn out to be equal to others, so their number is open unless there is only one.
            return len(value.items) if len(value.items) < 2 or is_wholly_known(value) else _unknown_number()
        case Unknown():
            return _length_of_unknown(value)
        case _:
            raise ArgumentFault(0, "a string, a collection, a tuple or an object is required")


def _length_of_unknown(value: Unknown) -> Value:
    match value.type:
        case TupleType(elements):
            return len(elements)
        case ObjectType(attributes):
            return len(attributes)
        case ListType() | SetType() | MapType():
            return value.min_length if value.min_length == value.max_length else _unknown_number()
        case type if type in (STRING, DYNAMIC):
            return _unknown_number()
        case _:
            raise ArgumentFault(0, "a string, a collection, a tuple or an object is required")


def _unknown_number() -> Unknown:
    return Unknown(NUMBER, not_null=True)


@FUNCTIONS.add(
    "lookup",
    Parameter("inputMap", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    Parameter("key", STRING),
    variadic=Parameter("default", DYNAMIC, null=True, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=lambda items, *rest: items.element if isinstance(items, MapValue) else DYNAMIC,
)
def lookup(items: Value, key: str, *default: Value) -> Value:
    """The entry of a key, or the default, which must have the type of a map's elements."""
    if len(default) > 1:
        raise CallFault("it takes a map, a key and at most one default")
    found = entries(items, 0)
    if default and isinstance(items, MapValue):
        try:
            fallback = convert(default[0], items.element)
        except ConversionError as error:
            raise ArgumentFault(2, f"the default must have the type of the map's elements: {error}") from None
        return found.get(key, fallback)
    if key in found:
        return found[key]
    if default:
        return default[0]
    raise CallFault(f"there is no element with the key {quoted(key)}{did_you_mean(key, found).rstrip()}".rstrip("?"))


@FUNCTIONS.add(
    "matchkeys",
    Parameter("values", _ANY_LIST, unknown=Takes.PARTS),
    Parameter("keys", _ANY_LIST),
    Parameter("searchset", _ANY_LIST),
    returns=_type_of_first,
)
def match_keys(values: ListValue, keys: ListValue, wanted: ListValue) -> Value:
    if len(values.items) != len(keys.items):
        raise ArgumentFault(1, f"it has {len(keys.items)} elements, but there are {len(values.items)} values")
    type = unify((keys.element, wanted.element))
    if type is None:
        raise ArgumentFault(2, "its elements must have the type of the keys")
    searched = [convert(item, type) for item in wanted.items]
    kept = [
        value
        for value, key in zip(values.items, keys.items, strict=True)
        if any(equal(convert(key, type), item) is True for item in searched)
    ]
    return ListValue(values.element, tuple(kept))


@FUNCTIONS.add(
    "merge",
    variadic=Parameter("maps", DYNAMIC, null=True, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=DYNAMIC,
)
def merge(*maps: Value) -> Value:
    """The entries of all, the last one's where several have a key; null is empty. A map if all are one type's."""
    merged: dict[str, Value] = {}
    given = []
    for index, one in enumerate(maps):
        if isinstance(one, Null) and (one.type == DYNAMIC or isinstance(one.type, MapType | ObjectType)):
            continue
        merged.update(entries(one, index))
        given.append(one)
    ordered = {name: merged[name] for name in sorted(merged)}
    if given and all(isinstance(one, MapValue) for one in given) and len({type_of(one) for one in given}) == 1:
        type = type_of(given[0])
        return convert(ordered, type) if ordered else MapValue(_element_of(type), {})
    return ordered


def _element_of(type: Type) -> Type:
    return type.element if isinstance(type, ListType | SetType | MapType) else DYNAMIC


def _one_type(value: Value) -> Type:
    return _element_of(type_of(value))


@FUNCTIONS.add("one", Parameter("list", DYNAMIC, unknown=Takes.ALL, sensitive=Takes.PARTS), returns=_one_type)
def one(items: Value) -> Value:
    if isinstance(items, Unknown):
        if items.type != DYNAMIC and not isinstance(items.type, ListType | SetType | TupleType):
            raise ArgumentFault(0, f"a list, tuple or set is required, not {type_name(items.type)}")
        return Unknown(_element_of(items.type))
    parts = sequence(items, 0, sets=True)
    if len(parts) > 1:
        raise ArgumentFault(0, f"it must have one element or none, not {len(parts)}")
    return parts[0] if parts else Null(_one_type(items))


@FUNCTIONS.add("range", variadic=Parameter("params", NUMBER), returns=ListType(NUMBER))
def number_range(*limits: Number) -> Value:
    """range(limit), range(start, limit) or range(start, limit, step); without a step it counts up or down by one."""
    if not 1 <= len(limits) <= 3:
        raise CallFault("it takes one, two or three numbers")
    start, limit = (0, limits[0]) if len(limits) == 1 else limits[:2]
    down = limit < start
    step = limits[2] if len(limits) == 3 else -1 if down else 1
    if step == 0 and start != limit:
        raise ArgumentFault(2, "the step must not be zero")
    if start != limit and (step < 0) is not down:
        way = "down" if down else "up"
        raise ArgumentFault(2, f"the step must be {'negative' if down else 'positive'}, since the range counts {way}")
    found: list[Value] = []
    at = start
    while at > limit if down else at < limit:
        if len(found) >= _LONGEST_RANGE:
            raise CallFault(f"the range has more than {_LONGEST_RANGE} values; for longer ones use a for expression")
        found.append(at)
        at = numbers.add(at, step)
    return ListValue(NUMBER, tuple(found))


@FUNCTIONS.add("reverse", _SOME_LIST, returns=DYNAMIC)
def reverse(items: Value) -> Value:
    return _like(items, reversed(sequence(items, 0, sets=True)))


def _unified_set_type(*sets: Value) -> Type:
    return unify(type_of(one) for one in sets) or DYNAMIC


def _set_operation(combine: Callable[[SetValue, SetValue], Iterable[Value]]) -> Callable[..., Value]:
    def operate(first: SetValue, *others: SetValue) -> Value:
        # An empty set fits with any other, whatever its elements would have been.
        typed = [one for one in (first, *others) if one.items or one.element != DYNAMIC]
        type = unify(type_of(one) for one in typed) if typed else type_of(first)
        if type is None or (_element_of(type) == DYNAMIC and any(one.element != DYNAMIC for one in typed)):
            raise CallFault("the sets must have elements of one type")
        result = convert(first, type)
        for other in others:
            second = convert(other, type)
            assert isinstance(result, SetValue) and isinstance(second, SetValue)
            result = set_of(_element_of(type), combine(result, second))
        return result

    return operate


def _in_both(first: SetValue, second: SetValue) -> Iterable[Value]:
    return (item for item in first.items if _among(item, second))


def _in_first_only(first: SetValue, second: SetValue) -> Iterable[Value]:
    return (item for item in first.items if not _among(item, second))


def _among(item: Value, items: SetValue) -> bool:
    if items.element in (STRING, NUMBER, BOOL):
        return item in items.items
    return any(equal(item, other) is True for other in items.items)


_FIRST_SET = Parameter("first_set", _ANY_SET)
_OTHER_SETS = Parameter("other_sets", _ANY_SET)
FUNCTIONS.add("setintersection", _FIRST_SET, variadic=_OTHER_SETS, returns=_unified_set_type)(_set_operation(_in_both))
FUNCTIONS.add("setsubtract", Parameter("a", _ANY_SET), Parameter("b", _ANY_SET), returns=_unified_set_type)(
    _set_operation(_in_first_only)
)
FUNCTIONS.add(
    "setunion",
    Parameter("first_set", _ANY_SET, unknown=Takes.PARTS),
    variadic=Parameter("other_sets", _ANY_SET, unknown=Takes.PARTS),
    returns=_unified_set_type,
)(_set_operation(lambda first, second: (*first.items, *second.items)))


@FUNCTIONS.add(
    "setproduct",
    variadic=Parameter("sets", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=DYNAMIC,
)
def set_product(*sets: Value) -> Value:
    """Every combination of one element of each, as tuples: a list if all are lists or tuples, else a set."""
    if len(sets) < 2:
        raise CallFault("at least two arguments are required")
    columns: list[ListValue | SetValue] = []
    for index, one in enumerate(sets):
        sequence(one, index, sets=True)
        try:
            column = convert(one, _ANY_LIST if isinstance(one, tuple) else DYNAMIC)
        except ConversionError as error:
            raise ArgumentFault(index, str(error)) from None
        assert isinstance(column, ListValue | SetValue)
        columns.append(column)
    element = TupleType(tuple(column.element for column in columns))
    rows = product(*(column.items for column in columns))
    if any(isinstance(one, SetValue) for one in sets):
        if not all(is_wholly_known(column) for column in columns):
            return Unknown(SetType(element), not_null=True)
        return set_of(element, rows)
    return ListValue(element, tuple(rows))


@FUNCTIONS.add(
    "slice",
    _SOME_LIST,
    Parameter("start_index", NUMBER),
    Parameter("end_index", NUMBER),
    returns=lambda items, *rest: type_of(items) if isinstance(items, ListValue) else DYNAMIC,
)
def take_slice(items: Value, start: Number, end: Number) -> Value:
    parts = sequence(items, 0)
    first, last = whole_number(start, 1), whole_number(end, 2)
    if not 0 <= first <= len(parts):
        raise ArgumentFault(1, f"it must be from 0 to {len(parts)}, the number of elements")
    if not 0 <= last <= len(parts):
        raise ArgumentFault(2, f"it must be from 0 to {len(parts)}, the number of elements")
    if last < first:
        raise ArgumentFault(1, "it must not be greater than the end index")
    return _like(items, islice(parts, first, last))


@FUNCTIONS.add("sort", Parameter("list", ListType(STRING), unknown=Takes.PARTS), returns=ListType(STRING))
def sort(items: ListValue) -> Value:
    if not is_wholly_known(items):
        # Any of them may end up anywhere.
        return ListValue(STRING, (Unknown(STRING),) * len(items.items))
    if any(isinstance(item, Null) for item in items.items):
        raise ArgumentFault(0, "its elements must not be null")
    return ListValue(STRING, tuple(sorted(str(item) for item in items.items)))


@FUNCTIONS.add("sum", Parameter("list", DYNAMIC), returns=NUMBER)
def total(items: Value) -> Value:
    parts = sequence(items, 0, sets=True)
    if not parts:
        raise ArgumentFault(0, "it must have at least one element")
    result: Number = 0
    for index, part in enumerate(parts):
        try:
            number = convert(part, NUMBER)
        except ConversionError as error:
            raise ArgumentFault(0, f"element {index}: {error}") from None
        if isinstance(number, Null | Unknown):
            raise ArgumentFault(0, f"element {index} is null")
        result = numbers.add(result, number)  # type: ignore[arg-type] # neither null nor unknown, so a number
    return result


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
    return ListType(value.element) if isinstance(value, MapValue) else DYNAMIC


@FUNCTIONS.add(
    "values", Parameter("mapping", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS), returns=_values_type
)
def values(mapping: Value) -> Value:
    found = entries(mapping, 0)
    items = tuple(found[name] for name in sorted(found))
    return ListValue(mapping.element, items) if isinstance(mapping, MapValue) else items


def _zipped_type(keys: Value, values: Value) -> Type:
    return MapType(values.element) if isinstance(values, ListValue) else DYNAMIC


@FUNCTIONS.add(
    "zipmap",
    Parameter("keys", ListType(STRING), sensitive=Takes.NOTHING),
    Parameter("values", DYNAMIC, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=_zipped_type,
)
def zip_map(keys: ListValue, values: Value) -> Value:
    """An object of keys and values; a map where the values are a list."""
    items = sequence(values, 1)
    if len(keys.items) != len(items):
        raise CallFault(f"there are {len(keys.items)} keys, but {len(items)} values")
    if any(isinstance(key, Null) for key in keys.items):
        raise ArgumentFault(0, "a key must not be null")
    found = dict(sorted(zip(map(str, keys.items), items, strict=True), key=lambda entry: entry[0]))
    return MapValue(values.element, found) if isinstance(values, ListValue) else found
