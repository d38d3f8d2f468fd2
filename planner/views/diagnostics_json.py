"""Diagnostics in the shape of `terraform validate -json`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from planner.diagnostics import Diagnostic, Severity, Source, SourceRange
from planner.views.diagnostics_text import enclosing_block

_STATEMENT = re.compile(r"(.*?) ((?:is|has|will) .*)", re.DOTALL)


def diagnostics_to_json(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """The report of `validate -json`. `byte` counts bytes of UTF-8 from 0, lines and columns count from 1."""
    items = list(diagnostics)
    errors = sum(item.severity is Severity.ERROR for item in items)
    return {
        "format_version": "1.0",
        "valid": errors == 0,
        "error_count": errors,
        "warning_count": len(items) - errors,
        "diagnostics": [diagnostic_to_json(item) for item in items],
    }


def diagnostic_to_json(item: Diagnostic) -> dict[str, Any]:
    """One diagnostic; `related` is what Terraform's does not have."""
    data: dict[str, Any] = {"severity": item.severity.value, "summary": item.summary, "detail": item.detail}
    if item.address is not None:
        data["address"] = item.address
    if item.subject is not None:
        data["range"] = _range(item.subject)
        data["snippet"] = _snippet(item, item.subject)
    if item.related:
        data["related"] = [{"message": what, "range": _range(place)} for what, place in item.related]
    return data


def _range(place: SourceRange) -> dict[str, Any]:
    return {
        "filename": place.filename,
        "start": _position(place.source, place.start),
        "end": _position(place.source, place.end),
    }


def _position(source: Source, offset: int) -> dict[str, int]:
    line, column = source.position(offset)
    return {"line": line, "column": column, "byte": _bytes(source.text[:offset])}


def _snippet(item: Diagnostic, subject: SourceRange) -> dict[str, Any]:
    """The whole lines that the subject is on; offsets are bytes of `code`."""
    text, start_line = subject.source.text, subject.line
    start = subject.source.line_starts[start_line - 1]
    end = text.find("\n", subject.end)
    code = text[start : end if end >= 0 else len(text)]
    return {
        "context": enclosing_block(item) or None,
        "code": code,
        "start_line": start_line,
        "highlight_start_offset": _bytes(text[start : subject.start]),
        "highlight_end_offset": _bytes(text[start : subject.end]),
        "values": [_value(statement) for statement in item.values],
    }


def _value(statement: str) -> dict[str, str]:
    """`var.size is "200"` as the name and what is said of it."""
    match = _STATEMENT.fullmatch(statement)
    traversal, said = match.groups() if match else ("", statement)
    return {"traversal": traversal, "statement": said}


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
