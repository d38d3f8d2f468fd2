"""
The syntax tree: what the text says, with the place of every part, and nothing about what it means.

A file is a `Body`; a body holds arguments (`name = expression`) and blocks (`type "label" { body }`) in the order
written. Expressions follow HCL's native syntax. Nodes are frozen and compare by content *and* range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from planner.diagnostics import SourceRange


@dataclass(frozen=True, slots=True)
class Argument:
    """`name = value`. `range` covers both, `name_range` the name."""

    name: str
    value: Expression
    name_range: SourceRange
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Label:
    """A block's label, quoted or not."""

    text: str
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Block:
    """`type "label" ... { body }`. `header_range` reaches from the type to the last label."""

    type: str
    labels: tuple[Label, ...]
    body: Body
    type_range: SourceRange
    header_range: SourceRange
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Body:
    """What stands between braces, or in a file. A name of an argument stands once; the parser reports a second one."""

    arguments: tuple[Argument, ...]
    blocks: tuple[Block, ...]
    range: SourceRange

    def argument(self, name: str) -> Argument | None:
        return next((argument for argument in self.arguments if argument.name == name), None)

    def blocks_of(self, type: str) -> Iterator[Block]:
        return (block for block in self.blocks if block.type == type)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a bool, null (None), or a string without interpolation."""

    value: str | int | Fraction | bool | None
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Template:
    """
    A quoted string or heredoc with interpolations or directives.

    Escapes are resolved, indentation of `<<-` is taken off and strip markers are carried out: what is here is
    only text and parts to evaluate. A template of exactly one `Interpolation` gives that value unchanged.
    """

    parts: tuple[TemplatePart, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Interpolation:
    """`${ value }`"""

    value: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class TemplateIf:
    """`%{ if condition } ... %{ else } ... %{ endif }`"""

    condition: Expression
    then: tuple[TemplatePart, ...]
    otherwise: tuple[TemplatePart, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class TemplateFor:
    """`%{ for key, value in collection } ... %{ endfor }`; `key` is None where one name is given."""

    key: str | None
    value: str
    collection: Expression
    parts: tuple[TemplatePart, ...]
    range: SourceRange


TemplatePart = str | Interpolation | TemplateIf | TemplateFor


@dataclass(frozen=True, slots=True)
class Name:
    """A bare name at the head of an expression: a root such as `var`, or a for-expression's own variable."""

    name: str
    range: SourceRange


@dataclass(frozen=True, slots=True)
class GetAttribute:
    """`target.name`; `name_range` covers the name alone."""

    target: Expression
    name: str
    name_range: SourceRange
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Index:
    """`target[key]`, and the legacy `target.0`."""

    target: Expression
    key: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Splat:
    """
    `target[*].each...` or `target.*.each...`

    `each` is the expression applied to every element, with `SplatElement` at its head (alone where nothing follows).
    After `.*` only attributes belong to `each`; after `[*]` indexes do too.
    """

    target: Expression
    each: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class SplatElement:
    """Stands in `Splat.each` for the element at hand."""

    range: SourceRange


@dataclass(frozen=True, slots=True)
class Call:
    """`name(arguments...)`; `expand` when the last argument is followed by `...`. `core::upper` is a name, too."""

    name: str
    arguments: tuple[Expression, ...]
    expand: bool
    name_range: SourceRange
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Conditional:
    condition: Expression
    then: Expression
    otherwise: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Binary:
    """`operator` is one of `* / % + - > >= < <= == != && ||`."""

    operator: str
    left: Expression
    right: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Unary:
    """`operator` is `-` or `!`."""

    operator: str
    operand: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Parentheses:
    """Kept, since `(a)` as an object's key is an expression and `a` is a word."""

    inner: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Tuple:
    items: tuple[Expression, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class ObjectItem:
    """`key = value`. A bare word as key is a `Literal` string; `(expression)` is `Parentheses`."""

    key: Expression
    value: Expression
    range: SourceRange


@dataclass(frozen=True, slots=True)
class Object:
    items: tuple[ObjectItem, ...]
    range: SourceRange


@dataclass(frozen=True, slots=True)
class ForTuple:
    """`[for key, value in collection : result if condition]`"""

    key: str | None
    value: str
    collection: Expression
    result: Expression
    condition: Expression | None
    range: SourceRange


@dataclass(frozen=True, slots=True)
class ForObject:
    """`{for key, value in collection : result_key => result_value... if condition}`; `group` for the `...`"""

    key: str | None
    value: str
    collection: Expression
    result_key: Expression
    result_value: Expression
    group: bool
    condition: Expression | None
    range: SourceRange


Expression = (
    Literal
    | Template
    | Name
    | GetAttribute
    | Index
    | Splat
    | SplatElement
    | Call
    | Conditional
    | Binary
    | Unary
    | Parentheses
    | Tuple
    | Object
    | ForTuple
    | ForObject
)
