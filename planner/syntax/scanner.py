"""
Makes the masked text of a source, in one pass.

python-hcl2's grammar knows most of HCL, but not all that HCL's own scanner does: where a newline counts, what belongs
to a string, where a name may be a keyword's. What it cannot see any more once that is masked - mistakes of brackets,
strings, ends of lines and characters - is diagnosed here, at most one on a line, since the second is mostly a
consequence of the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import explanation
from planner.syntax.masked import MAX_DEPTH, MaskedText, Piece, TemplateText

_MAX_RECOVERIES = 20
"""How often an unclosed bracket or string may send the scanner back, so that broken text does not cost its square."""


def scan_file(source: Source) -> MaskedText:
    """Mask a text of arguments and blocks."""
    return _Scanner(source, last=_LINE_END).scan(0)


def scan_expression(source: Source) -> MaskedText:
    """Mask a text that is one expression; newlines before it do not count."""
    return _Scanner(source, last=_EQUALS).scan(0)


def scan_template(source: Source) -> MaskedText:
    """Mask a text that is a template as a whole. The tuple of its expressions has no brackets in the masked text."""
    scanner = _Scanner(source, last=_EQUALS)
    return scanner.scan(scanner.template_text(TemplateText(0, "bare"), 0))


_NAME = r"[^\W\d][\w-]*"
_TOKEN = re.compile(
    rf"""[ \t]*(?:
      ({_NAME}(?:::{_NAME})*)                                       # 1 name
    | (\r?\n(?:[ \t\r]*(?:(?:\#|//)[^\n]*)?\n)*)                    # 2 end of a line, with empty ones and comments
    | ("(?:[^"\\$%\n]++|\\[^\n]|\$\$\{{|%%\{{|[$%](?!\{{))*+")      # 3 string without sequences
    | (==|!=|<=|>=|=>|&&|\|\||\.\.\.|[+*%>=?:.,]|<(?!<)|/(?![/*]))  # 4 operator
    | ([0-9]+(?:\.[0-9]+)*(?:[eE][+-]?[0-9]+)?)                     # 5 number
    | ([(\[{{])                                                     # 6 opening bracket
    | ([)\]}}])                                                     # 7 closing bracket
    | ((?:\#|//)[^\n]*|/\*.*?\*/)                                   # 8 comment
    | ([-!])                                                        # 9 minus, not
    | (")                                                           # 10 start of a string with sequences
    | (<<(-?)({_NAME})\r?\n)                                        # 11 to 13, start of a heredoc
    | (~)(?=\}})                                                    # 14 strip marker
    | (\Z)                                                          # 15 end
    )""",
    re.VERBOSE | re.DOTALL,
)
_QUOTED_TEXT = re.compile(r'(?:[^"\\$%\n]++|\\[^\n]|\$\$\{|%%\{|[$%](?!\{))*+')
_UNQUOTED_LINE = re.compile(r"(?:[^$%\n]++|\$\$\{|%%\{|[$%](?!\{))*+")
_SEQUENCE = re.compile(r"[$%]\{(~?)")
_DIRECTIVE = re.compile(rf"\s*(?:(if)\b|(for)\s+({_NAME})(?:\s*,\s*({_NAME}))?\s+in\b|(else|endif|endfor)\s*(~?)\}})")
_FOR_VARIABLE = re.compile(r"\s+[^\W\d]")
_FULL_SPLAT = re.compile(r"\[\s*\*\s*\]")
_ATTRIBUTE_SPLAT = re.compile(r"\.\s*\*")
_BESIDE = re.compile(r'[\w"-]')
_BRACKET = re.compile(r"[(\[{}\])]")

_KEYWORDS = frozenset({"if", "in", "for", "for_each", "else", "endif", "endfor", "null", "true", "false"})
_LITERALS = frozenset({"null", "true", "false"})
_CLOSER = {"(": ")", "[": "]", "{": "}", "${": "}", "%{": "}"}

# What the last token was, as far as the next one asks.
_LINE_END, _OPERAND, _NUMBER, _OPEN, _OPERATOR, _UNARY, _COMMA, _DOT, _EQUALS, _KEYWORD = range(10)
_INCOMPLETE = frozenset({_OPERATOR, _UNARY, _DOT, _EQUALS})


def _marker_line(marker: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*({re.escape(marker)})[ \t]*\r?$", re.MULTILINE)


@dataclass(slots=True)
class _Frame:
    """An open bracket, or an open sequence of `template`, which becomes `piece` when it is closed."""

    opener: str
    start: int
    newlines_count: bool
    is_body: bool = False
    is_for: bool = False
    template: TemplateText | None = None
    piece: Piece | None = None


class _Scanner:
    def __init__(self, source: Source, last: int) -> None:
        self.source = source
        self.text = source.text
        self.items: list[int] = []
        self.templates: dict[int, TemplateText] = {}
        self.unary: dict[int, tuple[int, ...]] = {}
        self.diagnostics = Diagnostics()
        self.frames: list[_Frame] = []
        self.last = last
        self.is_file = last == _LINE_END
        self.masked: list[str] = []
        self.copied = 0
        self.lines_with_errors: set[int] = set()
        self.resume_points: list[int] = []
        self.recoveries = 0
        self.continued_line = -1
        self.is_open = False

    def scan(self, position: int) -> MaskedText:
        """Go through the text from `position`, and to its end."""
        text, match_at, frames = self.text, _TOKEN.match, self.frames
        token_start = last_unary = -1
        begun = self.is_file
        while True:
            match = match_at(text, position)
            if match is None:
                token_start = position
                position = self._invalid(position)
                continue
            kind = match.lastindex or 0
            before, (start, position) = token_start, match.span(kind)
            if kind == 2:
                if begun and not (frames and not frames[-1].newlines_count):
                    self._line_end(start, position, before)
                else:
                    self.mask(start, position, " " * (position - start))
                if frames and text[position : position + 1].isalpha():
                    self.resume_points.append(position)
                continue
            if kind == 8:
                self.mask(start, position, " " * (position - start))
                continue
            token_start = start
            if kind != 15 and (not begun or (self.last == _LINE_END and not frames and self._begins_item(kind, start))):
                self.items.append(start)
                begun = True
            if kind == 1:
                self._name(match.group(1), start, position)
            elif kind == 4:
                position = self._operator(start, position)
            elif kind == 3:
                beside = (self.last == _OPERAND and start == match.start()) or _BESIDE.match(text, position)
                length = position - start
                self.mask(start, position, '"' + "_" * (length - 2) + '"' if beside else "_" * length)
                self.last = _OPERAND
            elif kind == 5:
                if "." in text[start:position]:
                    self._number_with_dots(start, position)
                self.last = _NUMBER
            elif kind == 6:
                position = self._open(start)
            elif kind == 7:
                position = self._close(start, strip_after=False)
            elif kind == 9:
                if text[start] == "-" and self.last in (_OPERAND, _NUMBER):
                    self.mask(start, position, "+")
                    self.last = _OPERATOR
                else:
                    if self.last == _UNARY:
                        self.masked[-1] = " "
                        self.unary[start] = (*self.unary.pop(last_unary, ()), last_unary)
                    self.mask(start, position, "!")
                    self.last = _UNARY
                    last_unary = start
            elif kind == 10:
                template = TemplateText(start, "quoted", self.last in (_OPERAND, _NUMBER))
                self.mask(start, position, "[")
                position = self.template_text(template, position)
            elif kind == 11:
                position = self._heredoc(start, position, match.group(13), bool(match.group(12)))
            elif kind == 14:
                if frames and frames[-1].template is not None:
                    self.mask(start, position, " ")
                    position = self._close(position, strip_after=True)
                else:
                    position = self._invalid(start)
            else:
                resumed = self._end_of_file()
                if resumed is None:
                    break
                position = resumed
        self.mask(len(text), len(text), "")
        masked = "".join(self.masked)
        return MaskedText(self.source, masked, self.items, self.templates, self.unary, self.diagnostics, self.is_open)

    def mask(self, start: int, end: int, replacement: str) -> None:
        """Write `replacement` for the text from `start` to `end`, and the text itself up to there."""
        self.masked.append(self.text[self.copied : start])
        self.masked.append(replacement)
        self.copied = end

    def error(self, summary: str, detail: str, start: int, end: int, **more: object) -> None:
        line, _ = self.source.position(start)
        if line not in self.lines_with_errors:
            self.lines_with_errors.add(line)
            self.diagnostics.error(summary, detail, SourceRange(self.source, start, end), **more)

    def _begins_item(self, kind: int, start: int) -> bool:
        """Whether a token at the beginning of a line, outside all brackets, begins an item or goes on with the last."""
        if kind == 4 and self.items:
            return self.text[start] in "=,"
        # A brace on a line of its own belongs to the block above: that is what its author meant.
        return not (kind == 6 and self.text[start] == "{" and self.items and self.is_file)

    def _line_end(self, start: int, end: int, before: int) -> None:
        """An end of line that counts; `before` is where the token before it begins."""
        if self.last in _INCOMPLETE:
            token = self.text[before:start].rstrip()
            self.error(*explanation.line_ends_after(token), before, before + len(token))
            # Unless it looks like an argument or a block, the next line is what should have stood on this one.
            if not explanation.BLOCK_OR_ARGUMENT.match(self.text, end):
                return
        if end - start > 1:
            self.mask(start, end, "\n" + " " * (end - start - 1))
        # The `for` of an expression may stand on the line after its brace.
        if self.last != _OPEN:
            self.last = _LINE_END

    def _operator(self, start: int, end: int) -> int:
        operator = self.text[start:end]
        if operator == ",":
            if self.last == _LINE_END and self.frames:
                self.error(*explanation.comma_begins_line(self.frames[-1].is_body), start, end)
            self.last = _COMMA
        elif operator == "=":
            self.last = _EQUALS
        elif operator == "...":
            self.last = _COMMA
        else:
            if self.last == _LINE_END and (self.frames or self.items) and (operator != ":" or not self.frames):
                line, _ = self.source.position(start)
                if line - 1 != self.continued_line:
                    self.error(*explanation.operator_begins_line(operator), start, end)
                self.continued_line = line
            if operator == "." and (splat := _ATTRIBUTE_SPLAT.match(self.text, start)):
                end = splat.end()
                self.mask(start, end, ".*".rjust(end - start))
                self.last = _OPERAND
            else:
                self.last = _DOT if operator == "." else _OPERATOR
        return end

    def _number_with_dots(self, start: int, end: int) -> None:
        number = self.text[start:end]
        if self.last == _DOT:
            self.error(*explanation.legacy_indexes(number), start - 1, end)
        elif number.count(".") > 1:
            self.error(*explanation.several_dots(number), start, end)

    def _name(self, name: str, start: int, end: int) -> None:
        last = self.last
        if last == _NUMBER and self.text[start - 1].isalnum():
            number = re.compile(r"[\w.+-]*\Z").search(self.text, max(0, start - 80), start)
            begin = number.start() if number is not None else start
            self.error(*explanation.number_with_letters(self.text[begin:end]), begin, end)
        self.last = _OPERAND
        if not name.isascii() or ":" in name:
            self.mask(start, end, "_" * len(name))
            for part in name.split("::"):
                if not part.replace("-", "_").isidentifier():
                    self.error(*explanation.invalid_name(part), start, end)
        elif name in _KEYWORDS:
            frame = self.frames[-1] if self.frames else None
            if name in _LITERALS:
                if last == _DOT or self.text[end : end + 1] == "(":
                    self.mask(start, end, "_" * len(name))
            elif name == "for" and last == _OPEN and frame is not None and frame.opener in "[{" and not frame.is_body:
                if not _FOR_VARIABLE.match(self.text, end):
                    self.error(*explanation.FOR_WITHOUT_VARIABLE, start, end)
                frame.is_for = True
                frame.newlines_count = False
                self.last = _KEYWORD
            elif name in ("in", "if") and last != _DOT and frame is not None and frame.is_for:
                self.last = _KEYWORD
            else:
                self.mask(start, end, "_" * len(name))

    # Brackets

    def _open(self, start: int) -> int:
        opener = self.text[start]
        if opener == "[" and (splat := _FULL_SPLAT.match(self.text, start)):
            self.mask(start, splat.end(), "[*]".ljust(splat.end() - start))
            self.last = _OPERAND
            return splat.end()
        # A brace after a word belongs to a block; a brace where a value may stand opens an object.
        outer_is_body = self.frames[-1].is_body if self.frames else self.is_file
        is_body = opener == "{" and outer_is_body and self.last in (_OPERAND, _NUMBER, _LINE_END)
        self._push(_Frame(opener, start, opener == "{", is_body))
        return start + 1

    def _push(self, frame: _Frame) -> None:
        self.frames.append(frame)
        self.last = _OPEN
        if len(self.frames) == MAX_DEPTH + 1:
            self.error(*explanation.too_deep(MAX_DEPTH), frame.start, frame.start + 1)

    def _close(self, start: int, *, strip_after: bool) -> int:
        """Close the innermost bracket or sequence with the bracket at `start`; where to go on."""
        closer = self.text[start]
        frames = self.frames
        if not frames:
            self.error(*explanation.closes_nothing(closer), start, start + 1)
            self.mask(start, start + 1, " ")
            return start + 1
        frame = frames.pop()
        if _CLOSER[frame.opener] != closer:
            opener = SourceRange(self.source, frame.start, frame.start + len(frame.opener))
            self.error(
                *explanation.mismatched(closer, frame.opener, _CLOSER[frame.opener]),
                start,
                start + 1,
                related=(("opened here", opener),),
            )
            # Go on as if everything inside had been closed where a bracket further out fits; else ignore this one.
            frames.append(frame)
            for depth in range(len(frames) - 1, max(-1, len(frames) - MAX_DEPTH), -1):
                frame = frames[depth]
                if _CLOSER[frame.opener] == closer or frame.template is not None:
                    break
            if _CLOSER[frame.opener] != closer:
                return start + 1
            del frames[depth:]
        self.last = _OPERAND
        if frame.template is None or frame.piece is None:
            return start + 1
        self.mask(start, start + 1, ")")
        frame.template.pieces.append(frame.piece._replace(end=start + 1, strip_after=strip_after))
        return self.template_text(frame.template, start + 1)

    # Templates

    def template_text(self, template: TemplateText, position: int) -> int:
        """Go on with the text of `template`: to the expression of its next sequence, or past its end."""
        text = self.text
        while True:
            start = position
            if template.style == "quoted":
                position = _QUOTED_TEXT.match(text, position).end()  # type: ignore[union-attr]
                ends = text[position : position + 1] == '"'
            else:
                position, ends = self._unquoted_text(template, position)
            if position > start:
                template.pieces.append(Piece("text", start, position))
                self.mask(start, position, " " * (position - start))
            if ends:
                return self._template_end(template, position)
            sequence = _SEQUENCE.match(text, position)
            if sequence is None:
                return self._unterminated(template, position)
            strip_before, inside = bool(sequence.group(1)), sequence.end()
            piece = Piece("value", position, inside, strip_before)
            if text[position] == "%":
                directive = _DIRECTIVE.match(text, inside)
                if directive is None:
                    reason, length = explanation.directive(text[inside : inside + 80])
                    self.error(*reason, position, inside + length)
                elif word := directive.group(5):
                    template.pieces.append(
                        piece._replace(kind=word, end=directive.end(), strip_after=bool(directive.group(6)))
                    )
                    self.mask(position, directive.end(), " " * (directive.end() - position))
                    position = directive.end()
                    continue
                else:
                    inside = directive.end()
                    names = tuple(name for name in directive.group(3, 4) if name)
                    piece = piece._replace(kind=directive.group(1) or "for", names=names)
            first = not any(piece.kind in ("value", "if", "for") for piece in template.pieces)
            self.mask(position, inside, (" (" if first else ",(").ljust(inside - position))
            self._push(_Frame(text[position : position + 2], position, False, template=template, piece=piece))
            return inside

    def _template_end(self, template: TemplateText, position: int) -> int:
        """Finish `template`, whose quote, or the line of whose end marker, begins at `position`; where to go on."""
        last = '"' if template.style == "quoted" else template.marker
        template.end = end = self.text.index(last, position) + len(last)
        if template.style != "bare":
            self.mask(position, end, " " * (end - position - 1) + "]")
        if template.misplaced:
            self._unmask(template.start)
            self.mask(template.start, end, '"' + "_" * (end - template.start - 2) + '"')
        self.templates[template.start] = template
        self.last = _OPERAND
        return end

    def _heredoc(self, start: int, position: int, marker: str, flush: bool) -> int:
        """Begin the heredoc that is introduced from `start` to `position`; where to go on."""
        text = self.text
        last_line = _marker_line(marker).search(text, position)
        if last_line is None:
            return self._unterminated_heredoc(start, position, marker)
        template = TemplateText(start, "heredoc", self.last in (_OPERAND, _NUMBER), marker, flush)
        content = text[position : last_line.start()]
        if "${" in content or "%{" in content:
            self.mask(start, position, "[".ljust(position - start))
            return self.template_text(template, position)
        template.pieces.append(Piece("text", position, last_line.start()))
        template.end = end = last_line.end(1)
        self.templates[start] = template
        self.mask(start, end, '"' + "_" * (end - start - 2) + '"' if template.misplaced else "_" * (end - start))
        self.last = _OPERAND
        return end

    def _unquoted_text(self, template: TemplateText, position: int) -> tuple[int, bool]:
        """The end of the text at `position`, and whether the template ends there, else a sequence or the file does."""
        text = self.text
        while True:
            begins_line = text[position - 1 : position] == "\n"
            end = _UNQUOTED_LINE.match(text, position).end()  # type: ignore[union-attr]
            character = text[end : end + 1]
            if template.style == "bare":
                if not character:
                    return end, True
            elif begins_line and character in ("\n", "") and text[position:end].strip() == template.marker:
                return position, True
            if character != "\n":
                return end, False
            position = end + 1

    # Recovery

    def _unmask(self, start: int) -> None:
        """Take back what was masked from `start` on."""
        while self.copied > start:
            self.copied -= len(self.masked.pop()) + len(self.masked.pop())

    def _invalid(self, position: int) -> int:
        while self.text[position] in " \t":
            position += 1
        reason, end = explanation.invalid_character(self.text, position)
        line_end = self.text.find("\n", position, end)
        self.error(*reason, position, line_end if line_end >= 0 else end)
        if self.text.startswith("<<", position) and self._may_recover():
            # Meant for a heredoc: leave out what was meant for its text.
            marker = re.compile(_NAME).search(self.text, position, end)
            last_line = None if marker is None else _marker_line(marker.group()).search(self.text, end)
            end = end if last_line is None else last_line.end()
        self.mask(position, end, " " * (end - position))
        self.last = _OPERATOR if self.text[position] == "\\" else _OPERAND
        return end

    def _unterminated(self, template: TemplateText, position: int) -> int:
        """A line, or the file, ends within the text of `template`; where to go on."""
        if template.style == "heredoc":
            return self._unterminated_heredoc(template.start, template.start, template.marker)
        text = self.text
        # A sequence that reaches over the end of its line, or in which a string is broken, is the one not closed.
        culprits = [piece.start for piece in template.pieces if "\n" in text[piece.start : piece.end]]
        culprits += [
            frame.start
            for frame in reversed(self.frames)
            if frame.template is not None
            and frame.template.style == "quoted"
            and "\n" not in text[frame.start : position]
        ]
        if culprits and self._may_recover():
            return self._unclosed_sequence(culprits[0], template.start)
        line = text[template.start : position].rstrip()
        if template.misplaced and line.endswith("{"):
            # A label: the brace is that of the block.
            position = template.start + len(line) - 1
            self.error(*explanation.UNTERMINATED_STRING, template.start, position)
        elif (end := explanation.closing_quote(text, position)) is not None:
            self.error(*explanation.STRING_OF_SEVERAL_LINES, template.start, position)
            position = end
        else:
            self.error(*explanation.UNTERMINATED_STRING, template.start, position)
        self._unmask(template.start)
        self.mask(template.start, position, " " * (position - template.start))
        self.last = _OPERAND
        return position

    def _unclosed_sequence(self, start: int, template_start: int) -> int:
        """Leave out the strings that the `${` or `%{` at `start` stands in, up to the end of its line."""
        self.error(*explanation.unclosed_sequence(self.text[start : start + 2]), start, start + 2)
        outermost = next(
            (
                index
                for index, frame in enumerate(self.frames)
                if frame.template is not None and frame.template.style == "quoted"
            ),
            None,
        )
        if outermost is not None:
            template = self.frames[outermost].template
            assert template is not None
            template_start = min(template_start, template.start)
            del self.frames[outermost:]
        line_end = self.text.find("\n", start)
        line_end = line_end if line_end >= 0 else len(self.text)
        self._rewind(template_start, line_end)
        self.last = _OPERAND
        return line_end

    def _unterminated_heredoc(self, start: int, position: int, marker: str) -> int:
        text = self.text
        self.is_open |= not self.diagnostics.items
        introduced = text.find("\n", start)
        nearly = re.compile(rf"^[ \t]*({re.escape(marker)})\b", re.MULTILINE).search(text, introduced)
        end = nearly.end(1) if nearly is not None and self._may_recover() else len(text)
        related = () if nearly is None else (("not alone on this line", SourceRange(self.source, *nearly.span(1))),)
        self.error(*explanation.unterminated_heredoc(marker), start, introduced, related=related)
        while self.frames and self.frames[-1].start > start:
            self.frames.pop()
        self._rewind(start, end)
        self.last = _OPERAND
        return end

    def _end_of_file(self) -> int | None:
        """Where to go on when the file ends within brackets: at a line that looks like the next block."""
        frames = self.frames
        if not frames:
            return None
        self.is_open |= not self.diagnostics.items
        sequence = next((frame for frame in frames if frame.template is not None), None)
        if sequence is not None and sequence.template is not None:
            template = sequence.template
            if template.style == "quoted" and self._may_recover():
                return self._unclosed_sequence(sequence.start, template.start)
            self.error(*explanation.unclosed_sequence(sequence.opener), sequence.start, sequence.start + 2)
            return None
        outermost = frames[0]
        header = explanation.BLOCK_HEADER if outermost.is_body else explanation.BLOCK_OR_ARGUMENT
        resume = next(
            (offset for offset in self.resume_points if offset > outermost.start and header.match(self.text, offset)),
            None,
        )
        culprit = self._unclosed(outermost.start, resume or len(self.text))
        self.error(
            *explanation.unclosed(self.text[culprit], _CLOSER[self.text[culprit]]),
            culprit,
            culprit + 1,
            related=() if resume is None else (("still open here", SourceRange(self.source, resume, resume + 1)),),
        )
        frames.clear()
        if resume is None or not self._may_recover():
            return None
        self._rewind(resume, resume)
        self.last = _LINE_END
        return resume

    def _unclosed(self, start: int, end: int) -> int:
        """Of the brackets from `start` to `end` the one to blame: closed by one of another indentation, or never."""
        masked = "".join(self.masked) + self.text[self.copied :]
        stack: list[int] = []
        for match in _BRACKET.finditer(masked, start, end):
            at = match.start()
            if match.group() in "([{":
                stack.append(at)
            elif stack:
                opener = stack.pop()
                if masked.find("\n", opener, at) >= 0 and self._indentation(opener) != self._indentation(at):
                    return opener
        return start

    def _indentation(self, position: int) -> str:
        line_start = self.text.rfind("\n", 0, position) + 1
        line = self.text[line_start : position + 1]
        return line[: len(line) - len(line.lstrip())]

    def _may_recover(self) -> bool:
        self.recoveries += 1
        return self.recoveries <= _MAX_RECOVERIES

    def _rewind(self, start: int, end: int) -> None:
        """Blank the text from `start` to `end`, and forget what was found beyond."""
        self._unmask(start)
        self.mask(start, end, " " * (end - start))
        self._forget_from(end)

    def _forget_from(self, position: int) -> None:
        self.items[:] = [item for item in self.items if item < position]
        self.resume_points[:] = [offset for offset in self.resume_points if offset < position]
        kept = [
            diagnostic for diagnostic in self.diagnostics if diagnostic.subject and diagnostic.subject.start < position
        ]
        self.diagnostics.items[:] = kept
        self.lines_with_errors = {diagnostic.subject.line for diagnostic in kept if diagnostic.subject}
