"""
format() and formatlist(): printf as Terraform has it.

    %[flags][width][.precision][[index]]verb     flags: space + - 0 #

Width and precision of strings count grapheme clusters; numbers of any size are written exactly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import repeat

from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Parameter, Takes
from planner.evaluation.functions.text import graphemes
from planner.values.codec import CodecError, encode
from planner.values.convert import ConversionError, convert
from planner.values.marks import Unknown, is_wholly_known, lasting_prefix
from planner.values.numbers import number_text
from planner.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListType,
    ListValue,
    Null,
    Number,
    SetType,
    SetValue,
    Type,
    Value,
)

FUNCTIONS = Family()

_VERB = re.compile(
    r"%(?P<flags>[ +\-0#]*)(?P<width>\d+)?(?:\.(?P<precision>\d+))?(?:\[(?P<index>\d+)\])?(?P<verb>.?)", re.S
)
_INTEGERS = "bdoxX"
_FLOATS = "eEfgG"
_DEFAULT_PRECISION = 6
_LONGEST = 100_000
"""Widths and precisions beyond it are refused, lest a typing mistake fill the memory."""


@FUNCTIONS.add(
    "format",
    Parameter("format"),
    variadic=Parameter("args", DYNAMIC, null=True, unknown=Takes.ALL),
    returns=STRING,
)
def format_text(template: str, *arguments: Value) -> Value:
    if not all(is_wholly_known(argument) for argument in arguments):
        return Unknown(STRING, not_null=True, prefix=lasting_prefix(template.partition("%")[0]))
    return _format(template, arguments)


@FUNCTIONS.add(
    "formatlist",
    Parameter("format"),
    variadic=Parameter("args", DYNAMIC, null=True, unknown=Takes.ALL),
    returns=ListType(STRING),
)
def format_list(template: str, *arguments: Value) -> Value:
    """One text per element of the sequences among the arguments, which are equally long; other arguments repeat."""
    length, chooser, unknown = -1, 0, False
    columns: list[Sequence[Value] | None] = []
    for index, argument in enumerate(arguments, 1):
        items: Sequence[Value] | None = None
        match argument:
            case tuple():
                items = argument
            case ListValue() | SetValue():
                items = argument.items
                unknown = unknown or (isinstance(argument, SetValue) and not is_wholly_known(argument))
            case Unknown(ListType() | SetType()):
                unknown = True
        if items is not None:
            if length not in (-1, len(items)):
                raise ArgumentFault(
                    index,
                    f"it has {len(items)} elements, but argument {chooser} has {length}: they must be equally long",
                )
            length, chooser = len(items), index
        columns.append(items)
    if unknown:
        return Unknown(ListType(STRING), not_null=True)
    rows = zip(
        *(repeat(argument) if column is None else column for argument, column in zip(arguments, columns, strict=True)),
        *((range(1 if length < 0 else length),)),
        strict=False,
    )
    texts: list[Value] = []
    for *row, number in rows:
        if not all(is_wholly_known(value) for value in row):
            texts.append(Unknown(STRING, not_null=True))
            continue
        try:
            texts.append(_format(template, row))
        except CallFault as fault:
            raise CallFault(f"for element {number}, {fault}") from None
    return ListValue(STRING, tuple(texts))


def _format(template: str, arguments: Sequence[Value]) -> str:
    used = following = 0
    pieces, end = [], 0
    for match in _VERB.finditer(template):
        pieces.append(template[end : match.start()])
        end = match.end()
        if match["verb"] == "%" and match[0] == "%%":
            pieces.append("%")
            continue
        following = int(match["index"]) if match["index"] is not None else following + 1
        used = max(used, following)
        if following == 0:
            raise CallFault(f'the index of "{match[0]}" counts from 1')
        pieces.append(_formatted(match, arguments, following))
    if used < len(arguments):
        raise CallFault(f"there are {len(arguments)} values, but the format uses only {used} of them")
    return "".join((*pieces, template[end:]))


def _formatted(match: re.Match[str], arguments: Sequence[Value], number: int) -> str:
    verb, text = match["verb"], match[0]
    if not verb or verb not in f"vtsq{_INTEGERS}{_FLOATS}":
        raise CallFault(f'"{text}" is not a verb of a format')
    if number > len(arguments):
        raise CallFault(f'there is no value for "{text}", which needs value {number}')
    flags = match["flags"]
    width = int(match["width"] or 0)
    precision = None if match["precision"] is None else int(match["precision"])
    if max(width, precision or 0) > _LONGEST:
        raise CallFault(f'the width or precision of "{text}" is too large')
    value = arguments[number - 1]
    if verb == "v":
        return _padded(_as_is(value, "#" in flags, text), flags, width)
    if isinstance(value, Null):
        raise CallFault(f'the value for "{text}" is null, which has no text')
    if verb == "t":
        return "true" if _converted(value, BOOL, text) else "false"
    if verb in "sq":
        string = str(_converted(value, STRING, text))
        if precision:
            string = "".join(graphemes(string)[:precision])
        return _padded(_json(string) if verb == "q" else string, flags, width)
    number_value = _converted(value, NUMBER, text)
    assert isinstance(number_value, int | Fraction | float)
    if verb in _INTEGERS:
        if not isinstance(number_value, int):
            raise CallFault(f'the value for "{text}" must be a whole number')
        return _signed(
            number_value, _integer(abs(number_value), verb, "#" in flags, precision), flags, width, precision
        )
    return _signed(number_value, _float(number_value, verb, precision), flags, width, None)


def _converted(value: Value, type: Type, text: str) -> Value:
    try:
        return convert(value, type)
    except ConversionError as error:
        raise CallFault(f'the value for "{text}" is wrong: {error}') from None


def _as_is(value: Value, as_json: bool, text: str) -> str:
    match value:
        case str() if not as_json:
            return value
        case int() | Fraction() | float() if not as_json and not isinstance(value, bool):
            return ("-" if value < 0 else "") + _float(value, "g", None)
        case _:
            try:
                return _json(value)
            except CodecError as error:
                raise CallFault(f'the value for "{text}" has no text: {error}') from None


def _json(value: Value) -> str:
    from planner.evaluation.functions.encoding import escaped_json

    return escaped_json(encode(value))


def _padded(text: str, flags: str, width: int) -> str:
    missing = width - len(graphemes(text))
    if missing <= 0:
        return text
    pad = ("0" if "0" in flags else " ") * missing
    return text + pad if "-" in flags else pad + text


def _signed(number: Number, digits: str, flags: str, width: int, precision: int | None) -> str:
    """Sign, padding and digits of a number; zeros go between sign and digits, and only to the left."""
    sign = "-" if number < 0 else "+" if "+" in flags else " " if " " in flags else ""
    missing = width - len(sign) - len(digits)
    if missing <= 0:
        return sign + digits
    if "-" in flags:
        return sign + digits + " " * missing
    if "0" in flags and precision is None and not isinstance(number, float):
        return sign + "0" * missing + digits
    return " " * missing + sign + digits


def _integer(number: int, verb: str, prefixed: bool, precision: int | None) -> str:
    digits = number_text(number) if verb == "d" else f"{number:{verb}}"
    digits = digits.rjust(precision or 0, "0") if not (precision == 0 and number == 0) else ""
    prefix = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}.get(verb, "") if prefixed else ""
    return prefix + digits


def _float(number: Number, verb: str, precision: int | None) -> str:
    """The digits of a number's size, without its sign."""
    if isinstance(number, float):
        return "Inf"
    number = -number if number < 0 else number
    capital = verb.isupper()
    verb = verb.lower()
    if verb == "f":
        return _fixed(number, _DEFAULT_PRECISION if precision is None else precision)
    if verb == "e":
        digits, exponent = _significant(number, (_DEFAULT_PRECISION if precision is None else precision) + 1)
        return _scientific(digits, exponent, capital)
    if precision is None:
        digits, exponent = _shortest(number)
        limit = _DEFAULT_PRECISION
    else:
        wanted = precision or 1
        digits, exponent = _significant(number, wanted)
        digits = digits.rstrip("0") or "0"
        limit = len(digits) if wanted > len(digits) >= exponent + 1 else wanted
    if exponent < -4 or exponent >= limit:
        return _scientific(digits, exponent, capital)
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{whole}.{digits[exponent + 1 :]}" if len(digits) > exponent + 1 else whole


def _fixed(number: int | Fraction, precision: int) -> str:
    scaled = number_text(round(Fraction(number) * 10**precision)).rjust(precision + 1, "0")
    return f"{scaled[:-precision]}.{scaled[-precision:]}" if precision else scaled


def _significant(number: int | Fraction, count: int) -> tuple[str, int]:
    """`count` significant digits, rounded half to even, and the decimal exponent of the first."""
    if number == 0:
        return "0" * count, 0
    exponent = _shortest(number)[1]
    digits = round(Fraction(number) * Fraction(10) ** (count - 1 - exponent))
    if digits >= 10**count:
        digits, exponent = digits // 10, exponent + 1
    return number_text(digits), exponent


def _shortest(number: int | Fraction) -> tuple[str, int]:
    """The digits of the shortest text, and the decimal exponent of the first."""
    whole, _, fraction = number_text(number).partition(".")
    if whole != "0":
        return (whole + fraction).rstrip("0"), len(whole) - 1
    significant = fraction.lstrip("0")
    return (significant, len(significant) - len(fraction) - 1) if significant else ("0", 0)


def _scientific(digits: str, exponent: int, capital: bool) -> str:
    point = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{point}{'E' if capital else 'e'}{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
