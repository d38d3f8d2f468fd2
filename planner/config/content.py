"""
What a body may hold, checked: unknown, missing and doubled arguments and blocks, with suggestions.

Both the decoder (blocks of the language) and the evaluator (arguments of resources and providers) read bodies by this.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from planner.diagnostics import Diagnostics, SourceRange, did_you_mean
from planner.syntax import ast


@dataclass(frozen=True, slots=True)
class Shape:
    """Which arguments and blocks a body may hold. `blocks` maps a block's type to how many labels it takes."""

    arguments: Collection[str]
    required: Collection[str] = ()
    blocks: dict[str, int] = field(default_factory=dict)
    attributes: Collection[str] = ()
    """Names that exist but cannot be set: attributes that the system gives."""


def check_body(body: ast.Body, shape: Shape, owner: str, owner_range: SourceRange, diagnostics: Diagnostics) -> None:
    """
    Report what does not belong in `body` and what is missing from it.

    Args:
        owner: how the enclosing block is called in a sentence: `volume "db"`.
        owner_range: where a missing argument is reported.
    """
    for argument in body.arguments:
        if argument.name not in shape.arguments:
            diagnostics.error(
                "Unsupported argument", _unknown_argument(argument.name, shape, owner), argument.name_range
            )
    for block in body.blocks:
        if block.type in shape.blocks:
            check_labels(block, shape.blocks[block.type], diagnostics)
        else:
            diagnostics.error("Unsupported block", _unknown_block(block.type, shape, owner), block.type_range)
    given = {argument.name for argument in body.arguments}
    wrong_kind = {block.type for block in body.blocks}
    for name in shape.required:
        if name not in given and name not in wrong_kind:
            diagnostics.error("Missing required argument", f'{owner} needs the argument "{name}".', owner_range)


def check_labels(block: ast.Block, expected: int, diagnostics: Diagnostics) -> bool:
    """Report a wrong number of labels; answers whether it is right."""
    if len(block.labels) == expected:
        return True
    words = {0: "no label", 1: "one label", 2: "two labels"}
    subject = block.labels[expected].range if len(block.labels) > expected else block.type_range
    diagnostics.error(
        "Wrong number of block labels",
        f'A "{block.type}" block takes {words[expected]}; this one has {len(block.labels)}.',
        subject,
    )
    return False


def no_doubles(named: Iterable[tuple[str, SourceRange]], what: str, diagnostics: Diagnostics) -> None:
    """Report every name that stands more than once, with the place of the first."""
    first: dict[str, SourceRange] = {}
    for name, range in named:
        if name in first:
            diagnostics.error(
                f"Duplicate {what}",
                f"{name} was declared before, at {first[name]}. Rename one of them, or take it away.",
                range,
                related=(("declared first here", first[name]),),
            )
        first.setdefault(name, range)


def _unknown_argument(name: str, shape: Shape, owner: str) -> str:
    if name in shape.blocks:
        return f'In {owner}, "{name}" is a block: write "{name} {{ ... }}", without the equals sign.'
    if name in shape.attributes:
        return f'In {owner}, "{name}" is given by the system and cannot be set.'
    suggestion = did_you_mean(name, [*shape.arguments, *shape.blocks])
    return f'{owner} has no argument "{name}".{suggestion}'


def _unknown_block(type: str, shape: Shape, owner: str) -> str:
    if type in shape.arguments:
        return f'In {owner}, "{type}" is an argument: write "{type} = ...".'
    suggestion = did_you_mean(type, [*shape.blocks, *shape.arguments])
    return f'{owner} has no block "{type}".{suggestion}'
