"""A variable's value: what was given, or its default; converted to its type and held against its validations."""

from __future__ import annotations

from collections.abc import Mapping

from planner.config.model import Variable
from planner.config.variables import GivenValue, ParseExpression
from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.evaluation.compiler import compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.functions.signature import Function
from planner.evaluation.scope import Names
from planner.evaluation.type_expressions import parse_type
from planner.syntax import ast
from planner.values.codec import from_plain
from planner.values.convert import ConversionError, convert
from planner.values.marks import UNKNOWN, Unknown, mark_sensitive, unmark
from planner.values.types import DYNAMIC, STRING, Null, Type, Value


def evaluate_variable(
    variable: Variable,
    given: GivenValue | None,
    parse: ParseExpression,
    functions: Mapping[str, Function],
    diagnostics: Diagnostics,
) -> Value:
    """The root's variable: what was given, or its default. Unknown, with a diagnostic, where none fits."""
    type = _type(variable, diagnostics)
    mistakes = Diagnostics()
    value = _given(variable, given, type, parse, functions, mistakes)
    if variable.sensitive and given is not None and mistakes.has_errors:
        mistakes = Diagnostics()
        mistakes.error("Unsuitable value for a variable", _hidden(variable, f" (from {given.origin})"), variable.range)
    diagnostics.extend(mistakes)
    origin = f" (from {given.origin})" if given else ""
    return _checked(variable, value, type, origin, given.range if given else None, functions, diagnostics)


def check_variable(
    variable: Variable,
    value: Value,
    range: SourceRange | None,
    functions: Mapping[str, Function],
    diagnostics: Diagnostics,
) -> Value:
    """A called module's variable: `value` is what the call gives, at `range`."""
    return _checked(variable, value, _type(variable, diagnostics), "", range, functions, diagnostics)


def unknown_variable(variable: Variable, diagnostics: Diagnostics) -> Value:
    """A required variable that has no value yet: all that is known of it is its type."""
    return mark_sensitive(Unknown(_type(variable, diagnostics) or DYNAMIC), variable.sensitive)


def _type(variable: Variable, diagnostics: Diagnostics) -> Type | None:
    if variable.type is None:
        return None
    type, mistakes = parse_type(variable.type)
    diagnostics.extend(mistakes)
    return type


def _checked(
    variable: Variable,
    value: Value,
    type: Type | None,
    origin: str,
    range: SourceRange | None,
    functions: Mapping[str, Function],
    diagnostics: Diagnostics,
) -> Value:
    if isinstance(value, Null) and not variable.nullable and variable.default is not None:
        value = _evaluate(variable.default, functions, diagnostics)
    if type is not None:
        try:
            value = convert(value, type)
        except ConversionError as error:
            if variable.sensitive:
                diagnostics.error("Unsuitable value for a variable", _hidden(variable, origin), variable.range)
                return UNKNOWN
            diagnostics.error(
                "Unsuitable value for a variable",
                f'The value of "{variable.name}"{origin} does not fit its type: {error}.',
                range or variable.range,
                related=(("declared here", variable.range),),
            )
            return UNKNOWN
    if isinstance(value, Null) and not variable.nullable:
        diagnostics.error(
            "Unsuitable value for a variable", f'"{variable.name}" must not be null: nullable = false.', variable.range
        )
        return UNKNOWN
    _validate(variable, value, functions, diagnostics)
    return mark_sensitive(value, variable.sensitive)


def _hidden(variable: Variable, origin: str) -> str:
    """In place of what is wrong with a value, and of the line that it stands on."""
    return f'The value of "{variable.name}"{origin} does not fit its type, and is not shown: it is sensitive.'


def _given(
    variable: Variable,
    given: GivenValue | None,
    type: Type | None,
    parse: ParseExpression,
    functions: Mapping[str, Function],
    diagnostics: Diagnostics,
) -> Value:
    if given is None:
        if variable.default is not None:
            return _evaluate(variable.default, functions, diagnostics)
        diagnostics.error(
            "No value for a required variable",
            f'"{variable.name}" has no default, and nothing gives it a value. Set it with -var'
            f' "{variable.name}=...", in a variables file, or as LUNFORM_VAR_{variable.name}.',
            variable.range,
        )
        return UNKNOWN
    if given.expression is not None:
        return _evaluate(given.expression, functions, diagnostics)
    if given.text is None:
        return from_plain(given.plain)
    text = given.text
    if type is None or type == STRING:
        return text
    source = Source(f"<{given.origin}>", text)
    expression, mistakes = parse(source)
    if mistakes.has_errors or expression is None:
        diagnostics.error(
            "Unsuitable value for a variable",
            f'The value of "{variable.name}" from {given.origin} is not an expression such as ["a", "b"]. Texts inside'
            " need quotes, and the whole quotes for the shell.",
            variable.range,
        )
        return UNKNOWN
    if isinstance(expression, ast.Name) and type is not None:
        return expression.name
    return _evaluate(expression, functions, diagnostics)


def _evaluate(expression: ast.Expression, functions: Mapping[str, Function], diagnostics: Diagnostics) -> Value:
    try:
        return compile_expression(expression, functions).evaluate(Names({}))
    except EvaluationError as error:
        diagnostics.add(error.diagnostic)
        return UNKNOWN


def _validate(variable: Variable, value: Value, functions: Mapping[str, Function], diagnostics: Diagnostics) -> None:
    scope = Names({("var", variable.name): mark_sensitive(value, variable.sensitive)})
    for rule in variable.validations:
        try:
            verdict, _ = unmark(compile_expression(rule.condition, functions).evaluate(scope))
            if verdict is False:
                message = compile_expression(rule.error_message, functions).evaluate(scope)
                text = message if isinstance(message, str) else "The value does not pass its validation."
                diagnostics.error(
                    "Invalid value for a variable", text, variable.range, related=(("checked here", rule.range),)
                )
        except EvaluationError as error:
            diagnostics.add(error.diagnostic)
