"""
Each folder here is a case: `input.lun.hcl` beside `expected.txt`.

What is expected is either every diagnostic, as `error line,column-line,column: Summary` with `| place: what` lines for
related places, or the tree: a node on each line with its range, indented by depth. To see what a changed case gives,
run `python tests/language/syntax/test_syntax.py <case>`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax.parser import parse_file

HERE = Path(__file__).parent
CASES = sorted(path.name for path in HERE.iterdir() if (path / "input.lun.hcl").exists())


def place(range: SourceRange) -> str:
    line, column = range.end_position
    return f"{range.line},{range.column}-{line},{column}"


def diagnostic_lines(diagnostics: Diagnostics) -> Iterator[str]:
    for diagnostic in diagnostics:
        assert diagnostic.subject is not None
        yield f"{diagnostic.severity.value} {place(diagnostic.subject)}: {diagnostic.summary}"
        for what, range in diagnostic.related:
            yield f"  | {place(range)}: {what}"


def tree_lines(node: object, label: str = "", depth: int = 0) -> Iterator[str]:
    """A line for `node` with its plain fields, then those of its parts."""
    indent = "  " * depth + (f"{label}: " if label else "")
    if not dataclasses.is_dataclass(node):
        yield f"{indent}{node!r}"
        return
    plain: list[str] = []
    parts: list[tuple[str, object]] = []
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if field.name == "range":
            continue
        if isinstance(value, SourceRange):
            plain.append(f"{field.name.removesuffix('_range')}@{place(value)}")
        elif isinstance(value, tuple):
            parts += ((f"{field.name}[{index}]", part) for index, part in enumerate(value))
        elif dataclasses.is_dataclass(value):
            parts.append((field.name, value))
        elif not (field.name in ("key", "condition", "expand", "group") and not value):
            plain.append(value if field.name in ("name", "type", "operator", "text") else f"{field.name}={value!r}")
    yield " ".join([f"{indent}{type(node).__name__}", *plain, place(node.range)])  # type: ignore[attr-defined]
    for name, part in parts:
        yield from tree_lines(part, name, depth + 1)


def outcome(case: str) -> str:
    # Bytes are decoded as they are, so that a case can have ends of lines of its own.
    text = (HERE / case / "input.lun.hcl").read_bytes().decode()
    body, diagnostics = parse_file(Source("input.lun.hcl", text))
    return "\n".join(diagnostic_lines(diagnostics) if len(diagnostics) else tree_lines(body)) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_case(case: str) -> None:
    assert outcome(case) == (HERE / case / "expected.txt").read_text()


if __name__ == "__main__":
    sys.stdout.write(outcome(sys.argv[1]))
