from __future__ import annotations

import pytest

from planner.values.convert import ConversionError, convert, path_text, type_of, unify
from planner.values.marks import Sensitive, Unknown
from planner.values.types import (
    BOOL,
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
    SetType,
    SetValue,
    TupleType,
    Type,
    Value,
)

DISK = ObjectType((("kind", STRING), ("size", NUMBER)), frozenset({"kind"}), (("kind", "ssd"),))


@pytest.mark.parametrize(
    ("value", "type", "expected"),
    [
        (True, STRING, "true"),
        (5, STRING, "5"),
        ("1", BOOL, True),
        ((1, "a", True), ListType(DYNAMIC), ListValue(STRING, ("1", "a", "true"))),
        ((1, "1"), SetType(STRING), SetValue(STRING, ("1",))),
        ((), ListType(DYNAMIC), ListValue(DYNAMIC, ())),
        ((NULL, "a"), ListType(DYNAMIC), ListValue(STRING, (Null(STRING), "a"))),
        (SetValue(NUMBER, (1, 2)), ListType(STRING), ListValue(STRING, ("1", "2"))),
        ({"a": 1}, MapType(STRING), MapValue(STRING, {"a": "1"})),
        ({"size": "3"}, DISK, {"kind": "ssd", "size": 3}),
        ({"size": 3, "kind": NULL, "extra": 1}, DISK, {"kind": "ssd", "size": 3}),
        (({"size": 1},), ListType(DISK), ListValue(ObjectType(DISK.attributes), ({"kind": "ssd", "size": 1},))),
        (MapValue(STRING, {"size": "7"}), DISK, {"kind": "ssd", "size": 7}),
        (NULL, ListType(STRING), Null(ListType(STRING))),
        (Sensitive("5"), NUMBER, Sensitive(5)),
        ((Sensitive("a"), 1), ListType(STRING), ListValue(STRING, (Sensitive("a"), "1"))),
        ((Sensitive("a"), 1), SetType(STRING), Sensitive(SetValue(STRING, ("1", "a")))),
        (Unknown(STRING, not_null=True), NUMBER, Unknown(NUMBER, not_null=True)),
        (Unknown(), ListType(STRING), Unknown(ListType(STRING))),
        (
            Unknown(SetType(NUMBER), min_length=2, max_length=2),
            ListType(STRING),
            Unknown(ListType(STRING), min_length=2, max_length=2),
        ),
    ],
)
def test_conversion(value: Value, type: Type, expected: Value) -> None:
    assert convert(value, type) == expected


@pytest.mark.parametrize(
    ("value", "type", "path"),
    [
        ("x", NUMBER, ""),
        (1, BOOL, ""),
        (True, NUMBER, ""),
        ((1, True), ListType(DYNAMIC), ""),
        ((1,), TupleType((NUMBER, NUMBER)), ""),
        ({"size": 1, "kind": (1,)}, DISK, ".kind"),
        (({"size": 1}, {"size": "x"}), ListType(DISK), "[1].size"),
        ({"a b": ("x",)}, MapType(ListType(NUMBER)), '["a b"][0]'),
        ({}, DISK, ""),
        (Null(ListType(STRING)), NUMBER, ""),
        (Unknown(ListType(STRING)), STRING, ""),
    ],
)
def test_a_failed_conversion_names_the_part_that_is_wrong(value: Value, type: Type, path: str) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(value, type)
    assert path_text(caught.value.path) == path


def test_a_failed_conversion_keeps_a_secret() -> None:
    with pytest.raises(ConversionError) as caught:
        convert({"pin": Sensitive("swordfish")}, ObjectType((("pin", NUMBER),)))
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ([NUMBER, STRING], STRING),
        ([NUMBER, BOOL], None),
        ([NUMBER, DYNAMIC], NUMBER),
        ([ListType(NUMBER), ListType(STRING)], ListType(STRING)),
        ([ListType(NUMBER), TupleType((STRING,))], ListType(STRING)),
        ([ListType(NUMBER), SetType(STRING)], ListType(NUMBER)),
        ([TupleType((NUMBER,)), TupleType((STRING,))], TupleType((STRING,))),
        ([TupleType(()), TupleType((STRING, NUMBER))], ListType(STRING)),
        ([ObjectType((("a", NUMBER),)), ObjectType((("a", STRING),))], ObjectType((("a", STRING),))),
        ([ObjectType((("a", NUMBER),)), ObjectType((("b", STRING),))], MapType(STRING)),
        ([ObjectType(()), TupleType(())], None),
        ([TupleType((NUMBER,)), DYNAMIC], DYNAMIC),
        ([], None),
    ],
)
def test_unification(types: list[Type], expected: Type | None) -> None:
    assert unify(types) == expected


def test_the_type_of_an_object_has_its_attributes_sorted() -> None:
    assert type_of({"b": 1, "a": ()}) == ObjectType((("a", TupleType(())), ("b", NUMBER)))
