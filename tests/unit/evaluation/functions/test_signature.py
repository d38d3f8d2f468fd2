from __future__ import annotations

import math
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.evaluation.errors import Fault
from planner.evaluation.functions.registry import standard_functions
from planner.values.codec import normalized
from planner.values.compare import set_of, type_of
from planner.values.convert import convert
from planner.values.marks import Sensitive, Unknown, has_sensitive, is_wholly_known, unmark_deep
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
    TupleType,
    Value,
)

FUNCTIONS = standard_functions(Path("/nonexistent"), plan_time=datetime(2026, 1, 31, tzinfo=UTC))
DETERMINED = {name: function for name, function in FUNCTIONS.items() if function.pure}

TYPES = st.recursive(
    st.sampled_from([STRING, NUMBER, BOOL, DYNAMIC]),
    lambda inner: (
        inner.map(ListType)
        | inner.map(SetType)
        | inner.map(MapType)
        | st.lists(inner, max_size=2).map(lambda elements: TupleType(tuple(elements)))
        | st.dictionaries(st.sampled_from("ab"), inner).map(lambda found: ObjectType(tuple(sorted(found.items()))))
    ),
    max_leaves=3,
)
TEXTS = st.sampled_from(
    ["", "a", "1", "true", "10.0.0.0/8", "2026-01-31T00:00:00Z", "%s", "(", "{}", "a,b\n1,2", "é\r\n"]
)
SCALARS: st.SearchStrategy[Value] = (
    TEXTS | st.sampled_from([0, 1, -1, 3, Fraction(1, 2), math.inf, 10**160]) | st.booleans()
)
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS | TYPES.map(Null) | TYPES.map(Unknown),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(lambda found: dict(sorted(found.items())))
        | st.lists(TEXTS, max_size=3).map(lambda items: ListValue(STRING, tuple(map(normalized, items))))
        | st.lists(TEXTS, max_size=3).map(lambda items: set_of(STRING, map(normalized, items)))
        | st.dictionaries(st.sampled_from("abc"), st.integers(0, 3)).map(lambda found: MapValue(NUMBER, found))
        | inner.map(lambda value: value if isinstance(value, Sensitive) else Sensitive(value))
    ),
    max_leaves=5,
)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@settings(max_examples=40, deadline=None)
@given(arguments=st.lists(VALUES, max_size=4))
def test_any_call_gives_a_value_or_a_fault(name: str, arguments: list[Value]) -> None:
    function = FUNCTIONS[name]
    try:
        function.check_count(len(arguments))
        result = function.call(arguments)
    except Fault as fault:
        assert fault.operand is None or 0 <= fault.operand <= len(arguments)
        return
    assert convert(result, type_of(result)) == result
    assert is_wholly_known(result) or not all(map(is_wholly_known, arguments))


@pytest.mark.parametrize("name", sorted(set(DETERMINED) - {"issensitive", "nonsensitive", "ephemeralasnull"}))
@settings(max_examples=25, deadline=None)
@given(arguments=st.lists(SCALARS, max_size=3))
def test_the_result_for_secrets_is_secret(name: str, arguments: list[Value]) -> None:
    function = DETERMINED[name]
    try:
        function.check_count(len(arguments))
        result = function.call(arguments)
    except Fault:
        return
    if arguments:
        hidden = function.call([Sensitive(argument) for argument in arguments])
        assert has_sensitive(hidden)
        assert unmark_deep(hidden)[0] == unmark_deep(result)[0]
