"""What is printed is parsed to the same tree, but for ranges."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.diagnostics import Source, SourceRange
from planner.syntax import ast
from planner.syntax.parser import parse_expression, parse_file
from planner.syntax.printer import print_body, print_expression

ORACLE = Path(__file__).parents[2] / "language" / "oracle" / "hcl-oracle.jsonl"
ORACLE_CASES = [case for case in map(json.loads, ORACLE.read_text().splitlines()) if "error" not in case]
NOWHERE = SourceRange(Source("", ""), 0, 0)


def without_ranges(node: Any) -> Any:
    if isinstance(node, SourceRange):
        return None
    if isinstance(node, tuple):
        return tuple(map(without_ranges, node))
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        return type(node).__name__, *(without_ranges(getattr(node, field.name)) for field in dataclasses.fields(node))
    # True equals 1, but is another literal.
    return (type(node).__name__, node)


def parsed(text: str) -> ast.Expression:
    expression, diagnostics = parse_expression(Source("", text))
    assert not [(text, diagnostic) for diagnostic in diagnostics]
    assert expression is not None
    return expression


def check(expression: ast.Expression) -> None:
    text = print_expression(expression)
    assert without_ranges(parsed(text)) == without_ranges(expression), text


@pytest.mark.parametrize("case", ORACLE_CASES, ids=lambda case: case["expr"][:40])
def test_expressions_of_the_oracle(case: dict[str, str]) -> None:
    check(parsed(case["expr"]))


@pytest.mark.parametrize(
    "text",
    [
        '"${x ~} "',
        '" ${~ x}"',
        '"$\\u0024${x}%\\u0025%{ if y }%\\u0025%{ else }%\\u0025%{ endif }"',
        '"$${a} %%{b} \\u0000 \\\\ \\" $ %"',
        "x.*.y[0]",
        "x.*.y.0.z[0].w",
        "x[*].y[0]",
        "x.*[*].y",
        "x[*].y.*.z[1]",
        "(x[*].y)[0]",
        "a ? b : c ? d : e",
        "(a ? b : c) ? d : e",
        "-(1 + 2) * !!x - - 3",
        "1 - (2 - 3) - 4",
        '{ "for" = 1 }',
        '{ a = 1, "b c" = 2, (d) = 3, (e.f) = 4, "${g}" = 5, 6 = 7, "true" = 8, f(x)[0] = 9, -1 = 10 }',
        "{ for k, v in x : k => v... if v }",
        "1.25e-3",
        "12345678901234567890.5",
    ],
)
def test_expressions_that_are_hard_to_print(text: str) -> None:
    check(parsed(text))


def test_a_tree_without_its_parentheses_gets_them() -> None:
    one, x = ast.Literal(1, NOWHERE), ast.Name("x", NOWHERE)
    total = ast.Binary("+", one, x, NOWHERE)
    for tree, text in (
        (ast.Binary("*", total, x, NOWHERE), "(1 + x) * x"),
        (ast.Binary("-", one, ast.Binary("-", one, x, NOWHERE), NOWHERE), "1 - (1 - x)"),
        (ast.Unary("-", total, NOWHERE), "-(1 + x)"),
        (ast.Index(total, one, NOWHERE), "(1 + x)[1]"),
        (ast.Literal(Fraction(1, 3), NOWHERE), "1 / 3"),
        (ast.GetAttribute(ast.Literal(-1, NOWHERE), "y", NOWHERE, NOWHERE), "(-1).y"),
        (ast.Object((ast.ObjectItem(x, one, NOWHERE),), NOWHERE), "{ (x) = 1 }"),
    ):
        assert print_expression(tree) == text


# Trees as the parser makes them: what needs parentheses has them.

NAMES = st.sampled_from(["a", "b1", "each", "für", "in", "for-x", "null_", "true1"])
TEXTS = st.text(st.sampled_from('ab ${}%~"\\\n\r\té\u0301\u2028'), max_size=6)
OPERATORS = st.sampled_from(["+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    return unicodedata.normalize("NFC", draw(TEXTS))


@st.composite
def literals(draw: st.DrawFn) -> ast.Literal:
    number = Fraction(draw(st.integers(0, 10**20)), 10 ** draw(st.integers(0, 9)))
    whole = int(number) if number.denominator == 1 else number
    return ast.Literal(draw(st.sampled_from([draw(texts()), whole, True, False, None])), NOWHERE)


@st.composite
def parts(draw: st.DrawFn, depth: int) -> tuple[ast.TemplatePart, ...]:
    """No text is empty, and no two stand beside each other."""
    result: list[Any] = []
    for kind in draw(st.lists(st.sampled_from(["text", "value", "if", "for"]), max_size=4)):
        if kind == "text":
            text = draw(texts())
            if result and isinstance(result[-1], str):
                result[-1] = unicodedata.normalize("NFC", result[-1] + text)
            elif text:
                result.append(text)
            continue
        value = draw(expressions(depth - 1))
        if kind == "value":
            result.append(ast.Interpolation(value, NOWHERE))
        elif kind == "if":
            result.append(ast.TemplateIf(value, draw(parts(depth - 2)), draw(parts(depth - 2)), NOWHERE))
        elif kind == "for":
            key = draw(st.none() | NAMES)
            result.append(ast.TemplateFor(key, draw(NAMES), value, draw(parts(depth - 2)), NOWHERE))
    return tuple(result)


@st.composite
def keys(draw: st.DrawFn, depth: int) -> ast.Expression:
    key = draw(expressions(depth))
    match key:
        case ast.Literal(str() | int() | Fraction() as value) if not isinstance(value, bool):
            return key
        case ast.Template() | ast.Parentheses() | ast.Call() | ast.Unary():
            return key
    return ast.Parentheses(key, NOWHERE)


@st.composite
def expressions(draw: st.DrawFn, depth: int) -> ast.Expression:
    if depth <= 0 or draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from([draw(literals()), ast.Name(draw(NAMES), NOWHERE)]))
    inner = expressions(depth - 1)

    def operand(*grouped: type) -> ast.Expression:
        value = draw(inner)
        needed = isinstance(value, (ast.Binary, ast.Conditional, *grouped))
        return ast.Parentheses(value, NOWHERE) if needed else value

    def several() -> tuple[ast.Expression, ...]:
        return tuple(draw(st.lists(inner, max_size=3)))

    match draw(st.integers(0, 12)):
        case 0:
            template = draw(parts(depth))
            if any(not isinstance(part, str) for part in template):
                return ast.Template(template, NOWHERE)
            return ast.Name("none", NOWHERE)
        case 1:
            return ast.GetAttribute(operand(ast.Unary, ast.Splat), draw(NAMES), NOWHERE, NOWHERE)
        case 2:
            return ast.Index(operand(ast.Unary, ast.Splat), draw(inner), NOWHERE)
        case 3:
            each = ast.GetAttribute(ast.SplatElement(NOWHERE), draw(NAMES), NOWHERE, NOWHERE)
            return ast.Splat(operand(ast.Unary, ast.Splat), each, NOWHERE)
        case 4:
            arguments = several()
            expand = bool(arguments) and draw(st.booleans())
            return ast.Call(draw(NAMES | st.just("core::upper")), arguments, expand, NOWHERE, NOWHERE)
        case 5:
            return ast.Conditional(operand(), draw(inner), draw(inner), NOWHERE)
        case 6:
            return ast.Binary(draw(OPERATORS), operand(), operand(), NOWHERE)
        case 7:
            return ast.Unary(draw(st.sampled_from("-!")), operand(), NOWHERE)
        case 8:
            return ast.Parentheses(draw(inner), NOWHERE)
        case 9:
            return ast.Tuple(several(), NOWHERE)
        case 10:
            items = [ast.ObjectItem(draw(keys(depth - 1)), value, NOWHERE) for value in several()]
            return ast.Object(tuple(items), NOWHERE)
        case 11:
            key, condition = draw(st.none() | NAMES), draw(st.none() | inner)
            return ast.ForTuple(key, draw(NAMES), draw(inner), draw(inner), condition, NOWHERE)
        case _:
            key, condition, group = draw(st.none() | NAMES), draw(st.none() | inner), draw(st.booleans())
            return ast.ForObject(key, draw(NAMES), draw(inner), draw(inner), draw(inner), group, condition, NOWHERE)


@st.composite
def bodies(draw: st.DrawFn, depth: int) -> ast.Body:
    arguments = tuple(
        ast.Argument(name, draw(expressions(2)), NOWHERE, NOWHERE)
        for name in draw(st.lists(NAMES, max_size=3, unique=True))
    )
    blocks: list[ast.Block] = []
    for name in draw(st.lists(NAMES, max_size=2)) if depth else []:
        labels = tuple(ast.Label(text, NOWHERE) for text in draw(st.lists(texts(), max_size=2)))
        blocks.append(ast.Block(name, labels, draw(bodies(depth - 1)), NOWHERE, NOWHERE, NOWHERE))
    return ast.Body(arguments, tuple(blocks), NOWHERE)


@settings(max_examples=150, deadline=None)
@given(expressions(3))
def test_any_expression(expression: ast.Expression) -> None:
    check(expression)


@settings(max_examples=50, deadline=None)
@given(bodies(1))
def test_any_body(body: ast.Body) -> None:
    text = print_body(body)

    again, diagnostics = parse_file(Source("", text))

    assert not [(text, diagnostic) for diagnostic in diagnostics]
    assert without_ranges(again) == without_ranges(body)
