"""Lists, sets and tuples: what is in them, and others made of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import chain, islice

from planner.evaluation.functions.signature import (
    ITERABLES,
    SEQUENCES,
    ArgumentFault,
    CallFault,
    Family,
    Parameter,
    Takes,
)
from planner.evaluation.functions.text import graphemes, whole_number
from planner.values import numbers
from planner.values.compare import equal, identity
from planner.values.convert import ConversionError, convert, type_of, unify
from planner.values.marks import UNKNOWN, Unknown, is_wholly_known, mark_sensitive, unmark
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


def items_of(value: Value) -> Sequence[Value]:
    """The elements of a list, set or tuple, as which a parameter's kinds have let it pass."""
    if isinstance(value, tuple):
        return value
    assert isinstance(value, ListValue | SetValue)
    return value.items


def element_of(type: Type) -> Type:
    """The type of a collection's elements; DYNAMIC for other types."""
    return type.element if isinstance(type, ListType | SetType | MapType) else DYNAMIC


def has_known_length(items: Value) -> bool:
    """Not so a set with unknown elements, which may turn out to be equal to others, unless it has only one."""
    return not isinstance(items, SetValue) or len(items.items) < 2 or is_wholly_known(items)


def _like(source: Value, items: Iterable[Value]) -> Value:
    """Elements of `source` in a sequence of its kind."""
    return ListValue(source.element, tuple(items)) if isinstance(source, ListValue | SetValue) else tuple(items)


def _same_type(value: Value, *rest: Value) -> Type:
    return type_of(value)


@FUNCTIONS.add("alltrue", Parameter("list", ListType(BOOL), unknown=Takes.PARTS), returns=BOOL)
def all_true(conditions: ListValue) -> Value:
    """The first that is not true decides."""
    for condition in conditions.items:
        if condition is not True:
            return Unknown(BOOL, not_null=True) if isinstance(condition, Unknown) else False
    return True


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
            # Whether it is empty decides what comes next; null it will not be.
            return Unknown(type, not_null=type != DYNAMIC)
        try:
            converted = convert(value, type)
        except ConversionError as error:
            raise ArgumentFault(index, str(error)) from None
        if converted != "":
            return converted
    raise CallFault("no argument has a value: all are null or empty strings")


@FUNCTIONS.add(
    "coalescelist",
    variadic=Parameter("vals", DYNAMIC, SEQUENCES, null=True, unknown=Takes.ALL),
    returns=DYNAMIC,
)
def coalesce_list(*lists: Value) -> Value:
    for one in lists:
        if isinstance(one, Unknown):
            return UNKNOWN
        if isinstance(one, Null):
            if one.type == DYNAMIC:
                raise CallFault("an argument is null, so its type is not known")
        elif items_of(one):
            return one
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
    variadic=Parameter("seqs", DYNAMIC, SEQUENCES, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=_concatenated_type,
)
def concatenate(*sequences: Value) -> Value:
    """A list when all are lists whose elements have one type, else a tuple."""
    if not sequences:
        raise CallFault("at least one argument is required")
    parts = [items_of(one) for one in sequences]
    if all(isinstance(one, ListValue) for one in sequences):
        type = unify(type_of(one) for one in sequences)
        if type is not None:
            element = type.element if isinstance(type, ListType) else DYNAMIC
            return ListValue(element, tuple(convert(item, element) for item in chain.from_iterable(parts)))
    return tuple(chain.from_iterable(parts))


@FUNCTIONS.add(
    "contains",
    Parameter("list", DYNAMIC, ITERABLES, unknown=Takes.PARTS),
    Parameter("value", DYNAMIC, unknown=Takes.PARTS),
    returns=BOOL,
)
def contains(items: Value, wanted: Value) -> Value:
    """Found as soon as a known element is equal, whatever the others turn out to be."""
    parts = items_of(items)
    if isinstance(wanted, str) and wanted in parts:
        return True
    known = True
    for item in parts:
        verdict = equal(item, wanted)
        if verdict is True:
            return True
        known = known and verdict is False
    return False if known else Unknown(BOOL, not_null=True)


@FUNCTIONS.add("distinct", Parameter("list", _ANY_LIST), returns=_same_type)
def distinct(items: ListValue) -> Value:
    first: dict[Hashable, Value] = {}
    for item in items.items:
        first.setdefault(identity(item), item)
    return ListValue(items.element, tuple(first.values()))


@FUNCTIONS.add(
    "element",
    Parameter("list", DYNAMIC, SEQUENCES, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    Parameter("index", NUMBER),
    returns=lambda items, index: element_of(type_of(items)),
)
def element(items: Value, index: Number) -> Value:
    """The element at an index; one past the end counts on from the start, a negative one from the end."""
    parts = items_of(items)
    number = whole_number(index, 1)
    if not parts:
        raise ArgumentFault(0, "it has no elements")
    return parts[number % len(parts)]


@FUNCTIONS.add(
    "flatten",
    Parameter("list", DYNAMIC, ITERABLES, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=DYNAMIC,
)
def flatten(items: Value) -> Value:
    flat: list[Value] = []
    sensitive = False
    pending = [iter(items_of(items))]
    while pending:
        for item in pending[-1]:
            inner, marked = unmark(item)
            kind = inner.type if isinstance(inner, Unknown | Null) else None
            if isinstance(inner, Unknown) and (kind == DYNAMIC or isinstance(kind, ListType | SetType | TupleType)):
                return UNKNOWN
            if isinstance(inner, tuple | ListValue | SetValue):
                sensitive = sensitive or marked
                if not has_known_length(inner):
                    return UNKNOWN
                pending.append(iter(items_of(inner)))
                break
            flat.append(item)
        else:
            pending.pop()
    return mark_sensitive(tuple(flat), sensitive)


@FUNCTIONS.add("index", Parameter("list", DYNAMIC, SEQUENCES), Parameter("value", DYNAMIC), returns=NUMBER)
def index_of(items: Value, wanted: Value) -> Value:
    for index, item in enumerate(items_of(items)):
        if equal(item, wanted) is True:
            return index
    raise CallFault("there is no such element")


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
            return len(value.items) if has_known_length(value) else _unknown_number()
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
    "matchkeys",
    Parameter("values", _ANY_LIST),
    Parameter("keys", _ANY_LIST),
    Parameter("searchset", _ANY_LIST),
    returns=_same_type,
)
def match_keys(values: ListValue, keys: ListValue, wanted: ListValue) -> Value:
    if len(values.items) != len(keys.items):
        raise ArgumentFault(1, f"it has {len(keys.items)} elements, but there are {len(values.items)} values")
    type = unify((keys.element, wanted.element))
    if type is None:
        raise ArgumentFault(2, "its elements must have the type of the keys")
    searched = {identity(convert(item, type)) for item in wanted.items}
    kept = tuple(
        value for value, key in zip(values.items, keys.items, strict=True) if identity(convert(key, type)) in searched
    )
    return ListValue(values.element, kept)


def _one_type(value: Value) -> Type:
    return element_of(type_of(value))


@FUNCTIONS.add(
    "one", Parameter("list", DYNAMIC, ITERABLES, unknown=Takes.PARTS, sensitive=Takes.PARTS), returns=_one_type
)
def one(items: Value) -> Value:
    parts = items_of(items)
    if not has_known_length(items):
        return Unknown(_one_type(items))
    if len(parts) > 1:
        raise ArgumentFault(0, f"it must have one element or none, not {len(parts)}")
    return parts[0] if parts else Null(_one_type(items))


@FUNCTIONS.add("range", variadic=Parameter("params", NUMBER), most=3, returns=ListType(NUMBER))
def number_range(*limits: Number) -> Value:
    """range(limit), range(start, limit) or range(start, limit, step); without a step it counts up or down by one."""
    if not limits:
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


def _list_type(items: Value, *rest: Value) -> Type:
    type = type_of(items)
    return ListType(type.element) if isinstance(type, ListType | SetType) else DYNAMIC


@FUNCTIONS.add(
    "reverse",
    Parameter("list", DYNAMIC, ITERABLES, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=_list_type,
)
def reverse(items: Value) -> Value:
    return _like(items, reversed(items_of(items)))


@FUNCTIONS.add(
    "slice",
    Parameter("list", DYNAMIC, SEQUENCES, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    Parameter("start_index", NUMBER),
    Parameter("end_index", NUMBER),
    returns=_list_type,
)
def take_slice(items: Value, start: Number, end: Number) -> Value:
    parts = items_of(items)
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


@FUNCTIONS.add("sum", Parameter("list", DYNAMIC, ITERABLES), returns=NUMBER)
def total(items: Value) -> Value:
    parts = items_of(items)
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
