"""
Expressions evaluated beside the values that Terraform gave for them (`oracle/`).

`hcl-oracle.jsonl` and the two beside it are described in `oracle/README.md`; `more.jsonl` has the same form.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from planner.diagnostics import Source
from planner.evaluation.compiler import compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.functions.registry import standard_functions
from planner.evaluation.scope import Names, unknown_name
from planner.evaluation.type_expressions import parse_type
from planner.syntax import ast
from planner.syntax.parser import parse_expression, parse_file
from planner.values.codec import CodecError, encode
from planner.values.convert import ConversionError, convert, type_of
from planner.values.marks import Unknown, unmark_deep
from planner.values.numbers import number_text
from planner.values.show import console_text, type_text
from planner.values.types import NULL, STRING, Null, Value

ORACLE = Path(__file__).parent / "oracle"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

DIFFERENT = {
    # expression: why ours is not Terraform's
    'formatdate("YYYY", "0000-01-01T00:00:00Z")': "there is no year 0",
    'timeadd("9999-12-31T23:59:59Z", "1s")': "RFC 3339 has no year of five digits",
    'issensitive({a=1}[sensitive("a")])': "which attribute was taken tells what the sensitive key is",
    'cidrsubnet("10.0.0.0/8", 8, -1)': "there is no such subnet; Terraform gives one of another network",
}


def lines(name: str) -> list[Any]:
    # Not splitlines(), which also splits at line separators inside of strings.
    return [json.loads(line) for line in (ORACLE / name).read_text().split("\n") if line]


def cases(name: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{number}: {case.get('expr') or case.get('type', 'preamble')}"[:70])
        for number, case in enumerate(lines(name), 1)
    ]


class Locals:
    """A scope of `local` alone, each evaluated when it is asked for."""

    def __init__(self, text: str, functions: Any) -> None:
        body, diagnostics = parse_file(Source("locals", text))
        assert not diagnostics
        self.expressions = {argument.name: argument.value for argument in body.arguments}
        self.functions = functions
        self.busy: set[str] = set()

    def resolve(self, root: str, name: str) -> Value:
        if root != "local" or name not in self.expressions or name in self.busy:
            raise unknown_name(root, name, [("local", local) for local in self.expressions])
        self.busy.add(name)
        try:
            return compile_expression(self.expressions[name], self.functions).evaluate(self)
        finally:
            self.busy.discard(name)


class Broken(Exception):
    """The expression cannot be parsed."""


def parsed(text: str) -> ast.Expression:
    expression, diagnostics = parse_expression(Source("case", text))
    if expression is None:
        assert all(diagnostic.subject is not None for diagnostic in diagnostics)
        raise Broken
    return expression


def same(ours: Any, theirs: Any) -> bool:
    """Whether JSON data is equal; numbers that are not whole compare as the floats that the oracle's reader gives."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, int | float) and isinstance(theirs, int | float):
        return ours == theirs if isinstance(ours, int) and isinstance(theirs, int) else float(ours) == float(theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return ours == theirs


def closed_up(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("case", [*cases("hcl-oracle.jsonl"), *cases("more.jsonl")])
def test_value_is_terraforms(case: dict[str, Any], tmp_path: Path) -> None:
    for name, text in case.get("files", {}).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    functions = standard_functions(tmp_path, plan_time=NOON)
    reason = DIFFERENT.get(case["expr"])
    try:
        value = compile_expression(parsed(case["expr"]), functions).evaluate(Locals(case.get("locals", ""), functions))
        bare, _ = unmark_deep(value)
        text = None if "special" in case else encode(bare)
    except (EvaluationError, CodecError, Broken) as error:
        if isinstance(error, EvaluationError):
            assert error.diagnostic.subject is not None
        assert (reason is not None) is not case.get("error", False), error
        return
    if "special" in case:
        assert isinstance(bare, float) and f'"{number_text(bare)}"' in case["special"]
        return
    assert text is not None
    agrees = (
        not case.get("error", False)
        and same(json.loads(text), case["result_json"])
        and closed_up(type_text(type_of(value))) == case["type"]
    )
    assert agrees is (reason is None), (reason, text, type_text(type_of(value)))


@pytest.mark.parametrize("case", [*cases("hcl-types-oracle.jsonl"), *cases("more-types.jsonl")])
def test_conversion_to_a_constraint_is_terraforms(case: dict[str, Any], tmp_path: Path) -> None:
    try:
        type, diagnostics = parse_type(parsed(case["type"]))
        if diagnostics:
            assert all(diagnostic.subject is not None for diagnostic in diagnostics)
            raise Broken
        given = compile_expression(parsed(case["value"]), standard_functions(tmp_path, plan_time=NOON))
        value = convert(given.evaluate(Names({})), type)
        if "nullable = false" in case.get("extra", "") and isinstance(value, Null):
            raise Broken
    except (Broken, ConversionError):
        assert case.get("error", False)
        return
    assert not case.get("error", False)
    assert same(json.loads(encode(value)), case["result_json"])
    assert closed_up(type_text(type_of(value))) == case["result_type"]


def unknown_scope(preamble: str, functions: Any) -> Names:
    """The locals of a preamble, around a resource whose `id` only apply will know."""
    body, _ = parse_file(Source("preamble", preamble))
    unknown_id = Unknown(STRING, not_null=True)
    resource: Value = {"id": unknown_id, "input": "x", "output": Unknown(), "triggers_replace": NULL}
    values = {("terraform_data", "u"): resource}
    scope = Names(values)
    for argument in next(body.blocks_of("locals")).body.arguments:
        values["local", argument.name] = compile_expression(argument.value, functions).evaluate(scope)
    return scope


def unknown_cases(name: str) -> list[Any]:
    preamble = lines(name)[0]["preamble"]
    return [pytest.param(preamble, *case.values, id=case.id) for case in cases(name)[1:]]


@pytest.mark.parametrize(
    ("preamble", "case"), [*unknown_cases("hcl-unknown-oracle.jsonl"), *unknown_cases("more-unknown.jsonl")]
)
def test_what_is_known_before_apply_is_what_terraform_knows(
    preamble: str, case: dict[str, Any], tmp_path: Path
) -> None:
    functions = standard_functions(tmp_path, plan_time=NOON, planning=True, console=True)
    expression = compile_expression(parsed(case["expr"]), functions)
    scope = unknown_scope(preamble, functions)
    if case.get("error", False):
        with pytest.raises(EvaluationError):
            expression.evaluate(scope)
        return
    value = expression.evaluate(scope)
    is_type = case["expr"].startswith("type(")
    assert (value if is_type else console_text(value)) == case["console"]
