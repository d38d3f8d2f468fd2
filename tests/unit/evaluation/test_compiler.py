from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from planner.diagnostics import Diagnostic, Source
from planner.evaluation.compiler import Compiled, compile_expression
from planner.evaluation.errors import EvaluationError, Fault, UnknownName
from planner.evaluation.functions.registry import standard_functions
from planner.evaluation.scope import Names
from planner.syntax.parser import parse_expression
from planner.values.marks import Sensitive, Unknown
from planner.values.types import STRING, Value

FUNCTIONS = standard_functions(Path(), plan_time=datetime(2026, 1, 31, tzinfo=UTC))
SCOPE = Names(
    {
        ("var", "size"): "200",
        ("var", "secret"): Sensitive("swordfish"),
        ("var", "pins"): Sensitive({"swordfish": 1}),
        ("var", "later"): Unknown(STRING),
        ("local", "tiers"): {"gold": 5000, "silver": 1000},
        ("local", "key"): "glod",
        ("each", "value"): {"name": "db", "disks": ({"size": 1}, {"size": 2})},
        ("self", ""): {"size": 5},
    }
)


def compiled(text: str) -> Compiled:
    expression, diagnostics = parse_expression(Source("t", text))
    assert expression is not None, list(diagnostics)
    return compile_expression(expression, FUNCTIONS)


def failure(text: str) -> Diagnostic:
    with pytest.raises(EvaluationError) as caught:
        compiled(text).evaluate(SCOPE)
    return caught.value.diagnostic


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("self.size", 5),
        ("each.value.disks[*].size", (1, 2)),
        ("each.value.disks[1].size", 2),
        ("[for disk in each.value.disks : disk.size * 2 if disk.size > 1]", (4,)),
        ("[for x in [1, 2] : [for y in [x, 10] : x * y]]", ((1, 10), (4, 20))),
        ("{ for name, iops in local.tiers : upper(name) => iops }", {"GOLD": 5000, "SILVER": 1000}),
        ("{ b = 1, a = 2, b = 3 }", {"a": 2, "b": 3}),
        ('"${each.value.name}-${var.size + 1}"', "db-201"),
        ("try(local.tiers.bronze, 0)", 0),
        ("can(local.tiers.bronze)", False),
        ('var.secret == "x"', Sensitive(False)),
        ('"${var.secret}!"', Sensitive("swordfish!")),
        ("true ? 1 : local.tiers.bronze", 1),
        ('"a-${var.later}"', Unknown(STRING, not_null=True, prefix="a-")),
    ],
)
def test_value(text: str, expected: Value) -> None:
    assert compiled(text).evaluate(SCOPE) == expected


@pytest.mark.parametrize(
    ("text", "is_constant"),
    [
        ("1 + 2 * 3", True),
        ('upper("a")', True),
        ("[for x in [1, 2] : x * 2]", True),
        ("[{ a = 1 }][*].a", True),
        ("uuid()", False),
        ('file("x")', False),
        ("var.size", False),
        ("[for x in [1, 2] : x * var.size]", False),
        ("1 / 0 - 1 / 0", False),
    ],
)
def test_what_depends_on_nothing_is_evaluated_once(text: str, is_constant: bool) -> None:
    assert compiled(text).is_constant is is_constant


@pytest.mark.parametrize(
    ("text", "subject", "values"),
    [
        ("local.tiers[local.key] + 1", "local.key", ('local.key is "glod"',)),
        ("local.tiers.glod", "glod", ("local.tiers is object with 2 attributes",)),
        ("var.size + local.tiers", "local.tiers", ("local.tiers is object with 2 attributes",)),
        ("var.secret + 1", "var.secret", ("var.secret has a sensitive value",)),
        ("[for x in each.value.disks : x.speed]", "speed", ("x is object with 1 attribute",)),
        ("[for x in [1, 0] : [1][x - 2]]", "x - 2", ("x is 1",)),
        ("parseint(each.value.name, 10)", "each.value.name", ('each.value.name is "db"',)),
        ('upper("a", "b")', '"b"', ()),
        ("upper()", "upper()", ()),
        ("uper(var.size)", "uper", ('var.size is "200"',)),
        ("max(each.value.disks...)", "each.value.disks", ("each.value.disks is tuple with 2 elements",)),
        ("local.tiers ? 1 : 2", "local.tiers", ("local.tiers is object with 2 attributes",)),
        ("var.size ? 1 : 2", "var.size", ('var.size is "200"',)),
        ('"a${local.tiers}"', "local.tiers", ("local.tiers is object with 2 attributes",)),
        ("{ for x in [1, 1] : x => x }", "x", ("x is 1",)),
        ("[for x in var.size : x]", "var.size", ('var.size is "200"',)),
        ("var.siez", "var.siez", ()),
        ("try(var.siez, 1)", "var.siez", ()),
        ("vra.size", "vra.size", ()),
        ("foo", "foo", ()),
        ("var", "var", ()),
        ("true ? 1 : var.siez", "var.siez", ()),
    ],
)
def test_a_mistake_is_shown_at_the_tightest_range_with_the_values_there(
    text: str, subject: str, values: tuple[str, ...]
) -> None:
    diagnostic = failure(text)
    assert diagnostic.subject is not None
    assert diagnostic.subject.text == subject
    assert diagnostic.values == values


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("local.tiers.glod", "gold"),
        ('local.tiers["glod"]', "gold"),
        ('tomap(local.tiers)["silvr"]', "silver"),
        ('lookup(local.tiers, "glod")', "gold"),
        ("var.siez", "size"),
        ("vra.size", "var"),
        ("uper(1)", "upper"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(text: str, suggestion: str) -> None:
    assert f'Did you mean "{suggestion}"?' in failure(text).detail


@pytest.mark.parametrize(
    "text",
    [
        "var.secret + 1",
        "!var.secret",
        "var.secret ? 1 : 2",
        "tonumber(var.secret)",
        "[1][var.secret]",
        "var.pins.x",
        'lookup(var.pins, "x")',
        "{ for x in [var.secret, var.secret] : x => 1 }",
        "jsondecode(var.secret)",
        'timeadd(var.secret, "1h")',
        "sum([var.secret])",
        "true ? var.secret : tolist([1])[0]",
        "try(tonumber(var.secret))",
    ],
)
def test_a_secret_is_in_no_diagnostic(text: str) -> None:
    try:
        compiled(text).evaluate(SCOPE)
    except EvaluationError as error:
        diagnostic = error.diagnostic
        assert "swordfish" not in f"{diagnostic.detail} {diagnostic.values} {error}"


class Broken:
    """A scope whose names are declared, but whose values have mistakes of their own."""

    def resolve(self, root: str, name: str) -> Value:
        expression, _ = parse_expression(Source("elsewhere", "[][0]"))
        assert expression is not None
        return compile_expression(expression, FUNCTIONS).evaluate(self)


def test_the_mistake_of_another_value_stays_where_it_is_and_is_not_caught() -> None:
    with pytest.raises(EvaluationError) as caught:
        compiled("try(local.broken, 1)").evaluate(Broken())
    assert caught.value.diagnostic.subject is not None
    assert caught.value.diagnostic.subject.filename == "elsewhere"


def test_an_unknown_name_is_a_fault_without_a_place() -> None:
    with pytest.raises(UnknownName) as caught:
        SCOPE.resolve("var", "nope")
    assert isinstance(caught.value, Fault)


def test_one_compiled_expression_serves_scopes_side_by_side() -> None:
    expression = compiled("[for x in var.items : [for y in var.items : x * y]]")
    scopes = [Names({("var", "items"): (number, number + 1)}) for number in range(3)]
    assert [expression.evaluate(scope) for scope in scopes] == [
        ((0, 0), (0, 1)),
        ((1, 2), (2, 4)),
        ((4, 6), (6, 9)),
    ]
