from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.values.codec import CodecError, decode, encode, from_plain, normalized, to_plain
from planner.values.marks import UNKNOWN, Sensitive
from planner.values.types import NULL, STRING, ListValue, MapValue, Null, SetValue, Value

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text().map(normalized),
    lambda inner: st.lists(inner).map(tuple) | st.dictionaries(st.text().map(normalized), inner),
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": (True, NULL, "x")}, '{"a":[true,null,"x"],"b":1}'),
        (SetValue(STRING, ("a", "b")), '["a","b"]'),
        (MapValue(STRING, {"b": "1", "a": "2"}), '{"a":"2","b":"1"}'),
        (Fraction(1, 2), "0.5"),
        (10**30 + 1, "1000000000000000000000000000001"),
        ("é\n\u2028", '"é\\n\u2028"'),
        ((), "[]"),
        ({}, "{}"),
    ],
)
def test_canonical_json(value: Value, text: str) -> None:
    assert encode(value) == text


@pytest.mark.parametrize("value", [UNKNOWN, (Sensitive("x"),), {"a": math.inf}])
def test_what_json_cannot_say(value: Value) -> None:
    with pytest.raises(CodecError):
        encode(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"b": [1, 2.5], "a": null}', {"a": NULL, "b": (1, Fraction(5, 2))}),
        ("12345678901234567890123", 12345678901234567890123),
        ('"e\\u0301"', "é"),
        ('"\\ud83d"', "\ufffd"),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_reading_json(text: str, value: Value) -> None:
    assert decode(text) == value


@pytest.mark.parametrize("text", ["", "{", "[1,]", "NaN", "01", "{'a': 1}", "1 2", "[" * 100_000])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(CodecError):
        decode(text)


@given(PLAIN)
def test_plain_data_survives(data: object) -> None:
    assert to_plain(from_plain(data)) == data
    assert to_plain(decode(encode(from_plain(data)))) == data


def test_plain_data_keeps_marks() -> None:
    value: Value = {"a": UNKNOWN, "b": Sensitive(ListValue(STRING, ("x", Null(STRING))))}
    plain = to_plain(value)
    assert plain == {"a": UNKNOWN, "b": Sensitive(("x", None))}
    assert from_plain(plain) == {"a": UNKNOWN, "b": Sensitive(("x", NULL))}
