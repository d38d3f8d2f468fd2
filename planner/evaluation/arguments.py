"""
Arguments of a block: compiled once, evaluated for each copy, held against the schema.

What comes out is plain data: sizes in canonical text, references as the `id` of what they name, sets in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from planner.addresses import AddressError, InstanceAddress, parse_instance
from planner.config.content import Shape, check_body
from planner.diagnostics import Diagnostic, Diagnostics, SourceRange, did_you_mean
from planner.evaluation.compiler import Compiled, compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.functions.signature import Function
from planner.evaluation.operators import pairs
from planner.evaluation.scope import Scope
from planner.resources.schema import Argument, NestedBlock, Unit
from planner.syntax import ast
from planner.units import UnitError, format_bandwidth, format_size, parse_bandwidth, parse_size
from planner.values.codec import to_plain
from planner.values.convert import ConversionError, convert
from planner.values.marks import UNKNOWN, Unknown, has_sensitive, unmark_deep
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
    blocks: Mapping[NestedBlock, tuple[CompiledBody | CompiledDynamic, ...]]


@dataclass(frozen=True, slots=True)
class CompiledDynamic:
    """`dynamic "attach" { for_each = ...  content { ... } }`: a body for each element, which `iterator` names."""

    for_each: Compiled
    iterator: str
    content: CompiledBody
    range: SourceRange


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
        blocks=dict.fromkeys((block.type for block in blocks), 0) | ({"dynamic": 1} if blocks else {}),
        attributes=[argument.name for argument in arguments if not argument.settable],
    )
    check_body(body, shape, owner, owner_range, diagnostics)
    nested: dict[NestedBlock, tuple[CompiledBody | CompiledDynamic, ...]] = {}
    for block in blocks:
        found: list[CompiledBody | CompiledDynamic] = []
        for inner in body.blocks:
            inside = f"{block.type} of {owner}"
            if inner.type == block.type:
                found.append(
                    compile_body(inner.body, block.arguments, (), inside, inner.type_range, (), functions, diagnostics)
                )
            elif inner.type == "dynamic" and inner.labels and inner.labels[0].text == block.type:
                dynamic = _compile_dynamic(inner, block, inside, functions, diagnostics)
                found.extend([dynamic] if dynamic else [])
        if len(found) > 1 and not block.repeated:
            first, second, *_ = [inner for inner in body.blocks if inner.type == block.type]
            diagnostics.error(
                "Duplicate block",
                f'{owner} takes one "{block.type}" block.',
                second.type_range,
                related=(("the first one", first.type_range),),
            )
        nested[block] = tuple(found)
    for inner in body.blocks_of("dynamic"):
        if blocks and inner.labels and inner.labels[0].text not in {block.type for block in blocks}:
            known = [block.type for block in blocks]
            diagnostics.error(
                "Unsupported block",
                f'{owner} has no block "{inner.labels[0].text}".{did_you_mean(inner.labels[0].text, known)}',
                inner.labels[0].range,
            )
    compiled = []
    for given in body.arguments:
        if (argument := by_name.get(given.name)) is not None:
            compiled.append(CompiledArgument(argument, compile_expression(given.value, functions), given.value.range))
    absent = {a.name: UNKNOWN if a.computed else a.default for a in arguments}
    return CompiledBody(tuple(compiled), absent, nested)


Instances = Mapping[int, InstanceAddress]
"""Which instance a value is all attributes of, by the value's `id()`: a volume's attributes do not tell its address."""


def evaluate_body(
    body: CompiledBody,
    scope: Scope,
    diagnostics: Diagnostics,
    stored: bool,
    secrets: set[str] | None = None,
    instances: Instances = MappingProxyType({}),
) -> dict[str, Any]:
    """
    The values of all arguments and nested blocks. What cannot be evaluated is a diagnostic, and Unknown.

    Args:
        stored: the values will be recorded, so a sensitive one is refused.
        secrets: gets the texts of the body's own arguments that are sensitive.
    """
    values = dict(body.absent)
    for item in body.arguments:
        argument = item.argument
        try:
            value = item.value.evaluate(scope)
            if isinstance(value, Null):
                if argument.required:
                    diagnostics.error("Missing required argument", f'"{argument.name}" must not be null.', item.range)
                values[argument.name] = argument.default
                continue
            values[argument.name] = _plain(argument, value, stored, instances)
            if secrets is not None and has_sensitive(value):
                secrets.update(texts_in(values[argument.name]))
        except EvaluationError as error:
            diagnostics.add(error.diagnostic)
            values[argument.name] = UNKNOWN
        except _Unsuitable as error:
            diagnostics.error("Unsuitable value", error.detail, item.range)
            values[argument.name] = UNKNOWN
    for block, bodies in body.blocks.items():
        nested = tuple(
            evaluate_body(content, inside, diagnostics, stored, None, instances)
            for inner in bodies
            for content, inside in _expanded(inner, scope, diagnostics)
        )
        values[block.type] = nested if block.repeated else (nested[0] if nested else None)
    return values


_DYNAMIC = Shape(("for_each", "iterator"), required=("for_each",), blocks={"content": 0})


def iterator_of(block: ast.Block) -> str:
    """What the elements of a `dynamic` block are called in its content: its `iterator`, or its label."""
    given = block.body.argument("iterator")
    if given is not None and isinstance(given.value, ast.Name):
        return given.value.name
    return block.labels[0].text if block.labels else ""


def _compile_dynamic(
    block: ast.Block, made: NestedBlock, owner: str, functions: Mapping[str, Function], diagnostics: Diagnostics
) -> CompiledDynamic | None:
    check_body(block.body, _DYNAMIC, f"dynamic {owner}", block.header_range, diagnostics)
    for_each, contents = block.body.argument("for_each"), list(block.body.blocks_of("content"))
    if len(contents) != 1:
        diagnostics.error("Invalid dynamic block", 'It takes exactly one "content" block.', block.header_range)
    if for_each is None or len(contents) != 1:
        return None
    content = compile_body(
        contents[0].body, made.arguments, (), owner, contents[0].type_range, (), functions, diagnostics
    )
    return CompiledDynamic(
        compile_expression(for_each.value, functions), iterator_of(block), content, for_each.value.range
    )


class _Element:
    """A scope in which an iterator has a key and a value."""

    __slots__ = ("_iterator", "_key", "_outer", "_value")

    def __init__(self, outer: Scope, iterator: str, key: Value, value: Value) -> None:
        self._outer = outer
        self._iterator = iterator
        self._key = key
        self._value = value

    def resolve(self, root: str, name: str) -> Value:
        if root != self._iterator:
            return self._outer.resolve(root, name)
        return self._key if name == "key" else self._value


def _expanded(
    body: CompiledBody | CompiledDynamic, scope: Scope, diagnostics: Diagnostics
) -> Iterator[tuple[CompiledBody, Scope]]:
    """The bodies that a nested block stands for, each with its scope."""
    if isinstance(body, CompiledBody):
        yield body, scope
        return
    try:
        value = body.for_each.evaluate(scope)
    except EvaluationError as error:
        diagnostics.add(error.diagnostic)
        return
    found = pairs(unmark_deep(value)[0])
    if isinstance(value, Unknown) or found is None:
        why = "this is known only after apply" if isinstance(value, Unknown) else f"this is {short_text(value)}"
        diagnostics.error(
            "Invalid for_each", f"A dynamic block is made for each element of a collection; {why}.", body.range
        )
        return
    for key, item in found:
        yield body.content, _Element(scope, body.iterator, key, item)


def texts_in(value: Any) -> Iterator[str]:
    """All texts in plain data."""
    match value:
        case str():
            yield value
        case Mapping():
            yield from texts_in(tuple(value.values()))
        case tuple():
            for item in value:
                yield from texts_in(item)


class _Unsuitable(Exception):
    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def _plain(argument: Argument, value: Value, stored: bool, instances: Instances) -> Any:
    value, is_sensitive = unmark_deep(value)
    if is_sensitive and stored:
        raise _Unsuitable(
            f'"{argument.name}" is kept in the state, where nothing sensitive may be, and this value is'
            " sensitive. Use a value that is not, or nonsensitive() if it may be seen."
        )
    try:
        return _fitting(argument, value, instances)
    except _Unsuitable:
        if is_sensitive:
            raise _Unsuitable(
                f'"{argument.name}" does not take this value, which is sensitive and not shown.'
            ) from None
        raise


def _fitting(argument: Argument, value: Value, instances: Instances) -> Any:
    if argument.reference is not None:
        return _reference(argument, value, instances)
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


def _reference(argument: Argument, value: Value, instances: Instances) -> Any:
    if isinstance(value, Unknown):
        return UNKNOWN
    named, type = instances.get(id(value)), ""
    if named is not None:
        text, type = str(named), named.type
    elif isinstance(value, dict) and isinstance(given := value.get("id"), str):
        text, type = given, _type_of(given)
    if type:
        if type in (argument.reference, f"data.{argument.reference_to_data}"):
            return text
        raise _Unsuitable(f'"{argument.name}" refers to a {argument.reference}, and {text} is a {type}.')
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
