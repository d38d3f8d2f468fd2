"""Strings. What counts or cuts characters goes by grapheme clusters: what a reader takes for one character."""

from __future__ import annotations

from planner.evaluation.functions.signature import ArgumentFault, Family, Parameter, Takes
from planner.values.marks import Unknown
from planner.values.types import BOOL, NUMBER, STRING, ListType, ListValue, Null, Number, Value

FUNCTIONS = Family()

_STRING = Parameter("str")
_MOST_SPACES = 100_000
_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What Unicode calls white space; Python's own strip() takes off the separators of ASCII (1C to 1F) too."""


def graphemes(text: str) -> list[str]:
    """The grapheme clusters of a text; `\\r\\n` is one."""
    if text.isascii() and "\r" not in text:
        return list(text)
    import regex

    clusters: list[str] = regex.findall(r"\X", text)
    return clusters


def whole_number(number: Number, index: int) -> int:
    """
    A number argument that must be whole, and of 64 bits at most.

    Raises:
        ArgumentFault: it is not.
    """
    if isinstance(number, int) and -(1 << 63) <= number < 1 << 63:
        return number
    if isinstance(number, int):
        raise ArgumentFault(index, "it is out of range")
    raise ArgumentFault(index, "a whole number is required")


@FUNCTIONS.add("chomp", _STRING, returns=STRING)
def chomp(text: str) -> Value:
    return text.rstrip("\r\n")


@FUNCTIONS.add("endswith", _STRING, Parameter("suffix"), returns=BOOL)
def ends_with(text: str, suffix: str) -> Value:
    return text.endswith(suffix)


@FUNCTIONS.add("indent", Parameter("spaces", NUMBER), _STRING, returns=STRING)
def indent(spaces: Number, text: str) -> Value:
    count = whole_number(spaces, 0)
    if not 0 <= count <= _MOST_SPACES:
        raise ArgumentFault(0, f"it must be from 0 to {_MOST_SPACES}")
    return text.replace("\n", "\n" + " " * count)


@FUNCTIONS.add("join", Parameter("separator"), variadic=Parameter("lists", ListType(STRING)), returns=STRING)
def join(separator: str, *lists: ListValue) -> Value:
    if not lists:
        raise ArgumentFault(1, "at least one list is required")
    items: list[str] = []
    for number, one in enumerate(lists, 1):
        for index, item in enumerate(one.items):
            if isinstance(item, Null):
                raise ArgumentFault(number, f"element {index} is null, which has no text")
            items.append(str(item))
    return separator.join(items)


@FUNCTIONS.add("lower", _STRING, returns=STRING)
def lower(text: str) -> Value:
    return text.lower() if text.isascii() else "".join(_lower(character) for character in text)


@FUNCTIONS.add("upper", _STRING, returns=STRING)
def upper(text: str) -> Value:
    return text.upper() if text.isascii() else "".join(_upper(character) for character in text)


@FUNCTIONS.add("title", _STRING, returns=STRING)
def title(text: str) -> Value:
    """Capital letters after whatever is no letter, digit or underscore; beyond ASCII, after spaces only."""
    result, within = [], False
    for character in text:
        result.append(character if within else _title(character))
        within = character == "_" or character.isalnum() or (not character.isascii() and character not in _SPACE)
    return "".join(result)


@FUNCTIONS.add("split", Parameter("separator"), _STRING, returns=ListType(STRING))
def split(separator: str, text: str) -> Value:
    return ListValue(STRING, tuple(text.split(separator) if separator else text))


@FUNCTIONS.add("startswith", Parameter("str", unknown=Takes.ALL), Parameter("prefix"), returns=BOOL)
def starts_with(text: str | Unknown, prefix: str) -> Value:
    if isinstance(text, Unknown):
        if text.prefix.startswith(prefix):
            return True
        return Unknown(BOOL, not_null=True) if prefix.startswith(text.prefix) else False
    return text.startswith(prefix)


@FUNCTIONS.add("strcontains", _STRING, Parameter("substr"), returns=BOOL)
def contains_text(text: str, part: str) -> Value:
    return part in text


@FUNCTIONS.add("strrev", _STRING, returns=STRING)
def reverse_text(text: str) -> Value:
    return "".join(reversed(graphemes(text)))


@FUNCTIONS.add("substr", _STRING, Parameter("offset", NUMBER), Parameter("length", NUMBER), returns=STRING)
def substring(text: str, offset: Number, length: Number) -> Value:
    """A negative offset counts from the end; a negative length takes the rest."""
    start, count = whole_number(offset, 1), whole_number(length, 2)
    characters = graphemes(text)
    if start >= 0 and count == 0:
        return ""
    if start < 0:
        start = max(start + len(characters), 0)
    # Terraform takes the rest for length 0 after a negative offset; so do we.
    return "".join(characters[start : start + count] if count > 0 else characters[start:])


@FUNCTIONS.add("trim", _STRING, Parameter("cutset"), returns=STRING)
def trim(text: str, characters: str) -> Value:
    return text.strip(characters) if characters else text


@FUNCTIONS.add("trimprefix", _STRING, Parameter("prefix"), returns=STRING)
def trim_prefix(text: str, prefix: str) -> Value:
    return text.removeprefix(prefix)


@FUNCTIONS.add("trimsuffix", _STRING, Parameter("suffix"), returns=STRING)
def trim_suffix(text: str, suffix: str) -> Value:
    return text.removesuffix(suffix)


@FUNCTIONS.add("trimspace", _STRING, returns=STRING)
def trim_space(text: str) -> Value:
    return text.strip(_SPACE)


def _lower(character: str) -> str:
    # One character stays one: the only small letter of two characters is that of the dotted capital I.
    return character.lower()[0]


def _upper(character: str) -> str:
    capital = character.upper()
    return capital if len(capital) == 1 else character


def _title(character: str) -> str:
    capital = character.title()
    return capital if len(capital) == 1 else character
