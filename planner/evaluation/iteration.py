"""What goes over elements: for-expressions and splats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from planner.evaluation import operators
from planner.evaluation.code import Code, Frame, Place, constant
from planner.evaluation.errors import Fault
from planner.syntax import ast
from planner.syntax.ast import Expression
from planner.values.convert import ConversionError, convert, type_name, type_of
from planner.values.marks import UNKNOWN, Unknown, mark_sensitive, unmark
from planner.values.types import (
    DYNAMIC,
    STRING,
    ListType,
    ListValue,
    Null,
    PrimitiveType,
    SetType,
    SetValue,
    TupleType,
    Value,
)

if TYPE_CHECKING:
    from planner.evaluation.compiler import Compiler

Verdict = tuple[bool | None, bool]
"""What a condition says, None while that is unknown, and whether it is sensitive."""


def for_tuple(compiler: Compiler, node: ast.ForTuple) -> Code:
    """`[for value in collection : result if condition]`"""
    collection = compiler.compile(node.collection)
    with compiler.iteration(node.key, node.value) as (key_slot, value_slot):
        result = compiler.compile(node.result)
        condition, ask = _condition(compiler, node.condition)
    place = compiler.place(node.collection)
    result_of = result.run

    def run(frame: Frame) -> Value:
        entries, sensitive = entries_of(collection.run(frame), place, frame)
        if entries is None:
            return mark_sensitive(UNKNOWN, sensitive)
        items: list[Value] = []
        known, empty = True, True
        for frame[key_slot], frame[value_slot] in entries:
            empty = False
            wanted, marked = ask(frame)
            sensitive = sensitive or marked
            if wanted:
                items.append(result_of(frame))
            elif wanted is None:
                known = False
        if empty:
            frame[key_slot] = frame[value_slot] = UNKNOWN
            ask(frame)  # so that a wrong condition is found though there is nothing to go over
        return mark_sensitive(tuple(items), sensitive) if known else UNKNOWN

    return compiler.code(run, (collection, result, condition), own=(key_slot, value_slot))


def for_object(compiler: Compiler, node: ast.ForObject) -> Code:
    """`{for key, value in collection : result_key => result_value... if condition}`"""
    collection = compiler.compile(node.collection)
    with compiler.iteration(node.key, node.value) as (key_slot, value_slot):
        key, value = compiler.compile(node.result_key), compiler.compile(node.result_value)
        condition, ask = _condition(compiler, node.condition)
        key_place = compiler.place(node.result_key)
    place, group = compiler.place(node.collection), node.group

    def run(frame: Frame) -> Value:
        entries, sensitive = entries_of(collection.run(frame), place, frame)
        if entries is None:
            return mark_sensitive(UNKNOWN, sensitive)
        found: dict[str, list[Value]] = {}
        known, empty = True, True
        for frame[key_slot], frame[value_slot] in entries:
            empty = False
            wanted, marked = ask(frame)
            sensitive = sensitive or marked
            if wanted is None:
                known = False
            if not wanted:
                continue
            name, marked = object_key(key.run(frame), key_place, frame)
            sensitive = sensitive or marked
            if name is None:
                known = False
                continue
            items = found.setdefault(name, [])
            if items and not group:
                raise key_place.error(_duplicate_key(name, sensitive), frame)
            items.append(value.run(frame))
        if empty:
            frame[key_slot] = frame[value_slot] = UNKNOWN
            ask(frame)
        if not known:
            return UNKNOWN
        result = {name: tuple(found[name]) if group else found[name][0] for name in sorted(found)}
        return mark_sensitive(result, sensitive)

    return compiler.code(run, (collection, key, value, condition), own=(key_slot, value_slot))


def _duplicate_key(name: str, sensitive: bool) -> Fault:
    which = "the same key" if sensitive else f'the key "{name}"'
    return Fault(
        "Duplicate object key",
        f"Two elements give {which}. To collect the values of equal keys in a tuple, "
        "write an ellipsis (...) after the value.",
    )


def _condition(compiler: Compiler, node: Expression | None) -> tuple[Code, Callable[[Frame], Verdict]]:
    """An `if` clause and how to ask it."""
    if node is None:
        return constant(True), lambda frame: (True, False)
    code, place = compiler.compile(node), compiler.place(node)

    def ask(frame: Frame) -> Verdict:
        value = code.run(frame)
        if isinstance(value, bool):
            return value, False
        try:
            return operators.truth(value, "'for' condition")
        except Fault as fault:
            raise place.error(fault, frame) from None

    return code, ask


def entries_of(value: Value, place: Place, frame: Frame) -> tuple[Iterable[tuple[Value, Value]] | None, bool]:
    """Keys and elements of what is iterated, or None while they are unknown; and whether it is sensitive."""
    value, sensitive = unmark(value)
    entries = operators.pairs(value)
    if entries is not None:
        return entries, sensitive
    if isinstance(value, Null):
        raise place.error(Fault("Iteration over null value", "A null value has no elements to go over."), frame)
    type = type_of(value)
    if isinstance(value, Unknown) and (type == DYNAMIC or not isinstance(type, PrimitiveType)):
        return None, sensitive
    detail = f"A value of type {type_name(type)} has no elements to go over."
    raise place.error(Fault("Iteration over non-iterable value", detail), frame)


def object_key(value: Value, place: Place, frame: Frame) -> tuple[str | None, bool]:
    """The name that a key stands for, None while it is unknown, and whether it is sensitive."""
    value, sensitive = unmark(value)
    if isinstance(value, Null):
        raise place.error(Fault("Invalid object key", "A null value cannot be a key."), frame)
    try:
        name = convert(value, STRING)
    except ConversionError as error:
        raise place.error(Fault("Invalid object key", f"A key must be a string: {error}."), frame) from None
    return (name if isinstance(name, str) else None), sensitive


def splat(compiler: Compiler, node: ast.Splat) -> Code:
    """`target[*].each`: what is no sequence counts as one of a single element, and null as an empty one."""
    target = compiler.compile(node.target)
    with compiler.splat_element() as slot:
        each = compiler.compile(node.each)
    place = compiler.place(node, node.target)
    run_each = each.run

    def run(frame: Frame) -> Value:
        def apply(item: Value) -> Value:
            frame[slot] = item
            return run_each(frame)

        value, sensitive = unmark(target.run(frame))
        match value:
            case tuple():
                result: Value = tuple([apply(item) for item in value])
            case ListValue(element, items) | SetValue(element, items):
                results = tuple([apply(item) for item in items])
                result = ListValue(type_of(results[0] if results else apply(Unknown(element))), results)
            case Unknown():
                result = _unknown_splat(value, apply)
            case Null(ListType() | SetType() | TupleType()):
                raise place.error(Fault("Splat of null value", "This sequence is null; it has no elements.", 0), frame)
            case Null():
                result = ()
            case _:
                result = (apply(value),)
        return mark_sensitive(result, sensitive)

    return compiler.code(run, (target, each), own=(slot,))


def _unknown_splat(value: Unknown, apply: Callable[[Value], Value]) -> Value:
    match value.type:
        case ListType(element) | SetType(element):
            type = ListType(type_of(apply(Unknown(element))))
            return Unknown(type, not_null=True, min_length=value.min_length, max_length=value.max_length)
        case TupleType(elements):
            return Unknown(TupleType(tuple(type_of(apply(Unknown(element))) for element in elements)), not_null=True)
        case _ if value.type == DYNAMIC:
            return UNKNOWN
        case _:
            # It may yet turn out to be null, and the result to be empty; but what is asked of it must be right.
            item = apply(value)
            return (item,) if value.not_null else UNKNOWN
