"""
What the compiler makes of an expression's parts: closures over a frame, and what is known of them beforehand.

A frame is a list: the scope's `resolve`, then one slot for each variable of for-expressions and each splat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.diagnostics import SourceRange
from planner.evaluation import operators
from planner.evaluation.errors import EvaluationError, Fault
from planner.evaluation.references import references
from planner.syntax.ast import Expression
from planner.values.show import statement
from planner.values.types import DYNAMIC, Type, Value

Frame = list[Any]
Run = Callable[[Frame], Value]

SCOPE = 0
"""The slot of the scope's `resolve`."""


@dataclass(frozen=True, slots=True)
class Code:
    """
    A compiled part.

    Attributes:
        depends: slots of the frame that it reads from outside.
        constant: its value when it depends on nothing and evaluation went well.
        type: the type of its result where the operator alone says it, so that it is known even after an error.
    """

    run: Run
    depends: frozenset[int]
    constant: Value | None = None
    type: Type = DYNAMIC


def constant(value: Value) -> Code:
    return Code(lambda frame: value, frozenset(), value)


class Place:
    """Where a part stands and which variables it sees: all that is needed to tell what went wrong there."""

    __slots__ = ("expression", "operands", "variables")

    def __init__(self, expression: Expression, operands: tuple[Expression, ...], variables: Mapping[str, int]) -> None:
        self.expression = expression
        self.operands = operands
        self.variables = variables

    def error(self, fault: Fault, frame: Frame, subject: SourceRange | None = None) -> EvaluationError:
        """The fault with its place: that of the operand at fault, or of the part as a whole."""
        expression, context = self.expression, None
        if fault.operand is not None and fault.operand < len(self.operands):
            expression, context = self.operands[fault.operand], self.expression.range
        # The frame goes on being written to, but the diagnostic is about what it holds now.
        kept = list(frame)
        return EvaluationError(fault, subject or expression.range, context, lambda: self._statements(expression, kept))

    def _statements(self, expression: Expression, frame: Frame) -> tuple[str, ...]:
        """What each reference in an expression stands for, as far as it can be told."""
        statements = set()
        for reference in references(expression):
            root, steps = reference.root, reference.steps
            base = f"{root}.{reference.name}" if reference.name else root
            try:
                if root in self.variables:
                    base, steps = root, (reference.name, *steps) if reference.name else steps
                    value: Value = frame[self.variables[root]]
                else:
                    value = frame[SCOPE](root, reference.name)
            except (Fault, EvaluationError):
                continue
            try:
                found = value
                for step in steps:
                    found = operators.get_index(found, step)
                statements.add(statement(str(reference), found))
            except Fault:
                statements.add(statement(base, value))
        return tuple(sorted(statements))
