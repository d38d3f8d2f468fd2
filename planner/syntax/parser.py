"""
Text to syntax tree: the scanner masks it, python-hcl2 parses it, and its tree becomes ours.

Where something is wrong, each argument or block at the top of a file is parsed by itself, so that one run reports every
broken one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast, explanation
from planner.syntax.adapter import Adapter, Item, TooDeep, Tree, trees_of
from planner.syntax.masked import MAX_DEPTH, MaskedText
from planner.syntax.refusal import Refusal, explain
from planner.syntax.scanner import scan_expression, scan_file, scan_template

_BATCH = 1 << 14
"""Characters parsed together: so many that the cost of a call is nothing, so few that a broken item costs little."""

_NAME_START = re.compile(r"[^\W\d]")
_NOT_THE_END = explanation.Explanation("Unexpected text after the value", "One value was expected, and it ends before.")


def parse_file(source: Source) -> tuple[ast.Body, Diagnostics]:
    """
    The arguments and blocks of a file, without those that are broken: the diagnostics are about these.

    Never raises, whatever the text is.
    """
    parser = _Parser(scan_file(source))
    arguments, blocks = parser.adapter.sort_out(parser.items())
    body = ast.Body(arguments, blocks, SourceRange(source, 0, len(source.text)))
    return body, _in_order(parser.diagnostics)


def parse_expression(source: Source) -> tuple[ast.Expression | None, Diagnostics]:
    """The one expression that `source` is, or None and why not. Newlines around it do not matter."""
    parser = _Parser(scan_expression(source))
    return parser.expression(), _in_order(parser.diagnostics)


def parse_template(source: Source) -> tuple[ast.Expression | None, Diagnostics]:
    """
    The template that `source` is as a whole, as a file for `templatefile` is: without quotes, and without escapes but
    `$${` and `%%{`. A `Literal` when there are no sequences in it; None when it is broken.
    """
    parser = _Parser(scan_template(source))
    return parser.template(), _in_order(parser.diagnostics)


def _in_order(diagnostics: Diagnostics) -> Diagnostics:
    diagnostics.items.sort(key=lambda diagnostic: diagnostic.subject.start if diagnostic.subject else 0)
    return diagnostics


class _Parser:
    def __init__(self, masked: MaskedText) -> None:
        self.masked = masked
        self.diagnostics = masked.diagnostics
        self.adapter = Adapter(masked)
        starts = masked.items
        self.ends = dict(zip(starts, [*starts[1:], len(masked.text)], strict=False))
        # The items that something is wrong with, by where they begin.
        self.broken = {
            starts[max(0, bisect_right(starts, diagnostic.subject.start) - 1)]
            for diagnostic in masked.diagnostics
            if diagnostic.subject is not None and starts
        }
        # Trees of masked texts that several items have: blocks that differ only in their strings are parsed once.
        shapes = Counter(self._shape(start) for start in starts if start not in self.broken)
        self.trees: dict[str, Tree | None] = {shape: None for shape, count in shapes.items() if count > 1}

    def items(self) -> Iterator[Item]:
        """The items at the top, but for those that the scanner or python-hcl2 has found something wrong with."""
        batch: list[int] = []
        for start in self.masked.items:
            alone = start in self.broken or self._shape(start) in self.trees
            if batch and (alone or start - batch[0] > _BATCH):
                yield from self._batch(batch)
                batch = []
            if start not in self.broken:
                batch.append(start)
                if alone:
                    yield from self._batch(batch)
                    batch = []
        if batch:
            yield from self._batch(batch)

    def _shape(self, start: int) -> str:
        """The masked text of an item, which decides its tree."""
        return self.masked.text[start : self.ends[start]]

    def _tree(self, text: str) -> Tree:
        tree = self.trees.get(text)
        if tree is None:
            tree = _parse(text)
            if text in self.trees:
                self.trees[text] = tree
        return tree

    def _batch(self, batch: list[int]) -> Iterator[Item]:
        """The items that begin at the offsets of `batch`, which follow each other."""
        start, end = batch[0], self.ends[batch[-1]]
        diagnosed = len(self.diagnostics)
        try:
            yield from self.adapter.items(self._tree(self.masked.text[start:end]), start)
            return
        except _refused() as error:
            if len(batch) == 1:
                self.broken.add(start)
                if not self._continues_broken(start):
                    self._refuse(error, start, start)
                return
        except TooDeep as error:
            if len(batch) == 1:
                self.diagnostics.error(*explanation.too_deep(MAX_DEPTH), error.range)
                return
            del self.diagnostics.items[diagnosed:]
        for start in batch:
            yield from self._batch([start])

    def _continues_broken(self, start: int) -> bool:
        """Whether the item is a line that no name begins, after a broken one: most likely a part of that."""
        starts = self.masked.items
        index = bisect_right(starts, start) - 1
        return index > 0 and starts[index - 1] in self.broken and not _NAME_START.match(self.masked.source.text, start)

    def expression(self) -> ast.Expression | None:
        items, end = self.masked.items, len(self.masked.text)
        if self.diagnostics.has_errors:
            return None
        if not items:
            self._error(explanation.Explanation("Missing value", "A value was expected, and there is nothing."), 0, end)
            return None
        if len(items) > 1:
            self._error(_NOT_THE_END, items[1], items[1] + 1)
            return None
        return self._value_of("_=", items[0], "", self.adapter.expression_at)

    def template(self) -> ast.Expression | None:
        if self.diagnostics.has_errors:
            return None
        return self._value_of("_=[", 0, "]", self.adapter.template_at)

    def _value_of(
        self, head: str, start: int, tail: str, convert: Callable[[Tree, int], ast.Expression]
    ) -> ast.Expression | None:
        """The value of the argument that `head` and `tail` make of the text from `start` on."""
        base = start - len(head)
        try:
            argument, *others = trees_of(_parse(head + self.masked.text[start:] + tail))
            value = convert(argument.children[2], base)
            if others:
                begin = base + others[0].children[0].children[0].start_pos
                self._error(_NOT_THE_END, begin, begin + 1)
        except _refused() as error:
            self._refuse(error, base, start)
        except TooDeep as error:
            # The brackets of a template's directives are the head's: these stand before the text.
            begin = max(start, error.range.start)
            self._error(explanation.too_deep(MAX_DEPTH), begin, max(begin + 1, error.range.end))
        return None if self.diagnostics.has_errors else value

    def _refuse(self, error: Any, base: int, start: int) -> None:
        """Say why python-hcl2 refused, in the text from `base` on, the item that begins at `start`."""
        masked = self.masked
        position = min(max(base + (error.pos_in_stream or 0), start), len(masked.text))
        accepts = frozenset(error.accepts if hasattr(error, "accepts") else error.allowed)
        self._error(*explain(Refusal(masked, start, position, accepts)))

    def _error(self, reason: explanation.Explanation, start: int, end: int) -> None:
        self.diagnostics.error(*reason, SourceRange(self.masked.source, start, end))


def _parse(text: str) -> Tree:
    from hcl2 import parses_to_tree

    return parses_to_tree(text).children[0]


def _refused() -> type[Exception]:
    """What python-hcl2 raises; imported late, since a run that finds all trees in the cache does without it."""
    import lark.exceptions

    refused: type[Exception] = lark.exceptions.UnexpectedInput
    return refused
