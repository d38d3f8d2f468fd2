"""
Text to syntax tree: the scanner masks it, python-hcl2 parses it, and its tree becomes ours.

Where something is wrong, each argument or block at the top of a file is parsed by itself, so that one run reports every
broken one.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast, explanation, templates
from planner.syntax.refusal import Refusal, explain
from planner.syntax.scanner import MAX_DEPTH, Scan, TemplateText, scan_expression, scan_file, scan_template

if TYPE_CHECKING:
    # python-hcl2 has no types: a Lark `Tree` has `data` (the rule) and `children`; a `Token` is a `str` with offsets.
    Tree = Any
    Token = Any

_BATCH = 1 << 14
"""Characters parsed together: so many that the cost of a call is nothing, so few that a broken item costs little."""

MAX_DIGITS = 4000
"""More are beyond what Python reads as a number, and far beyond what any value here can mean."""

_ITEM = re.compile(r"[A-Za-z_][^\n]*[={]")
_EXPONENT = re.compile(r"[eE]([+-]?\d+)")


def parse_file(source: Source) -> tuple[ast.Body, Diagnostics]:
    """
    The arguments and blocks of a file, without those that are broken: the diagnostics are about these.

    Never raises, whatever the text is.
    """
    scanned = scan_file(source)
    adapter = _Adapter(scanned)
    arguments, blocks = adapter.sort_out(adapter.file_items())
    body = ast.Body(arguments, blocks, SourceRange(source, 0, len(source.text)))
    return body, _in_order(scanned.diagnostics)


def parse_expression(source: Source) -> tuple[ast.Expression | None, Diagnostics]:
    """The one expression that `source` is, or None and why not. Newlines around it do not matter."""
    scanned = scan_expression(source)
    expression = _Adapter(scanned).whole_expression()
    return expression, _in_order(scanned.diagnostics)


def parse_template(source: Source) -> tuple[ast.Expression | None, Diagnostics]:
    """
    The template that `source` is as a whole, as a file for `templatefile` is: without quotes, and without escapes but
    `$${` and `%%{`. A `Literal` when there are no sequences in it; None when it is broken.
    """
    scanned = scan_template(source)
    expression = _Adapter(scanned).whole_template()
    return expression, _in_order(scanned.diagnostics)


def number(text: str) -> int | Fraction | None:
    """The exact value of a decimal number, or None when it has more than `MAX_DIGITS` digits."""
    if text.isdigit() and len(text) < MAX_DIGITS:
        return int(text)
    exponent = _EXPONENT.search(text)
    if len(text) > MAX_DIGITS or (exponent is not None and abs(int(exponent.group(1))) > MAX_DIGITS):
        return None
    value = Fraction(text)
    return value.numerator if value.denominator == 1 else value


def _in_order(diagnostics: Diagnostics) -> Diagnostics:
    diagnostics.items.sort(key=lambda diagnostic: diagnostic.subject.start if diagnostic.subject else 0)
    return diagnostics


class _TooDeep(Exception):
    """Expressions stand deeper within each other than later stages can walk; `.range` is where the limit is passed."""

    def __init__(self, range: SourceRange) -> None:
        super().__init__()
        self.range = range


class _Adapter:
    """
    Turns trees of python-hcl2 into ours.

    `base` is the offset in the source at which the text of the present tree begins.
    """

    def __init__(self, scanned: Scan) -> None:
        self.scanned = scanned
        self.source = scanned.source
        self.text = scanned.source.text
        self.masked = scanned.masked
        self.diagnostics = scanned.diagnostics
        self.base = 0
        self.depth = 0
        self._repeated: dict[str, Tree | None] = {}
        self._by_rule: dict[str, Callable[[Tree], ast.Expression]] = {
            "identifier": self._identifier,
            "literal_value": self._literal_value,
            "int_lit": self._number,
            "float_lit": self._number,
            "string": self._string,
            "tuple": self._tuple,
            "object": self._object,
            "function_call": self._call,
            "get_attr_expr_term": self._traversal,
            "index_expr_term": self._traversal,
            "attr_splat_expr_term": self._traversal,
            "full_splat_expr_term": self._traversal,
            "for_tuple_expr": self._for_tuple,
            "for_object_expr": self._for_object,
            "conditional": self._conditional,
            "binary_op": self._binary,
            "unary_op": self._unary,
        }

    # Whole texts

    def file_items(self) -> Iterator[ast.Argument | ast.Block]:
        """The items at the top, but for those that the scanner or python-hcl2 has found something wrong with."""
        starts = self.scanned.items
        self._ends = dict(zip(starts, [*starts[1:], len(self.masked)], strict=False))
        broken = {
            starts[max(0, bisect_right(starts, diagnostic.subject.start) - 1)]
            for diagnostic in self.diagnostics
            if diagnostic.subject is not None and starts
        }
        self._broken = broken
        shapes = Counter(self._shape(start) for start in starts if start not in broken)
        self._repeated = {shape: None for shape, count in shapes.items() if count > 1}
        batch: list[int] = []
        for start in starts:
            alone = start in broken or self._shape(start) in self._repeated
            if batch and (alone or start - batch[0] > _BATCH):
                yield from self._batch(batch)
                batch = []
            if start not in broken:
                batch.append(start)
                if alone:
                    yield from self._batch(batch)
                    batch = []
        yield from self._batch(batch)

    def _shape(self, start: int) -> str:
        """The masked text of an item. It decides the tree, and blocks that differ only in their strings share it."""
        return self.masked[start : self._ends[start]]

    def _batch(self, batch: list[int]) -> Iterator[ast.Argument | ast.Block]:
        """The items that begin at the offsets of `batch`, which follow each other."""
        if not batch:
            return
        start, end = batch[0], self._ends[batch[-1]]
        try:
            items = self._items(self._parse(self.masked[start:end], start))
            self._check_lines(items)
        except _refused() as error:
            if len(batch) == 1:
                self._broken.add(start)
                if not self._continues_broken(start):
                    self._refuse(error, start)
                return
        except _TooDeep as error:
            if len(batch) == 1:
                self.diagnostics.error(*explanation.too_deep(MAX_DEPTH), error.range)
                return
        else:
            yield from items
            return
        for start in batch:
            yield from self._batch([start])

    def _continues_broken(self, start: int) -> bool:
        """Whether the item is most likely a part of the broken one before: its first line neither sets nor opens."""
        starts = self.scanned.items
        index = bisect_right(starts, start) - 1
        return index > 0 and starts[index - 1] in self._broken and not _ITEM.match(self.masked, start)

    def whole_expression(self) -> ast.Expression | None:
        items = self.scanned.items
        if self.diagnostics.has_errors:
            return None
        if not items:
            self.error("Missing value", "A value was expected, and there is nothing.", 0, len(self.text))
            return None
        if len(items) > 1:
            self.error(*_NOT_THE_END, items[1], items[1] + 1)
            return None
        return self._value_of("_=", items[0], "", self.expression)

    def whole_template(self) -> ast.Expression | None:
        if self.diagnostics.has_errors:
            return None
        return self._value_of("_=[", 0, "]", lambda tree: self._template(self.scanned.templates[0], tree.children[0]))

    def _value_of(
        self, head: str, start: int, tail: str, convert: Callable[[Tree], ast.Expression]
    ) -> ast.Expression | None:
        """The value of the argument that `head` and `tail` make of the text from `start` on."""
        try:
            body = self._parse(head + self.masked[start:] + tail, start - len(head))
            argument, *others = self._trees(body)
            value = convert(argument.children[2])
            if others:
                begin = self.base + others[0].children[0].children[0].start_pos
                self.error(*_NOT_THE_END, begin, begin + 1)
        except _refused() as error:
            self._refuse(error, start)
        except _TooDeep as error:
            self.diagnostics.error(*explanation.too_deep(MAX_DEPTH), error.range)
        return None if self.diagnostics.has_errors else value

    def _parse(self, text: str, base: int) -> Tree:
        from hcl2 import parses_to_tree

        self.base = base
        self.depth = 0
        tree = self._repeated.get(text)
        if tree is None:
            tree = parses_to_tree(text).children[0]
            if text in self._repeated:
                self._repeated[text] = tree
        return tree

    def _refuse(self, error: Any, start: int) -> None:
        position = min(max(self.base + (error.pos_in_stream or 0), start), len(self.text))
        accepts = frozenset(error.accepts if hasattr(error, "accepts") else error.allowed)
        reason, begin, end = explain(Refusal(self.text, self.masked, self.scanned.templates, start, position, accepts))
        self.error(*reason, begin, end)

    def error(self, summary: str, detail: str, start: int, end: int, **more: object) -> None:
        self.diagnostics.error(summary, detail, SourceRange(self.source, start, end), **more)

    # Pieces of a tree

    def _range(self, token: Token) -> SourceRange:
        base = self.base
        return SourceRange(self.source, base + token.start_pos, base + token.end_pos)

    def _span(self, tree: Tree) -> SourceRange:
        """From the first token of `tree` to the last: those are its own."""
        children, base = tree.children, self.base
        return SourceRange(self.source, base + children[0].start_pos, base + children[-1].end_pos)

    def _trees(self, tree: Tree) -> list[Tree]:
        """The children of `tree` that mean something, without its tokens and newlines."""
        return [child for child in tree.children if not isinstance(child, str) and child.data != "new_line_or_comment"]

    def _word(self, range: SourceRange) -> str:
        """The text of a name. Strings and heredocs look like names to python-hcl2."""
        word = self.text[range.start : range.end]
        if word.isascii():
            if word[0] in '"<':
                self.diagnostics.error("Invalid name", "A name stands here without quotes.", range)
            return word
        return unicodedata.normalize("NFC", word)

    def _deeper(self, levels: int, tree: Tree) -> None:
        self.depth += levels
        if self.depth > MAX_DEPTH:
            while not isinstance(tree, str):
                tree = tree.children[0]
            raise _TooDeep(self._range(tree))

    # Bodies

    def _items(self, body: Tree) -> list[ast.Argument | ast.Block]:
        return [
            self._argument(child) if child.data == "attribute" else self._block(child) for child in self._trees(body)
        ]

    def _check_lines(self, items: list[ast.Argument | ast.Block]) -> None:
        """Each item begins on a line after the one before it."""
        for previous, item in pairwise(items):
            if self._same_line(previous.range.end, item.range.start):
                what = "an argument" if isinstance(previous, ast.Argument) else "a block"
                self.diagnostics.error(
                    "Missing newline", f"Nothing else can stand on the line where {what} ends.", _head(item)
                )

    def _same_line(self, start: int, end: int) -> bool:
        return self.masked.find("\n", start, end) < 0

    def sort_out(
        self, items: Iterator[ast.Argument | ast.Block]
    ) -> tuple[tuple[ast.Argument, ...], tuple[ast.Block, ...]]:
        """The arguments and the blocks. The first of the arguments of one name stands; the others are reported."""
        arguments: dict[str, ast.Argument] = {}
        blocks: list[ast.Block] = []
        for item in items:
            if isinstance(item, ast.Block):
                blocks.append(item)
            elif (first := arguments.setdefault(item.name, item)) is not item:
                self.diagnostics.error(
                    "Duplicate argument",
                    f'"{item.name}" is set already. An argument stands once.',
                    item.name_range,
                    related=(("first set here", first.name_range),),
                )
        return tuple(arguments.values()), tuple(blocks)

    def _argument(self, tree: Tree) -> ast.Argument:
        name_tree, _, value_tree = tree.children
        name_range = self._range(name_tree.children[0])
        if self.text[name_range.start] == '"':
            self.diagnostics.error(
                "Invalid argument name",
                "The name of an argument stands without quotes. A map with any keys is a value, after an equals sign: "
                "tags = { ... }.",
                name_range,
            )
            return ast.Argument(name_range.text, self.expression(value_tree), name_range, name_range)
        value = self.expression(value_tree)
        return ast.Argument(
            self._word(name_range), value, name_range, SourceRange(self.source, name_range.start, value.range.end)
        )

    def _block(self, tree: Tree) -> ast.Block:
        *header, opening, body_tree, closing = tree.children
        type_range = self._range(header[0].children[0])
        labels = tuple(self._label(child) for child in header[1:] if child.data != "new_line_or_comment")
        header_end = labels[-1].range.end if labels else type_range.end
        brace, end = self._range(opening), self._range(closing)
        if not self._same_line(header_end, brace.start):
            self.diagnostics.error(
                "Brace on a line of its own", 'The "{" of a block stands on the line of its type and labels.', brace
            )
        self._deeper(1, tree)
        items = self._items(body_tree)
        self.depth -= 1
        if items:
            self._check_block_lines(brace, items, end)
        arguments, blocks = self.sort_out(iter(items))
        return ast.Block(
            self._word(type_range),
            labels,
            ast.Body(arguments, blocks, SourceRange(self.source, brace.end, end.start)),
            type_range,
            SourceRange(self.source, type_range.start, header_end),
            SourceRange(self.source, type_range.start, end.end),
        )

    def _check_block_lines(
        self, opening: SourceRange, items: list[ast.Argument | ast.Block], closing: SourceRange
    ) -> None:
        """A block stands on one line, with one argument at most, or its braces stand on other lines than its items."""
        first, last = items[0], items[-1]
        closes_on_line = self._same_line(last.range.end, closing.start)
        if not self._same_line(opening.end, first.range.start):
            self._check_lines(items)
            if closes_on_line:
                self.diagnostics.error(
                    "Missing newline",
                    'The "}" of a block that holds more than one line stands on a line of its own.',
                    closing,
                )
        elif isinstance(first, ast.Block):
            self.diagnostics.error(
                "Invalid single-line block", "A block within a block stands on lines of its own.", first.header_range
            )
        elif len(items) > 1:
            self.diagnostics.error(
                "Invalid single-line block",
                'A block of one line holds one argument. Begin a new line after the "{" to write more.',
                _head(items[1]),
                related=(("the block begins here", opening),),
            )
        elif not closes_on_line:
            self.diagnostics.error(
                "Invalid single-line block",
                'An argument on the line of the "{" makes a block of one line, which has its "}" there, too. Begin a '
                'new line after the "{", or close the block on this one.',
                first.range,
            )

    def _label(self, tree: Tree) -> ast.Label:
        range = self._span(tree)
        if range.start in self.scanned.templates:
            self.diagnostics.error(
                "Invalid block label",
                "A label is a plain word or string, without interpolation, and no heredoc.",
                range,
            )
        elif self.text[range.start] == '"':
            return ast.Label(
                templates.quoted_text(self.source, range.start + 1, range.end - 1, self.diagnostics), range
            )
        return ast.Label(range.text, range)

    # Expressions

    def expression(self, tree: Tree) -> ast.Expression:
        while tree.data == "expr_term":
            children = tree.children
            if len(children) > 1:
                [inner] = self._nested(self._trees(tree), tree)
                return ast.Parentheses(inner, self._span(tree))
            tree = children[0]
        return self._by_rule[tree.data](tree)

    def _nested(self, trees: list[Tree], within: Tree, levels: int = 1) -> list[ast.Expression]:
        self._deeper(levels, within)
        expressions = [self.expression(tree) for tree in trees]
        self.depth -= levels
        return expressions

    def _identifier(self, tree: Tree) -> ast.Expression:
        range = self._range(tree.children[0])
        first = self.text[range.start]
        if first == '"':
            return ast.Literal(
                templates.quoted_text(self.source, range.start + 1, range.end - 1, self.diagnostics), range
            )
        if first == "<":
            return templates.assemble(self.source, self.scanned.templates[range.start], iter(()), self.diagnostics)
        name = self._word(range)
        if ":" in name:
            self.diagnostics.error(
                "Missing arguments", f'"{name}" is the name of a function, and "(" should follow.', range
            )
        return ast.Name(name, range)

    def _string(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        return ast.Literal(templates.quoted_text(self.source, range.start + 1, range.end - 1, self.diagnostics), range)

    def _literal_value(self, tree: Tree) -> ast.Expression:
        token = tree.children[0]
        return ast.Literal(_LITERALS[token.type], self._range(token))

    def _number(self, tree: Tree) -> ast.Expression:
        range = self._range(tree.children[0])
        text = self.text[range.start : range.end]
        value = number(text)
        if value is None:
            self.diagnostics.error("Invalid number", f"A number has {MAX_DIGITS} digits at most.", range)
        return ast.Literal(value or 0, range)

    def _tuple(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        if self.text[range.start] != "[":
            return self._template(self.scanned.templates[range.start], tree)
        return ast.Tuple(tuple(self._nested(self._trees(tree), tree)), range)

    def _template(self, template: TemplateText, tree: Tree) -> ast.Expression:
        # The scanner has put each expression of the tuple into parentheses.
        trees = [self._trees(child)[0] for child in self._trees(tree)]
        values = self._nested(trees, tree, 1 + templates.nesting(template))
        return templates.assemble(self.source, template, iter(values), self.diagnostics)

    def _object(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        self._deeper(1, tree)
        items: list[ast.ObjectItem] = []
        end = -1
        for child in self._trees(tree):
            key_tree, _, value_tree = child.children
            key, value = self._key(key_tree.children[0]), self.expression(value_tree)
            start = key.range.start
            if items and self.masked.find(",", end, start) < 0 and self._same_line(end, start):
                self.diagnostics.error(
                    "Missing comma", "A comma or a new line separates the items of an object.", key.range
                )
            end = value.range.end
            items.append(ast.ObjectItem(key, value, SourceRange(self.source, start, end)))
        self.depth -= 1
        return ast.Object(tuple(items), range)

    def _key(self, tree: Tree) -> ast.Expression:
        key = self.expression(tree)
        match key:
            case ast.Name(name, range):
                return ast.Literal(name, range)
            case ast.Literal(bool() | None, range):
                return ast.Literal(range.text, range)
            case ast.GetAttribute() | ast.Index() if _is_reference(key):
                self.diagnostics.error(
                    "Ambiguous key",
                    "A reference as a key stands in parentheses; a key that holds dots stands in quotes.",
                    key.range,
                )
        return key

    def _call(self, tree: Tree) -> ast.Expression:
        children = tree.children
        name_range = self._range(children[0].children[0])
        range = SourceRange(self.source, name_range.start, self.base + children[-1].end_pos)
        arguments: list[ast.Expression] = []
        expand = False
        for child in children:
            if not isinstance(child, str) and child.data == "arguments":
                arguments = self._nested(self._trees(child), tree)
                expand = any(isinstance(token, str) and token == "..." for token in child.children)
        return ast.Call(self._word(name_range), tuple(arguments), expand, name_range, range)

    def _traversal(self, tree: Tree) -> ast.Expression:
        """A chain of `.name`, `[index]`, `.*` and `[*]`. python-hcl2 makes a tree for each, the last the outermost."""
        suffixes: list[Tree] = []
        while True:
            while tree.data == "expr_term" and len(tree.children) == 1:
                tree = tree.children[0]
            if not tree.data.endswith("_expr_term"):
                break
            tree, suffix = tree.children
            suffixes.append(suffix)
        steps: list[Tree | Token] = []
        for suffix in reversed(suffixes):
            if suffix.data in ("attr_splat", "full_splat"):
                steps.extend(suffix.children)
            else:
                steps.append(suffix)
        self._deeper(len(steps), tree)
        result = self._follow(self.expression(tree), steps)
        self.depth -= len(steps)
        return result

    def _follow(self, target: ast.Expression, steps: list[Tree | Token]) -> ast.Expression:
        source, start = self.source, target.range.start
        for index, step in enumerate(steps):
            if isinstance(step, str):
                return self._splat(target, step, steps[index + 1 :])
            if step.data == "get_attr":
                name_range = self._range(step.children[1].children[0])
                whole = SourceRange(source, start, name_range.end)
                target = ast.GetAttribute(target, self._word(name_range), name_range, whole)
            elif step.data == "short_index":
                key_range = self._range(step.children[1])
                target = ast.Index(target, self._legacy_key(key_range), SourceRange(source, start, key_range.end))
            else:
                key = self.expression(self._trees(step)[0])
                target = ast.Index(target, key, SourceRange(source, start, self.base + step.children[-1].end_pos))
        return target

    def _legacy_key(self, range: SourceRange) -> ast.Literal:
        digits = range.text
        if len(digits) > MAX_DIGITS:
            self.diagnostics.error("Invalid number", f"A number has {MAX_DIGITS} digits at most.", range)
            return ast.Literal(0, range)
        return ast.Literal(int(digits), range)

    def _splat(self, target: ast.Expression, marker: Token, rest: list[Tree | Token]) -> ast.Expression:
        """After `[*]` all that follows is done to each element; after `.*` only names and numbers with dots are."""
        element_range = self._range(marker)
        if marker == "[*]":
            element_range = SourceRange(self.source, element_range.start, self.text.index("]", element_range.start) + 1)
            each = self._follow(ast.SplatElement(element_range), rest)
            return ast.Splat(target, each, target.range.to(each.range))
        count = 0
        while count < len(rest) and not isinstance(rest[count], str) and rest[count].data != "braces_index":
            count += 1
        if count < len(rest) and rest[count] == ".*":
            self.diagnostics.error(
                "Nested splat",
                'After ".*" no second one can follow. Write [*] for the first.',
                self._range(rest[count]),
            )
        each = self._follow(ast.SplatElement(element_range), rest[:count])
        return self._follow(ast.Splat(target, each, target.range.to(each.range)), rest[count:])

    def _conditional(self, tree: Tree) -> ast.Expression:
        condition, then, otherwise = self._nested(self._trees(tree), tree)
        return ast.Conditional(condition, then, otherwise, condition.range.to(otherwise.range))

    def _binary(self, tree: Tree) -> ast.Expression:
        """Operators of one precedence in a row. python-hcl2 makes a tree for each, the last the outermost."""
        terms: list[Tree] = []
        while tree.data == "binary_op":
            terms.append(tree.children[1])
            tree = tree.children[0]
        self._deeper(len(terms), tree)
        left = self.expression(tree)
        for term in reversed(terms):
            operator_tree, right_tree = self._trees(term)
            right = self.expression(right_tree)
            operator = self._range(operator_tree.children[0])
            left = ast.Binary(operator.text.strip(), left, right, left.range.to(right.range))
        self.depth -= len(terms)
        return left

    def _unary(self, tree: Tree) -> ast.Expression:
        token, operand_tree = tree.children
        operator = self._range(token)
        offsets = (*self.scanned.unary.get(operator.start, ()), operator.start)
        self._deeper(len(offsets), tree)
        result = self.expression(operand_tree)
        self.depth -= len(offsets)
        for offset in reversed(offsets):
            result = ast.Unary(self.text[offset], result, SourceRange(self.source, offset, result.range.end))
        return result

    def _for_intro(self, tree: Tree) -> tuple[str | None, str, Tree]:
        *names, collection = self._trees(tree)
        words = [self._word(self._range(name.children[0])) for name in names]
        return (words[0], words[1], collection) if len(words) == 2 else (None, words[0], collection)

    def _for_tuple(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        intro, result_tree, *condition_tree = self._trees(tree)
        key, value, collection_tree = self._for_intro(intro)
        conditions = [self._trees(condition)[0] for condition in condition_tree]
        collection, result, *condition = self._nested([collection_tree, result_tree, *conditions], tree)
        return ast.ForTuple(key, value, collection, result, condition[0] if condition else None, range)

    def _for_object(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        intro, key_tree, value_tree, *condition_tree = self._trees(tree)
        key, value, collection_tree = self._for_intro(intro)
        conditions = [self._trees(condition)[0] for condition in condition_tree]
        collection, result_key, result_value, *condition = self._nested(
            [collection_tree, key_tree, value_tree, *conditions], tree
        )
        group = any(isinstance(child, str) and child == "..." for child in tree.children)
        return ast.ForObject(
            key, value, collection, result_key, result_value, group, condition[0] if condition else None, range
        )


_NOT_THE_END = explanation.Explanation("Unexpected text after the value", "One value was expected, and it ends before.")
_LITERALS = {"TRUE": True, "FALSE": False, "NULL": None}


def _refused() -> type[Exception]:
    """What python-hcl2 raises; imported late, since a run that finds all trees in the cache does without it."""
    import lark.exceptions

    refused: type[Exception] = lark.exceptions.UnexpectedInput
    return refused


def _head(item: ast.Argument | ast.Block) -> SourceRange:
    return item.name_range if isinstance(item, ast.Argument) else item.header_range


def _is_reference(expression: ast.Expression) -> bool:
    while isinstance(expression, ast.GetAttribute) or (
        isinstance(expression, ast.Index) and isinstance(expression.key, ast.Literal)
    ):
        expression = expression.target
    return isinstance(expression, ast.Name)
