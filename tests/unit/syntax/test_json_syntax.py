"""JSON to the syntax tree. That it means what the native syntax means is in tests/language/json."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.diagnostics import Source
from planner.evaluation.compiler import compile_expression
from planner.evaluation.scope import Names
from planner.syntax import ast
from planner.syntax.json_syntax import Outline, Reading, parse_json, parse_source
from planner.syntax.json_text import MAX_NESTING
from planner.syntax.masked import MAX_DEPTH

OUTLINE = Outline(
    blocks={
        "volume": Outline(
            labels=1,
            blocks={"attach": Outline()},
            readings={"provider": Reading.EXPRESSION, "alias": Reading.SETTING, "default": Reading.CONSTANT},
        ),
        "locals": Outline(),
    },
    others=None,
)
ARGUMENTS = Outline()


def body(text: str, outline: Outline = OUTLINE) -> ast.Body:
    tree, diagnostics = parse_json(Source("a", text), outline)
    assert not [str(item) for item in diagnostics]
    return tree


def value(text: str, reading: Reading = Reading.TEMPLATE) -> ast.Expression:
    """The expression that the string `text` is, written in JSON."""
    return body(f'{{"x": {text}}}', Outline(others=reading)).arguments[0].value


def test_blocks_and_arguments_keep_their_places() -> None:
    [block] = body('{"volume": {\n  "db": {"size": 3, "attach": {"vm": "x"}}}}').blocks

    assert (block.type, [label.text for label in block.labels]) == ("volume", ["db"])
    assert (str(block.type_range), str(block.header_range)) == ("a:1,2-10", "a:2,3-7")
    assert block.range.text == '"db": {"size": 3, "attach": {"vm": "x"}}'
    assert block.body.range.text == '"size": 3, "attach": {"vm": "x"}'
    [size], [attach] = block.body.arguments, block.body.blocks
    assert (size.name_range.text, size.value.range.text, size.range.text) == ('"size"', "3", '"size": 3')
    assert attach.header_range.text == '"attach"'


def test_of_several_blocks_each_is_at_its_own_brace() -> None:
    blocks = body('{"volume": {"db": [{}, {}]}}').blocks

    assert [str(block.header_range) for block in blocks] == ["a:1,20-21", "a:1,24-25"]
    assert {block.labels[0].range.text for block in blocks} == {'"db"'}


@pytest.mark.parametrize(
    "text",
    [
        '{"volume": {"a": {"x": 1}, "b": {"x": 2}}}',
        '{"volume": [{"a": {"x": 1}}, {"b": {"x": 2}}]}',
        '{"volume": {"a": {"x": 1}}, "volume": {"b": {"x": 2}}}',
        '[{"volume": {"a": {"x": 1}}}, {"volume": {"b": [{"x": 2}]}}]',
        '{"//": 1, "volume": {"//": {}, "a": {"//": [], "x": 1}, "b": {"x": 2, "//": {"y": "${"}}}}',
        '{"locals": null, "volume": [{"a": {"x": 1, "attach": null}}, {"b": {"x": 2, "attach": []}}]}',
    ],
)
def test_ways_to_write_two_blocks(text: str) -> None:
    found = [
        (block.type, block.labels[0].text, [argument.value.range.text for argument in block.body.arguments])
        for block in body(text).blocks
    ]

    assert found == [("volume", "a", ["1"]), ("volume", "b", ["2"])]


def test_null_leaves_out_what_is_read_before_evaluation_and_is_a_value_elsewhere() -> None:
    text = '{"volume": {"a": {"provider": null, "alias": null, "default": null, "size": null}}}'

    assert [argument.name for argument in body(text).blocks[0].body.arguments] == ["default", "size"]


@pytest.mark.parametrize(
    ("text", "reading", "kind", "place"),
    [
        ('"plain"', Reading.TEMPLATE, ast.Literal, '"plain"'),
        ('"${var.x}"', Reading.TEMPLATE, ast.Template, '"${var.x}"'),
        ('"$${x}"', Reading.TEMPLATE, ast.Literal, '"$${x}"'),
        ('"${var.x}"', Reading.CONSTANT, ast.Literal, '"${var.x}"'),
        ('"%{ if"', Reading.SETTING, ast.Literal, '"%{ if"'),
        ('"tgt.east"', Reading.EXPRESSION, ast.GetAttribute, "tgt.east"),
        ('" list(string) "', Reading.EXPRESSION, ast.Call, "list(string)"),
    ],
)
def test_what_a_string_is(text: str, reading: Reading, kind: type[ast.Expression], place: str) -> None:
    node = value(text, reading)

    assert isinstance(node, kind)
    assert node.range.text == place


def test_a_template_is_read_after_the_escapes_of_json() -> None:
    node = value(r'"\u0024{upper(\"x\\n\")}\\n\u00e9"')

    assert isinstance(node, ast.Template)
    part, text = node.parts
    assert isinstance(part, ast.Interpolation)
    assert isinstance(part.value, ast.Call)
    argument = part.value.arguments[0]
    assert isinstance(argument, ast.Literal)
    assert (argument.value, argument.range.text) == ("x\n", r"\"x\\n\"")
    assert text == "\\né"


@given(st.text(st.characters(exclude_characters="${%\\~", exclude_categories=["Cs"])), st.booleans())
def test_ranges_in_a_template_point_into_the_json_text(before: str, ascii: bool) -> None:
    node = value(json.dumps(before + '${one["k"].two}' + before, ensure_ascii=ascii))

    assert isinstance(node, ast.Template)
    [part] = [part for part in node.parts if isinstance(part, ast.Interpolation)]
    assert isinstance(part.value, ast.GetAttribute)
    assert part.value.name_range.text == "two"
    assert part.value.range.text == r"one[\"k\"].two"
    assert part.range.text == r"${one[\"k\"].two}"


def test_equal_templates_have_places_of_their_own() -> None:
    [first, second] = body('{"a": "${x}", "b": "${x}"}', ARGUMENTS).arguments

    assert (str(first.value.range), str(second.value.range)) == ("a:1,7-13", "a:1,20-26")


def test_a_broken_block_is_left_out_and_the_others_stay() -> None:
    text = '{"volume": {"a": {"x": ["${"], "y": "${"}, "b": {"attach": {"vm": "${"}}, "c": {"x": 1}}}'
    tree, diagnostics = parse_json(Source("a", text), OUTLINE)

    assert [block.labels[0].text for block in tree.blocks] == ["c"]
    assert len(diagnostics) == 3


def test_the_name_of_a_file_says_which_syntax_it_is_in() -> None:
    native, _ = parse_source(Source("a.lun.hcl", "x = 1\n"), ARGUMENTS)
    json, _ = parse_source(Source("a.lun.json", '{"x": 1}'), ARGUMENTS)

    assert [argument.name for argument in (*native.arguments, *json.arguments)] == ["x", "x"]


STRINGS = st.lists(st.sampled_from(["${", "%{", "}", "x", ".", '"', "\\", "é", "\n", "if ", "[", "~", "$$", "😀"])).map(
    "".join
)
NESTED = st.recursive(
    STRINGS | st.none() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(STRINGS | st.sampled_from(["volume", "attach", "provider", "//"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(st.text() | NESTED.map(json.dumps))
def test_parsing_never_raises_and_every_mistake_has_a_place(text: str) -> None:
    for outline in (OUTLINE, ARGUMENTS, Outline(others=Reading.EXPRESSION)):
        _, diagnostics = parse_json(Source("a", text), outline)
        for item in diagnostics:
            assert item.subject is not None
            assert item.subject.source.text == text
            assert 0 <= item.subject.start <= item.subject.end <= len(text)


def brackets(levels: int) -> str:
    return "${" + "[" * levels + "]" * levels + "}"


def directives(levels: int) -> str:
    return "%{ if true }" * levels + "%{ endif }" * levels


@pytest.mark.parametrize("inner", [brackets(MAX_DEPTH - 1), directives(MAX_DEPTH - 1)])
def test_the_deepest_tree_that_is_let_through_can_be_evaluated(inner: str) -> None:
    levels = MAX_NESTING - 1
    node = value("[" * levels + json.dumps(inner) + "]" * levels)

    compile_expression(node, {}).evaluate(Names({}))


@pytest.mark.parametrize(
    ("inner", "place"), [(brackets(MAX_DEPTH + 1), "a:1,109-110"), (directives(MAX_DEPTH), "a:1,8-9")]
)
def test_what_stands_too_deep_in_a_string_is_told_there(inner: str, place: str) -> None:
    _, diagnostics = parse_json(Source("a", json.dumps({"x": inner})), ARGUMENTS)

    assert [str(item.subject) for item in diagnostics] == [place]
