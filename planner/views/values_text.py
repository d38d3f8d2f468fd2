"""Attributes and outputs (plain data, Unknown and Sensitive among it) as the language writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from planner.values.marks import Sensitive, Unknown
from planner.views.style import Style

KNOWN_AFTER_APPLY = "(known after apply)"
SENSITIVE = "(sensitive value)"

_LINE = 72
"""Characters that a collection may take on one line."""

_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True)
class Bare:
    """A text that people read without quotes: an address, a size, a figure with its unit."""

    text: str


def inline(value: Any) -> str:
    """The value on one line, however long."""
    match value:
        case Bare(text):
            return text
        case None:
            return "null"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bool():
            return "true" if value else "false"
        case Unknown():
            return KNOWN_AFTER_APPLY
        case Sensitive():
            return SENSITIVE
        case Fraction():
            return f"{float(value):.15g}"
        case Mapping():
            entries = ", ".join(f"{_key(name)} = {inline(item)}" for name, item in sorted(value.items()))
            return f"{{ {entries} }}" if entries else "{}"
        case tuple() | list():
            return f"[{', '.join(map(inline, value))}]"
        case _:
            return str(value)


def full(value: Any, indent: int = 0) -> str:
    """The value on one line where it is short, else with a line for each part, which `indent` spaces precede."""
    text = inline(value)
    if len(text) + indent <= _LINE or not isinstance(value, Mapping | tuple | list):
        return text
    inner = " " * (indent + 2)
    if isinstance(value, Mapping):
        width = _width(value)
        lines = [f"{inner}{_key(name):{width}} = {full(value[name], indent + 2)}" for name in sorted(value)]
        return "\n".join(["{", *lines, " " * indent + "}"])
    return "\n".join(["[", *(f"{inner}{full(item, indent + 2)}," for item in value), " " * indent + "]"])


def difference(before: Any, after: Any, style: Style, indent: int = 0) -> str:
    """
    `old -> new`; for collections that are not short, the parts that differ, each on a line with its symbol.

    Args:
        indent: columns before the line that the text begins on.
    """
    short = f"{inline(before)} -> {inline(after)}"
    if len(short) + indent <= _LINE:
        return short
    inner = " " * (indent + 2)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        lines = _entries(before, after, style, indent + 4)
        return "\n".join(["{", *(inner + line for line in lines), " " * indent + "}"])
    if isinstance(before, tuple | list) and isinstance(after, tuple | list):
        lines = _items(before, after, style, indent + 4)
        return "\n".join(["[", *(inner + line for line in lines), " " * indent + "]"])
    return f"{full(before, indent)} -> {full(after, indent)}"


def hidden(count: int, noun: str) -> str:
    """`# (5 unchanged attributes hidden)`."""
    return f"# ({count} unchanged {noun}{'s' if count > 1 else ''} hidden)"


def _entries(before: Mapping[str, Any], after: Mapping[str, Any], style: Style, indent: int) -> Iterable[str]:
    names = sorted(name for name in {*before, *after} if name not in before or name not in after)
    names = sorted({*names, *(name for name in before if name in after and before[name] != after[name])})
    width = _width(names)
    for name in names:
        key = f"{_key(name):{width}} ="
        if name not in before:
            yield f"{style.create('+')} {key} {full(after[name], indent)}"
        elif name not in after:
            yield f"{style.destroy('-')} {key} {full(before[name], indent)}"
        else:
            yield f"{style.update('~')} {key} {difference(before[name], after[name], style, indent)}"
    if same := len({*before, *after}) - len(names):
        yield "  " + style.dim(hidden(same, "element"))


def _items(before: Sequence[Any], after: Sequence[Any], style: Style, indent: int) -> Iterable[str]:
    """What is between the common beginning and the common end, as removed and added."""
    shorter = min(len(before), len(after))
    head = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    tail = next((at for at in range(shorter - head) if before[-1 - at] != after[-1 - at]), shorter - head)
    for item in before[head : len(before) - tail]:
        yield f"{style.destroy('-')} {full(item, indent)},"
    for item in after[head : len(after) - tail]:
        yield f"{style.create('+')} {full(item, indent)},"
    if head + tail:
        yield "  " + style.dim(hidden(head + tail, "element"))


def _key(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _width(names: Iterable[str]) -> int:
    return max((len(_key(name)) for name in names), default=0)
