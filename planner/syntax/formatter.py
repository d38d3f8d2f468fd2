"""
The canonical layout of a file, as users of Terraform's `fmt` know it.

Indentation is two spaces for each level of brackets; single spaces stand between tokens; the equals signs of arguments
on consecutive lines stand under each other, and so do the comments at the ends of lines. Blank lines, comments and
the order of things stay as they are. Beyond space, labels get quotes, and a string that is nothing but one
interpolation becomes the expression in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from planner.diagnostics import Diagnostics, Source
from planner.syntax import ast
from planner.syntax.masked import MaskedText, TemplateText
from planner.syntax.parser import parse_file
from planner.syntax.scanner import scan_file


def format_source(source: Source) -> tuple[str, Diagnostics]:
    """The text of `source` in canonical layout; as it is, with the diagnostics, when its syntax is broken."""
    body, diagnostics = parse_file(source)
    while not diagnostics.has_errors:
        edits = sorted(_edits(body), reverse=True)
        if not edits:
            return lay_out(source), diagnostics
        text = source.text
        for start, end, replacement in edits:
            text = text[:start] + replacement + text[end:]
        source = Source(source.filename, text)
        body, diagnostics = parse_file(source)
    return source.text, diagnostics


# What is written differently, apart from space

_Edit = tuple[int, int, str]
"""(start, end, what to write there)"""

_LEGACY_TYPES = {"string": "string", "list": "list(string)", "map": "map(string)"}
_SHORT_TYPES = {"list": "list(any)", "map": "map(any)", "set": "set(any)"}


def _edits(body: ast.Body, within: str = "") -> Iterator[_Edit]:
    for argument in body.arguments:
        value = argument.value
        replacement = None
        if within == "variable" and argument.name == "type":
            if isinstance(value, ast.Literal):
                replacement = _LEGACY_TYPES.get(str(value.value))
            elif isinstance(value, ast.Name):
                replacement = _SHORT_TYPES.get(value.name)
        else:
            replacement = _unwrapped(value)
        if replacement is not None:
            yield value.range.start, value.range.end, replacement
    for block in body.blocks:
        for label in block.labels:
            if not label.range.text.startswith('"'):
                yield label.range.start, label.range.end, f'"{label.text}"'
        yield from _edits(block.body, "" if within else block.type)


def _unwrapped(value: ast.Expression) -> str | None:
    """What stands in a string that is one interpolation, in parentheses where it goes over several lines."""
    match value:
        case ast.Template((ast.Interpolation() as only,)) if value.range.text.startswith('"'):
            inside = only.range.text[2:-1].strip("~").strip()
            if only.range.text != value.range.text[1:-1]:
                return None
            if "\n" in inside and not isinstance(only.value, ast.Parentheses):
                # What may be a comment at the end must not hide the parenthesis.
                end = "\n)" if re.search(r"#|//", inside[inside.rfind("\n") :]) else ")"
                return f"({inside}{end}"
            return inside
    return None


# Tokens


@dataclass(slots=True)
class _Token:
    """
    A token and the number of spaces before it.

    `kind` is the text itself for operators and brackets; else one of: name, keyword, number, string (also a heredoc
    without sequences), newline, comment, quote, end quote, text, sequence, end sequence.
    """

    kind: str
    text: str
    spaces: int = 0

    @property
    def nesting(self) -> int:
        return _NESTING.get(self.kind, 0)

    @property
    def ends_line(self) -> bool:
        return self.kind == "newline" or (self.kind == "comment" and self.text.endswith("\n"))


_NESTING = {"{": 1, "[": 1, "(": 1, "sequence": 1, "}": -1, "]": -1, ")": -1, "end sequence": -1}
_VALUE_ENDS = frozenset({"name", "number", "string", "end quote", ")", "]", "}"})

_TOKEN = re.compile(
    r"""[ \t]*(?:
      (?P<name>[^\W\d][\w-]*(?:::[^\W\d][\w-]*)*)
    | (?P<number>\d+(?:\.\d+)*(?:[eE][+-]?\d+)?)
    | (?P<newline>\r?\n)
    | (?P<comment>(?:\#|//)[^\n]*(?:\n|\Z)|/\*.*?\*/)
    | (?P<template>"|<<)
    | (?P<operator>==|!=|<=|>=|=>|&&|\|\||\.\.\.|.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SEQUENCE_START = re.compile(r"[$%]\{~?")
_KEYWORDS = frozenset({"for", "in", "if"})


def _tokens(masked: MaskedText, position: int, end: int) -> Iterator[_Token]:
    text = masked.source.text
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.start(match.lastgroup or 0) >= end:
            return
        kind, start, position = str(match.lastgroup), match.start(match.lastgroup or 0), match.end()
        if kind == "template":
            template = masked.templates.get(start)
            if template is not None and any(piece.kind != "text" for piece in template.pieces):
                yield from _template_tokens(masked, template)
                position = template.end
                continue
            quoted = _QUOTED.match(text, start)
            position = template.end if template is not None else quoted.end() if quoted is not None else position
            kind = "string"
        word = text[start:position]
        if kind == "operator":
            kind = word
        elif kind == "name" and word in _KEYWORDS and masked.text[start] != "_":
            kind = "keyword"
        if kind == "comment" and position > end:
            word, position = text[start:end], end
        yield _Token(kind, word)


def _template_tokens(masked: MaskedText, template: TemplateText) -> Iterator[_Token]:
    text = masked.source.text
    pieces = template.pieces
    yield _Token("quote", text[template.start : pieces[0].start])
    for piece in pieces:
        if piece.kind == "text":
            yield _Token("text", text[piece.start : piece.end])
            continue
        opening = _SEQUENCE_START.match(text, piece.start)
        assert opening is not None
        closing = piece.end - (2 if piece.strip_after else 1)
        yield _Token("sequence", opening.group())
        yield from _tokens(masked, opening.end(), closing)
        yield _Token("end sequence", text[closing : piece.end])
    yield _Token("end quote", text[pieces[-1].end : template.end])


# Layout


@dataclass(slots=True)
class _Line:
    """
    The tokens of a line: first those up to an equals sign that begins a value which ends on the line, then those from
    it on, and a comment at the end. A heredoc is on the line that it begins on.
    """

    head: list[_Token]
    value: list[_Token] = field(default_factory=list)
    comment: list[_Token] = field(default_factory=list)


def lay_out(source: Source) -> str:
    """The text of `source`, whose syntax is right, with no more than its spaces changed."""
    lines = list(_lines(_tokens(scan_file(source), 0, len(source.text))))
    _indent(lines)
    for line in lines:
        _space(line.head)
        _space(line.value)
    _align(lines, lambda line: line.value, lambda line: line.head)
    _align(lines, lambda line: line.comment, lambda line: line.head + line.value)
    tokens = (token for line in lines for token in (*line.head, *line.value, *line.comment))
    return "".join(" " * token.spaces + token.text for token in tokens)


def _lines(tokens: Iterator[_Token]) -> Iterator[_Line]:
    line: list[_Token] = []
    for token in tokens:
        line.append(token)
        if token.ends_line:
            yield _cells(line)
            line = []
    if line:
        # A file ends with the end of a line.
        if line[-1].kind == "comment" and not line[-1].text.startswith("/*"):
            line[-1].text += "\n"
        else:
            line.append(_Token("newline", "\n"))
        yield _cells(line)


def _cells(tokens: list[_Token]) -> _Line:
    comment: list[_Token] = []
    if len(tokens) > 1 and tokens[-1].kind == "comment":
        *tokens, last = tokens
        comment = [last]
    equals = next((index for index, token in enumerate(tokens) if index and token.kind == "="), None)
    if equals is None or sum(token.nesting for token in tokens[equals:]) != 0:
        return _Line(tokens, comment=comment)
    return _Line(tokens[:equals], tokens[equals:], comment)


def _indent(lines: list[_Line]) -> None:
    """
    Indent each line once for each line before it that opened more brackets than it closed, until they are closed.

    A line that opens three brackets indents once, and its level ends when three are closed.
    """
    levels: list[int] = []
    for line in lines:
        opened = sum(token.nesting for token in (*line.head, *line.value))
        if opened < 0:
            closed = -opened
            while closed and levels:
                most = min(closed, levels[-1])
                closed -= most
                levels[-1] -= most
                if not levels[-1]:
                    levels.pop()
        line.head[0].spaces = 0 if line.head[0].kind == "newline" else 2 * len(levels)
        if opened > 0:
            levels.append(opened)


def _space(tokens: list[_Token]) -> None:
    """The spaces between `tokens`; those before the first are another's to give."""
    before = None
    for token, after in pairwise(tokens):
        after.spaces = int(_apart(before, token, after))
        before = token


def _apart(before: _Token | None, token: _Token, after: _Token) -> bool:
    """Whether a space stands between `token`, which follows `before`, and `after`."""
    this, next = token.kind, after.kind
    if next in ("newline", ",", "...", "text", "end quote") or this in ("text", "quote"):
        return False
    if this in (",", "keyword") or next == "keyword":
        return this not in ("[", "sequence")
    if "." in (this, next) or this == "!":
        return False
    if this == "-" and (before is None or before.kind not in _VALUE_ENDS):
        return False
    if next == "(" and this == "name":
        return False
    if next == "[" and this in _VALUE_ENDS:
        return False
    if this == "{" or next == "}":
        return not (this == "{" and next == "}")
    if this == "sequence" or next == "end sequence":
        # `${ {` and `} }`, so that the braces of an object can be told from those of the sequence.
        return next == "{" or this == "}"
    return not (this == "end sequence" or token.nesting > 0 or after.nesting < 0)


def _align(lines: list[_Line], cell: Callable[[_Line], list[_Token]], before: Callable[[_Line], list[_Token]]) -> None:
    """Let the cells of lines that follow each other begin in the same column, a space after the longest before them."""
    run: list[_Line] = []
    for line in [*lines, None]:
        if line is not None and cell(line):
            run.append(line)
            continue
        widths = [sum(map(_width, before(member))) for member in run]
        for member, width in zip(run, widths, strict=True):
            cell(member)[0].spaces = max(widths) - width + 1
        run = []


def _width(token: _Token) -> int:
    """How many columns `token` takes with the spaces before it, on its last line."""
    text = token.text[token.text.rfind("\n") + 1 :]
    return token.spaces + len(text) - sum(unicodedata.combining(character) > 0 for character in text)
