"""
Values as canonical JSON, and as the plain data that leaves the language.

JSON here is one text per value: keys sorted, no spaces, whole numbers exact at any size. Reading it back gives tuples
and objects, since JSON knows neither lists nor sets.
"""

from __future__ import annotations

import json
import unicodedata
from fractions import Fraction
from json.encoder import encode_basestring
from typing import Any

from planner.values.marks import Sensitive, Unknown
from planner.values.numbers import number_text, parse_number
from planner.values.types import NULL, ListValue, MapValue, Null, SetValue, Value


class CodecError(ValueError):
    """A value that JSON has no text for, or a text that is no JSON; `str()` says why."""


def encode(value: Value) -> str:
    """
    The canonical JSON of a value that is wholly known and has no sensitive part.

    Raises:
        CodecError: it holds an infinity, an unknown or something sensitive.
    """
    pieces: list[str] = []
    _encode(value, pieces.append)
    return "".join(pieces)


def decode(text: str) -> Value:
    """
    The value that a JSON text stands for: objects, tuples, strings (as NFC), numbers, bools and null.

    Raises:
        CodecError: the text is no JSON.
    """
    try:
        data = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise CodecError(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise CodecError("it is nested too deeply") from None
    return from_plain(data)


def to_plain(value: Value) -> Any:
    """
    The plain data of a value: str, int, Fraction, bool, None, tuple, dict.

    Lists and sets become tuples, maps dicts. Unknown stays Unknown, and Sensitive stays around the plain data in it.
    """
    match value:
        case Null():
            return None
        case tuple():
            return tuple(to_plain(item) for item in value)
        case dict():
            return {name: to_plain(item) for name, item in value.items()}
        case ListValue() | SetValue():
            return tuple(to_plain(item) for item in value.items)
        case MapValue():
            return {name: to_plain(item) for name, item in value.items.items()}
        case Sensitive(inner):
            return Sensitive(to_plain(inner))
        case _:
            return value


def from_plain(data: Any) -> Value:
    """The value of plain data: sequences become tuples, mappings objects with sorted attributes, None null."""
    match data:
        case str():
            return normalized(data)
        case None:
            return NULL
        case tuple() | list():
            return tuple(from_plain(item) for item in data)
        case dict():
            return {normalized(name): from_plain(item) for name, item in sorted(data.items())}
        case Sensitive(inner):
            return Sensitive(from_plain(inner))
        case bool() | int() | Fraction() | float() | Unknown():
            return data
        case _:
            raise TypeError(f"{type(data).__name__} is not plain data. This is a bug in lunform.")


def normalized(text: str) -> str:
    """A text as the language holds it: in NFC, with half a surrogate pair replaced, which no encoding could write."""
    if text.isascii():
        return text
    if any("\ud800" <= character <= "\udfff" for character in text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unicodedata.normalize("NFC", text)


def _encode(value: Value, write: Any) -> None:
    match value:
        case str():
            write(encode_basestring(value))
        case bool():
            write("true" if value else "false")
        case int() | Fraction():
            write(number_text(value))
        case Null():
            write("null")
        case tuple():
            _encode_items(value, write)
        case ListValue() | SetValue():
            _encode_items(value.items, write)
        case dict():
            _encode_entries(value, write)
        case MapValue():
            _encode_entries(dict(value.items), write)
        case float():
            raise CodecError("JSON has no infinite number")
        case Unknown():
            raise CodecError("it is not known yet")
        case Sensitive():
            raise CodecError("it is sensitive")


def _encode_items(items: tuple[Value, ...], write: Any) -> None:
    separator = "["
    for item in items:
        write(separator)
        _encode(item, write)
        separator = ","
    write("[]" if separator == "[" else "]")


def _encode_entries(entries: dict[str, Value], write: Any) -> None:
    separator = "{"
    for name in sorted(entries):
        write(separator)
        write(encode_basestring(name))
        write(":")
        _encode(entries[name], write)
        separator = ","
    write("{}" if separator == "{" else "}")


def _number(text: str) -> Any:
    number = parse_number(text)
    if number is None:
        raise CodecError(f"the number {text[:20]}... is out of range")
    return number


def _refuse(text: str) -> Any:
    raise CodecError(f"{text} is not JSON")
