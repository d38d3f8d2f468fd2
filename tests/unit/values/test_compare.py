from __future__ import annotations

from fractions import Fraction

import pytest

from planner.values.compare import equal, set_of
from planner.values.marks import Sensitive, Unknown
from planner.values.types import (
    BOOL,
    DYNAMIC,
    NULL,
    NUMBER,
    STRING,
    ListType,
    ListValue,
    MapValue,
    Null,
    SetValue,
    TupleType,
    Value,
)

UNDECIDED = Unknown(BOOL, not_null=True)
TEXT = Unknown(STRING, not_null=True)


@pytest.mark.parametrize(
    ("left", "right", "verdict"),
    [
        (1, 1, True),
        (1, True, False),
        (True, 1, False),
        (0, False, False),
        (1, "1", False),
        (Fraction(1, 2), Fraction(1, 2), True),
        ((1,), (1,), True),
        ((True,), (1,), False),
        ((1,), ListValue(NUMBER, (1,)), False),
        (ListValue(NUMBER, ()), ListValue(STRING, ()), False),
        ({"a": 1}, MapValue(NUMBER, {"a": 1}), False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        (SetValue(NUMBER, (1, 2)), SetValue(NUMBER, (1, 2)), True),
        (NULL, Null(STRING), True),
        ((NULL,), (Null(STRING),), False),
        (NULL, "", False),
        (NULL, Unknown(), UNDECIDED),
        (NULL, TEXT, False),
        (TEXT, "a", UNDECIDED),
        (TEXT, 1, False),
        (TEXT, TEXT, UNDECIDED),
        (Unknown(STRING, prefix="a-"), "b", False),
        (Unknown(STRING, prefix="a-"), "a-b", UNDECIDED),
        (Unknown(ListType(STRING), min_length=1), ListValue(STRING, ()), False),
        ((TEXT, 1), (TEXT, "x"), False),
        ((1, TEXT), (2, TEXT), False),
        ((TEXT,), ("a",), UNDECIDED),
    ],
)
def test_equality(left: Value, right: Value, verdict: bool | Unknown) -> None:
    assert equal(left, right) == verdict
    assert equal(right, left) == verdict


@pytest.mark.parametrize(
    ("element", "items", "expected"),
    [
        (STRING, ("b", "a", "B", "a", "é"), ("B", "a", "b", "é")),
        (NUMBER, (10, 9, Fraction(1, 2), 9), (Fraction(1, 2), 9, 10)),
        (BOOL, (True, False, True), (False, True)),
        (STRING, (Null(STRING), "a", Null(STRING)), ("a", Null(STRING))),
        (TupleType((NUMBER,)), ((9,), (10,), (9,)), ((10,), (9,))),
        (STRING, (TEXT, "a", TEXT), ("a", TEXT, TEXT)),
    ],
)
def test_a_set_has_each_element_once_and_in_order(
    element: object, items: tuple[Value, ...], expected: tuple[Value, ...]
) -> None:
    assert set_of(element, items) == SetValue(element, expected)  # type: ignore[arg-type]


def test_a_sensitive_element_makes_the_set_sensitive() -> None:
    assert set_of(STRING, (Sensitive("b"), "a")) == Sensitive(SetValue(STRING, ("a", "b")))


def test_an_open_set_is_empty() -> None:
    assert set_of(DYNAMIC, ()) == SetValue(DYNAMIC, ())
