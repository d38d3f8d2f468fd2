"""JSON text to values with places; what is wrong with it is in tests/language/json."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.diagnostics import Source
from planner.syntax import ast
from planner.syntax.json_text import MAX_NESTING, Array, Node, Object, Text, read_json

LIKE_JSON = st.lists(
    st.sampled_from(
        [*'{}[]:,"\\/#\n \t', '"a"', '"\\u00e9', "1", "-0.5e3", "true", "nul", "//", "/*", "*/", "é", "\x00"]
    )
).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\\\"'é😀\n"), inner, max_size=4),
    max_leaves=20,
)


# Half a surrogate pair is no character, whatever the standard library says.
HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=int)
    except ValueError:
        return False
    return True


def plain(node: Node | None) -> object:
    match node:
        case Text():
            return node.value
        case ast.Literal():
            return node.value
        case Array():
            return [plain(item) for item in node.items]
        case Object():
            return {property.name.value: plain(property.value) for property in node.properties}
    raise AssertionError(node)


@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_values_are_those_of_the_standard_library(value: object, ascii: bool, indent: int | str | None) -> None:
    node, diagnostics = read_json(Source("", json.dumps(value, ensure_ascii=ascii, indent=indent)))

    assert not list(diagnostics)
    assert plain(node) == value


@given(st.text() | LIKE_JSON)
def test_any_text_is_read_or_told_what_is_wrong(text: str) -> None:
    node, diagnostics = read_json(Source("", text))

    assert diagnostics.has_errors is not (is_json(text) and HALF_A_PAIR.search(text) is None)
    assert node is not None or diagnostics.has_errors
    for item in diagnostics:
        assert item.subject is not None
        assert 0 <= item.subject.start <= item.subject.end <= len(text)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.booleans())
def test_each_character_of_a_string_has_the_place_where_it_is_written(text: str, ascii: bool) -> None:
    written = json.dumps(text, ensure_ascii=ascii)
    node, _ = read_json(Source("", f" {written}"))

    assert isinstance(node, Text)
    places = node.places()
    assert places[0] == 2
    assert places[-1] == 1 + len(written) - 1
    for character, (start, end) in zip(text, pairwise(places), strict=True):
        assert json.loads(f'"{node.range.source.text[start:end]}"') == character


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("0.1", Fraction(1, 10)),
        ("-1.50e2", -150),
        ("1e400", 10**400),
        ("2.5E-1", Fraction(1, 4)),
        ("-0", 0),
    ],
)
def test_numbers_are_exact(text: str, value: int | Fraction) -> None:
    node, diagnostics = read_json(Source("", text))

    assert not list(diagnostics)
    assert isinstance(node, ast.Literal)
    assert node.value == value
    assert type(node.value) is type(value)


@pytest.mark.parametrize(("nesting", "is_read"), [(MAX_NESTING, True), (MAX_NESTING + 1, False), (100_000, False)])
@pytest.mark.parametrize("brackets", ["[]", '{"":}'])
def test_nesting_has_a_limit(nesting: int, is_read: bool, brackets: str) -> None:
    opening, closing = brackets[:-1], brackets[-1]
    inside = "0" if brackets != "[]" else ""
    _, diagnostics = read_json(Source("", opening * nesting + inside + closing * nesting))

    assert diagnostics.has_errors is not is_read
