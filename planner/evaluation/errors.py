"""
What goes wrong while an expression is evaluated.

    Fault               an operation cannot be done with these values; it does not know where in the text it stands
    ├── UnknownName     a scope has no such name
    EvaluationError     the same with its place, as a diagnostic

Operators and functions raise faults; the compiled expression, which knows the place, turns them into evaluation errors.
"""

from __future__ import annotations

from collections.abc import Callable

from planner.diagnostics import Diagnostic, Severity, SourceRange


class Fault(Exception):
    """
    An operation cannot be done with these values.

    Attributes:
        summary: a fixed phrase.
        detail: what, why and what to do.
        operand: which operand or argument is at fault, from 0; None for the operation as a whole.
    """

    def __init__(self, summary: str, detail: str, operand: int | None = None) -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.operand = operand


class UnknownName(Fault):
    """A scope has no such name. Unlike other faults it is a mistake of the text, which try() and can() do not hide."""


class EvaluationError(Exception):
    """
    An expression has no value.

    Attributes:
        catchable: whether try(), can() and the branch not taken of a conditional pass over it.
    """

    def __init__(
        self,
        fault: Fault,
        subject: SourceRange,
        context: SourceRange | None = None,
        values: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        super().__init__(fault.summary)
        self.catchable = not isinstance(fault, UnknownName)
        self._fault = fault
        self._subject = subject
        self._context = context
        self._values = values

    @property
    def diagnostic(self) -> Diagnostic:
        """The error with its place and the values that led to it. Made only now, since try() throws most away."""
        return Diagnostic(
            Severity.ERROR,
            self._fault.summary,
            self._fault.detail,
            self._subject,
            self._context,
            values=self._values(),
        )

    def __str__(self) -> str:
        return f"{self._subject}: {self._fault.summary}: {self._fault.detail}"
