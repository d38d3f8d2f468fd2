"""Regular expressions, in RE2's syntax: no look-around and no back references, and linear time for any pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from planner.evaluation.functions.signature import ArgumentFault, Family, Parameter
from planner.values.marks import Unknown
from planner.values.types import (
    DYNAMIC,
    STRING,
    ListType,
    ListValue,
    Null,
    ObjectType,
    TupleType,
    Type,
    Value,
)

FUNCTIONS = Family()

_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _pattern(pattern: str, index: int) -> Any:
    import re2

    try:
        return _compiled(pattern)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise ArgumentFault(index, f"it is not a regular expression: {reason}") from None


def _result_type(pattern: str | Unknown, *rest: Value) -> Type:
    """What a match gives: the whole text, a tuple of what the groups caught, or an object where they are named."""
    if isinstance(pattern, Unknown):
        return DYNAMIC
    compiled = _pattern(pattern, 0)
    names = compiled.groupindex
    if not compiled.groups:
        return STRING
    if not names:
        return TupleType((STRING,) * compiled.groups)
    if len(names) < compiled.groups:
        raise ArgumentFault(0, "a pattern has either named or unnamed groups, not both")
    return ObjectType(tuple((name, STRING) for name in sorted(names)))


def _list_type(pattern: str | Unknown, *rest: Value) -> Type:
    return ListType(_result_type(pattern))


@FUNCTIONS.add("regex", Parameter("pattern"), Parameter("string"), returns=_result_type)
def match_pattern(pattern: str, text: str) -> Value:
    type = _result_type(pattern)
    found = _compiled(pattern).search(text.encode())
    if found is None:
        raise ArgumentFault(1, "the pattern does not match any part of it")
    return _result(found, type)


@FUNCTIONS.add("regexall", Parameter("pattern"), Parameter("string"), returns=_list_type)
def match_all(pattern: str, text: str) -> Value:
    type = _result_type(pattern)
    return ListValue(type, tuple(_result(found, type) for found in _matches(_compiled(pattern), text.encode())))


@FUNCTIONS.add("replace", Parameter("str"), Parameter("substr"), Parameter("replace"), returns=STRING)
def replace(text: str, part: str, replacement: str) -> Value:
    """`part` between slashes is a pattern, and `replacement` may then refer to its groups: $1, ${1}, $name, ${name}."""
    if len(part) < 2 or not (part[0] == part[-1] == "/"):
        return text.replace(part, replacement)
    compiled = _pattern(part[1:-1], 1)
    data, pieces, end = text.encode(), [], 0
    for found in _matches(compiled, data):
        pieces += [data[end : found.start()].decode(), _expand(replacement, found)]
        end = found.end()
    return "".join((*pieces, data[end:].decode()))


def _matches(compiled: Any, data: bytes) -> Iterator[Any]:
    """
    All matches from left to right, without an empty one where the one before ended.

    The text is UTF-8, since from a str the library would make that anew for every match.
    """
    at, end = 0, -1
    while at <= len(data):
        found = compiled.search(data, at)
        if found is None:
            return
        start, at = found.start(), found.end()
        if start == at:
            at = _next_character(data, at)
            if start == end:
                continue
        end = found.end()
        yield found


def _next_character(data: bytes, at: int) -> int:
    at += 1
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


def _result(found: Any, type: Type) -> Value:
    match type:
        case ObjectType(attributes):
            return {name: _group(found, name) for name, _ in attributes}
        case TupleType():
            return tuple(_group(found, number + 1) for number in range(len(found.groups())))
        case _:
            return str(found.group().decode())


def _group(found: Any, group: str | int) -> Value:
    caught = found.group(group)
    return Null(STRING) if caught is None else str(caught.decode())


def _expand(template: str, found: Any) -> str:
    def caught(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        group: str | int | None = int(name) if name.isdigit() else name
        known = range(len(found.groups()) + 1) if isinstance(group, int) else found.re.groupindex
        return (found.group(group) or b"").decode() if group in known else ""

    return _REFERENCE.sub(caught, template)
