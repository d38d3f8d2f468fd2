"""The syntax tree of whole files and single expressions."""

from __future__ import annotations

from planner.diagnostics import Source
from planner.syntax import ast
from planner.syntax.parser import parse_expression, parse_file


def test_arguments_and_blocks_keep_their_places() -> None:
    body, diagnostics = parse_file(Source("a.lun.hcl", 'size = 3\n\nvolume "db" {\n  name = "x"\n}\n'))

    assert not list(diagnostics)
    [size], [volume] = body.arguments, body.blocks
    assert (size.name, str(size.range)) == ("size", "a.lun.hcl:1,1-9")
    assert (volume.type, [label.text for label in volume.labels]) == ("volume", ["db"])
    assert str(volume.header_range) == "a.lun.hcl:3,1-12"
    assert str(volume.body.arguments[0].value.range) == "a.lun.hcl:4,10-13"


def test_an_interpolation_alone_is_a_template_of_one_part() -> None:
    expression, diagnostics = parse_expression(Source("", '"${x}"'))

    assert not list(diagnostics)
    assert isinstance(expression, ast.Template)
    [part] = expression.parts
    assert isinstance(part, ast.Interpolation)
    assert isinstance(part.value, ast.Name)
