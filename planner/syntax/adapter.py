"""
The tree of python-hcl2 to ours.

The rules of its grammar are dispatched on by name. Positions are those of the tokens, and every name, number and
operator is read in the real text, since the masked one holds others. Some rules of HCL that the grammar does not know
are checked on the way: what stands on a line, where words may be quoted, which keys are references.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import pairwise
from typing import Any

from planner.diagnostics import Diagnostics, SourceRange
from planner.syntax import ast, templates
from planner.syntax.masked import MAX_DEPTH, MaskedText, TemplateText

# python-hcl2 has no types: a Lark `Tree` has `data` (the rule) and `children`; a `Token` is a `str` with offsets.
Tree = Any
Token = Any

Item = ast.Argument | ast.Block

MAX_DIGITS = 4000
"""More are beyond what Python reads as a number, and far beyond what any value here can mean."""

_EXPONENT = re.compile(r"[eE]([+-]?\d+)")
_LITERALS = {"TRUE": True, "FALSE": False, "NULL": None}


def number(text: str) -> int | Fraction | None:
    """The exact value of a decimal number, or None when it has more than `MAX_DIGITS` digits."""
    if text.isdigit() and len(text) < MAX_DIGITS:
        return int(text)
    exponent = _EXPONENT.search(text)
    if len(text) > MAX_DIGITS or (exponent is not None and abs(int(exponent.group(1))) > MAX_DIGITS):
        return None
    value = Fraction(text)
    return value.numerator if value.denominator == 1 else value


class TooDeep(Exception):
    """Expressions stand deeper within each other than later stages can walk; `.range` is where the limit is passed."""

    def __init__(self, range: SourceRange) -> None:
        super().__init__()
        self.range = range


class Adapter:
    """
    Turns trees that were made of parts of `masked`.

    `base` is where in the source the text of the present tree begins; `depth` is how deep in it we are.
    """

    def __init__(self, masked: MaskedText) -> None:
        self.source = masked.source
        self.text = masked.source.text
        self.masked = masked.text
        self.templates = masked.templates
        self.unary = masked.unary
        self.diagnostics: Diagnostics = masked.diagnostics
        self.base = 0
        self.depth = 0
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

    def items(self, body: Tree, base: int) -> list[Item]:
        """
        The items of `body`, the tree of the text from `base` on.

        Raises:
            TooDeep: what was diagnosed before stands.
        """
        self.base, self.depth = base, 0
        items = self._items(body)
        self._check_lines(items)
        return items

    def expression_at(self, tree: Tree, base: int) -> ast.Expression:
        """As `items`, for an expression."""
        self.base, self.depth = base, 0
        return self.expression(tree)

    def template_at(self, tree: Tree, base: int) -> ast.Expression:
        """As `items`, for the tuple of the expressions in the template that the whole source is."""
        self.base, self.depth = base, 0
        return self._template(self.templates[0], tree.children[0])

    # Pieces of a tree

    def _range(self, token: Token) -> SourceRange:
        base = self.base
        return SourceRange(self.source, base + token.start_pos, base + token.end_pos)

    def _span(self, tree: Tree) -> SourceRange:
        """From the first token of `tree` to the last: those are its own."""
        children, base = tree.children, self.base
        return SourceRange(self.source, base + children[0].start_pos, base + children[-1].end_pos)

    def _word(self, range: SourceRange) -> str:
        """The text of a name. Strings and heredocs look like names to python-hcl2."""
        word = self.text[range.start : range.end]
        if word[0] in '"<':
            self.diagnostics.error("Invalid name", "A name stands here without quotes.", range)
        return word if word.isascii() else unicodedata.normalize("NFC", word)

    def _deeper(self, levels: int, tree: Tree) -> None:
        self.depth += levels
        if self.depth > MAX_DEPTH:
            while not isinstance(tree, str):
                tree = tree.children[0]
            raise TooDeep(self._range(tree))

    # Bodies

    def _items(self, body: Tree) -> list[Item]:
        return [self._argument(child) if child.data == "attribute" else self._block(child) for child in trees_of(body)]

    def _check_lines(self, items: list[Item]) -> None:
        """Each item begins on a line after the one before it."""
        for previous, item in pairwise(items):
            if self._same_line(previous.range.end, item.range.start):
                what = "an argument" if isinstance(previous, ast.Argument) else "a block"
                self.diagnostics.error(
                    "Missing newline", f"Nothing else can stand on the line where {what} ends.", _head(item)
                )

    def _same_line(self, start: int, end: int) -> bool:
        return self.masked.find("\n", start, end) < 0

    def sort_out(self, items: Iterable[Item]) -> tuple[tuple[ast.Argument, ...], tuple[ast.Block, ...]]:
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

    def _check_block_lines(self, opening: SourceRange, items: list[Item], closing: SourceRange) -> None:
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
        if range.start in self.templates:
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
                [inner] = self._nested(trees_of(tree), tree)
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
            return templates.assemble(self.source, self.templates[range.start], iter(()), self.diagnostics)
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
            return self._template(self.templates[range.start], tree)
        return ast.Tuple(tuple(self._nested(trees_of(tree), tree)), range)

    def _template(self, template: TemplateText, tree: Tree) -> ast.Expression:
        # The scanner has put each expression of the tuple into parentheses.
        trees = [trees_of(child)[0] for child in trees_of(tree)]
        values = self._nested(trees, tree, 1 + templates.nesting(template))
        return templates.assemble(self.source, template, iter(values), self.diagnostics)

    def _object(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        self._deeper(1, tree)
        items: list[ast.ObjectItem] = []
        end = -1
        for child in trees_of(tree):
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
            case ast.GetAttribute() | ast.Index() if is_reference(key):
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
                arguments = self._nested(trees_of(child), tree)
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
                key = self.expression(trees_of(step)[0])
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
        condition, then, otherwise = self._nested(trees_of(tree), tree)
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
            operator_tree, right_tree = trees_of(term)
            right = self.expression(right_tree)
            operator = self._range(operator_tree.children[0])
            left = ast.Binary(operator.text.strip(), left, right, left.range.to(right.range))
        self.depth -= len(terms)
        return left

    def _unary(self, tree: Tree) -> ast.Expression:
        token, operand_tree = tree.children
        operator = self._range(token)
        offsets = (*self.unary.get(operator.start, ()), operator.start)
        self._deeper(len(offsets), tree)
        result = self.expression(operand_tree)
        self.depth -= len(offsets)
        for offset in reversed(offsets):
            result = ast.Unary(self.text[offset], result, SourceRange(self.source, offset, result.range.end))
        return result

    def _for_intro(self, tree: Tree) -> tuple[str | None, str, Tree]:
        *names, collection = trees_of(tree)
        words = [self._word(self._range(name.children[0])) for name in names]
        return (words[0], words[1], collection) if len(words) == 2 else (None, words[0], collection)

    def _for_tuple(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        intro, result_tree, *condition_tree = trees_of(tree)
        key, value, collection_tree = self._for_intro(intro)
        conditions = [trees_of(condition)[0] for condition in condition_tree]
        collection, result, *condition = self._nested([collection_tree, result_tree, *conditions], tree)
        return ast.ForTuple(key, value, collection, result, condition[0] if condition else None, range)

    def _for_object(self, tree: Tree) -> ast.Expression:
        range = self._span(tree)
        intro, key_tree, value_tree, *condition_tree = trees_of(tree)
        key, value, collection_tree = self._for_intro(intro)
        conditions = [trees_of(condition)[0] for condition in condition_tree]
        collection, result_key, result_value, *condition = self._nested(
            [collection_tree, key_tree, value_tree, *conditions], tree
        )
        group = any(isinstance(child, str) and child == "..." for child in tree.children)
        return ast.ForObject(
            key, value, collection, result_key, result_value, group, condition[0] if condition else None, range
        )


def trees_of(tree: Tree) -> list[Tree]:
    """The children of `tree` that mean something, without its tokens and newlines."""
    return [child for child in tree.children if not isinstance(child, str) and child.data != "new_line_or_comment"]


def _head(item: Item) -> SourceRange:
    return item.name_range if isinstance(item, ast.Argument) else item.header_range


def is_reference(expression: ast.Expression) -> bool:
    """Whether it is a name, or a chain of attributes and plain indexes that begins with one."""
    while isinstance(expression, ast.GetAttribute) or (
        isinstance(expression, ast.Index) and isinstance(expression.key, ast.Literal)
    ):
        expression = expression.target
    return isinstance(expression, ast.Name)
