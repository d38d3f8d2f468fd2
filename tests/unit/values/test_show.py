from __future__ import annotations

import pytest

from planner.values.marks import UNKNOWN, Sensitive, Unknown
from planner.values.show import console_text, short_text, statement, type_text
from planner.values.types import (
    DYNAMIC,
    NULL,
    NUMBER,
    STRING,
    ListType,
    ListValue,
    MapType,
    MapValue,
    Null,
    ObjectType,
    SetValue,
    TupleType,
    Type,
    Value,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("200", '"200"'),
        (True, "true"),
        (5, "5"),
        (NULL, "null"),
        ({"a": 1, "b": 2}, "object with 2 attributes"),
        ({}, "empty object"),
        ((1,), "tuple with 1 element"),
        (ListValue(STRING, ("a", "b")), "list of string with 2 elements"),
        (UNKNOWN, "(known after apply)"),
        (Sensitive("x"), "(sensitive value)"),
    ],
)
def test_short_text(value: Value, text: str) -> None:
    assert short_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("200", 'var.size is "200"'),
        (Sensitive("x"), "var.size has a sensitive value"),
        (Unknown(STRING), "var.size is a string, known only after apply"),
        (UNKNOWN, "var.size will be known only after apply"),
    ],
)
def test_statement(value: Value, text: str) -> None:
    assert statement("var.size", value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", "<<EOT\na\nb\nEOT"),
        ({"b": (), "a": "x\n"}, '{\n  "a" = <<-EOT\n  x\n  \n  EOT\n  "b" = []\n}'),
        (SetValue(NUMBER, (1,)), "toset([\n  1,\n])"),
        (MapValue(STRING, {}), "tomap({})"),
        (Null(STRING), "tostring(null)"),
        (Null(ListType(DYNAMIC)), "tolist(null) /* of dynamic */"),
        ((Sensitive(1), Sensitive(UNKNOWN)), "[\n  (sensitive value),\n  (known after apply),\n]"),
    ],
)
def test_console_text(value: Value, text: str) -> None:
    assert console_text(value) == text


@pytest.mark.parametrize(
    ("type", "text"),
    [
        (ListType(MapType(STRING)), "list(map(string))"),
        (ObjectType((("a", TupleType((NUMBER,))),)), "object({\n    a: tuple([\n        number,\n    ]),\n})"),
        (ListType(TupleType((NUMBER,))), "list(\n    tuple([\n        number,\n    ]),\n)"),
    ],
)
def test_type_text(type: Type, text: str) -> None:
    assert type_text(type) == text
