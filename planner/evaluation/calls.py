"""Function calls, and try() and can(), which are no functions since they look at errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.diagnostics import SourceRange, did_you_mean
from planner.evaluation.code import SCOPE, Code, Frame, Place
from planner.evaluation.errors import EvaluationError, Fault
from planner.evaluation.functions.signature import INVALID_ARGUMENT, Function
from planner.evaluation.references import split_chain
from planner.syntax import ast
from planner.values.convert import type_name, type_of
from planner.values.marks import UNKNOWN, Sensitive, Unknown, is_wholly_known, mark_sensitive, unmark
from planner.values.types import BOOL, DYNAMIC, ListType, ListValue, Null, SetType, SetValue, TupleType, Value

if TYPE_CHECKING:
    from planner.evaluation.compiler import Compiler

_FORMS = ("try", "can")


def call(compiler: Compiler, node: ast.Call) -> Code:
    """`name(arguments...)`. A mistake in it is an error only when it is evaluated, so that try() passes over it."""
    name = node.name.removeprefix("core::")
    place = compiler.place(node, *node.arguments)
    if name in _FORMS:
        return _try(compiler, node, name, place)
    arguments = [compiler.compile(argument) for argument in node.arguments]
    function = compiler.functions.get(name)
    if function is None:
        suggestion = did_you_mean(name, [*compiler.functions, *_FORMS])
        detail = f"There is no function named {node.name}().{suggestion}"
        return _failure(Fault("Call to unknown function", detail), place, node.name_range)
    if name == "templatestring" and node.arguments and split_chain(node.arguments[0]) is None:
        detail = (
            "The template must be a reference to a string that is defined elsewhere. "
            "For a template in place, write a quoted template instead."
        )
        return _failure(Fault(INVALID_ARGUMENT, detail, 0), place)
    if node.expand:
        return _expanded(compiler, function, arguments, place)
    try:
        function.check_count(len(arguments))
    except Fault as fault:
        return _failure(fault, place)
    runs, called = [argument.run for argument in arguments], function.call

    def run(frame: Frame) -> Value:
        values = [argument(frame) for argument in runs]
        try:
            return called(values)
        except Fault as fault:
            raise place.error(fault, frame) from None

    return compiler.code(run, arguments, pure=function.pure)


def _expanded(compiler: Compiler, function: Function, arguments: list[Code], place: Place) -> Code:
    """A call whose last argument is followed by `...`: a sequence of further arguments."""
    *first, last = arguments

    def run(frame: Frame) -> Value:
        values = [argument.run(frame) for argument in first]
        final, sensitive = unmark(last.run(frame))
        try:
            match final:
                case tuple():
                    items: tuple[Value, ...] = final
                case ListValue() | SetValue():
                    items = final.items
                case Unknown(ListType() | SetType() | TupleType()):
                    return UNKNOWN
                case Unknown(type) if type == DYNAMIC:
                    return UNKNOWN
                case _:
                    what = "null" if isinstance(final, Null) else type_name(type_of(final))
                    detail = f"What is expanded with ... must be a tuple, list or set, not {what}."
                    raise Fault("Invalid expanding argument value", detail, len(first))
            values.extend(mark_sensitive(item, sensitive) for item in items)
            function.check_count(len(values))
            return function.call(values)
        except Fault as fault:
            if fault.operand is not None:
                fault.operand = min(fault.operand, len(first))
            raise place.error(fault, frame) from None

    return compiler.code(run, arguments, pure=function.pure)


def _try(compiler: Compiler, node: ast.Call, name: str, place: Place) -> Code:
    arguments = [compiler.compile(argument) for argument in node.arguments]
    if node.expand or not arguments or (name == "can" and len(arguments) > 1):
        takes = "one expression" if name == "can" else "at least one expression"
        return _failure(Fault("Invalid function call", f"{name}() takes {takes}."), place)

    def run_can(frame: Frame) -> Value:
        try:
            return True if is_wholly_known(arguments[0].run(frame)) else Unknown(BOOL)
        except EvaluationError as error:
            if not error.catchable:
                raise
            return False

    def run_try(frame: Frame) -> Value:
        for argument in arguments:
            try:
                value = argument.run(frame)
            except EvaluationError as error:
                if not error.catchable:
                    raise
                last = error
            else:
                # What is not known yet may still fail once it is, so the result may be another argument's.
                return value if is_wholly_known(value) else mark_sensitive(UNKNOWN, isinstance(value, Sensitive))
        detail = f"No argument of try() has a value. The last one failed: {last.diagnostic.detail}"
        raise place.error(Fault("Error in function call", detail), frame)

    return compiler.code(run_can if name == "can" else run_try, arguments)


def _failure(fault: Fault, place: Place, subject: SourceRange | None = None) -> Code:
    def run(frame: Frame) -> Value:
        raise place.error(fault, frame, subject)

    return Code(run, frozenset((SCOPE,)))
