"""
Any tree back to text: what is printed is parsed to the same tree, but for ranges.

Comments, heredocs and the number of blank lines are not in a tree, so they are not in the text. Where a tree that was
put together by hand lacks the parentheses that its meaning needs, they are added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import assert_never

from planner.diagnostics import Source
from planner.syntax import ast
from planner.syntax.adapter import is_reference
from planner.syntax.formatter import lay_out

_WIDTH = 100
"""A list or object that is longer stands on several lines."""

_WORD = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_PRECEDENCE = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!="), 3),
    **dict.fromkeys((">", ">=", "<", "<="), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "%"), 6),
}
_CONDITIONAL, _UNARY, _POSTFIX = 0, 7, 8
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_ESCAPED = re.compile(r'[\x00-\x1f\x7f"\\]|[$%](?=\{)')


def print_body(body: ast.Body) -> str:
    """The text of a file, in canonical layout."""
    return lay_out(Source("", "".join(_body(body))))


def print_expression(expression: ast.Expression) -> str:
    """The text of an expression, on one line."""
    return _print(expression, _CONDITIONAL)


def _body(body: ast.Body) -> Iterator[str]:
    """Lines, each with its end; arguments and blocks in the order in which they stood in their source."""
    items: list[ast.Argument | ast.Block] = [*body.arguments, *body.blocks]
    items.sort(key=lambda item: item.range.start)
    for index, item in enumerate(items):
        if isinstance(item, ast.Argument):
            yield f"{item.name} = {_lines(item.value)}\n"
            continue
        if index:
            yield "\n"
        labels = "".join(f" {_quoted(label.text)}" for label in item.labels)
        yield f"{item.type}{labels} {{\n"
        yield from _body(item.body)
        yield "}\n"


def _lines(value: ast.Expression) -> str:
    """`value` on one line where it is short enough, else with each item on its own."""
    text = print_expression(value)
    if len(text) <= _WIDTH:
        return text
    match value:
        case ast.Tuple(items):
            return "[\n" + "".join(f"{_lines(item)},\n" for item in items) + "]"
        case ast.Object(items):
            return "{\n" + "".join(f"{_key(item.key)} = {_lines(item.value)}\n" for item in items) + "}"
    return text


def _print(expression: ast.Expression, strength: int) -> str:
    """The text of `expression` where operators of `strength` stand beside it."""
    match expression:
        case ast.Literal(value):
            own, text = _POSTFIX, _literal(value)
            if isinstance(value, Fraction) and "/" in text:
                own = _PRECEDENCE["/"]
            elif text.startswith("-"):
                own = _UNARY
        case ast.Template(parts):
            own, text = _POSTFIX, _template(parts)
        case ast.Name(name):
            own, text = _POSTFIX, name
        case ast.GetAttribute(target, name):
            own, text = _POSTFIX, f"{_target(target)}.{name}"
        case ast.Index(target, key):
            own, text = _POSTFIX, f"{_target(target)}[{print_expression(key)}]"
        case ast.Splat(target, each):
            own, text = _POSTFIX, f"{_target(target)}[*]{_print(each, _POSTFIX)}"
        case ast.SplatElement():
            own, text = _POSTFIX, ""
        case ast.Call(name, arguments, expand):
            own, text = _POSTFIX, f"{name}({_listed(arguments)}{'...' if expand else ''})"
        case ast.Conditional(condition, then, otherwise):
            own = _CONDITIONAL
            text = f"{_print(condition, 1)} ? {print_expression(then)} : {print_expression(otherwise)}"
        case ast.Binary(operator, left, right):
            own = _PRECEDENCE[operator]
            text = f"{_print(left, own)} {operator} {_print(right, own + 1)}"
        case ast.Unary(operator, operand):
            own, text = _UNARY, f"{operator}{_print(operand, _UNARY)}"
        case ast.Parentheses(inner):
            own, text = _POSTFIX, f"({print_expression(inner)})"
        case ast.Tuple(items):
            own, text = _POSTFIX, f"[{_listed(items)}]"
        case ast.Object(items):
            own, text = _POSTFIX, _object(items)
        case ast.ForTuple(key, name, collection, result, condition):
            own = _POSTFIX
            text = f"[{_for(key, name, collection)} {print_expression(result)}{_if(condition)}]"
        case ast.ForObject(key, name, collection, result_key, result_value, group, condition):
            own = _POSTFIX
            pair = f"{print_expression(result_key)} => {print_expression(result_value)}{'...' if group else ''}"
            text = f"{{{_for(key, name, collection)} {pair}{_if(condition)}}}"
        case _:
            assert_never(expression)
    return text if own >= strength else f"({text})"


def _literal(value: str | int | Fraction | bool | None) -> str:
    match value:
        case str():
            return _quoted(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case Fraction():
            return _decimal(value)
        case _:
            return str(value)


def _decimal(value: Fraction) -> str:
    """A fraction as a decimal number where it is one; else as the division that it is."""
    digits, denominator = 0, value.denominator
    for factor in (2, 5):
        power = 0
        while denominator % factor == 0:
            denominator //= factor
            power += 1
        digits = max(digits, power)
    if denominator != 1:
        return f"{value.numerator} / {value.denominator}"
    whole, rest = divmod(abs(value.numerator) * 10**digits // value.denominator, 10**digits)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{rest:0{digits}}" if digits else f"{sign}{whole}"


def _target(target: ast.Expression) -> str:
    """What a `.name`, `[index]` or `[*]` follows."""
    if not isinstance(target, ast.Splat):
        return _print(target, _POSTFIX)
    # After [*] this would be done to each element, and after `.*` it is done to the list.
    elements = _attribute_steps(target.each)
    return f"({_print(target, _POSTFIX)})" if elements is None else f"{_target(target.target)}.*{elements}"


def _attribute_steps(each: ast.Expression) -> str | None:
    """The steps of `each` in the form that can follow `.*`: names and whole numbers after dots."""
    match each:
        case ast.SplatElement():
            return ""
        case ast.GetAttribute(target, name):
            step = name
        case ast.Index(ast.GetAttribute() | ast.SplatElement() as target, ast.Literal(int(number))):
            step = str(number)
        case _:
            return None
    before = _attribute_steps(target)
    return None if before is None else f"{before}.{step}"


def _listed(items: Sequence[ast.Expression]) -> str:
    return ", ".join(map(print_expression, items))


def _object(items: Sequence[ast.ObjectItem]) -> str:
    if not items:
        return "{}"
    return "{ " + ", ".join(f"{_key(item.key)} = {print_expression(item.value)}" for item in items) + " }"


def _key(key: ast.Expression) -> str:
    match key:
        case ast.Literal(str(word)) if _WORD.fullmatch(word) and word != "for":
            return word
    text = print_expression(key)
    return f"({text})" if is_reference(key) else text


def _for(key: str | None, value: str, collection: ast.Expression) -> str:
    return f"for {_names(key, value)} in {print_expression(collection)} :"


def _names(key: str | None, value: str) -> str:
    return value if key is None else f"{key}, {value}"


def _if(condition: ast.Expression | None) -> str:
    return "" if condition is None else f" if {print_expression(condition)}"


# Strings


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    def escape(match: re.Match[str]) -> str:
        character = match.group()
        if character in "$%":
            return character * 2
        return _ESCAPES.get(character) or f"\\u{ord(character):04x}"

    return _ESCAPED.sub(escape, text)


def _template(parts: Sequence[ast.TemplatePart]) -> str:
    match parts:
        # A string of which strip markers have left nothing but one interpolation.
        case (ast.Interpolation(value), ""):
            return f'"${{{print_expression(value)} ~}} "'
        case ("", ast.Interpolation(value)):
            return f'" ${{~ {print_expression(value)}}}"'
    return f'"{"".join(_parts(parts))}"'


def _parts(parts: Sequence[ast.TemplatePart], opens_next: str = "") -> Iterator[str]:
    """The text of `parts`, which a sequence follows that begins with `opens_next`, if any."""
    for index, part in enumerate(parts):
        match part:
            case str():
                following = parts[index + 1] if index + 1 < len(parts) else None
                opens = opens_next if following is None else "$" if isinstance(following, ast.Interpolation) else "%"
                text = _escaped(part)
                if opens and text.endswith(opens):
                    # As a character of its own it would escape the sequence.
                    text = f"{text[:-1]}\\u{ord(opens):04x}"
                yield text
            case ast.Interpolation(value):
                yield f"${{{print_expression(value)}}}"
            case ast.TemplateIf(condition, then, otherwise):
                yield f"%{{if {print_expression(condition)}}}"
                yield from _parts(then, "%")
                if otherwise:
                    yield "%{else}"
                    yield from _parts(otherwise, "%")
                yield "%{endif}"
            case ast.TemplateFor(key, value, collection, inner):
                yield f"%{{for {_names(key, value)} in {print_expression(collection)}}}"
                yield from _parts(inner, "%")
                yield "%{endfor}"
            case _:
                assert_never(part)
