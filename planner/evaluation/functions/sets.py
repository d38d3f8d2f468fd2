"""Sets: what several have in common or together, and their combinations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product

from planner.evaluation.functions.sequences import element_of, has_known_length
from planner.evaluation.functions.signature import ITERABLES, ArgumentFault, CallFault, Family, Parameter, Takes
from planner.values.compare import identity, set_of
from planner.values.convert import ConversionError, convert, type_of, unify
from planner.values.marks import Unknown
from planner.values.types import (
    DYNAMIC,
    ListType,
    ListValue,
    SetType,
    SetValue,
    TupleType,
    Type,
    Value,
)

FUNCTIONS = Family()

_ANY_LIST = ListType(DYNAMIC)
_ANY_SET = SetType(DYNAMIC)


def _unified_set_type(*sets: Value) -> Type:
    """The type that all sets convert to. An empty set of open type fits with any other."""
    types = [type_of(one) for one in sets if one != SetValue(DYNAMIC, ())]
    type = unify(types) if types else _ANY_SET
    if type is None or (element_of(type) == DYNAMIC and any(element_of(one) != DYNAMIC for one in types)):
        raise CallFault("the sets must have elements of one type")
    return type


def _set_operation(combine: Callable[[SetValue, SetValue], Iterable[Value]]) -> Callable[..., Value]:
    def operate(first: SetValue, *others: SetValue) -> Value:
        type = _unified_set_type(first, *others)
        result = convert(first, type)
        for other in others:
            second = convert(other, type)
            assert isinstance(result, SetValue) and isinstance(second, SetValue)
            result = set_of(element_of(type), combine(result, second))
        return result

    return operate


def _in_both(first: SetValue, second: SetValue) -> Iterable[Value]:
    others = set(map(identity, second.items))
    return (item for item in first.items if identity(item) in others)


def _in_first_only(first: SetValue, second: SetValue) -> Iterable[Value]:
    others = set(map(identity, second.items))
    return (item for item in first.items if identity(item) not in others)


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
    variadic=Parameter("sets", DYNAMIC, ITERABLES, unknown=Takes.PARTS, sensitive=Takes.PARTS),
    returns=DYNAMIC,
)
def set_product(*sets: Value) -> Value:
    """Every combination of one element of each, as tuples: a list if all are lists or tuples, else a set."""
    if len(sets) < 2:
        raise CallFault("at least two arguments are required")
    columns: list[ListValue | SetValue] = []
    for index, one in enumerate(sets):
        try:
            column = convert(one, _ANY_LIST if isinstance(one, tuple) else DYNAMIC)
        except ConversionError as error:
            raise ArgumentFault(index, str(error)) from None
        assert isinstance(column, ListValue | SetValue)
        columns.append(column)
    element = TupleType(tuple(column.element for column in columns))
    rows = product(*(column.items for column in columns))
    if any(isinstance(one, SetValue) for one in sets):
        if not all(map(has_known_length, columns)):
            return Unknown(SetType(element), not_null=True)
        return set_of(element, rows)
    return ListValue(element, tuple(rows))
