"""
What `console -json` answers: one object on one line for each expression.

    {"value": 42, "type": "number"}
    {"value": {"a": null}, "type": ..., "unknown_paths": [["a"]]}      also `sensitive_paths`; null stands there
    {"unknown": true}
    {"sensitive": true, "type": "string"}
    {"error": {"summary": ..., "detail": ...}}

Paths are lists of names and indexes, as in `replace_paths` of Terraform's plans.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from planner.diagnostics import Diagnostics, Severity
from planner.values.codec import CodecError, encode
from planner.values.compare import type_of
from planner.values.marks import Sensitive, Unknown
from planner.values.show import type_text
from planner.values.types import NULL, ListValue, MapValue, SetValue, Value

_Path = tuple[str | int, ...]


def value_to_json(value: Value) -> str:
    """The answer that holds a value. Numbers keep all their digits, which is why it is made as text."""
    if isinstance(value, Unknown) or (isinstance(value, Sensitive) and isinstance(value.value, Unknown)):
        return '{"unknown": true}'
    type = json.dumps(type_text(type_of(value)), ensure_ascii=False)
    if isinstance(value, Sensitive):
        return f'{{"sensitive": true, "type": {type}}}'
    hidden: dict[str, list[_Path]] = {}
    try:
        text = encode(_shown(value, (), hidden))
    except CodecError as error:
        return _error("Value without JSON", f"The value cannot be written: {error}.")
    more = "".join(f', "{what}": {json.dumps(paths, ensure_ascii=False)}' for what, paths in sorted(hidden.items()))
    return f'{{"value": {text}, "type": {type}{more}}}'


def mistakes_to_json(diagnostics: Diagnostics) -> str:
    """The answer that holds the first error of some."""
    first = next(item for item in diagnostics if item.severity is Severity.ERROR)
    return _error(first.summary, first.detail)


def _error(summary: str, detail: str) -> str:
    return json.dumps({"error": {"summary": summary, "detail": detail}}, ensure_ascii=False)


def _shown(value: Value, path: _Path, hidden: dict[str, list[_Path]]) -> Value:
    """The value with null for each part that cannot be shown, whose path goes to `hidden`."""
    match value:
        case Unknown() | Sensitive(Unknown()):
            hidden.setdefault("unknown_paths", []).append(path)
            return NULL
        case Sensitive():
            hidden.setdefault("sensitive_paths", []).append(path)
            return NULL
        case dict():
            return _shown_entries(value, path, hidden)
        case MapValue(items=items):
            return _shown_entries(items, path, hidden)
        case tuple():
            return _shown_items(value, path, hidden)
        case ListValue(items=items) | SetValue(items=items):
            return _shown_items(items, path, hidden)
        case _:
            return value


def _shown_entries(entries: Mapping[str, Value], path: _Path, hidden: dict[str, list[_Path]]) -> Value:
    return {name: _shown(entries[name], (*path, name), hidden) for name in sorted(entries)}


def _shown_items(items: tuple[Value, ...], path: _Path, hidden: dict[str, list[_Path]]) -> Value:
    return tuple(_shown(item, (*path, index), hidden) for index, item in enumerate(items))
