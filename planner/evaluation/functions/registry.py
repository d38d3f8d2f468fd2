"""All functions of the language by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from planner.evaluation.functions import (
    conversion,
    date,
    encoding,
    formatting,
    hashing,
    mappings,
    network,
    numeric,
    pattern,
    sequences,
    sets,
    text,
    yaml_text,
)
from planner.evaluation.functions.filesystem import filesystem_functions
from planner.evaluation.functions.signature import Family, Function
from planner.values.marks import Unknown
from planner.values.types import STRING, Value

_FAMILIES = (
    conversion,
    date,
    encoding,
    formatting,
    hashing,
    mappings,
    network,
    numeric,
    pattern,
    sequences,
    sets,
    text,
    yaml_text,
)
_CHANGING = ("bcrypt", "uuid")
"""Functions that give something else at each call; while planning their result is not known yet."""


def standard_functions(
    directory: Path, *, plan_time: datetime, planning: bool = False, console: bool = False
) -> Mapping[str, Function]:
    """
    The functions of expressions.

    Args:
        directory: where relative paths of file functions begin.
        plan_time: what plantimestamp() gives; with a zone.
        planning: leave what only apply can tell (timestamp(), uuid(), bcrypt()) unknown.
        console: with type(), which only the console offers.
    """
    functions: dict[str, Function] = {}
    for module in _FAMILIES:
        functions.update(module.FUNCTIONS)
    functions.update(filesystem_functions(directory, lambda: functions))
    functions.update(_clock(plan_time, planning))
    if planning:
        for name in _CHANGING:
            functions[name] = _not_yet(functions[name])
    if console:
        functions.update(conversion.CONSOLE_FUNCTIONS)
    return MappingProxyType(functions)


def _clock(plan_time: datetime, planning: bool) -> Family:
    family = Family()

    @family.add("plantimestamp", returns=STRING)
    def plan_timestamp() -> Value:
        return date.rfc3339(plan_time.astimezone(UTC))

    @family.add("timestamp", returns=STRING, pure=False)
    def timestamp() -> Value:
        return Unknown(STRING, not_null=True) if planning else date.rfc3339(datetime.now(UTC))

    return family


def _not_yet(function: Function) -> Function:
    body: Callable[..., Value] = lambda *arguments: Unknown(STRING, not_null=True)  # noqa: E731 # shorter than a def
    return Function(function.name, function.parameters, function.variadic, function.returns, body)
