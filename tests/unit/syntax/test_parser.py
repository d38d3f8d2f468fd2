"""Whole files, single expressions and templates; ranges; and that no text makes the parser raise."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.diagnostics import Source, SourceRange
from planner.syntax import ast
from planner.syntax.masked import MAX_DEPTH
from planner.syntax.parser import parse_expression, parse_file, parse_template

ORACLE = Path(__file__).parents[2] / "language" / "oracle" / "hcl-oracle.jsonl"
ORACLE_CASES = [json.loads(line) for line in ORACLE.read_text().splitlines()]

EXAMPLE = """
variable "zones" {
  type    = map(string)
  default = { east = "a", west = "b" } # two
}

/* all
   volumes */
volume "db" {
  for_each = { for k, v in var.zones : k => upper(v) if v != "" }
  size     = "${each.value == "A" ? 200 : -(-1.5)}GiB"
  name     = "%{ if each.key == "east" }e%{ else }w%{ endif ~}  ${each.key}\\n\\u00e9"
  labels   = [for host in host.kvm[*].name : "${host}!"]
  note     = <<-EOT
    For ${each.key}:
      %{ for k, v in var.zones ~}
      ${k}
      %{ endfor ~}
    EOT
  attach {
    host = host.kvm["kvm1"].id
    vm   = local.vms.*.id[0]
  }
}
"""


def nodes(node: object) -> Iterator[object]:
    if dataclasses.is_dataclass(node) and not isinstance(node, SourceRange):
        yield node
        for field in dataclasses.fields(node):
            yield from nodes(getattr(node, field.name))
    elif isinstance(node, tuple):
        for part in node:
            yield from nodes(part)


def test_arguments_and_blocks_keep_their_places() -> None:
    body, diagnostics = parse_file(Source("a.lun.hcl", 'size = 3\n\nvolume "db" {\n  name = "x"\n}\n'))

    assert not list(diagnostics)
    [size], [volume] = body.arguments, body.blocks
    assert (size.name, str(size.range)) == ("size", "a.lun.hcl:1,1-9")
    assert (volume.type, [label.text for label in volume.labels]) == ("volume", ["db"])
    assert str(volume.header_range) == "a.lun.hcl:3,1-12"
    assert str(volume.body.arguments[0].value.range) == "a.lun.hcl:4,10-13"


def test_every_range_covers_its_parts() -> None:
    body, diagnostics = parse_file(Source("", EXAMPLE))

    assert not list(diagnostics)
    for node in nodes(body):
        whole: SourceRange = node.range  # type: ignore[attr-defined]
        for part in nodes(tuple(getattr(node, field.name) for field in dataclasses.fields(node))):  # type: ignore[arg-type]
            inner: SourceRange = part.range  # type: ignore[attr-defined]
            assert whole.start <= inner.start <= inner.end <= whole.end


def test_the_text_of_an_expression_is_the_expression() -> None:
    body, _ = parse_file(Source("", EXAMPLE))
    expressions = [
        node
        for argument in nodes(body)
        if isinstance(argument, ast.Argument)
        for node in nodes(argument.value)
        if isinstance(node, ast.Call | ast.Conditional | ast.Index | ast.Template | ast.ForObject | ast.Unary)
        and not node.range.text.startswith("[*]")
    ]

    assert len(expressions) > 10
    for expression in expressions:
        again, diagnostics = parse_expression(Source("", expression.range.text))
        assert not list(diagnostics)
        assert type(again) is type(expression)


@pytest.mark.parametrize(
    "case", [case for case in ORACLE_CASES if "error" not in case], ids=lambda case: case["expr"][:40]
)
def test_what_terraform_evaluates_is_parsed(case: dict[str, str]) -> None:
    expression, diagnostics = parse_expression(Source("", case["expr"]))
    _, of_locals = parse_file(Source("", case.get("locals", "")))

    assert not list(diagnostics)
    assert not list(of_locals)
    assert expression is not None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "1,1-1"),
        ("  # nothing", "1,1-12"),
        ("1 2", "1,3-4"),
        ("1\n2", "2,1-2"),
        ("1\n+ 2", "2,1-2"),
        ("a = 1", "1,3-4"),
        ("x }", "1,3-4"),
        ("x y", "1,3-4"),
        ("[1,", "1,1-2"),
        ('"${', "1,2-4"),
        ("{ a = 1 }\nb", "2,1-2"),
    ],
)
def test_what_is_not_one_expression_is_reported_in_its_place(text: str, place: str) -> None:
    expression, diagnostics = parse_expression(Source("e", text))

    assert expression is None
    assert [str(diagnostic.subject) for diagnostic in diagnostics] == [f"e:{place}"]


@pytest.mark.parametrize(
    "text", ["\n\n 1 \n\n", "# before\n[\n1,\n2\n] # after\n", "{\n  a = 1\n  b = 2\n}", "<<E\nx\nE"]
)
def test_newlines_and_comments_around_an_expression_do_not_matter(text: str) -> None:
    expression, diagnostics = parse_expression(Source("", text))

    assert not list(diagnostics)
    assert expression is not None


def test_a_template_file_has_no_escapes_but_those_of_sequences() -> None:
    expression, diagnostics = parse_template(Source("", 'a "b" \\n $${c} %{ if x }\n${y}\n%{ endif }'))

    assert not list(diagnostics)
    assert isinstance(expression, ast.Template)
    text, choice = expression.parts
    assert text == 'a "b" \\n ${c} '
    assert isinstance(choice, ast.TemplateIf)
    assert [part if isinstance(part, str) else type(part) for part in choice.then] == ["\n", ast.Interpolation, "\n"]


def test_a_template_file_without_sequences_is_a_literal() -> None:
    for text in ("", "plain\n"):
        expression, diagnostics = parse_template(Source("", text))
        assert not list(diagnostics)
        assert isinstance(expression, ast.Literal)
        assert expression.value == text


def test_a_broken_template_file_is_reported_in_its_place() -> None:
    expression, diagnostics = parse_template(Source("t", "one\n${x +}\n"))

    assert expression is None
    assert [str(diagnostic.subject) for diagnostic in diagnostics] == ["t:2,6-7"]


def test_a_backslash_at_the_beginning_has_its_place() -> None:
    _, diagnostics = parse_file(Source("f", "\\\na = 1\n"))

    assert [str(diagnostic.subject) for diagnostic in diagnostics] == ["f:1,1-2"]


def test_one_broken_block_does_not_hide_the_others() -> None:
    good = "".join(f'volume "v{number}" {{\n  size = "{number}GiB"\n}}\n' for number in range(2000))
    middle = len(good) // 2 + good[len(good) // 2 :].index("volume")

    body, diagnostics = parse_file(Source("", good[:middle] + "volume {\n  size = 1GiB\n}\n" + good[middle:]))

    assert len(list(diagnostics)) == 1
    assert len(body.blocks) == 2000


NESTED = {
    "brackets": ("[", "1", "]"),
    "parentheses": ("(", "1", ")"),
    "calls": ("f(", "1", ")"),
    "objects": ("{ a = ", "1", " }"),
    "strings": ('"${', "1", '}"'),
    "directives": ('"%{ if x }${', "1", '}%{ endif }"'),
    "conditions": ("x ? y : ", "1", ""),
    "operators": ("", "1", " + 1"),
    "attributes": ("", "x", ".y"),
    "not": ("!", "x", ""),
}


@pytest.mark.parametrize("name", NESTED)
def test_nesting_is_limited_by_a_diagnostic(name: str) -> None:
    before, middle, after = NESTED[name]
    for depth, expected in ((MAX_DEPTH // 2 - 1, []), (MAX_DEPTH * 20, ["Too deeply nested"])):
        _, diagnostics = parse_file(Source("", "a = " + before * depth + middle + after * depth))
        assert [diagnostic.summary for diagnostic in diagnostics] == expected


def test_blocks_may_not_nest_without_end() -> None:
    _, diagnostics = parse_file(Source("", "b {\n" * 3000 + "}\n" * 3000))

    assert [diagnostic.summary for diagnostic in diagnostics] == ["Too deeply nested"]


# Texts of every kind

FRAGMENTS = st.sampled_from(
    [
        *"{}()[]\"=,.:?-!+/#<*$%\\'`;&| \n\r\t\u00a0\ufeff\x00\u00b2\u00e9\u0663\ud800",
        *("${", "%{", "~}", "$${", "=>", "...", ".*", "[*]", "::", "//", "/*", "*/", "&&", "\r\n", "\\n", '\\"'),
        *("<<E\n", "<<-E\n", "E\n", "<<", "%{ if a }", "%{ else }", "%{ endif }", "%{ for x in y }", "%{ endfor }"),
        *(
            "a",
            " for ",
            " in ",
            " if ",
            "true",
            "null",
            "1",
            "1.5",
            "2e3",
            '"s"',
            "b {\n",
            "a = 1\n",
            ' b "c" {',
            "x y",
        ),
    ]
)


def check(text: str) -> None:
    """Parse `text` in every way: nothing raises, every diagnostic has its place and words of the language."""
    for parse in (parse_file, parse_expression, parse_template):
        tree, diagnostics = parse(Source("", text))
        for diagnostic in diagnostics:
            assert diagnostic.subject is not None
            assert 0 <= diagnostic.subject.start <= diagnostic.subject.end <= len(text)
            assert diagnostic.detail
            assert not {"lark", "token", "terminal"} & set(diagnostic.detail.lower().split())
        if parse is not parse_file:
            assert (tree is None) == diagnostics.has_errors


@settings(max_examples=400, deadline=None)
@given(st.lists(FRAGMENTS, max_size=30).map("".join))
def test_fragments_in_any_order_never_raise(text: str) -> None:
    check(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_random_text_never_raises(text: str) -> None:
    check(text)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_changed_configurations_never_raise(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([EXAMPLE, *(f"a = {case['expr']}\n" for case in ORACLE_CASES)]))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 6))
        text = text[:start] + data.draw(st.just("") | FRAGMENTS) + text[start + length :]
    check(text)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(EXAMPLE)))
def test_a_configuration_cut_off_anywhere_never_raises(length: int) -> None:
    check(EXAMPLE[:length])
