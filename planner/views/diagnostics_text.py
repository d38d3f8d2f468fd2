"""
Diagnostics for people: where, which text, what was in scope, and what to do.

    Error: Invalid size
      --> main.lun.hcl:12:14, in volume "db"
       |
    12 |   size     = "200"
       |              ^^^^^
       = for volume.db["data"]

      "200" has no unit. Write "200GiB" for binary gigabytes.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterable

from planner.diagnostics import Diagnostic, Severity, SourceRange
from planner.views.style import Style

_TAB = 4
_BLOCK_HEADER = re.compile(r'([\w-]+(?: +(?:"[^"]*"|[\w-]+))*) *\{')


def render_diagnostics(
    diagnostics: Iterable[Diagnostic], style: Style, width: int = 100, compact_warnings: bool = False
) -> str:
    """
    All of them, a blank line between two; an empty text for none. Errors come last, so that a terminal still shows
    them; among themselves they are in the order of files and lines.

    Args:
        width: columns that the text may take.
        compact_warnings: a line for each kind of warning in place of all that is known of each.
    """
    ordered = sorted(diagnostics, key=_order)
    blocks = []
    if compact_warnings:
        blocks = _compact([item for item in ordered if item.severity is Severity.WARNING], style)
        ordered = [item for item in ordered if item.severity is Severity.ERROR]
    blocks.extend(_block(item, style, width) for item in ordered)
    return "\n".join(blocks)


def summary_line(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`; an empty text for none."""
    severities = [item.severity for item in diagnostics]
    counts = ((severities.count(severity), severity.value) for severity in Severity)
    return ", ".join(f"{count} {noun}{'s' if count > 1 else ''}" for count, noun in counts if count)


def enclosing_block(diagnostic: Diagnostic) -> str:
    """
    The header of the block that the subject is in, `volume "db"`; empty where there is none, or the subject is it.

    Where no context is given, it is the nearest line above that begins a block in the first column.
    """
    if diagnostic.context is not None:
        header = _BLOCK_HEADER.match(diagnostic.context.text + " {")
        return header.group(1) if header else ""
    if diagnostic.subject is not None:
        for number in range(diagnostic.subject.line - 1, 0, -1):
            line = diagnostic.subject.source.line(number)
            if line.startswith("}"):
                break
            if (header := _BLOCK_HEADER.match(line)) and "}" not in line[header.end() :]:
                return header.group(1)
    return ""


def _order(item: Diagnostic) -> tuple[bool, str, int]:
    subject = item.subject
    is_error = item.severity is Severity.ERROR
    return (is_error, subject.filename, subject.start) if subject else (is_error, "", 0)


def _compact(warnings: list[Diagnostic], style: Style) -> list[str]:
    """One text of a line for each summary, with the first place."""
    kinds: dict[str, list[Diagnostic]] = {}
    for item in warnings:
        kinds.setdefault(item.summary, []).append(item)
    lines = []
    for summary, items in kinds.items():
        subject = items[0].subject
        where = f" {subject.filename}:{subject.line}" if subject else ""
        more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
        lines.append(f"{style.warning('Warning:')} {summary}{style.dim(where + more)}\n")
    return ["".join(lines)] if lines else []


def _block(item: Diagnostic, style: Style, width: int) -> str:
    mark = style.error if item.severity is Severity.ERROR else style.warning
    lines = [f"{mark(item.severity.value.capitalize() + ':')} {style.bold(item.summary)}"]
    places = [place for _, place in item.related] + ([item.subject] if item.subject else [])
    gutter = max((len(str(place.line)) for place in places), default=1)
    if item.subject is not None:
        block = enclosing_block(item)
        lines.extend(_place(item.subject, f", in {block}" if block else "", gutter, style, mark, width))
    notes = [*item.values, *([f"for {item.address}"] if item.address else [])]
    lines.extend(f"{' ' * gutter} {style.dim('=')} {note}" for note in notes)
    for what, place in item.related:
        lines.extend(_place(place, f", {what}", gutter, style, style.dim, width))
    if item.detail:
        lines.extend(["", *_wrapped(item.detail, width)])
    return "".join(f"{line}\n" for line in lines)


def _place(
    place: SourceRange, what: str, gutter: int, style: Style, mark: Callable[[str], str], width: int
) -> list[str]:
    """Where a range is, and its first line with the range underlined."""
    source, (line, column) = place.source, place.source.position(place.start)
    end_line, end_column = place.end_position
    if end_line > line and end_column == 1:
        # The range ends with a line's end, not within the next line.
        end_line -= 1
    text = source.line(line)
    end = end_column - 1 if end_line == line and end_column > 1 else len(text)
    before, marked, after = (_expanded(part) for part in (text[: column - 1], text[column - 1 : end], text[end:]))
    before, marked, after = _cropped(before, marked, after, max(width - gutter - 3, 20))
    more = end_line - line
    rest = f" and {more} more line{'s' if more > 1 else ''}" if more else ""
    bar = f"{' ' * gutter} {style.dim('|')}"
    underline = " " * _columns(before) + mark("^" * max(_columns(marked), 1))
    return [
        f"{' ' * gutter}{style.dim('-->')} {place.filename}:{line}:{column}{what}",
        bar,
        f"{style.dim(str(line).rjust(gutter))} {style.dim('|')} {before}{marked}{after}".rstrip(),
        f"{bar} {underline}{style.dim(rest)}",
    ]


def _cropped(before: str, marked: str, after: str, width: int) -> tuple[str, str, str]:
    """Of a line that is too long, the part around what is marked."""
    if _columns(before + marked + after) <= width:
        return before, marked, after
    if len(before) > width // 3:
        before = "..." + before[-(width // 3) :]
    left = width - len(before)
    if len(marked) > left:
        return before, marked[:left] + "...", ""
    return before, marked, after[: left - len(marked)] + "..." if after[left - len(marked) :] else after


def _wrapped(detail: str, width: int) -> list[str]:
    """Paragraphs wrapped; lines that begin with two spaces are tables and are kept as they are."""
    lines: list[str] = []
    for line in detail.split("\n"):
        if line.startswith("  ") or not line.strip():
            lines.append(f"  {line}".rstrip())
        else:
            wrapped = textwrap.wrap(line, max(width - 2, 20), break_long_words=False, break_on_hyphens=False)
            lines.extend(f"  {part}" for part in wrapped)
    return lines


def _expanded(text: str) -> str:
    """Tabs as spaces; other control characters would move the cursor."""
    return "".join(
        " " * _TAB if character == "\t" else character if character.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(character) in ("Mn", "Me")
        else 2
        if unicodedata.east_asian_width(character) in ("W", "F")
        else 1
        for character in text
    )
