"""What an expression refers to, found without evaluating it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from planner.diagnostics import SourceRange
from planner.syntax import ast
from planner.syntax.ast import Expression, TemplatePart

Step = str | int
"""An attribute's name or a map's key, or an index."""


@dataclass(frozen=True, slots=True)
class Reference:
    """
    One reference, as far as the text says what it is to: `volume.db["a"].iqn`.

    Attributes:
        root, name: as a scope resolves them (`planner.evaluation.scope`); the name is empty where none follows.
        steps: the attributes and indexes that follow, up to the first that is computed.
        range: root, name and steps.
    """

    root: str
    name: str
    steps: tuple[Step, ...]
    range: SourceRange

    def __str__(self) -> str:
        return self.range.text


def references(node: Expression | ast.Body) -> Iterator[Reference]:
    """
    Every reference in an expression, or in the arguments and blocks of a body, in the order of the text.

    Variables of for-expressions are none. The labels of a `dynamic` block's iterator are the caller's to leave out.
    """
    if isinstance(node, ast.Body):
        for argument in node.arguments:
            yield from _references(argument.value, frozenset())
        for block in node.blocks:
            yield from references(block.body)
    else:
        yield from _references(node, frozenset())


def split_chain(node: Expression) -> tuple[ast.Name, list[ast.GetAttribute | ast.Index]] | None:
    """The name at the head of `a.b["c"].d` and the steps after it, first to last; None where no name is at the head."""
    steps: list[ast.GetAttribute | ast.Index] = []
    while isinstance(node, ast.GetAttribute | ast.Index):
        steps.append(node)
        node = node.target
    return (node, steps[::-1]) if isinstance(node, ast.Name) else None


def base_length(head: ast.Name, steps: list[ast.GetAttribute | ast.Index]) -> tuple[str, str, int]:
    """Root and name of a chain, and how many of its steps are part of these."""
    if head.name == "data" and len(steps) > 1 and all(isinstance(step, ast.GetAttribute) for step in steps[:2]):
        type, name = steps[:2]
        assert isinstance(type, ast.GetAttribute) and isinstance(name, ast.GetAttribute)
        return f"data.{type.name}", name.name, 2
    if head.name != "self" and steps and isinstance(steps[0], ast.GetAttribute):
        return head.name, steps[0].name, 1
    return head.name, "", 0


def _references(node: Expression, bound: frozenset[str]) -> Iterator[Reference]:
    match node:
        case ast.Literal() | ast.SplatElement():
            return
        case ast.Name():
            if node.name not in bound:
                yield Reference(node.name, "", (), node.range)
        case ast.GetAttribute() | ast.Index():
            yield from _chain_references(node, bound)
        case ast.Template(parts):
            yield from _template_references(parts, bound)
        case ast.Splat(target, each):
            yield from _references(target, bound)
            yield from _references(each, bound)
        case ast.Call(arguments=arguments):
            for argument in arguments:
                yield from _references(argument, bound)
        case ast.Conditional(condition, then, otherwise):
            yield from _references(condition, bound)
            yield from _references(then, bound)
            yield from _references(otherwise, bound)
        case ast.Binary(_, left, right):
            yield from _references(left, bound)
            yield from _references(right, bound)
        case ast.Unary(_, operand):
            yield from _references(operand, bound)
        case ast.Parentheses(inner):
            yield from _references(inner, bound)
        case ast.Tuple(items):
            for item in items:
                yield from _references(item, bound)
        case ast.Object(items):
            for entry in items:
                yield from _references(entry.key, bound)
                yield from _references(entry.value, bound)
        case ast.ForTuple():
            yield from _references(node.collection, bound)
            bound |= _variables(node)
            yield from _references(node.result, bound)
            if node.condition is not None:
                yield from _references(node.condition, bound)
        case ast.ForObject():
            yield from _references(node.collection, bound)
            bound |= _variables(node)
            yield from _references(node.result_key, bound)
            yield from _references(node.result_value, bound)
            if node.condition is not None:
                yield from _references(node.condition, bound)


def _chain_references(node: ast.GetAttribute | ast.Index, bound: frozenset[str]) -> Iterator[Reference]:
    chain = split_chain(node)
    if chain is None:
        yield from _references(node.target, bound)
        if isinstance(node, ast.Index):
            yield from _references(node.key, bound)
        return
    head, steps = chain
    if head.name not in bound:
        root, name, words = base_length(head, steps)
        static: list[Step] = []
        end: Expression = steps[words - 1] if words else head
        for step in steps[words:]:
            key = _static_step(step)
            if key is None:
                break
            static.append(key)
            end = step
        yield Reference(root, name, tuple(static), head.range.to(end.range))
    for step in steps:
        if isinstance(step, ast.Index):
            yield from _references(step.key, bound)


def _static_step(step: ast.GetAttribute | ast.Index) -> Step | None:
    if isinstance(step, ast.GetAttribute):
        return step.name
    key = step.key
    if isinstance(key, ast.Literal) and isinstance(key.value, str | int) and not isinstance(key.value, bool):
        return key.value
    return None


def _template_references(parts: tuple[TemplatePart, ...], bound: frozenset[str]) -> Iterator[Reference]:
    for part in parts:
        match part:
            case str():
                pass
            case ast.Interpolation(value):
                yield from _references(value, bound)
            case ast.TemplateIf(condition, then, otherwise):
                yield from _references(condition, bound)
                yield from _template_references(then, bound)
                yield from _template_references(otherwise, bound)
            case ast.TemplateFor():
                yield from _references(part.collection, bound)
                yield from _template_references(part.parts, bound | _variables(part))


def _variables(node: ast.ForTuple | ast.ForObject | ast.TemplateFor) -> set[str]:
    return {node.value} if node.key is None else {node.key, node.value}
