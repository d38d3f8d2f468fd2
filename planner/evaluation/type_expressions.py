"""Type constraints as `variable { type = ... }` writes them: `map(object({ size = optional(number, 10) }))`."""

from __future__ import annotations

from planner.diagnostics import Diagnostics, did_you_mean
from planner.evaluation.compiler import compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.scope import Names
from planner.syntax import ast
from planner.syntax.ast import Expression
from planner.values.convert import ConversionError, convert
from planner.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListType,
    MapType,
    ObjectType,
    SetType,
    TupleType,
    Type,
    Value,
)

_SUMMARY = "Invalid type specification"
_PRIMITIVES: dict[str, Type] = {"string": STRING, "number": NUMBER, "bool": BOOL, "any": DYNAMIC}
_COLLECTIONS: dict[str, type[ListType] | type[SetType] | type[MapType]] = {
    "list": ListType,
    "set": SetType,
    "map": MapType,
}
_OF_ANYTHING = ("list", "map")
"""What may stand alone, from before types could say what they are of."""

_ELEMENT = "the type of its elements in parentheses, such as {}(string)"
_STRUCTURES = {
    "object": "the types of its attributes in braces, such as object({ name = string })",
    "tuple": "the types of its elements in brackets, such as tuple([string, number])",
}


def parse_type(expression: Expression) -> tuple[Type, Diagnostics]:
    """The type that an expression describes; `any` in place of what is wrong, with the diagnostics that say so."""
    diagnostics = Diagnostics()
    return _type(expression, diagnostics), diagnostics


def _type(node: Expression, diagnostics: Diagnostics) -> Type:
    match node:
        case ast.Name(name):
            if name in _PRIMITIVES:
                return _PRIMITIVES[name]
            if name in _OF_ANYTHING:
                return _COLLECTIONS[name](DYNAMIC)
            if name in _COLLECTIONS:
                diagnostics.error(_SUMMARY, f'"{name}" needs {_ELEMENT.format(name)}.', node.range)
                return DYNAMIC
            if name in _STRUCTURES:
                diagnostics.error(_SUMMARY, f'"{name}" needs {_STRUCTURES[name]}.', node.range)
                return DYNAMIC
            diagnostics.error(_SUMMARY, f'There is no type "{name}".{_suggestion(name)}', node.range)
        case ast.Call(name, arguments):
            return _constructed(node, name, arguments, diagnostics)
        case ast.Literal(str(text)):
            hint = f" Write {text} without quotes." if text in _PRIMITIVES or text in _COLLECTIONS else ""
            diagnostics.error(_SUMMARY, f"A type is not a string.{hint}", node.range)
        case _:
            detail = "A type is a word such as string, or one with others in parentheses such as list(string)."
            diagnostics.error(_SUMMARY, detail, node.range)
    return DYNAMIC


def _constructed(node: ast.Call, name: str, arguments: tuple[Expression, ...], diagnostics: Diagnostics) -> Type:
    if name in _PRIMITIVES:
        diagnostics.error(_SUMMARY, f'"{name}" takes nothing in parentheses.', node.range)
    elif name == "optional":
        diagnostics.error(_SUMMARY, "Only an attribute of an object can be optional.", node.range)
    elif name not in _COLLECTIONS and name not in _STRUCTURES:
        diagnostics.error(_SUMMARY, f'There is no type "{name}(...)".{_suggestion(name)}', node.name_range)
    elif len(arguments) != 1 or node.expand:
        what = _STRUCTURES.get(name, _ELEMENT.format(name))
        diagnostics.error(_SUMMARY, f'"{name}" needs {what}.', node.range)
    elif name in _COLLECTIONS:
        return _COLLECTIONS[name](_type(arguments[0], diagnostics))
    elif name == "tuple" and isinstance(arguments[0], ast.Tuple):
        return TupleType(tuple(_type(item, diagnostics) for item in arguments[0].items))
    elif name == "object" and isinstance(arguments[0], ast.Object):
        return _object(arguments[0], diagnostics)
    else:
        diagnostics.error(_SUMMARY, f'"{name}" needs {_STRUCTURES[name]}.', arguments[0].range)
    return DYNAMIC


def _object(node: ast.Object, diagnostics: Diagnostics) -> ObjectType:
    attributes: dict[str, Type] = {}
    optional: set[str] = set()
    defaults: dict[str, Value] = {}
    for item in node.items:
        if not (isinstance(item.key, ast.Literal) and isinstance(item.key.value, str)) or item.key.range.text[0] == '"':
            diagnostics.error(_SUMMARY, "The name of an attribute is a word without quotes.", item.key.range)
            continue
        name, value = item.key.value, item.value
        if name in attributes:
            diagnostics.error(_SUMMARY, f'The attribute "{name}" is declared twice.', item.key.range)
            continue
        if isinstance(value, ast.Call) and value.name == "optional":
            optional.add(name)
            if len(value.arguments) not in (1, 2) or value.expand:
                detail = "optional() takes a type, and a default if there is one, such as optional(number, 10)."
                diagnostics.error(_SUMMARY, detail, value.range)
                attributes[name] = DYNAMIC
                continue
            attributes[name] = _type(value.arguments[0], diagnostics)
            if len(value.arguments) == 2:
                default = _default(value.arguments[1], attributes[name], diagnostics)
                if default is not None:
                    defaults[name] = default
        else:
            attributes[name] = _type(value, diagnostics)
    return ObjectType(
        tuple(sorted(attributes.items())), frozenset(optional), tuple(sorted(defaults.items(), key=_name))
    )


def _name(pair: tuple[str, Value]) -> str:
    return pair[0]


def _default(node: Expression, type: Type, diagnostics: Diagnostics) -> Value | None:
    try:
        return convert(compile_expression(node, {}).evaluate(Names({})), type)
    except EvaluationError as error:
        detail = f"A default is a constant, without references and function calls. {error.diagnostic.detail}"
        diagnostics.error("Invalid default value for optional attribute", detail, node.range)
    except ConversionError as error:
        detail = f"The default does not have the type of the attribute: {error}."
        diagnostics.error("Invalid default value for optional attribute", detail, node.range)
    return None


def _suggestion(name: str) -> str:
    return did_you_mean(name, [*_PRIMITIVES, *_COLLECTIONS, *_STRUCTURES])
