"""
The content of quoted strings and heredocs: escapes, indentation, strip markers, directives.

The scanner has cut a template into pieces and python-hcl2 has parsed the expressions in it; here they become a
`Literal` or a `Template`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast
from planner.syntax.masked import Piece, TemplateText

# HCL's idea of white space. Python's counts the separators U+001C to U+001F, too.
_SPACE = "\t\n\v\f\r \u0085\u00a0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{0,4}|U[0-9A-Fa-f]{0,8}|[^\n]|$)|\$\$\{|%%\{")
_SEQUENCE_ESCAPE = re.compile(r"\$\$\{|%%\{")
_CHARACTERS = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\", "$${": "${", "%%{": "%{"}


def quoted_text(source: Source, start: int, end: int, diagnostics: Diagnostics) -> str:
    """The text that stands from `start` to `end` inside quotes, with its escapes resolved."""
    text = source.text[start:end]
    if "\\" in text or "{" in text:

        def resolve(match: re.Match[str]) -> str:
            escape = match.group()
            character = _CHARACTERS.get(escape)
            if character is not None:
                return character
            if len(escape) == (6 if escape[1:2] == "u" else 10):
                code = int(escape[2:], 16)
                if code < 0x110000 and not 0xD800 <= code < 0xE000:
                    return chr(code)
            diagnostics.error(
                "Invalid escape sequence",
                'After a backslash stand n, r, t, ", \\, or uXXXX and UXXXXXXXX with the hexadecimal number of a '
                "character. Write \\\\ for a backslash itself.",
                SourceRange(source, start + match.start(), start + match.end()),
            )
            return escape

        text = _ESCAPE.sub(resolve, text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def unquoted_text(text: str) -> str:
    """The text of a heredoc's line or of a bare template, where backslashes mean nothing."""
    if "{" in text:
        text = _SEQUENCE_ESCAPE.sub(lambda match: match.group()[1:], text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


@dataclass(slots=True)
class _Text:
    value: str


@dataclass(slots=True)
class _Open:
    """A directive that waits for its end."""

    piece: Piece
    expression: ast.Expression
    parts: list[ast.TemplatePart] = field(default_factory=list)
    before_else: list[ast.TemplatePart] | None = None


def assemble(
    source: Source, template: TemplateText, expressions: Iterator[ast.Expression], diagnostics: Diagnostics
) -> ast.Literal | ast.Template:
    """
    The value of `template`.

    Args:
        expressions: those of its interpolations and directives, in order.
    """
    whole = SourceRange(source, template.start, template.end)
    tokens: list[_Text | Piece] = []
    for piece in template.pieces:
        if piece.kind != "text":
            tokens.append(piece)
        elif template.style == "quoted":
            tokens.append(_Text(quoted_text(source, piece.start, piece.end, diagnostics)))
        else:
            # HCL takes each line of a heredoc for a text of its own, which strip markers do not reach over.
            tokens.extend(_Text(unquoted_text(line)) for line in _lines(source.text[piece.start : piece.end]))
    _strip(tokens)
    if template.flush:
        _flush(tokens)
    if not any(isinstance(token, Piece) for token in tokens):
        return ast.Literal("".join(token.value for token in tokens if isinstance(token, _Text)), whole)
    return ast.Template(_nest(source, tokens, expressions, diagnostics), whole)


def nesting(template: TemplateText) -> int:
    """How deep the directives of `template` stand within each other."""
    depth = deepest = 0
    for piece in template.pieces:
        if piece.kind in ("if", "for"):
            depth += 1
            deepest = max(deepest, depth)
        elif piece.kind in ("endif", "endfor"):
            depth -= 1
    return deepest


def _lines(text: str) -> Iterator[str]:
    return (match.group() for match in re.finditer(r"[^\n]*\n|[^\n]+", text))


def _strip(tokens: list[_Text | Piece]) -> None:
    for index, token in enumerate(tokens):
        if isinstance(token, Piece):
            if token.strip_before and index > 0:
                before = tokens[index - 1]
                if isinstance(before, _Text):
                    before.value = before.value.rstrip(_SPACE)
            if token.strip_after and index + 1 < len(tokens):
                after = tokens[index + 1]
                if isinstance(after, _Text):
                    after.value = after.value.lstrip(_SPACE)


def _flush(tokens: list[_Text | Piece]) -> None:
    """Take off the smallest indentation; a line that begins with a sequence has none."""
    smallest: int | None = None
    indented: list[_Text] = []
    newline = True
    for token in tokens:
        if newline:
            newline = False
            spaces: int | None = 0
            if isinstance(token, _Text):
                bare = token.value.lstrip(_SPACE)
                if not bare and token.value.endswith("\n"):
                    spaces = None
                else:
                    spaces = len(token.value) - len(bare)
                    indented.append(token)
            if spaces is not None and (smallest is None or spaces < smallest):
                smallest = spaces
        if isinstance(token, _Text) and token.value.endswith("\n"):
            newline = True
    for text in indented:
        text.value = text.value[smallest or 0 :]


def _nest(
    source: Source, tokens: list[_Text | Piece], expressions: Iterator[ast.Expression], diagnostics: Diagnostics
) -> tuple[ast.TemplatePart, ...]:
    parts: list[ast.TemplatePart] = []
    open_directives: list[_Open] = []
    for token in tokens:
        if isinstance(token, _Text):
            if parts and isinstance(parts[-1], str):
                parts[-1] += token.value
            elif token.value or len(tokens) == 2:
                # "${x ~} " is a text even when nothing of its text is left: the empty part says so.
                parts.append(token.value)
            continue
        range = SourceRange(source, token.start, token.end)
        if token.kind == "value":
            parts.append(ast.Interpolation(next(expressions), range))
        elif token.kind in ("if", "for"):
            open_directives.append(_Open(token, next(expressions), parts))
            parts = []
        else:
            directive = open_directives[-1] if open_directives else None
            expected = {"endif": "if", "else": "if", "endfor": "for"}[token.kind]
            if directive is None or directive.piece.kind != expected:
                diagnostics.error(
                    "Unexpected template directive", f'This "{token.kind}" belongs to no open "{expected}".', range
                )
            elif token.kind == "else":
                if directive.before_else is not None:
                    diagnostics.error("Unexpected template directive", 'This "if" has an "else" already.', range)
                    continue
                directive.before_else, parts = parts, []
            else:
                open_directives.pop()
                finished = _finish(source, directive, parts, token.end)
                parts = directive.parts
                parts.append(finished)
    for directive in reversed(open_directives):
        diagnostics.error(
            "Unclosed template directive",
            f'The "{directive.piece.kind}" needs an "%{{ end{directive.piece.kind} }}".',
            SourceRange(source, directive.piece.start, directive.piece.end),
        )
        parts = directive.parts
    return tuple(parts)


def _finish(source: Source, directive: _Open, parts: list[ast.TemplatePart], end: int) -> ast.TemplatePart:
    range = SourceRange(source, directive.piece.start, end)
    if directive.piece.kind == "if":
        then, otherwise = (parts, []) if directive.before_else is None else (directive.before_else, parts)
        return ast.TemplateIf(directive.expression, tuple(then), tuple(otherwise), range)
    names = directive.piece.names
    key, value = names if len(names) == 2 else (None, names[0])
    return ast.TemplateFor(key, value, directive.expression, tuple(parts), range)
