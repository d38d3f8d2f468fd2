"""
Arguments of a block: compiled once, evaluated for each copy, held against the schema.

What comes out is plain data: sizes in canonical text, references as the `id` of what they name, sets in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from planner.addresses import AddressError, parse_instance
from planner.config.content import Shape, check_body
from planner.diagnostics import Diagnostic, Diagnostics, Severity, SourceRange, did_you_mean
from planner.evaluation.compiler import Compiled, compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.functions.signature import Function
from planner.evaluation.scope import Scope
from planner.resources.schema import Argument, NestedBlock, Unit
from planner.syntax import ast
from planner.units import UnitError, format_bandwidth, format_size, parse_bandwidth, parse_size
from planner.values.codec import to_plain
from planner.values.convert import ConversionError, convert
from planner.values.marks import UNKNOWN, Unknown, unmark_deep
from planner.values.show import short_text
from planner.values.types import Null, Value


@dataclass(frozen=True, slots=True)
class CompiledArgument:
    argument: Argument
    value: Compiled
    range: SourceRange


@dataclass(frozen=True, slots=True)
class CompiledBody:
    """
    A body ready to be evaluated many times.

    Attributes:
        absent: what stands for every argument that is not given.
        blocks: for each nested block type, its bodies in the order written.
    """

    arguments: tuple[CompiledArgument, ...]
    absent: Mapping[str, Any]
    blocks: Mapping[NestedBlock, tuple[CompiledBody, ...]]


def compile_body(
    body: ast.Body,
    arguments: tuple[Argument, ...],
    blocks: tuple[NestedBlock, ...],
    owner: str,
    owner_range: SourceRange,
    extra: tuple[str, ...],
    functions: Mapping[str, Function],
    diagnostics: Diagnostics,
) -> CompiledBody:
    """
    Check a body against its schema and compile what it gives.

    Args:
        owner, owner_range: for diagnostics, as in `check_body`.
        extra: names that the caller reads elsewhere, offered in suggestions.
        functions: those that expressions may call.
    """
    by_name = {argument.name: argument for argument in arguments if argument.settable}
    shape = Shape(
        arguments=[*by_name, *extra],
        required=[argument.name for argument in arguments if argument.required],
        blocks=dict.fromkeys((block.type for block in blocks), 0),
        attributes=[argument.name for argument in arguments if not argument.settable],
    )
    check_body(body, shape, owner, owner_range, diagnostics)
    nested = {}
    for block in blocks:
        bodies = list(body.blocks_of(block.type))
        if len(bodies) > 1 and not block.repeated:
            diagnostics.error(
                "Duplicate block",
                f'{owner} takes one "{block.type}" block.',
                bodies[1].type_range,
                related=(("the first one", bodies[0].type_range),),
            )
        nested[block] = tuple(
            compile_body(
                b.body, block.arguments, (), f"{block.type} of {owner}", b.type_range, (), functions, diagnostics
            )
            for b in bodies
        )
    compiled = []
    for given in body.arguments:
        if (argument := by_name.get(given.name)) is not None:
            compiled.append(CompiledArgument(argument, compile_expression(given.value, functions), given.value.range))
    absent = {a.name: UNKNOWN if a.computed else a.default for a in arguments}
    return CompiledBody(tuple(compiled), absent, nested)


def evaluate_body(body: CompiledBody, scope: Scope, diagnostics: Diagnostics, stored: bool) -> dict[str, Any]:
    """
    The values of all arguments and nested blocks. What cannot be evaluated is a diagnostic, and Unknown.

    Args:
        stored: the values will be recorded, so a sensitive one is refused.
    """
    values = dict(body.absent)
    for item in body.arguments:
        argument = item.argument
        try:
            value = item.value.evaluate(scope)
            if isinstance(value, Null):
                if argument.required:
                    diagnostics.error("Missing required argument", f'"{argument.name}" must not be null.', item.range)
                continue
            values[argument.name] = _plain(argument, value, stored)
        except EvaluationError as error:
            diagnostics.add(error.diagnostic)
            values[argument.name] = UNKNOWN
        except _Unsuitable as error:
            diagnostics.error("Unsuitable value", error.detail, item.range)
            values[argument.name] = UNKNOWN
    for block, bodies in body.blocks.items():
        nested = tuple(evaluate_body(inner, scope, diagnostics, stored) for inner in bodies)
        values[block.type] = nested if block.repeated else (nested[0] if nested else None)
    return values


class _Unsuitable(Exception):
    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def _plain(argument: Argument, value: Value, stored: bool) -> Any:
    value, is_sensitive = unmark_deep(value)
    if is_sensitive and stored:
        raise _Unsuitable(
            f'"{argument.name}" is kept in the state, where nothing sensitive may be, and this value is'
            " sensitive. Use a value that is not, or nonsensitive() if it may be seen."
        )
    if argument.reference is not None:
        return _reference(argument, value)
    try:
        converted = convert(value, argument.type)
    except ConversionError as error:
        hint = ' Sizes are strings with a unit: "200GiB".' if argument.unit is Unit.SIZE else ""
        raise _Unsuitable(f'"{argument.name}" does not take {short_text(value)}: {error}.{hint}') from None
    plain = to_plain(converted)
    if isinstance(plain, Unknown):
        return plain
    if argument.unit is not None:
        return _quantity(argument, plain)
    if argument.choices and plain not in argument.choices:
        options = ", ".join(f'"{choice}"' for choice in argument.choices)
        raise _Unsuitable(
            f'"{argument.name}" is one of {options}, not "{plain}".{did_you_mean(str(plain), argument.choices)}'
        )
    return plain


def _reference(argument: Argument, value: Value) -> Any:
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, dict) and isinstance(id := value.get("id"), str) and (type := _type_of(id)):
        if type == argument.reference:
            return id
        raise _Unsuitable(f'"{argument.name}" refers to a {argument.reference}, and {id} is a {type}.')
    example = f"{argument.reference}.NAME"
    if isinstance(value, dict) and value and all(isinstance(item, dict) and "id" in item for item in value.values()):
        keys = ", ".join(f'"{key}"' for key in value)
        raise _Unsuitable(
            f'"{argument.name}" takes one {argument.reference}, and this one has copies. Say which: [KEY], with a key'
            f" of {keys}."
        )
    if isinstance(value, tuple):
        raise _Unsuitable(f'"{argument.name}" takes one {argument.reference}; say which of them: [INDEX].')
    raise _Unsuitable(
        f'"{argument.name}" takes a reference such as {example}, without quotes (in JSON "${{{example}}}"); this is'
        f" {short_text(value)}."
    )


@lru_cache(maxsize=4096)
def _type_of(id: str) -> str:
    """The resource type that an id names, or an empty text for an id that is no address (a volume's is the array's)."""
    try:
        return parse_instance(id).type
    except AddressError:
        return ""


def _quantity(argument: Argument, text: str) -> str:
    try:
        if argument.unit is Unit.SIZE:
            return format_size(parse_size(text))
        return format_bandwidth(parse_bandwidth(text))
    except UnitError as error:
        raise _Unsuitable(f'"{argument.name}": {error}') from None


def merge_copies(diagnostics: Diagnostics) -> Diagnostics:
    """The same mistake in many copies of a block becomes one diagnostic, the first, that lists them."""
    groups: dict[tuple[object, ...], list[Diagnostic]] = {}
    for item in diagnostics:
        place = (item.subject.filename, item.subject.start, item.subject.end) if item.subject else None
        # Details and values differ where each copy has a value of its own; the first one's show what is meant.
        key = (item.severity, item.summary, place or item.detail)
        groups.setdefault(key, []).append(item)
    merged = Diagnostics()
    for same in groups.values():
        addresses = [item.address for item in same if item.address]
        shown = ", ".join(addresses[:5]) + (f" and {len(addresses) - 5} more" if len(addresses) > 5 else "")
        merged.add(replace(same[0], address=shown or None))
    return merged


def has_errors(diagnostics: Diagnostics) -> bool:
    return any(item.severity is Severity.ERROR for item in diagnostics)
