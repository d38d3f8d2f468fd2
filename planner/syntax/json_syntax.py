"""
HCL's JSON syntax to the same tree as the native syntax gives.

JSON does not say whether a property is an argument, a block, or the label of one. An `Outline` does, so that all that
comes after parsing need not know which syntax a file is written in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from typing import Any, assert_never

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast
from planner.syntax.json_text import Array, Node, Object, Property, Text, read_json
from planner.syntax.parser import parse_expression, parse_file, parse_template


class Reading(Enum):
    """What the strings of an argument's value are, and whether null is a value or leaves the argument out."""

    TEMPLATE = "template"
    """`"${var.size}GiB"`, also as keys of objects. Null is a value: evaluation takes it for what is not given."""
    CONSTANT = "constant"
    """Strings as they stand, where `${` means nothing. Null is a value."""
    SETTING = "setting"
    """Strings as they stand, in what is read before anything is evaluated. Null leaves it out."""
    EXPRESSION = "expression"
    """What stands without quotes in the native syntax: `"tgt.east"`, `"list(string)"`. Null leaves it out."""


_NULL_LEAVES_OUT = (Reading.SETTING, Reading.EXPRESSION)


@dataclass(frozen=True, slots=True)
class Outline:
    """
    What a block holds, as far as JSON does not say it.

    Attributes:
        labels: how many levels of properties are the block's labels.
        blocks: the properties that are blocks.
        readings: how single arguments are read.
        others: how all others are; None where there are none, and a property that is no known block is an unknown one.
    """

    labels: int = 0
    blocks: Mapping[str, Outline] = field(default_factory=dict)
    readings: Mapping[str, Reading] = field(default_factory=dict)
    others: Reading | None = Reading.TEMPLATE


def is_json(source: Source) -> bool:
    return source.filename.endswith(".json")


def parse_source(source: Source, outline: Outline) -> tuple[ast.Body, Diagnostics]:
    """A file in the syntax that its name says; `outline` is for JSON alone. Never raises, whatever the text is."""
    return parse_json(source, outline) if is_json(source) else parse_file(source)


def parse_json(source: Source, outline: Outline) -> tuple[ast.Body, Diagnostics]:
    """The arguments and blocks of a file, without those at its top that are broken. Never raises."""
    value, diagnostics = read_json(source)
    converter = _Converter(source, diagnostics)
    whole = SourceRange(source, 0, len(source.text))
    return converter.file(value, outline, whole), diagnostics


class _Converter:
    """
    Turns values of JSON into nodes.

    `is_broken` while the item at the top of the file that is being made holds an expression that is broken.
    """

    def __init__(self, source: Source, diagnostics: Diagnostics) -> None:
        self.source = source
        self.diagnostics = diagnostics
        self.is_broken = False
        self._parsed: dict[tuple[Reading, str], tuple[ast.Expression | None, Diagnostics]] = {}

    def file(self, value: Node | None, outline: Outline, whole: SourceRange) -> ast.Body:
        objects = [] if value is None else self.objects(value, "A file")
        sound = []
        for property in (property for object, _ in objects for property in object.properties):
            for item in self.items(property, outline):
                if not self.is_broken:
                    sound.append(item)
                self.is_broken = False
        return self.body(iter(sound), whole)

    def body(self, items: Iterator[ast.Argument | ast.Block], range: SourceRange) -> ast.Body:
        """The first of the arguments of one name stands; the others are reported."""
        arguments: dict[str, ast.Argument] = {}
        blocks: list[ast.Block] = []
        for item in items:
            if isinstance(item, ast.Block):
                blocks.append(item)
            elif (first := arguments.setdefault(item.name, item)) is not item:
                self.duplicate("Duplicate argument", item.name, item.name_range, first.name_range)
        return ast.Body(tuple(arguments.values()), tuple(blocks), range)

    def items(self, property: Property, outline: Outline) -> Iterator[ast.Argument | ast.Block]:
        """What a property of a body is: nothing, an argument, or blocks."""
        name, value = _normal(property.name.value), property.value
        if name == "//":
            return
        if name in outline.blocks:
            yield from self.blocks(property.name, (), outline.blocks[name], value)
        elif outline.others is None:
            place = property.name.range
            yield ast.Block(name, (), ast.Body((), (), value.range), place, place, place.to(value.range))
        elif not name.replace("-", "_").isidentifier():
            self.diagnostics.error(
                "Invalid argument name",
                'The name of an argument is a word: letters, digits, "_" and "-", and a letter or "_" first.',
                property.name.range,
            )
        else:
            reading = outline.readings.get(name, outline.others)
            if not (reading in _NULL_LEAVES_OUT and _is_null(value)):
                whole = property.name.range.to(value.range)
                yield ast.Argument(name, self.expression(value, reading), property.name.range, whole)

    def blocks(self, type: Text, labels: tuple[ast.Label, ...], outline: Outline, value: Node) -> Iterator[ast.Block]:
        """The blocks that `value` holds, below the levels of `labels`."""
        what = " ".join((_normal(type.value), *(f'"{label.text}"' for label in labels)))
        bodies = self.objects(value, f"{what} is a block, and its content" if labels else f"The content of {what}")
        if len(labels) < outline.labels:
            for property in (property for object, _ in bodies for property in object.properties):
                if property.name.value != "//":
                    label = ast.Label(_normal(property.name.value), property.name.range)
                    yield from self.blocks(type, (*labels, label), outline, property.value)
            return
        for object, is_one_of_several in bodies:
            whole = object.range
            # Several blocks have their type and labels in common; each has a brace of its own.
            brace = SourceRange(self.source, whole.start, whole.start + 1)
            header = labels[-1].range if labels else type.range
            items = (item for property in object.properties for item in self.items(property, outline))
            yield ast.Block(
                _normal(type.value),
                labels,
                self.body(items, SourceRange(self.source, whole.start + 1, whole.end - 1)),
                brace if is_one_of_several else type.range,
                brace if is_one_of_several else header,
                whole if is_one_of_several else header.to(whole),
            )

    def objects(self, value: Node, what: str) -> list[tuple[Object, bool]]:
        """The objects that `value` is or holds, and whether they stand in an array. Null is none."""
        if isinstance(value, Object):
            return [(value, False)]
        objects = []
        for item in value.items if isinstance(value, Array) else (value,):
            if isinstance(item, Object):
                objects.append((item, True))
            elif item is not value or not _is_null(value):
                self.diagnostics.error(
                    "Not an object", f"{what} is an object in braces, or an array of objects.", item.range
                )
        return objects

    # Expressions

    def expression(self, value: Node, reading: Reading) -> ast.Expression:
        match value:
            case ast.Literal():
                return value
            case Text():
                return self.text(value, reading)
            case Array(items, range):
                return ast.Tuple(tuple(self.expression(item, reading) for item in items), range)
            case Object(properties, range):
                return ast.Object(tuple(self.object_items(properties, reading)), range)
        assert_never(value)

    def object_items(self, properties: tuple[Property, ...], reading: Reading) -> Iterator[ast.ObjectItem]:
        first: dict[str, SourceRange] = {}
        for property in properties:
            name, place = property.name, property.name.range
            if first.setdefault(name.value, place) is not place:
                self.duplicate("Duplicate property", name.value, place, first[name.value])
            key = self.text(name, reading) if reading is Reading.TEMPLATE else ast.Literal(_normal(name.value), place)
            yield ast.ObjectItem(key, self.expression(property.value, reading), place.to(property.value.range))

    def text(self, text: Text, reading: Reading) -> ast.Expression:
        content = text.value
        if reading in (Reading.CONSTANT, Reading.SETTING) or (
            reading is Reading.TEMPLATE and "${" not in content and "%{" not in content
        ):
            return ast.Literal(_normal(content), text.range)
        parsed = self._parsed.get((reading, content))
        if parsed is None:
            parse = parse_template if reading is Reading.TEMPLATE else parse_expression
            parsed = self._parsed[reading, content] = parse(Source(self.source.filename, content))
        expression, mistakes = parsed
        places = text.places()
        self.diagnostics.extend(_moved(mistake, self.source, places) for mistake in mistakes)
        if expression is None:
            self.is_broken = True
            return ast.Literal(None, text.range)
        moved: ast.Expression = _moved(expression, self.source, places)
        return replace(moved, range=text.range) if reading is Reading.TEMPLATE else moved

    def duplicate(self, summary: str, name: str, range: SourceRange, first: SourceRange) -> None:
        self.diagnostics.error(
            summary, f'"{name}" is set already. It stands once.', range, related=(("first set here", first),)
        )


def _is_null(value: Node) -> bool:
    return isinstance(value, ast.Literal) and value.value is None


def _normal(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _moved(node: Any, source: Source, places: list[int]) -> Any:
    """`node`, which was parsed out of a string's content, with its ranges where that stands in `source`."""
    match node:
        case SourceRange():
            return SourceRange(source, places[node.start], places[node.end])
        case tuple():
            return tuple(_moved(part, source, places) for part in node)
        case _ if is_dataclass(node) and not isinstance(node, type):
            return type(node)(*(_moved(getattr(node, part.name), source, places) for part in fields(node)))
    return node
