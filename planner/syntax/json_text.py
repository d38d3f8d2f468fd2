"""
JSON text to values that know their places, which the standard library's parser does not keep.

RFC 8259, exactly. A comma too many or too few, and a comment, are told and passed over, so that one run tells all of
them; whatever else is wrong ends the reading.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import NoReturn

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast
from planner.syntax.adapter import MAX_DIGITS, number

MAX_NESTING = 50
"""Brackets within brackets. Less than in HCL, since an expression in the innermost string has a depth of its own."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string with its escapes resolved. `range` includes the quotes."""

    value: str
    range: SourceRange

    def places(self) -> list[int]:
        """For each character of `value`, and for its end, the offset in the source at which it is written."""
        start, end = self.range.start + 1, self.range.end - 1
        if end - start == len(self.value):
            return list(range(start, end + 1))
        pieces = _CHARACTER.findall(self.range.source.text, start, end)
        return list(accumulate(map(len, pieces), initial=start))


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple[Node, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Property:
    name: Text
    value: Node


@dataclass(frozen=True, slots=True)
class Object:
    """Properties in the order written; a name may stand more than once."""

    properties: tuple[Property, ...]
    range: SourceRange


Node = Text | Array | Object | ast.Literal
"""A number, true, false, and null are what they are in HCL."""


def read_json(source: Source) -> tuple[Node | None, Diagnostics]:
    """The value that `source` is as a whole; None where its end could not be found. Never raises."""
    reader = _Reader(source)
    try:
        value = reader.value(0)
        reader.end()
    except _Unreadable:
        value = None
    return value, reader.diagnostics


_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
      ("(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+")                # 1 string
    | (-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.+-])  # 2 number
    | (true|false|null)(?!\w)                                   # 3 constant
    | ([][{}:,])                                                # 4 punctuation
    | (\Z)                                                      # 5 end
    )""",
    re.VERBOSE | re.ASCII,
)
_STRING, _NUMBER, _CONSTANT, _PUNCTUATION, _END = range(1, 6)
_CONSTANTS = {"true": True, "false": False, "null": None}

_COMMENT = re.compile(r"[ \t\r\n]*((?:\#|//)[^\n]*|/\*.*?\*/)", re.DOTALL)
_WRONG = re.compile(r"""[ \t\r\n]*("(?:[^"\\\x00-\x1f]|\\.)*|'[^'\n]*'?|[^][{}:,\s"']+|.)""")

_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.")
_CHARACTER = re.compile(rf"{_ESCAPE.pattern}|[^\\]")
_ESCAPED = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class _Unreadable(Exception):
    """What follows makes no sense any more; the diagnostic is made."""


class _Reader:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.diagnostics = Diagnostics()
        self.kind = _END
        self.start = self.position = 0
        self.next()

    def next(self) -> None:
        """Go on to the next token: `kind`, from `start` to `position`."""
        while (match := _TOKEN.match(self.text, self.position)) is None:
            comment = _COMMENT.match(self.text, self.position)
            if comment is None:
                self.kind = 0
                return
            self.error(
                "Comment in JSON",
                'JSON has no comments. In the body of a block, a property "//" is one: "//": "why this is so".',
                SourceRange(self.source, *comment.span(1)),
            )
            self.position = comment.end()
        self.kind = match.lastindex or 0
        self.start, self.position = match.span(self.kind)

    def value(self, nesting: int) -> Node:
        kind, start = self.kind, self.start
        token = SourceRange(self.source, start, self.position)
        if kind == _STRING:
            return self.string()
        if kind == _NUMBER:
            self.next()
            value = number(token.text)
            if value is None:
                self.error("Invalid number", f"A number has {MAX_DIGITS} digits at most.", token)
            return ast.Literal(value or 0, token)
        if kind == _CONSTANT:
            self.next()
            return ast.Literal(_CONSTANTS[token.text], token)
        if kind != _PUNCTUATION or self.text[start] not in "{[":
            self.refuse("a value (an object, an array, a string, a number, true, false or null)")
        if nesting == MAX_NESTING:
            self.error("Nested too deeply", f"Brackets stand {MAX_NESTING} deep within each other at most.", token)
            raise _Unreadable
        self.next()
        if self.text[start] == "{":
            properties: list[Property] = []
            while self.goes_on("}", token, bool(properties)):
                properties.append(self.property(nesting + 1))
            return Object(tuple(properties), token.to(self.closing()))
        items: list[Node] = []
        while self.goes_on("]", token, bool(items)):
            items.append(self.value(nesting + 1))
        return Array(tuple(items), token.to(self.closing()))

    def property(self, nesting: int) -> Property:
        if self.kind != _STRING:
            self.refuse('the name of a property in double quotes, or a "}"')
        name = self.string()
        if not self.at(":"):
            self.refuse("a colon, and then the value of the property")
        self.next()
        return Property(name, self.value(nesting))

    def string(self) -> Text:
        range = SourceRange(self.source, self.start, self.position)
        self.next()
        content = range.source.text[range.start + 1 : range.end - 1]
        if "\\" in content:
            content = _ESCAPE.sub(lambda match: self.escaped(match.group(), range.start + 1 + match.start()), content)
        return Text(content, range)

    def escaped(self, escape: str, start: int) -> str:
        """The one character that `escape` stands for."""
        if escape[1] in _ESCAPED:
            return _ESCAPED[escape[1]]
        if len(escape) > 2:
            character = escape.encode().decode("unicode-escape").encode("utf-16", "surrogatepass")
            try:
                return character.decode("utf-16")
            except UnicodeDecodeError:
                detail = "This is half of a character. Those beyond U+FFFF are written as two escapes."
        else:
            detail = (
                'After a backslash stand ", \\, /, b, f, n, r, t, or uXXXX with the hexadecimal number of a character.'
                " Write \\\\ for a backslash itself."
            )
        self.error("Invalid escape sequence", detail, SourceRange(self.source, start, start + len(escape)))
        return "\N{REPLACEMENT CHARACTER}"

    # Between values

    def at(self, punctuation: str) -> bool:
        return self.kind == _PUNCTUATION and self.text[self.start] == punctuation

    def goes_on(self, closing: str, opening: SourceRange, is_after_value: bool) -> bool:
        """Whether another value follows before `closing`, with the comma between them taken."""
        if self.kind == _END:
            self.error("Unclosed bracket", f'The file ends, and there is no "{closing}" to this bracket.', opening)
            raise _Unreadable
        if self.at(closing):
            return False
        if not is_after_value:
            return True
        if self.at(","):
            comma = SourceRange(self.source, self.start, self.position)
            self.next()
            if not self.at(closing):
                return True
            self.error("Unexpected comma", f'A comma stands between two values, and not before "{closing}".', comma)
            return False
        if self.kind not in (_STRING, _NUMBER, _CONSTANT) and not self.at("{") and not self.at("["):
            self.refuse(f'a comma or "{closing}"')
        here = SourceRange(self.source, self.start, self.position)
        self.error("Missing comma", "A comma stands between two values, and there is none before this one.", here)
        return True

    def closing(self) -> SourceRange:
        range = SourceRange(self.source, self.start, self.position)
        self.next()
        return range

    def end(self) -> None:
        if self.kind != _END:
            self.refuse("the end of the file: it holds one value, which ends before")

    def refuse(self, expected: str) -> NoReturn:
        """Say what is there in place of what was expected."""
        if self.kind == _END:
            at_end = SourceRange(self.source, self.start, self.position)
            self.error("Unexpected end of file", f"The file ends where {expected} should stand.", at_end)
            raise _Unreadable
        if self.kind:
            found = SourceRange(self.source, self.start, self.position)
            self.error("Unexpected token", f"Here should stand {expected}.", found)
            raise _Unreadable
        wrong = _WRONG.match(self.text, self.position)
        # White space at the end would have been a token.
        assert wrong is not None
        found = SourceRange(self.source, *wrong.span(1))
        if found.text[0] == '"':
            self.error(
                "Unterminated string",
                "A string ends on its line, with a double quote. A line break in it is written \\n, a tab \\t.",
                found,
            )
        elif found.text[0] == "'":
            self.error("Invalid string", 'A string stands in double quotes: "text".', found)
        else:
            self.error("Invalid JSON", f"This is nothing that JSON knows. Here should stand {expected}.", found)
        raise _Unreadable

    def error(self, summary: str, detail: str, range: SourceRange) -> None:
        self.diagnostics.error(summary, detail, range)
