"""What diagnostics look like: each case is a set of diagnostics and the text of `diagnostics_text/<case>.txt`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from planner.diagnostics import Diagnostic, Diagnostics, Severity, Source, SourceRange
from planner.views.diagnostics_text import render_diagnostics, summary_line
from planner.views.style import Style
from tests.unit.views.artefacts import expected

CASES = Path(__file__).with_name("diagnostics_text")

MAIN = Source(
    "main.lun.hcl",
    'volume "db" {\n'
    "  offering = disk_offering.media\n"
    "  size     = var.size\n"
    "\n"
    "  attach {\n"
    '\thost = "kvm1" # 主机\n'
    '    vm   = "数据库" == true\n'
    "  }\n"
    "}\n"
    "\n"
    'disk_offering "media" {\n'
    "  min_iops = {\n"
    "    a = 1\n"
    "    b = 2\n"
    "  }\n"
    "}\n"
    'output "x" { value = 1 }\n'
    "oops",
)
VARIABLES = Source("variables.lun.hcl", 'variable "size" {\n  default = "200"\n}\n')


def at(source: Source, text: str) -> SourceRange:
    start = source.text.index(text)
    return SourceRange(source, start, start + len(text))


def tight() -> Diagnostics:
    """A range in a block, values in scope, a related place in another file, a long detail with a table."""
    found = Diagnostics()
    found.error(
        "Unsuitable value",
        '"size" does not take "200": no unit, and nobody can tell whether binary or decimal gigabytes were meant.'
        " Write one of these:\n\n  200GiB   214748364800 bytes\n  200GB    200000000000 bytes\n\nNothing else does.",
        at(MAIN, "var.size"),
        address='volume.db["data"], volume.db["wal"] and 5 more',
        values=('var.size is "200"',),
        related=(("declared here", at(VARIABLES, 'variable "size"')),),
    )
    return found


def wide_characters() -> Diagnostics:
    found = Diagnostics()
    found.error("After a tab", subject=at(MAIN, '"kvm1"'))
    found.error("Two columns each", subject=at(MAIN, "数据库"))
    found.error("After wide characters", subject=at(MAIN, "== true"))
    return found


def several_lines() -> Diagnostics:
    found = Diagnostics()
    found.error("Wrong type", "This is an object.", at(MAIN, "{\n    a = 1\n    b = 2\n  }"))
    found.error("A line and its end", subject=at(MAIN, "    a = 1\n"))
    return found


def edges() -> Diagnostics:
    """Nowhere, at the end of the file, of no length, the header itself, an empty file, a very long line."""
    found = Diagnostics()
    found.error("Nowhere", "No place is known.")
    found.error("End of file", subject=SourceRange(MAIN, len(MAIN.text), len(MAIN.text)))
    found.error("Header", subject=at(MAIN, 'disk_offering "media"'))
    found.error("Nothing", subject=SourceRange(Source("empty.lun.hcl", ""), 0, 0))
    long = Source("long.lun.json", '{"a": "' + "x" * 300 + '", "b": 17, "c": "' + "y" * 300 + '"}')
    found.error("Long line", subject=at(long, "17"))
    found.error("Control characters", subject=at(Source("escape.lun.hcl", 'name = "\x1b[31mred"\n'), "red"))
    given = at(MAIN, "host")
    found.add(Diagnostic(Severity.ERROR, "Context", "", given, context=at(MAIN, "attach")))
    return found


def errors_after_warnings() -> Diagnostics:
    found = Diagnostics()
    found.error("Second error", subject=at(MAIN, "oops"))
    found.error("First error", subject=at(MAIN, "size"))
    found.warning("Warning", "It comes first.", at(VARIABLES, "default"))
    return found


SETS: dict[str, Callable[[], Diagnostics]] = {
    made.__name__: made for made in (tight, wide_characters, several_lines, edges, errors_after_warnings)
}


@pytest.mark.parametrize("case", SETS)
def test_diagnostics_are_shown(case: str) -> None:
    text = render_diagnostics(SETS[case](), Style(color=False), width=80)

    assert text == expected(CASES / f"{case}.txt", text)


def test_compact_warnings_take_a_line_for_each_kind() -> None:
    found = errors_after_warnings()
    found.warning("Warning", "Again.", at(VARIABLES, '"200"'))
    found.warning("Other")

    text = render_diagnostics(found, Style(color=False), compact_warnings=True)

    assert text.startswith("Warning: Other\nWarning: Warning variables.lun.hcl:2 (and 1 more)\n\nError: First error\n")


def test_none_is_an_empty_text() -> None:
    assert render_diagnostics([], Style(color=True)) == ""
    assert summary_line([]) == ""


def test_colour_changes_nothing_but_colour() -> None:
    import re

    coloured = render_diagnostics(tight(), Style(color=True), width=80)

    assert "\x1b[1;31m^^^^^^^^\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render_diagnostics(tight(), Style(color=False), width=80)


@pytest.mark.parametrize(
    ("errors", "warnings", "text"),
    [(1, 0, "1 error"), (2, 1, "2 errors, 1 warning"), (0, 3, "3 warnings")],
)
def test_the_summary_counts(errors: int, warnings: int, text: str) -> None:
    found = [Diagnostic(Severity.ERROR, "x")] * errors + [Diagnostic(Severity.WARNING, "y")] * warnings

    assert summary_line(found) == text
