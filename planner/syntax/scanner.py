"""
Prepares text for python-hcl2, offset for offset.

python-hcl2's grammar knows most of HCL, but not all that HCL's own scanner does: where a newline counts, what belongs
to a string, where a name may be a keyword's. One pass over the text therefore makes a *masked* text of exactly the same
length, in which everything stands where it stood and only what the grammar would misread is written differently:

    comments                                    spaces
    newlines that HCL ignores                   spaces
    "text", and <<EOT, without sequences        a name of underscores
    "a${x}b${y}"                                [  (x) ,(y)]: a tuple of the expressions in it
    `-a`, `a - b`                               `!a`, `a + b`: a minus could become part of a number
    `!!a`                                       ` !a`: of several unary operators the last is kept
    `x.for`, `core::upper`, `größe`             names of underscores

Positions in the tree that python-hcl2 makes of it are positions in the real text, and names and operators are read
there. What python-hcl2 cannot see any more - mistakes of brackets, strings, line ends and characters - is diagnosed
here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from planner.diagnostics import Diagnostics, Source, SourceRange

MAX_DEPTH = 200
"""Brackets within brackets and operators in a row, together: every later stage walks the tree by recursion."""


class Piece(NamedTuple):
    """
    A stretch of a template: `text`, `value` (an interpolation), or a directive: `if`, `else`, `endif`, `for`, `endfor`.

    `start` and `end` include the braces, `strip_before` and `strip_after` stand for the two `~`, and `names` are the
    variables of a `for`.
    """

    kind: str
    start: int
    end: int
    strip_before: bool = False
    strip_after: bool = False
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class TemplateText:
    """A quoted string with sequences, or any heredoc, as it stands from `start` to `end`."""

    start: int
    end: int = 0
    marker: str | None = None
    flush: bool = False
    pieces: list[Piece] = field(default_factory=list)


@dataclass(slots=True)
class Scan:
    """
    What the scanner found.

    Attributes:
        masked: the text for python-hcl2, as long as the source's.
        items: where each argument or block at the top begins; each reaches up to where the next one begins.
        templates: by the offset at which they begin.
        unary: from the offset of a unary operator to those of the masked ones before it, the outermost first.
    """

    source: Source
    masked: str
    items: list[int]
    templates: dict[int, TemplateText]
    unary: dict[int, tuple[int, ...]]
    diagnostics: Diagnostics


def scan(source: Source, *, expression: bool = False) -> Scan:
    """Mask `source`; with `expression` it is to be one expression, and newlines before it do not count."""
    scanner = _Scanner(source, expression)
    scanner.run()
    return Scan(
        source,
        scanner.masked(),
        scanner.items,
        scanner.templates,
        scanner.unary,
        Diagnostics(scanner.diagnostics.items),
    )


_TOKEN = re.compile(
    r"""[ \t]*(?:
      ([^\W\d][\w-]*(?:::[^\W\d][\w-]*)*)                           # 1 name
    | (\r?\n(?:[ \t\r]*(?:(?:\#|//)[^\n]*)?\n)*)                    # 2 ends of lines, with empty ones and comments
    | ("(?:[^"\\$%\n]++|\\[^\n]|\$\$\{|%%\{|[$%](?!\{))*+")         # 3 string without sequences
    | (==|!=|<=|>=|=>|&&|\|\||\.\.\.|[+*%>=?:.,]|<(?!<)|/(?![/*]))  # 4 operator
    | (\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)                              # 5 number
    | ([(\[{])                                                      # 6 opening bracket
    | ([)\]}])                                                      # 7 closing bracket
    | ((?:\#|//)[^\n]*|/\*.*?\*/)                                   # 8 comment
    | ([-!])                                                        # 9 minus, not
    | (")                                                           # 10 start of a string with sequences
    | (<<(-?)([^\W\d][\w-]*)\r?\n)                                  # 11, 12, 13 start of a heredoc
    | (~)(?=\})                                                     # 14 strip marker
    | (\Z)                                                          # 15 end
    )""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED_TEXT = re.compile(r'(?:[^"\\$%\n]++|\\[^\n]|\$\$\{|%%\{|[$%](?!\{))*+')
_HEREDOC_TEXT = re.compile(r"(?:[^$%\n]++|\$\$\{|%%\{|[$%](?!\{))*+")
_SEQUENCE = re.compile(r"[$%]\{(~?)")
_DIRECTIVE = re.compile(
    r"\s*(?:(if)\b|(for)\s+([^\W\d][\w-]*)(?:\s*,\s*([^\W\d][\w-]*))?\s+in\b|(else|endif|endfor)\s*(~?)\})"
)
_BLOCK_HEADER = re.compile(r'^[A-Za-z_][\w-]*(?:[ \t]+(?:"[^"\n]*"|[A-Za-z_][\w-]*))*[ \t]*\{', re.MULTILINE)
_NAME_CHARACTER = re.compile(r'[\w"-]')

_KEYWORDS = frozenset({"if", "in", "for", "for_each", "else", "endif", "endfor", "null", "true", "false"})
_LITERALS = frozenset({"null", "true", "false"})
_CLOSER = {"(": ")", "[": "]", "{": "}", "${": "}", "%{": "}"}

# What the last token was, as far as the next one asks.
_LINE_END, _OPERAND, _NUMBER, _OPEN, _OPERATOR, _UNARY, _COMMA, _DOT, _EQUALS, _KEYWORD = range(10)
_INCOMPLETE = frozenset({_OPERATOR, _UNARY, _DOT, _EQUALS})


@dataclass(slots=True)
class _Frame:
    """An open bracket, or an open sequence of `template`."""

    opener: str
    start: int
    newlines_count: bool
    is_body: bool = False
    is_for: bool = False
    outer_depth: int = 0
    base_depth: int = 0
    template: TemplateText | None = None
    strip_before: bool = False
    directive: str = ""
    names: tuple[str, ...] = ()


class _Scanner:
    def __init__(self, source: Source, expression: bool) -> None:
        self.source = source
        self.text = source.text
        self.expression = expression
        self.items: list[int] = []
        self.templates: dict[int, TemplateText] = {}
        self.unary: dict[int, tuple[int, ...]] = {}
        self.diagnostics = Diagnostics()
        self.frames: list[_Frame] = []
        self.depth = 0
        self.last = _EQUALS if expression else _LINE_END
        self._masked: list[str] = []
        self._copied = 0

    def masked(self) -> str:
        return "".join(self._masked)

    def mask(self, start: int, end: int, replacement: str) -> None:
        self._masked.append(self.text[self._copied : start])
        self._masked.append(replacement)
        self._copied = end

    def error(self, summary: str, detail: str, start: int, end: int, **more: object) -> None:
        self.diagnostics.error(summary, detail, SourceRange(self.source, start, end), **more)

    def run(self) -> None:
        text, match_at, frames, masked = self.text, _TOKEN.match, self.frames, self._masked
        position, end = 0, len(text)
        last_unary = -1
        begun = not self.expression
        while True:
            match = match_at(text, position)
            if match is None:
                position = self._invalid(position)
                continue
            kind = match.lastindex or 0
            start, position = match.span(kind)
            if kind == 2:
                # What comes first after an opening brace may stand on the next line, as the `for` of an expression.
                if self._newline(start, position, begun) and self.last != _OPEN:
                    self.last = _LINE_END
                continue
            if kind == 8:
                self.mask(start, position, " " * (position - start))
                continue
            if (
                self.last == _LINE_END
                and not frames
                and (text[start:position] != "{" or self.expression)
                and kind != 15
            ):
                self.items.append(start)
                self.depth = 0
            elif not begun and kind != 15:
                self.items.append(start)
            begun = True
            if kind == 1:
                self._name(match.group(1), start, position)
            elif kind == 4:
                operator = text[start:position]
                if operator == ",":
                    if self.last == _LINE_END and frames:
                        self.error(
                            "Unexpected comma",
                            "A newline separates the items already. Put the comma at the end of the line before.",
                            start,
                            position,
                        )
                    self.last = _COMMA
                    self.depth = frames[-1].base_depth if frames else 0
                elif operator == "=":
                    self.last = _EQUALS
                else:
                    if self.last == _LINE_END and operator != ":":
                        self._operator_begins_line(start, position)
                    self.last = _DOT if operator == "." else _OPERATOR
                    self._deeper(start)
            elif kind == 3:
                beside = (self.last == _OPERAND and start == match.start()) or _NAME_CHARACTER.match(text, position)
                length = position - start
                self.mask(start, position, '"' + "_" * (length - 2) + '"' if beside else "_" * length)
                self.last = _OPERAND
            elif kind == 5:
                if self.last == _DOT and "." in text[start:position]:
                    first, second = text[start:position].split(".", 1)
                    self.error(
                        "Invalid legacy index",
                        f"Two indexes cannot follow each other this way. Write [{first}][{second}].",
                        start - 1,
                        position,
                    )
                self.last = _NUMBER
            elif kind == 6:
                self._open(start)
            elif kind == 7:
                position = self._close(start, False)
            elif kind == 9:
                if text[start] == "-" and self.last in (_OPERAND, _NUMBER):
                    self.mask(start, position, "+")
                    self.last = _OPERATOR
                else:
                    if self.last == _UNARY:
                        masked[-1] = " "
                        self.unary[start] = (*self.unary.pop(last_unary, ()), last_unary)
                    self.mask(start, position, "!")
                    self.last = _UNARY
                    last_unary = start
                self._deeper(start)
            elif kind == 10:
                template = TemplateText(start)
                self.mask(start, position, "[")
                position = self._template_text(template, position)
            elif kind == 11:
                position = self._heredoc(start, position, match.group(13), bool(match.group(12)))
            elif kind == 14:
                if frames and frames[-1].template is not None:
                    self.mask(start, position, " ")
                    position = self._close(position, True)
                else:
                    position = self._invalid(start)
            else:
                resumed = self._end_of_file(end)
                if resumed is None:
                    return
                position = resumed

    def _newline(self, start: int, end: int, begun: bool) -> bool:
        """Keep or blank an end of line; whether it counts."""
        frames = self.frames
        if not begun or (frames and not frames[-1].newlines_count):
            self.mask(start, end, " " * (end - start))
            return False
        if self.last in _INCOMPLETE:
            self.error(
                "Unexpected end of line",
                "An expression should follow here. It may go on over the end of a line only inside parentheses or "
                "brackets.",
                start,
                start + 1,
            )
        if self.text[start:end] != "\n":
            self.mask(start, end, "\n" + " " * (end - start - 1))
        self.depth = frames[-1].base_depth if frames else 0
        return True

    def _name(self, name: str, start: int, end: int) -> None:
        last = self.last
        if last == _NUMBER and not self.text[start - 1].isspace():
            self._number_with_letters(start, end)
        self.last = _OPERAND
        if not name.isascii() or ":" in name:
            self.mask(start, end, "_" * len(name))
            for part in name.split("::"):
                if not part.replace("-", "_").isidentifier():
                    self.error("Invalid name", "A name holds letters, digits, underscores and hyphens.", start, end)
                    break
        elif name in _KEYWORDS:
            frame = self.frames[-1] if self.frames else None
            if name in _LITERALS:
                if last == _DOT:
                    self.mask(start, end, "_" * len(name))
            elif frame is not None and name == "for" and last == _OPEN and frame.opener in "[{" and not frame.is_body:
                frame.is_for = True
                frame.newlines_count = False
                self.last = _KEYWORD
            elif frame is not None and frame.is_for and name in ("in", "if") and last != _DOT:
                self.last = _KEYWORD
            else:
                self.mask(start, end, "_" * len(name))

    def _open(self, start: int) -> None:
        opener = self.text[start]
        # A brace after a word belongs to a block; a brace where a value may stand opens an object.
        is_body = opener == "{" and self.last in (_OPERAND, _NUMBER, _LINE_END)
        frame = _Frame(opener, start, opener == "{", is_body=is_body, outer_depth=self.depth)
        self.frames.append(frame)
        self._deeper(start)
        frame.base_depth = self.depth
        self.last = _OPEN

    def _close(self, start: int, strip_after: bool) -> int:
        closer = self.text[start]
        frames = self.frames
        if not frames:
            self.error("Unexpected closing bracket", f'This "{closer}" closes nothing.', start, start + 1)
            self.mask(start, start + 1, " ")
            return start + 1
        frame = frames[-1]
        if _CLOSER[frame.opener] != closer:
            self.error(
                "Mismatched bracket",
                f'Found "{closer}" where "{_CLOSER[frame.opener]}" should close the "{frame.opener}".',
                start,
                start + 1,
                related=(("opened here", SourceRange(self.source, frame.start, frame.start + len(frame.opener))),),
            )
            # Go on as if the brackets inside had been closed, when one further out is meant.
            while frames and frames[-1].template is None and _CLOSER[frames[-1].opener] != closer:
                frames.pop()
            if not frames or _CLOSER[frames[-1].opener] != closer:
                return start + 1
            frame = frames[-1]
        frames.pop()
        self.depth = frame.outer_depth + 1
        self.last = _OPERAND
        if frame.template is None:
            return start + 1
        self.mask(start, start + 1, ")")
        frame.template.pieces.append(
            Piece(frame.directive, frame.start, start + 1, frame.strip_before, strip_after, frame.names)
        )
        return self._template_text(frame.template, start + 1)

    def _template_text(self, template: TemplateText, position: int) -> int:
        """Go on with the text of `template`: up to the expression of its next sequence, or past its end."""
        text = self.text
        while True:
            start = position
            if template.marker is None:
                position = _QUOTED_TEXT.match(text, position).end()  # type: ignore[union-attr]
                character = text[position : position + 1]
                ends = character == '"'
            else:
                position, ends = self._heredoc_text(template.marker, position)
                character = text[position : position + 1]
            if position > start:
                template.pieces.append(Piece("text", start, position))
                self.mask(start, position, " " * (position - start))
            if ends:
                return self._template_end(template, position)
            if character not in ("$", "%"):
                return self._unterminated(template, position)
            sequence = _SEQUENCE.match(text, position)
            assert sequence is not None
            strip = bool(sequence.group(1))
            inside = sequence.end()
            frame = _Frame(
                text[position : position + 2],
                position,
                False,
                outer_depth=self.depth,
                template=template,
                strip_before=strip,
                directive="value",
            )
            if character == "%":
                directive = _DIRECTIVE.match(text, inside)
                if directive is None:
                    self.error(
                        "Invalid template directive",
                        "A directive is one of if, else, endif, for and endfor, such as %{ if var.enabled } or "
                        "%{ for key, value in var.tags }. Write %%{ for the characters themselves.",
                        position,
                        inside,
                    )
                elif directive.group(5):
                    position = directive.end()
                    template.pieces.append(
                        Piece(directive.group(5), sequence.start(), position, strip, bool(directive.group(6)))
                    )
                    self.mask(sequence.start(), position, " " * (position - sequence.start()))
                    continue
                else:
                    inside = directive.end()
                    frame.directive = directive.group(1) or directive.group(2)
                    frame.names = tuple(name for name in directive.group(3, 4) if name)
            comma = any(piece.kind in ("value", "if", "for") for piece in template.pieces)
            self.mask(position, inside, (",(" if comma else " (") + " " * (inside - position - 2))
            self.frames.append(frame)
            self._deeper(position)
            frame.base_depth = self.depth
            self.last = _OPEN
            return inside

    def _template_end(self, template: TemplateText, position: int) -> int:
        """Close `template`, whose quote or end marker begins at `position`."""
        template.end = position + (1 if template.marker is None else len(template.marker))
        self.mask(position, template.end, " " * (template.end - position - 1) + "]")
        self.templates[template.start] = template
        self.last = _OPERAND
        return template.end

    def _heredoc(self, start: int, position: int, marker: str, flush: bool) -> int:
        template = TemplateText(start, marker=marker, flush=flush)
        last = self.last
        closing = re.compile(rf"^[ \t]*({re.escape(marker)})(?=[ \t]*\r?$)", re.MULTILINE).search(self.text, position)
        if closing is None:
            self.error(
                "Unterminated heredoc",
                f'No line holds the end marker "{marker}" alone.',
                start,
                position,
            )
            self.last = _OPERAND
            self.mask(start, len(self.text), " " * (len(self.text) - start))
            return len(self.text)
        body = self.text[position : closing.start()]
        if "${" not in body and "%{" not in body:
            template.end = closing.end()
            template.pieces.append(Piece("text", position, closing.start()))
            self.templates[start] = template
            beside = last == _OPERAND and start == self._copied
            self.mask(start, template.end, (" " if beside else "_") + "_" * (template.end - start - 1))
            self.last = _OPERAND
            return template.end
        self.mask(start, position, "[" + " " * (position - start - 1))
        return self._template_text(template, position)

    def _heredoc_text(self, marker: str, position: int) -> tuple[int, bool]:
        """From `position` to the next sequence, or to the end marker (True), or to the end of the file."""
        text = self.text
        while True:
            line_start = position == 0 or text[position - 1] == "\n"
            end = _HEREDOC_TEXT.match(text, position).end()  # type: ignore[union-attr]
            if line_start and text[position:end].strip() == marker and text[end : end + 1] in ("\n", ""):
                return position + text[position:end].index(marker), True
            if text[end : end + 1] != "\n":
                return end, False
            position = end + 1

    def _unterminated(self, template: TemplateText, position: int) -> int:
        self.error(
            "Unterminated string",
            "The closing quote is missing on this line.",
            template.start,
            position,
        )
        # The line ends every string and sequence that began on it.
        while self.frames and self.frames[-1].template is not None:
            outer = self.frames.pop()
            assert outer.template is not None
            template = outer.template
        self.last = _OPERAND
        return position

    def _number_with_letters(self, start: int, end: int) -> None:
        number = re.compile(r"[\d.]*$").search(self.text, max(0, start - 40), start)
        begin = number.start() if number is not None else start
        written = self.text[begin:end]
        self.error(
            "Invalid number",
            f'A number is followed by letters. A value with a unit is a string: "{written}".',
            begin,
            end,
        )

    def _operator_begins_line(self, start: int, end: int) -> None:
        if self.frames or self.items:
            self.error(
                "Unexpected operator",
                f'The expression ended with the line before, so "{self.text[start:end]}" has nothing on its left. Put '
                "the whole expression in parentheses to let it go on over several lines.",
                start,
                end,
            )

    def _deeper(self, start: int) -> None:
        self.depth += 1
        if self.depth == MAX_DEPTH + 1:
            self.error(
                "Too deeply nested",
                f"More than {MAX_DEPTH} brackets and operators stand within each other.",
                start,
                start + 1,
            )

    def _invalid(self, position: int) -> int:
        text = self.text
        while text[position] in " \t":
            position += 1
        self.error("Invalid character", "This character is not used in the language.", position, position + 1)
        self.mask(position, position + 1, " ")
        return position + 1

    def _end_of_file(self, end: int) -> int | None:
        """Finish, or go on at a line that looks like the next block when brackets are still open."""
        if self.frames:
            frame = self.frames[0]
            self.error(
                "Unclosed bracket",
                f'This "{frame.opener}" is never closed.',
                frame.start,
                frame.start + len(frame.opener),
            )
        self.mask(end, end, "")
        return None
