"""
The canonical layout over all that this repository holds: every configuration, and every expression of the oracle.

Laying out what is laid out changes nothing, and what the text means stays: the trees are the same.
"""

from __future__ import annotations

import json
from pathlib import Path

from planner.diagnostics import Source
from planner.syntax.formatter import format_source, lay_out
from planner.syntax.parser import parse_file
from planner.syntax.printer import print_body

ROOT = Path(__file__).parents[2]


def texts() -> list[str]:
    """Those that parse, each once."""
    files = [path.read_text() for folder in ("examples", "tests") for path in (ROOT / folder).rglob("*.hcl")]
    oracle = (ROOT / "tests" / "language" / "oracle" / "hcl-oracle.jsonl").read_text().split("\n")
    expressions = [f"locals {{\n  x={json.loads(line)['expr']}\n}}\n" for line in oracle if line]
    return [text for text in dict.fromkeys([*files, *expressions]) if not parse_file(Source("", text))[1]]


def test_layout_is_stable_and_keeps_the_meaning() -> None:
    found = texts()
    assert len(found) > 700
    for text in found:
        once, diagnostics = format_source(Source("", text))
        assert not diagnostics, text
        assert format_source(Source("", once))[0] == once, text
        assert printed(lay_out(Source("", text))) == printed(text), text


def printed(text: str) -> str:
    """A tree as text: two trees are the same when these are."""
    body, diagnostics = parse_file(Source("", text))
    assert not diagnostics
    return print_body(body)
