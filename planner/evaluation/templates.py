"""String templates: interpolations and directives to one text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from planner.evaluation.code import Code, Frame, constant
from planner.evaluation.errors import Fault
from planner.evaluation.iteration import entries_of
from planner.syntax import ast
from planner.syntax.ast import Expression
from planner.values.codec import normalized
from planner.values.convert import ConversionError, convert
from planner.values.marks import Unknown, lasting_prefix, mark_sensitive, unmark
from planner.values.types import STRING, Null, Value

if TYPE_CHECKING:
    from planner.evaluation.compiler import Compiler


def template(compiler: Compiler, node: ast.Template) -> Code:
    """A template of one interpolation and nothing else gives its value as it is; any other gives a string."""
    if len(node.parts) == 1 and isinstance(node.parts[0], ast.Interpolation):
        return compiler.compile(node.parts[0].value)
    return _parts(compiler, node, node.parts)


def _parts(compiler: Compiler, node: Expression, parts: tuple[ast.TemplatePart, ...]) -> Code:
    codes = [_part(compiler, node, part) for part in parts]
    expressions = [part.value if isinstance(part, ast.Interpolation) else node for part in parts]
    place = compiler.place(node, *expressions)
    runs = [code.run for code in codes]

    def run(frame: Frame) -> Value:
        values = [part(frame) for part in runs]
        try:
            text = "".join(values)  # type: ignore[arg-type] # what is no string is seen to below
        except TypeError:
            try:
                return _render(values)
            except Fault as fault:
                raise place.error(fault, frame) from None
        return text if text.isascii() else normalized(text)

    return compiler.code(run, codes, type=STRING)


def _part(compiler: Compiler, node: Expression, part: ast.TemplatePart) -> Code:
    match part:
        case str():
            return constant(normalized(part))
        case ast.Interpolation(value):
            return compiler.compile(value)
        case ast.TemplateIf(condition, then, otherwise):
            branches = _parts(compiler, node, then), _parts(compiler, node, otherwise)
            return compiler.conditional(compiler.place(node, node, node), condition, *branches)
        case ast.TemplateFor():
            return _for(compiler, node, part)


def _for(compiler: Compiler, node: Expression, part: ast.TemplateFor) -> Code:
    collection = compiler.compile(part.collection)
    with compiler.iteration(part.key, part.value) as (key_slot, value_slot):
        body = _parts(compiler, node, part.parts)
    place = compiler.place(part.collection)

    def run(frame: Frame) -> Value:
        entries, sensitive = entries_of(collection.run(frame), place, frame)
        if entries is None:
            return mark_sensitive(Unknown(STRING), sensitive)
        texts = []
        for frame[key_slot], frame[value_slot] in entries:
            texts.append(body.run(frame))
        return mark_sensitive(_render(texts), sensitive)

    return compiler.code(run, (collection, body), own=(key_slot, value_slot))


def _render(values: list[Value]) -> Value:
    """
    The text of a template's evaluated parts.

    Raises:
        Fault: a part has no text; the operand is its index.
    """
    texts: list[str] = []
    known, sensitive = True, False
    for index, value in enumerate(values):
        value, marked = unmark(value)
        sensitive = sensitive or marked
        if isinstance(value, Null):
            raise Fault("Invalid template value", "The value is null, which has no text.", index)
        if isinstance(value, Unknown):
            known = False
            continue
        try:
            text = convert(value, STRING)
        except ConversionError as error:
            raise Fault("Invalid template value", f"The value cannot be part of a string: {error}.", index) from None
        if known:
            assert isinstance(text, str)
            texts.append(text)
    text = normalized("".join(texts))
    return mark_sensitive(text if known else Unknown(STRING, not_null=True, prefix=lasting_prefix(text)), sensitive)
