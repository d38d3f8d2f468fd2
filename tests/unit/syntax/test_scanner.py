"""The masked text: as long as the real one, with everything in its place."""

from __future__ import annotations

import pytest

from planner.diagnostics import Source
from planner.syntax.scanner import scan_expression, scan_file, scan_template

MASKS = [
    # comments, and newlines that do not count
    ("a = 1 # c\n", "a = 1    \n"),
    ("a = [1, // c\n 2]\n", "a = [1,       2]\n"),
    ("a = /* x\n */ 1\n", "a =          1\n"),
    ("a = f(\n1\n)\n", "a = f( 1 )\n"),
    ("a = {\n b = 1\n\n # c\n}\n", "a = {\n b = 1\n      }\n"),
    ("a = {\n for k in x :\n k => k\n}\n", "a = {\n for k in x :  k => k }\n"),
    ("b {\r\n}\r\n", "b {\n }\n "),
    # strings and templates
    ('a = "x y"\n', "a = _____\n"),
    ('a = ""\n', "a = __\n"),
    ('b "x""y" {}\n', 'b "_""_" {}\n'),
    ('a = "x${y}z"\n', "a = [  (y) ]\n"),
    ('a = "${x}${y}"\n', "a = [ (x),(y)]\n"),
    ('a = "${~ x ~}"\n', "a = [ (  x  )]\n"),
    ('a = "%{ if x }y%{ endif }"\n', "a = [ (    x )           ]\n"),
    ('a = "${"}"}"\n', "a = [ (___)]\n"),
    ("a = <<E\nx\nE\n", "a = _______\n"),
    ("a = <<E\n${x}\nE\n", "a = [    (x) ]\n"),
    # operators
    ("a = -1 - -2\n", "a = !1 + !2\n"),
    ("a = !!x\n", "a =  !x\n"),
    ("a = b-1 -c\n", "a = b-1 +c\n"),
    ("a = x[ * ].y\n", "a = x[*]  .y\n"),
    ("a = x. *\n", "a = x .*\n"),
    # names
    ("a = x.for.in\n", "a = x.___.__\n"),
    ("a = é.b::c()\n", "a = _.____()\n"),
    ("for = in\n", "___ = __\n"),
    ("a = [for x in y : x if x]\n", "a = [for x in y : x if x]\n"),
]


@pytest.mark.parametrize(("text", "masked"), MASKS)
def test_masking(text: str, masked: str) -> None:
    scanned = scan_file(Source("", text))

    assert not list(scanned.diagnostics)
    assert len(scanned.text) == len(text)
    assert scanned.text == masked


def test_items_begin_where_lines_do_outside_of_brackets() -> None:
    text = "a = 1\n\n# c\nb {\n  c = 2\n}\nd = [\n1]\ne\n{\n}\n"

    scanned = scan_file(Source("", text))

    assert [text[item] for item in scanned.items] == ["a", "b", "d", "e"]


def test_masked_unary_operators_are_remembered_with_the_one_kept() -> None:
    assert scan_file(Source("", "a = !- !x\n")).unary == {7: (4, 5)}


def test_newlines_before_an_expression_do_not_count() -> None:
    assert scan_expression(Source("", "\n\n# c\n1")).text == " " * 6 + "1"


def test_a_template_has_no_brackets_around_it() -> None:
    assert scan_template(Source("", "a${b}\n")).text == "  (b) "
