from __future__ import annotations

import pytest

from planner.diagnostics import Diagnostics, Source
from planner.evaluation.type_expressions import parse_type
from planner.syntax.parser import parse_expression
from planner.values.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, ObjectType, SetType, TupleType, Type


def parsed(text: str) -> tuple[Type, Diagnostics]:
    expression, diagnostics = parse_expression(Source("t", text))
    assert expression is not None, list(diagnostics)
    return parse_type(expression)


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("string", STRING),
        ("any", DYNAMIC),
        ("list", ListType(DYNAMIC)),
        ("set(bool)", SetType(BOOL)),
        ("tuple([string, list(number)])", TupleType((STRING, ListType(NUMBER)))),
        (
            "map(object({ b = number, a = optional(string, 5), c = optional(bool) }))",
            MapType(
                ObjectType((("a", STRING), ("b", NUMBER), ("c", BOOL)), frozenset({"a", "c"}), (("a", "5"),)),
            ),
        ),
        (
            "object({ disk = optional(object({ size = optional(number, 1) }), {}) })",
            ObjectType(
                (("disk", ObjectType((("size", NUMBER),), frozenset({"size"}), (("size", 1),))),),
                frozenset({"disk"}),
                (("disk", {"size": 1}),),
            ),
        ),
    ],
)
def test_type(text: str, type: Type) -> None:
    found, diagnostics = parsed(text)
    assert not diagnostics
    assert found == type


@pytest.mark.parametrize(
    ("text", "subjects"),
    [
        ("strin", ["strin"]),
        ('"string"', ['"string"']),
        ("set", ["set"]),
        ("object", ["object"]),
        ("list(strin)", ["strin"]),
        ("map(string, number)", ["map(string, number)"]),
        ("lst(string)", ["lst"]),
        ("optional(string)", ["optional(string)"]),
        ("tuple(string)", ["string"]),
        ("object({ a = optional() })", ["optional()"]),
        ('object({ a = optional(number, "x") })', ['"x"']),
        ("object({ a = optional(number, var.x) })", ["var.x"]),
        ("object({ a = strin, b = nmber })", ["strin", "nmber"]),
        ('object({ "a" = string })', ['"a"']),
        ("1 + 1", ["1 + 1"]),
    ],
)
def test_mistakes_are_shown_all_and_where_they_are(text: str, subjects: list[str]) -> None:
    _, diagnostics = parsed(text)
    assert [diagnostic.subject and diagnostic.subject.text for diagnostic in diagnostics] == subjects


def test_a_misspelt_type_gets_a_suggestion() -> None:
    _, diagnostics = parsed("strin")
    assert 'Did you mean "string"?' in next(iter(diagnostics)).detail
