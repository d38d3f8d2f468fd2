"""
The masked text: what python-hcl2 is given to parse in place of the real one, and what it cannot be told in it.

It is of exactly the same length, everything stands where it stood, and only what its grammar would misread is written
differently:

    comments                                    spaces
    newlines that HCL ignores                   spaces
    "text", and <<EOT, without sequences        a name of underscores
    "a${x}b${y}"                                [  (x) ,(y)]: a tuple of the expressions in it
    `-a`, `a - b`                               `!a`, `a + b`: a minus could become part of a number
    `!!a`                                       ` !a`: of several unary operators the last is kept
    `x.for`, `core::upper`, `größe`             names of underscores

Positions in the tree that python-hcl2 makes of it are positions in the real text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from planner.diagnostics import Diagnostics, Source

MAX_DEPTH = 100
"""Brackets within brackets, and expressions within expressions: every later stage walks the tree by recursion."""


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
    """
    A quoted string with sequences, any heredoc, or a bare text, as it stands from `start` to `end`.

    `misplaced` when it follows a value, so that it is no tuple in the masked text, but a string.
    """

    start: int
    style: Literal["quoted", "heredoc", "bare"]
    misplaced: bool = False
    marker: str = ""
    flush: bool = False
    end: int = 0
    pieces: list[Piece] = field(default_factory=list)


@dataclass(slots=True)
class MaskedText:
    """
    What the scanner makes of a source.

    Attributes:
        text: the masked text.
        items: where each argument or block at the top begins; each reaches up to where the next one begins.
        templates: by the offset at which they begin.
        unary: from the offset of a unary operator to those of the masked ones before it, the outermost first.
        is_open: nothing is wrong but that it ends within brackets or a heredoc, so that further lines may complete it.
    """

    source: Source
    text: str
    items: list[int]
    templates: dict[int, TemplateText]
    unary: dict[int, tuple[int, ...]]
    diagnostics: Diagnostics
    is_open: bool
