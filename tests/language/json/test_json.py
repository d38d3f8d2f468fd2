"""
The JSON syntax, from files to the resource graph.

    equal/CASE/native, equal/CASE/json    two configurations that mean the same
    wrong/CASE/                           a configuration, and in expected.txt a line for each diagnostic that it gives
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from planner import operations
from planner.config.variables import FromCommandLine
from planner.diagnostics import Source, SourceRange
from planner.planning.builder import PlanRequest
from planner.syntax import ast
from planner.views.plan_text import render_plan
from planner.views.style import Style
from tests.command import ROOT
from tests.conftest import Expected
from tests.language.test_configuration import line

HERE = Path(__file__).parent
EQUAL = sorted((HERE / "equal").iterdir())
WRONG = sorted((HERE / "wrong").iterdir())


@pytest.mark.parametrize("case", EQUAL, ids=lambda path: path.name)
def test_both_syntaxes_say_the_same(case: Path) -> None:
    native, json = meaning(case / "native"), meaning(case / "json")

    assert json == native


@pytest.mark.parametrize("case", WRONG, ids=lambda path: path.name)
def test_diagnostics(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected: Expected) -> None:
    shutil.copytree(case, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    diagnostics = operations.validate(load(Path()))
    expected("".join(sorted(line(item) for item in diagnostics)), case / "expected.txt")


def test_the_quickstart_in_json_gives_the_same_plan(tmp_path: Path) -> None:
    native, json = tmp_path / "native", tmp_path / "json"
    native.mkdir()
    json.mkdir()
    shutil.copy(ROOT / "examples" / "quickstart" / "main.lun.hcl", native)
    shutil.copy(HERE / "quickstart.lun.json", json)

    assert plan_text(json) == plan_text(native)


def test_trees_of_json_files_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".lunform").mkdir()
    shutil.copy(HERE / "quickstart.lun.json", tmp_path)

    first = plan_text(tmp_path)

    assert list((tmp_path / ".lunform" / "cache").iterdir())
    assert plan_text(tmp_path) == first


def load(directory: Path) -> operations.Project:
    given = [FromCommandLine(None, str(path)) for path in sorted(directory.glob("given.lunvars.*"))]
    return operations.load(directory, operations.Inputs(command_line=given, environment={}))


def meaning(directory: Path) -> dict[str, Any]:
    """What a configuration says, and what that is when it is evaluated."""
    project = load(directory)
    evaluated = project.evaluator.evaluate(lambda instance: instance.attributes)
    assert not [line(item) for item in (*project.diagnostics, *project.evaluator.diagnostics, *evaluated.diagnostics)]
    graph = evaluated.graph
    return {
        "declared": without_places(project.module),
        "instances": {
            str(address): (instance.attributes, instance.provider, instance.dependencies)
            for address, instance in graph.instances.items()
        },
        "providers": graph.providers,
        "outputs": graph.outputs,
        "variables": graph.variables,
    }


def without_places(node: Any) -> Any:
    """Declared things as plain data, with what the two syntaxes have to write differently made the same."""
    match node:
        case Source() | SourceRange():
            return None
        case ast.Template((ast.Interpolation(value),)):
            return without_places(value)
        case ast.Unary("-", ast.Literal(int() | Fraction() as number)):
            return -number
        case ast.Literal(value):
            return value
        case ast.Body(arguments, blocks):
            given = {argument.name: without_places(argument.value) for argument in arguments}
            return {name: value for name, value in given.items() if value is not None}, without_places(blocks)
        case Mapping():
            return {key: without_places(value) for key, value in node.items()}
        case tuple():
            return [without_places(item) for item in node if not isinstance(item, Source)]
        case _ if is_dataclass(node):
            return type(node).__name__, *(without_places(getattr(node, part.name)) for part in fields(node))
    return node


def plan_text(directory: Path) -> str:
    project = load(directory)
    plan, diagnostics = operations.plan(project, operations.store_of(project), PlanRequest())
    assert not list(diagnostics)
    return render_plan(plan, Style(False))
