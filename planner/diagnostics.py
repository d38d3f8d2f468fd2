"""
What a person can mend: mistakes in configuration and inputs, each with the place it is about.

A stage collects diagnostics and returns them beside its result; nothing here prints. `planner.views.diagnostics_text`
shows them.
"""

from __future__ import annotations

import difflib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum


class Source:
    """
    A file's text, with the starts of its lines found when first asked for.

    Offsets count characters of `text` from 0. A byte-order mark is not part of `text`.
    """

    __slots__ = ("_line_starts", "filename", "text")

    def __init__(self, filename: str, text: str) -> None:
        self.filename = filename
        self.text = text
        self._line_starts: list[int] | None = None

    @property
    def line_starts(self) -> list[int]:
        if self._line_starts is None:
            starts, at = [0], self.text.find("\n")
            while at >= 0:
                starts.append(at + 1)
                at = self.text.find("\n", at + 1)
            self._line_starts = starts
        return self._line_starts

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character offset, both from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1), without its end of line."""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")

    def __getstate__(self) -> tuple[str, str]:
        return self.filename, self.text

    def __setstate__(self, state: tuple[str, str]) -> None:
        self.filename, self.text = state
        self._line_starts = None


@dataclass(frozen=True, slots=True)
class SourceRange:
    """
    A stretch of a source: characters `start` up to, not including, `end`.

    Lines and columns are counted only when somebody looks, so that a tree of many thousand nodes stays cheap.
    """

    source: Source
    start: int
    end: int

    @property
    def filename(self) -> str:
        return self.source.filename

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def end_position(self) -> tuple[int, int]:
        return self.source.position(self.end)

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: SourceRange) -> SourceRange:
        """From the start of this range to the end of `other`, which lies in the same source."""
        return SourceRange(self.source, self.start, other.end)

    def __str__(self) -> str:
        """`file:line,column-column`, or `-line,column` where the end lies on another line."""
        line, column = self.source.position(self.start)
        end_line, end_column = self.end_position
        end = str(end_column) if end_line == line else f"{end_line},{end_column}"
        return f"{self.filename}:{line},{column}-{end}"


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """
    One mistake or warning.

    Attributes:
        summary: a fixed phrase without names of the user's.
        detail: what, why, and what to do.
        subject: the tightest range that is wrong.
        context: the block around it, where that helps.
        address: the instance it is about, where one is.
        values: values that were in scope, each a full statement: `var.size is "200"`.
        related: other places that matter, with what they are: `("declared here", range)`.
    """

    severity: Severity
    summary: str
    detail: str = ""
    subject: SourceRange | None = None
    context: SourceRange | None = None
    address: str | None = None
    values: tuple[str, ...] = ()
    related: tuple[tuple[str, SourceRange], ...] = ()


@dataclass(slots=True)
class Diagnostics:
    """The mistakes of one stage or one run, in the order they were found."""

    items: list[Diagnostic] = field(default_factory=list)

    def error(self, summary: str, detail: str = "", subject: SourceRange | None = None, **more: object) -> None:
        """Add an error; `more` are further fields of `Diagnostic`."""
        self.items.append(Diagnostic(Severity.ERROR, summary, detail, subject, **more))  # type: ignore[arg-type]

    def warning(self, summary: str, detail: str = "", subject: SourceRange | None = None, **more: object) -> None:
        """Add a warning; `more` are further fields of `Diagnostic`."""
        self.items.append(Diagnostic(Severity.WARNING, summary, detail, subject, **more))  # type: ignore[arg-type]

    def add(self, diagnostic: Diagnostic) -> None:
        self.items.append(diagnostic)

    def extend(self, others: Iterable[Diagnostic]) -> None:
        self.items.extend(others)

    @property
    def has_errors(self) -> bool:
        return any(item.severity is Severity.ERROR for item in self.items)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """` Did you mean "x"?` for the nearest candidate, or an empty string. Ties go to the first in order."""
    nearest = difflib.get_close_matches(name, sorted(candidates), n=1, cutoff=0.6)
    return f' Did you mean "{nearest[0]}"?' if nearest else ""
