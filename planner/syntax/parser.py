"""
Text to syntax tree: the scanner masks it, python-hcl2 parses it, and its tree becomes ours.

Each argument or block at the top of a file is parsed by itself when something in it is wrong, so that one run reports
every broken one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast, templates
from planner.syntax.scanner import Scan, scan

_BATCH = 1 << 15
"""Characters parsed together: enough that the cost of a call is nothing, few enough that a broken item is cheap."""


def parse_file(source: Source) -> tuple[ast.Body, Diagnostics]:
    """
    The arguments and blocks of a file, without those that are broken: the diagnostics are about these.

    Never raises, whatever the text is.
    """
    scanned = scan(source)
    adapter = _Adapter(scanned)
    arguments: list[ast.Argument] = []
    blocks: list[ast.Block] = []
    for item in adapter.items():
        if isinstance(item, ast.Argument):
            arguments.append(item)
        else:
            blocks.append(item)
    adapter.check_names(arguments)
    body = ast.Body(tuple(arguments), tuple(blocks), SourceRange(source, 0, len(source.text)))
    return body, _sorted(adapter.diagnostics)


def parse_expression(source: Source) -> tuple[ast.Expression | None, Diagnostics]:
    """The one expression that `source` is, or None and why not. Newlines around it do not matter."""
    scanned = scan(source, expression=True)
    adapter = _Adapter(scanned)
    return adapter.whole_expression(), _sorted(adapter.diagnostics)


def _sorted(diagnostics: Diagnostics) -> Diagnostics:
    diagnostics.items.sort(key=lambda diagnostic: diagnostic.subject.start if diagnostic.subject else 0)
    return diagnostics


class _Adapter:
    """Turns trees of python-hcl2 into ours."""

    def __init__(self, scanned: Scan) -> None:
        self.scanned = scanned
        self.source = scanned.source
        self.text = scanned.source.text
        self.masked = scanned.masked
        self.templates = scanned.templates
        self.diagnostics = scanned.diagnostics
        self.base = 0
        self._by_rule: dict[str, Callable[[Any], ast.Expression]] = {
            "identifier": self._identifier,
            "literal_value": self._literal_value,
            "int_lit": self._number,
            "float_lit": self._number,
            "string": self._string,
            "tuple": self._tuple,
            "object": self._object,
            "function_call": self._call,
            "get_attr_expr_term": self._steps,
            "index_expr_term": self._steps,
            "attr_splat_expr_term": self._steps,
            "full_splat_expr_term": self._steps,
            "for_tuple_expr": self._for_tuple,
            "for_object_expr": self._for_object,
            "conditional": self._conditional,
            "binary_op": self._binary,
            "unary_op": self._unary,
        }

    # Items of a file

    def items(self) -> Iterator[ast.Argument | ast.Block]:
        starts = self.scanned.items
        broken = {self._item_of(diagnostic.subject) for diagnostic in self.diagnostics if diagnostic.subject}
        ends = [*starts[1:], len(self.masked)]
        batch: list[int] = []
        for index in range(len(starts)):
            if index in broken:
                yield from self._batch(batch, ends)
                batch = []
                continue
            batch.append(index)
            if ends[index] - starts[batch[0]] > _BATCH:
                yield from self._batch(batch, ends)
                batch = []
        yield from self._batch(batch, ends)

    def _item_of(self, subject: SourceRange) -> int:
        from bisect import bisect_right

        return max(0, bisect_right(self.scanned.items, subject.start) - 1)

    def _batch(self, batch: list[int], ends: list[int]) -> Iterator[ast.Argument | ast.Block]:
        if not batch:
            return
        from hcl2 import parses_to_tree
        from lark.exceptions import UnexpectedInput

        self.base = self.scanned.items[batch[0]]
        end = ends[batch[-1]]
        try:
            tree = parses_to_tree(self.masked[self.base : end])
        except UnexpectedInput as error:
            if len(batch) == 1:
                self._syntax_error(error, end)
                return
            for index in batch:
                yield from self._batch([index], ends)
            return
        yield from self._body_items(tree.children[0], top=True)

    def _syntax_error(self, error: Any, end: int) -> None:
        position = self.base + (error.pos_in_stream or 0)
        position = min(max(position, 0), end)
        self.error("Invalid syntax", "This was not expected here.", position, min(position + 1, len(self.text)))

    def whole_expression(self) -> ast.Expression | None:
        from hcl2 import parses_to_tree
        from lark.exceptions import UnexpectedInput

        if self.diagnostics.has_errors:
            return None
        items = self.scanned.items
        if not items:
            self.error("Missing expression", "There is nothing but spaces here.", 0, len(self.text))
            return None
        if len(items) > 1:
            self.error("Unexpected text after the expression", "One expression was expected.", items[1], len(self.text))
            return None
        self.base = items[0] - 2
        try:
            tree = parses_to_tree("_=" + self.masked[items[0] :])
        except UnexpectedInput as error:
            self._syntax_error(error, len(self.text))
            return None
        body = tree.children[0].children
        if len([child for child in body if child.data != "new_line_or_comment"]) != 1:
            self.error("Unexpected text after the expression", "One expression was expected.", 0, len(self.text))
            return None
        expression = self.expression(body[0].children[2])
        return None if self.diagnostics.has_errors else expression

    def error(self, summary: str, detail: str, start: int, end: int, **more: object) -> None:
        self.diagnostics.error(summary, detail, SourceRange(self.source, start, end), **more)

    def range(self, start: int, end: int) -> SourceRange:
        return SourceRange(self.source, start, end)

    # Bodies

    def _body_items(self, body: Any, top: bool = False) -> Iterator[ast.Argument | ast.Block]:
        previous: ast.Argument | ast.Block | None = None
        for child in body.children:
            if child.data == "attribute":
                item: ast.Argument | ast.Block = self._attribute(child)
            elif child.data == "block":
                item = self._block(child)
            else:
                continue
            if previous is not None and self.masked.find("\n", previous.range.end, item.range.start) < 0:
                self.error(
                    "Missing newline",
                    "Each argument and each block stands on lines of its own.",
                    item.range.start,
                    item.range.end,
                )
            previous = item
            yield item

    def check_names(self, arguments: list[ast.Argument]) -> None:
        seen: dict[str, ast.Argument] = {}
        for argument in arguments:
            first = seen.setdefault(argument.name, argument)
            if first is not argument:
                self.diagnostics.error(
                    "Duplicate argument",
                    f'"{argument.name}" was set before. Each argument may stand once.',
                    argument.name_range,
                    related=(("first set here", first.name_range),),
                )

    def _token_range(self, token: Any) -> SourceRange:
        return SourceRange(self.source, self.base + token.start_pos, self.base + token.end_pos)

    def _attribute(self, tree: Any) -> ast.Argument:
        name_tree, _, value_tree = tree.children
        name_range = self._token_range(name_tree.children[0])
        name = self._word(name_range)
        if name.startswith('"'):
            self.diagnostics.error(
                "Invalid argument name", "The name of an argument stands without quotes.", name_range
            )
        value = self.expression(value_tree)
        return ast.Argument(name, value, name_range, self.range(name_range.start, value.range.end))

    def _word(self, range: SourceRange) -> str:
        word = self.text[range.start : range.end]
        return word if word.isascii() else unicodedata.normalize("NFC", word)

    def _block(self, tree: Any) -> ast.Block:
        children = tree.children
        type_range = self._token_range(children[0].children[0])
        labels: list[ast.Label] = []
        header_end = type_range.end
        index = 1
        while not hasattr(child := children[index], "type"):
            index += 1
            if child.data == "new_line_or_comment":
                continue
            tokens = child.children
            label_range = self.range(self.base + tokens[0].start_pos, self.base + tokens[-1].end_pos)
            word = self._word(label_range)
            if word.startswith('"'):
                word = templates.quoted_text(self.source, label_range.start + 1, label_range.end - 1, self.diagnostics)
            labels.append(ast.Label(word, label_range))
            header_end = label_range.end
        opening, body_tree, closing = children[index : index + 3]
        arguments: list[ast.Argument] = []
        blocks: list[ast.Block] = []
        for item in self._body_items(body_tree):
            if isinstance(item, ast.Argument):
                arguments.append(item)
            else:
                blocks.append(item)
        self.check_names(arguments)
        body = ast.Body(
            tuple(arguments), tuple(blocks), self.range(self.base + opening.end_pos, self.base + closing.start_pos)
        )
        return ast.Block(
            self._word(type_range),
            tuple(labels),
            body,
            type_range,
            self.range(type_range.start, header_end),
            self.range(type_range.start, self.base + closing.end_pos),
        )

    # Expressions

    def expression(self, tree: Any) -> ast.Expression:
        while tree.data == "expr_term":
            children = tree.children
            if len(children) > 1:
                inner = next(child for child in children if not hasattr(child, "type"))
                return ast.Parentheses(
                    self.expression(inner),
                    self.range(self.base + children[0].start_pos, self.base + children[-1].end_pos),
                )
            tree = children[0]
        return self._by_rule[tree.data](tree)

    def _identifier(self, tree: Any) -> ast.Expression:
        token = tree.children[0]
        start, end = self.base + token.start_pos, self.base + token.end_pos
        range = SourceRange(self.source, start, end)
        first = self.text[start]
        if first == '"':
            return ast.Literal(templates.quoted_text(self.source, start + 1, end - 1, self.diagnostics), range)
        if first == "<":
            return templates.assemble(self.source, self.templates[start], iter(()), self.diagnostics)
        return ast.Name(self._word(range), range)

    def _string(self, tree: Any) -> ast.Expression:
        start, end = self.base + tree.children[0].start_pos, self.base + tree.children[-1].end_pos
        return ast.Literal(
            templates.quoted_text(self.source, start + 1, end - 1, self.diagnostics), self.range(start, end)
        )

    def _literal_value(self, tree: Any) -> ast.Expression:
        token = tree.children[0]
        value = {"TRUE": True, "FALSE": False, "NULL": None}[token.type]
        return ast.Literal(value, self._token_range(token))

    def _number(self, tree: Any) -> ast.Expression:
        token = tree.children[0]
        number = Fraction(str(token))
        return ast.Literal(int(number) if number.denominator == 1 else number, self._token_range(token))

    def _tuple(self, tree: Any) -> ast.Expression:
        children = tree.children
        start, end = self.base + children[0].start_pos, self.base + children[-1].end_pos
        items = [
            self.expression(child)
            for child in children
            if not hasattr(child, "type") and child.data != "new_line_or_comment"
        ]
        if self.text[start] != "[":
            inner = (item.inner if isinstance(item, ast.Parentheses) else item for item in items)
            return templates.assemble(self.source, self.templates[start], inner, self.diagnostics)
        return ast.Tuple(tuple(items), self.range(start, end))

    def _object(self, tree: Any) -> ast.Expression:
        children = tree.children
        items: list[ast.ObjectItem] = []
        for child in children:
            if hasattr(child, "type") or child.data != "object_elem":
                continue
            key_tree, _, value_tree = child.children
            key = self._key(key_tree.children[0])
            value = self.expression(value_tree)
            item = ast.ObjectItem(key, value, key.range.to(value.range))
            if items and not any(
                self.masked.find(mark, items[-1].range.end, item.range.start) >= 0 for mark in (",", "\n")
            ):
                self.diagnostics.error(
                    "Missing comma", "A comma or a newline separates the items of an object.", item.range
                )
            items.append(item)
        return ast.Object(tuple(items), self.range(self.base + children[0].start_pos, self.base + children[-1].end_pos))

    def _key(self, tree: Any) -> ast.Expression:
        if tree.data == "keyword":
            range = self._token_range(tree.children[0])
            return ast.Literal(self._word(range), range)
        key = self.expression(tree)
        if isinstance(key, ast.Name):
            return ast.Literal(key.name, key.range)
        if isinstance(key, ast.Literal) and (key.value is None or isinstance(key.value, bool)):
            return ast.Literal(key.range.text, key.range)
        return key

    def _call(self, tree: Any) -> ast.Expression:
        children = tree.children
        name_range = self._token_range(children[0].children[0])
        arguments: list[ast.Expression] = []
        expand = False
        for child in children[1:]:
            if not hasattr(child, "type") and child.data == "arguments":
                for argument in child.children:
                    if hasattr(argument, "type"):
                        expand = argument.type == "ELLIPSIS"
                    elif argument.data != "new_line_or_comment":
                        arguments.append(self.expression(argument))
        return ast.Call(
            self._word(name_range),
            tuple(arguments),
            expand,
            name_range,
            self.range(name_range.start, self.base + children[-1].end_pos),
        )

    def _steps(self, tree: Any) -> ast.Expression:
        """A chain of `.name`, `[index]`, `.*` and `[*]`, which python-hcl2 nests from the right."""
        steps: list[Any] = []
        while True:
            while tree.data == "expr_term" and len(tree.children) == 1:
                tree = tree.children[0]
            if not tree.data.endswith("_expr_term"):
                break
            tree, step = tree.children
            steps.append(step)
        steps.reverse()
        flat: list[Any] = []
        for step in steps:
            if step.data in ("attr_splat", "full_splat"):
                flat.extend(step.children)
            else:
                flat.append(step)
        return self._follow(self.expression(tree), flat)

    def _follow(self, target: ast.Expression, steps: list[Any]) -> ast.Expression:
        for index, step in enumerate(steps):
            if hasattr(step, "type"):
                element = ast.SplatElement(self._token_range(step))
                rest = steps[index + 1 :]
                if step.type == "FULL_SPLAT_START":
                    each = self._follow(element, rest)
                    return ast.Splat(target, each, target.range.to(each.range))
                count = 0
                while count < len(rest) and not hasattr(rest[count], "type") and rest[count].data != "braces_index":
                    count += 1
                each = self._follow(element, rest[:count])
                return self._follow(ast.Splat(target, each, target.range.to(each.range)), rest[count:])
            if step.data == "get_attr":
                name_range = self._token_range(step.children[1].children[0])
                target = ast.GetAttribute(target, self._word(name_range), name_range, target.range.to(name_range))
            elif step.data == "short_index":
                key_range = self._token_range(step.children[1])
                key = ast.Literal(int(key_range.text), key_range)
                target = ast.Index(target, key, target.range.to(key_range))
            else:
                inner = next(
                    child
                    for child in step.children
                    if not hasattr(child, "type") and child.data != "new_line_or_comment"
                )
                end = self.base + step.children[-1].end_pos
                target = ast.Index(target, self.expression(inner), self.range(target.range.start, end))
        return target

    def _trees(self, tree: Any) -> list[Any]:
        return [child for child in tree.children if not hasattr(child, "type") and child.data != "new_line_or_comment"]

    def _conditional(self, tree: Any) -> ast.Expression:
        condition, then, otherwise = (self.expression(child) for child in self._trees(tree))
        return ast.Conditional(condition, then, otherwise, condition.range.to(otherwise.range))

    def _binary(self, tree: Any) -> ast.Expression:
        left = self.expression(tree.children[0])
        operator_tree, right_tree = self._trees(tree.children[1])
        right = self.expression(right_tree)
        operator = self._token_range(operator_tree.children[0]).text
        return ast.Binary(operator, left, right, left.range.to(right.range))

    def _unary(self, tree: Any) -> ast.Expression:
        token, operand_tree = tree.children
        start = self.base + token.start_pos
        result = self.expression(operand_tree)
        for offset in (start, *reversed(self.scanned.unary.get(start, ()))):
            result = ast.Unary(self.text[offset], result, self.range(offset, result.range.end))
        return result

    def _for_intro(self, tree: Any) -> tuple[str | None, str, ast.Expression]:
        *names, collection = self._trees(tree)
        words = [self._word(self._token_range(name.children[0])) for name in names]
        key, value = words if len(words) == 2 else (None, words[0])
        return key, value, self.expression(collection)

    def _for_tuple(self, tree: Any) -> ast.Expression:
        intro, result_tree, *rest = self._trees(tree)
        key, value, collection = self._for_intro(intro)
        result = self.expression(result_tree)
        condition = self.expression(self._trees(rest[0])[0]) if rest else None
        return ast.ForTuple(key, value, collection, result, condition, self._span(tree))

    def _for_object(self, tree: Any) -> ast.Expression:
        intro, key_tree, value_tree, *rest = self._trees(tree)
        key, value, collection = self._for_intro(intro)
        result_key, result_value = self.expression(key_tree), self.expression(value_tree)
        group = any(getattr(child, "type", "") == "ELLIPSIS" for child in tree.children)
        condition = self.expression(self._trees(rest[0])[0]) if rest else None
        return ast.ForObject(key, value, collection, result_key, result_value, group, condition, self._span(tree))

    def _span(self, tree: Any) -> SourceRange:
        return self.range(self.base + tree.children[0].start_pos, self.base + tree.children[-1].end_pos)
