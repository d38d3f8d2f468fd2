"""Whether a text ends where it cannot end: what the console asks before it takes another line."""

from __future__ import annotations

import pytest

from planner.diagnostics import Source
from planner.syntax.scanner import scan_expression

OPEN = [
    "[1,",
    "{",
    "{ a = 1",
    "f(",
    "a[",
    "[1, # ]",
    '"${1',
    '"%{ if true',
    "<<EOT",
    "<<EOT\ntext",
    "<<-EOT\n  ${",
    "f(<<EOT\ntext\nEOT",
]
CLOSED = ["", "1", "1 +", "]", "(1]", '"text', '["text', "[]", "# [", '"${1\n}"', "<<EOT\ntext\nEOT", "/* comment"]


@pytest.mark.parametrize("text", OPEN)
def test_an_open_bracket_or_heredoc_may_go_on(text: str) -> None:
    assert scan_expression(Source("<test>", f"{text}\n")).is_open


@pytest.mark.parametrize("text", CLOSED)
def test_what_is_complete_or_wrong_may_not(text: str) -> None:
    assert not scan_expression(Source("<test>", f"{text}\n")).is_open
