"""
YAML texts. PyYAML reads and lays them out; what a plain scalar means is decided here, since Terraform's YAML is neither
YAML 1.1 nor 1.2: `yes` is true, 017 is seventeen, and dates become strings.
"""

from __future__ import annotations

import base64
import re
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from planner.evaluation.functions.date import format_rfc3339
from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Parameter
from planner.values.codec import normalized
from planner.values.convert import ConversionError, convert
from planner.values.numbers import number_text, parse_number
from planner.values.types import DYNAMIC, NULL, STRING, ListValue, MapValue, Null, SetValue, Value

if TYPE_CHECKING:
    from yaml.nodes import Node

FUNCTIONS = Family()

_TAG = "tag:yaml.org,2002:"
_PLAIN = "plain"
_KINDS = {"int": (int,), "float": (int, Fraction, float), "bool": (bool,), "timestamp": (str,)}
_TRUE = {"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"}
_FALSE = {"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"}
_NULLS = {"", "~", "null", "Null", "NULL"}
_NUMBER = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_BASED = re.compile(r"0x([0-9a-fA-F]+)|0o([0-7]+)", re.ASCII)
_INFINITY = re.compile(r"([-+]?)\.(?:inf|Inf|INF)")
_TIME = re.compile(
    r"(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|\s+)(\d\d?):(\d\d?):(\d\d?)(?:\.\d*)?\s*(Z|[-+]\d\d(?::?\d\d)?)?)?", re.ASCII
)


@FUNCTIONS.add("yamldecode", Parameter("src"), returns=DYNAMIC)
def yaml_decode(text: str) -> Value:
    import yaml
    from yaml.resolver import BaseResolver

    base: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

    class Loader(base):  # type: ignore[misc] # which base it has is known only here
        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            # A scalar without quotes and tag keeps its meaning open until _plain() decides it.
            if kind is yaml.ScalarNode:
                return _PLAIN if implicit[0] else _TAG + "str"
            return BaseResolver.DEFAULT_SEQUENCE_TAG if kind is yaml.SequenceNode else BaseResolver.DEFAULT_MAPPING_TAG

    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ArgumentFault(0, f"it is not YAML: {_problem(error)}") from None
    if node is None:
        raise ArgumentFault(0, "it is not YAML: there is no document")
    return _value(node, {})


def _problem(error: Any) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    return f"{problem} at line {mark.line + 1}, column {mark.column + 1}" if mark else problem


def _value(node: Node, known: dict[int, Value]) -> Value:
    """The value of a node; `known` are those that aliases may refer to again."""
    if id(node) not in known:
        known[id(node)] = _fresh_value(node, known)
    return known[id(node)]


def _fresh_value(node: Node, known: dict[int, Value]) -> Value:
    import yaml

    match node:
        case yaml.ScalarNode():
            return _scalar(node)
        case yaml.SequenceNode() if node.tag == _TAG + "seq":
            return tuple(_value(item, known) for item in node.value)
        case yaml.MappingNode() if node.tag == _TAG + "map":
            found: dict[str, Value] = {}
            for key_node, value_node in node.value:
                if key_node.tag == _PLAIN and key_node.value == "<<":
                    merged = _value(value_node, known)
                    if not isinstance(merged, dict):
                        raise ArgumentFault(0, "what is merged with << must be a mapping")
                    found.update(merged)
                else:
                    found[_key(_value(key_node, known))] = _value(value_node, known)
            return {name: found[name] for name in sorted(found)}
        case _:
            raise ArgumentFault(0, f'the tag "{node.tag}" is not supported here')


def _key(key: Value) -> str:
    if isinstance(key, Null):
        raise ArgumentFault(0, "a key of a mapping is null")
    try:
        return str(convert(key, STRING))
    except ConversionError:
        raise ArgumentFault(0, "a key of a mapping is not a scalar") from None


def _scalar(node: Any) -> Value:
    text, tag = node.value, node.tag
    if tag == _PLAIN:
        return _plain(text)
    kind = tag.removeprefix(_TAG)
    if kind == "str" or (kind in ("int", "float", "bool", "null") and node.style in ('"', "'")):
        return normalized(text)
    if kind == "null":
        return NULL
    if kind == "binary":
        try:
            return base64.b64encode(base64.b64decode("".join(text.split()), validate=True)).decode("ascii")
        except ValueError:
            raise ArgumentFault(0, "a !!binary scalar is not Base64") from None
    if kind not in ("int", "float", "bool", "timestamp"):
        raise ArgumentFault(0, f'the tag "{tag}" is not supported')
    value = _timestamp(text) if kind == "timestamp" else _plain(text)
    if value is None or type(value) not in _KINDS[kind]:
        raise ArgumentFault(0, f'"{text}" is not a YAML {kind}')
    return value


def _plain(text: str) -> Value:
    if text in _NULLS:
        return NULL
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _NUMBER.fullmatch(text):
        number = parse_number(text)
        if number is not None:
            return number
    based = _BASED.fullmatch(text)
    if based:
        return int(based[1], 16) if based[1] else int(based[2], 8)
    infinity = _INFINITY.fullmatch(text)
    if infinity:
        return float(f"{infinity[1]}inf")
    if text in (".nan", ".NaN", ".NAN"):
        raise ArgumentFault(0, "it holds .nan, which is no number")
    return _timestamp(text) or normalized(text)


def _timestamp(text: str) -> str | None:
    """A date or time as RFC 3339; None for other texts."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    return format_rfc3339(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), zone or "Z"
    )


@FUNCTIONS.add("yamlencode", Parameter("value", DYNAMIC, null=True), returns=STRING)
def yaml_encode(value: Value) -> Value:
    """Block style, with keys and strings in double quotes, or as literal blocks where they have several lines."""
    import yaml

    class Dumper(yaml.Dumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def write_literal(self, text: str) -> None:
            super().write_literal(text)
            self.open_ended = False  # or the document would be closed with "..." after trailing newlines

        def write_double_quoted(self, text: str, split: bool = True) -> None:
            """As PyYAML's, but long texts are folded at spaces after column 80, as Terraform folds them."""
            emitter: Any = self
            emitter.write_indicator('"', True)
            in_spaces = False
            for index, character in enumerate(text):
                if character == " " and split and not in_spaces and emitter.column > 80 and 0 < index < len(text) - 1:
                    emitter.write_indent()
                    if text[index + 1] == " ":
                        _write(emitter, "\\")
                else:
                    _write(emitter, _escaped(character))
                in_spaces = character == " "
            emitter.write_indicator('"', False)

    return str(yaml.serialize(_node(value), Dumper=Dumper, allow_unicode=True, width=80))


def _write(emitter: Any, text: str) -> None:
    emitter.column += len(text)
    emitter.stream.write(text)


_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\x1b": "\\e",
    "\x85": "\\N",
    "\u2028": "\\L",
    "\u2029": "\\P",
}


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08X}"
    if code == 0xFEFF:
        return "\\uFEFF"
    return f"\\x{code:02X}" if code < 0x20 or 0x7F <= code < 0xA0 else character


def _node(value: Value) -> Any:
    import yaml

    match value:
        case str():
            in_lines = "\n" in value and max(value) <= "\uffff"
            return yaml.ScalarNode(_TAG + "str", value, style="|" if in_lines else '"')
        case bool():
            return yaml.ScalarNode(_TAG + "bool", "true" if value else "false")
        case int():
            return yaml.ScalarNode(_TAG + "int", number_text(value))
        case Fraction():
            return yaml.ScalarNode(_TAG + "float", number_text(value))
        case float():
            raise CallFault("an infinite number has no YAML text")
        case Null():
            return yaml.ScalarNode(_TAG + "null", "null")
        case tuple():
            return _sequence(value)
        case ListValue() | SetValue():
            return _sequence(value.items)
        case dict():
            return _mapping(value)
        case MapValue():
            return _mapping(dict(value.items))
        case _:
            raise CallFault("the value is not known")


def _sequence(items: tuple[Value, ...]) -> Any:
    import yaml

    return yaml.SequenceNode(_TAG + "seq", [_node(item) for item in items], flow_style=not items)


def _mapping(entries: dict[str, Value]) -> Any:
    import yaml

    pairs = [(yaml.ScalarNode(_TAG + "str", name, style='"'), _node(entries[name])) for name in sorted(entries)]
    return yaml.MappingNode(_TAG + "map", pairs, flow_style=not pairs)
