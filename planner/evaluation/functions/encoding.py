"""Base64, URL, JSON and CSV texts."""

from __future__ import annotations

import base64
import codecs
import re

from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Parameter
from planner.values.codec import CodecError, decode, encode, normalized
from planner.values.types import DYNAMIC, STRING, ListValue, ObjectType, Value

FUNCTIONS = Family()

_STRING = Parameter("str")


_BIG_ENDIAN = {"utf-16": "utf-16-be"}
"""What a name without byte order stands for where no mark tells; Python would take this machine's order."""

_NOT_IANA = {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7", "utf-8-sig"} | {
    "utf-32",
    "utf-32-be",
    "utf-32-le",
}
"""Codecs of Python's that are no character set, or none that Terraform knows."""

# A field in quotes, or a bare one; then what ends it.
_CSV_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n][^",\n]*?)?)(,|\r?\n|\r?\Z)')


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str, index: int) -> bytes:
    """
    The bytes of a Base64 text, which may be broken into lines.

    Raises:
        ArgumentFault: it is no Base64, padding included.
    """
    try:
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except ValueError:
        raise ArgumentFault(index, "it is not Base64 with padding") from None


@FUNCTIONS.add("base64encode", _STRING, returns=STRING)
def base64_encode(text: str) -> Value:
    return to_base64(text.encode())


@FUNCTIONS.add("base64decode", _STRING, returns=STRING)
def base64_decode(text: str) -> Value:
    try:
        return from_base64(text, 0).decode()
    except UnicodeDecodeError:
        raise ArgumentFault(0, "what it encodes is not UTF-8 text, so it cannot be a string") from None


@FUNCTIONS.add("base64gzip", _STRING, returns=STRING)
def base64_gzip(text: str) -> Value:
    import gzip

    return to_base64(gzip.compress(text.encode(), mtime=0))


@FUNCTIONS.add("textencodebase64", Parameter("string"), Parameter("encoding"), returns=STRING)
def text_encode_base64(text: str, encoding: str) -> Value:
    codec = _codec(encoding)
    try:
        return to_base64(
            (codecs.BOM_UTF16_BE if codec == "utf-16" else b"") + text.encode(_BIG_ENDIAN.get(codec, codec))
        )
    except UnicodeEncodeError as error:
        raise ArgumentFault(0, f'"{text[error.start]}" is no character of {encoding}') from None


@FUNCTIONS.add("textdecodebase64", Parameter("source"), Parameter("encoding"), returns=STRING)
def text_decode_base64(text: str, encoding: str) -> Value:
    data = from_base64(text, 0)
    codec = _codec(encoding)
    marked = data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE))
    try:
        return data.decode(codec if marked else _BIG_ENDIAN.get(codec, codec))
    except UnicodeDecodeError:
        raise ArgumentFault(0, f"what it encodes is not {encoding}") from None


@FUNCTIONS.add("urlencode", _STRING, returns=STRING)
def url_encode(text: str) -> Value:
    from urllib.parse import quote_plus

    return quote_plus(text)


@FUNCTIONS.add("jsonencode", Parameter("val", DYNAMIC, null=True), returns=STRING)
def json_encode(value: Value) -> Value:
    try:
        return escaped_json(encode(value))
    except CodecError as error:
        raise CallFault(str(error)) from None


def escaped_json(text: str) -> str:
    """JSON with the characters escaped that would end it inside HTML or JavaScript, as Terraform writes it."""
    if not any(character in text for character in "<>&\u2028\u2029\x7f"):
        return text
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


@FUNCTIONS.add("jsondecode", _STRING, returns=DYNAMIC)
def json_decode(text: str) -> Value:
    try:
        return decode(text)
    except CodecError as error:
        raise ArgumentFault(0, f"it is not JSON: {error}") from None


@FUNCTIONS.add("csvdecode", _STRING, returns=DYNAMIC)
def csv_decode(text: str) -> Value:
    """Objects by the names in the first line; all values are strings."""
    rows = _csv_rows(text)
    if not rows:
        raise ArgumentFault(0, "it has no line with column names")
    names, *records = rows
    for name in names:
        if names.count(name) > 1:
            raise ArgumentFault(0, f'the column name "{name}" stands twice')
    for line, record in enumerate(records, 2):
        if len(record) != len(names):
            raise ArgumentFault(0, f"record {line} has {len(record)} fields, but there are {len(names)} columns")
    order = sorted(range(len(names)), key=names.__getitem__)
    element = ObjectType(tuple((names[column], STRING) for column in order))
    items: tuple[Value, ...] = tuple({names[column]: record[column] for column in order} for record in records)
    return ListValue(element, items)


def _csv_rows(text: str) -> list[list[str]]:
    rows: list[list[str]] = []
    row: list[str] = []
    at = 0
    while at < len(text) or row:
        match = _CSV_FIELD.match(text, at)
        if match is None:
            line = text.count("\n", 0, at) + 1
            raise ArgumentFault(0, f"line {line}: a quote is in a field without quotes, or is not closed")
        quoted, bare, end = match.groups()
        at = match.end()
        if quoted is None and not bare and not row and end != ",":
            continue  # an empty line
        row.append(normalized((quoted or "").replace('""', '"').replace("\r\n", "\n") if bare is None else bare))
        if end != ",":
            rows.append(row)
            row = []
            if at >= len(text):
                break
    return rows


def _codec(encoding: str) -> str:
    """Python's name for an IANA character set."""
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):
        codec = None
    if codec is None or not getattr(codec, "_is_text_encoding", True) or codec.name in _NOT_IANA:
        raise ArgumentFault(1, f'"{encoding}" is not a known character encoding')
    return codec.name
