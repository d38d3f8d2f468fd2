from __future__ import annotations

import pytest

from planner.diagnostics import Source
from planner.evaluation.references import references
from planner.syntax.parser import parse_expression, parse_file

Found = tuple[str, str, tuple[str | int, ...], str]


def found(text: str) -> list[Found]:
    expression, diagnostics = parse_expression(Source("t", text))
    assert expression is not None, list(diagnostics)
    return [(one.root, one.name, one.steps, one.range.text) for one in references(expression)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("var.size", [("var", "size", (), "var.size")]),
        ('volume.db["a"].iqn', [("volume", "db", ("a", "iqn"), 'volume.db["a"].iqn')]),
        ("volume.db[0].attach.0.lun", [("volume", "db", (0, "attach", 0, "lun"), "volume.db[0].attach.0.lun")]),
        (
            "volume.db[each.key].iqn",
            [("volume", "db", (), "volume.db"), ("each", "key", (), "each.key")],
        ),
        ("volume.db[*].iqn", [("volume", "db", (), "volume.db")]),
        ("data.volume.x.size", [("data.volume", "x", ("size",), "data.volume.x.size")]),
        ("module.east.iqns[0]", [("module", "east", ("iqns", 0), "module.east.iqns[0]")]),
        ("self.size", [("self", "", ("size",), "self.size")]),
        ("foo", [("foo", "", (), "foo")]),
        ('"${var.a}-%{ if var.b }x${var.c}%{ endif }"', [("var", name, (), f"var.{name}") for name in "abc"]),
        ('"%{ for x in var.l }${x}${var.y}%{ endfor }"', [("var", "l", (), "var.l"), ("var", "y", (), "var.y")]),
        (
            "[for k, v in var.m : v.x + local.y if k != var.z]",
            [("var", "m", (), "var.m"), ("local", "y", (), "local.y"), ("var", "z", (), "var.z")],
        ),
        ("{for x in x : x.a => x}", [("x", "", (), "x")]),
        ("{ a = var.a, (var.b) = max(var.c...) }", [("var", name, (), f"var.{name}") for name in "abc"]),
        ("var.a ? -var.b : !(var.c)", [("var", name, (), f"var.{name}") for name in "abc"]),
        ("upper(var.a).b", [("var", "a", (), "var.a")]),
        ("[var.a][0].b", [("var", "a", (), "var.a")]),
        ("1", []),
    ],
)
def test_references_of_an_expression(text: str, expected: list[Found]) -> None:
    assert found(text) == expected


def test_references_of_a_body_are_those_of_its_arguments_and_blocks() -> None:
    body, _ = parse_file(Source("t", "a = var.a\nb {\n  c = var.b\n  d { e = [var.c] }\n}\n"))
    assert [one.name for one in references(body)] == ["a", "b", "c"]
