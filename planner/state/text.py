"""Recorded data as canonical JSON text, in rows and in documents. Numbers are exact at any size, in both directions."""

from __future__ import annotations

import json
from typing import Any

from planner.values import codec
from planner.values.numbers import parse_number

_encode_fast = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def encode(value: Any) -> str:
    """Canonical JSON: equal data gives equal text."""
    try:
        return _encode_fast(value)
    except TypeError:  # a fraction: the language's numbers are exact, and `json` has no exact number but int
        return codec.encode(codec.from_plain(value))


def decode(text: str) -> Any:
    """
    Plain data: tuples, no lists.

    Raises:
        ValueError: it is no JSON.
    """
    return _with_tuples(json.loads(text, parse_float=parse_number))


def _with_tuples(value: Any) -> Any:
    """JSON knows lists only; plain data has tuples only. Changes `value`, which is fresh from the decoder."""
    if type(value) is list:
        return tuple([_with_tuples(item) for item in value])
    if type(value) is dict:
        for name, item in value.items():
            if type(item) is list or type(item) is dict:
                value[name] = _with_tuples(item)
    return value
