"""
The language reference says what is so. Its examples are run, section by section (a section is what stands under one
heading):

    ```hcl          the first line names the file: `# main.lun.hcl`. The files of a section are one configuration
    ```json         the same in JSON: `{ "//": "main.lun.json",`
    ```text         the same for other files, whose first line is left out; or, if it begins with "Error:" or
                    "Warning:", all that Lunform has to say about the configuration
    ```sh           how Lunform is called for it: variables of the environment, then `lunform VERB`, then any number of
                    `-var` and `-var-file`
    ```console      lines `> expression`, each followed by its value; the names are those of the section's configuration

and its tables are held against what the code declares.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planner import operations
from planner.config import decoder
from planner.config.content import Shape
from planner.config.loader import SUFFIXES
from planner.config.variables import FromCommandLine
from planner.diagnostics import Diagnostics, Source
from planner.errors import InvalidConfiguration
from planner.evaluation import arguments
from planner.evaluation.compiler import compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.functions.registry import standard_functions
from planner.evaluation.functions.signature import Function
from planner.evaluation.scope import Names
from planner.planning.builder import PlanRequest
from planner.plugins import installed_providers, provider_definition
from planner.resources.catalog import DATA_TYPES, RESOURCE_TYPES
from planner.resources.schema import Argument, NestedBlock
from planner.sdk.provider import MAX_CALLS
from planner.syntax import ast
from planner.syntax.parser import parse_expression
from planner.values.show import console_text
from planner.values.types import Value
from planner.views.diagnostics_text import render_diagnostics
from planner.views.style import Style

PAGES = Path(__file__).parents[2] / "docs" / "language"
PLAN_TIME = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIXED_NAMES: Mapping[tuple[str, str], Value] = {
    ("path", "module"): ".",
    ("path", "root"): ".",
    ("path", "cwd"): ".",
    ("lunform", "workspace"): "default",
}

_HEADING = re.compile(r"#+ (.*)")
_FENCE = re.compile(r"```(\w*)")
_SUMMARY = re.compile(r"(Error|Warning): ")
_FILE_NAME = {
    "hcl": re.compile(r"# (.+)"),
    "text": re.compile(r"# (.+)"),
    "json": re.compile(r'{ "//": "(.+)",'),
}
_FIRST_CELL = re.compile(r"\| `(\w+)` *\|(.*)")


@dataclass(slots=True)
class Section:
    """What stands under a heading: its examples, and its table's rows by the name in the first cell."""

    page: str
    title: str
    files: dict[str, str] = field(default_factory=dict)
    says: str = ""
    command: str = "lunform plan"
    session: list[tuple[str, str]] = field(default_factory=list)
    rows: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.page}: {self.title}"


def read_page(path: Path) -> Iterator[Section]:
    section = Section(path.name, "")
    lines = iter(path.read_text().splitlines())
    for line in lines:
        if heading := _HEADING.fullmatch(line):
            yield section
            section = Section(path.name, heading[1].replace("`", ""))
        elif fence := _FENCE.fullmatch(line):
            block = []
            while (inner := next(lines)) != "```":
                block.append(inner)
            add_example(section, fence[1], block)
        elif row := _FIRST_CELL.match(line):
            assert row[1] not in section.rows, f"{section}: {row[1]} stands twice"
            section.rows[row[1]] = row[2]
    yield section


def add_example(section: Section, language: str, lines: list[str]) -> None:
    first, *rest = lines
    if language == "console":
        section.session.extend(read_session(lines))
    elif language == "sh":
        (section.command,) = lines
    elif language == "text" and _SUMMARY.match(first):
        section.says = "\n".join(lines) + "\n"
    else:
        name = _FILE_NAME[language].fullmatch(first)
        assert name, f"{section}: what is this block? {first}"
        assert name[1] not in section.files, f"{section}: {name[1]} stands twice"
        section.files[name[1]] = "\n".join(rest if language == "text" else lines) + "\n"


def read_session(lines: list[str]) -> Iterator[tuple[str, str]]:
    """(expression, value); several lines that begin with `> ` are one expression."""
    expression, value = [], []
    for line in [*lines, "> "]:
        if line.startswith("> "):
            if value:
                yield "\n".join(expression), "\n".join(value)
                expression, value = [], []
            expression.append(line[2:])
        else:
            value.append(line)


SECTIONS = [section for path in sorted(PAGES.glob("*.md")) for section in read_page(path)]
BY_TITLE = {section.title: section for section in SECTIONS}


def examples(kind: str) -> list[Section]:
    return [section for section in SECTIONS if getattr(section, kind)]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    return tmp_path


def load(section: Section, directory: Path) -> operations.Project:
    for name, text in section.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    return operations.load(Path(), inputs(section.command))


def inputs(command: str) -> operations.Inputs:
    words = shlex.split(command)
    start = words.index("lunform")
    flags = iter(words[start + 2 :])
    given = [
        FromCommandLine(None, text) if flag == "-var-file" else FromCommandLine(*text.split("=", 1))
        for flag, text in zip(flags, flags, strict=True)
    ]
    return operations.Inputs(given, dict(word.split("=", 1) for word in words[:start]))


@pytest.mark.parametrize("section", [section for section in examples("files") if not section.session], ids=str)
def test_a_configuration_says_what_is_shown(section: Section, directory: Path) -> None:
    project = load(section, directory)
    diagnostics = operations.validate(project)
    said = render_diagnostics(diagnostics, Style(False))
    if not diagnostics.has_errors and is_simulated(project):
        # Validating may know less than planning, but must not say anything else.
        assert said in ("", section.says)
        said = render_diagnostics(planned(project), Style(False))
    assert said == section.says


def is_simulated(project: operations.Project) -> bool:
    """Whether all its providers are there wherever a test runs."""
    resources = project.module.resources.values()
    return all(resource.provider is None or resource.provider.name == "sandbox" for resource in resources)


def planned(project: operations.Project) -> Diagnostics:
    try:
        return operations.plan(project, operations.store_of(project), PlanRequest())[1]
    except InvalidConfiguration as error:
        return error.diagnostics


@pytest.mark.parametrize("section", examples("session"), ids=str)
def test_expressions_have_the_values_that_are_shown(section: Section, directory: Path) -> None:
    names = dict(FIXED_NAMES)
    project = load(section, directory)
    if section.files and any(name.endswith(SUFFIXES) for name in section.files):
        assert not operations.validate(project).has_errors
        evaluated = project.evaluator.evaluate(lambda instance: instance.attributes)
        names |= {(kind, name): value for (path, kind, name), value in evaluated.values.items() if not path}
    shown = [(expression, value_of(expression, names)) for expression, _ in section.session]
    assert shown == section.session


def value_of(expression: str, names: Mapping[tuple[str, str], Value]) -> str:
    tree, diagnostics = parse_expression(Source("<console>", expression))
    if tree is None:
        return failure(diagnostics)
    try:
        value = compile_expression(tree, functions(planning=True)).evaluate(Names(names))
    except EvaluationError as error:
        return failure([error.diagnostic])
    is_type = isinstance(tree, ast.Call) and tree.name == "type"
    return value if is_type and isinstance(value, str) else console_text(value)


def failure(diagnostics: Collection) -> str:
    first = next(iter(diagnostics))
    return f"Error: {first.summary}\n{first.detail}"


# -- the tables --


def functions(*, planning: bool) -> Mapping[str, Function]:
    return standard_functions(Path(), plan_time=PLAN_TIME, planning=planning, console=True)


def test_every_function_is_described_with_its_parameters() -> None:
    described = [section.title for section in SECTIONS if section.page == "functions.md" and "(" in section.title]
    known = [signature(function) for function in functions(planning=False).values()]
    assert sorted(described) == sorted([*known, "can(expression)", "try(expressions...)"])


def signature(function: Function) -> str:
    parameters = [parameter.name for parameter in function.parameters]
    if function.variadic is not None:
        one_more = function.most == len(parameters) + 1
        parameters.append(f"[{function.variadic.name}]" if one_more else f"{function.variadic.name}...")
    return f"{function.name}({', '.join(parameters)})"


def test_every_function_has_an_example_that_calls_it() -> None:
    for section in SECTIONS:
        if section.page == "functions.md" and "(" in section.title:
            name = section.title.partition("(")[0]
            assert any(f"{name}(" in expression for expression, _ in section.session), section


def schemas() -> Iterator[tuple[str, list[Argument], list[NestedBlock]]]:
    """The title of the section that describes it, its arguments, its nested blocks."""
    for type in RESOURCE_TYPES.values():
        yield type.name, list(type.arguments), list(type.blocks)
        for block in type.blocks:
            yield f"{block.type} in {type.name}", list(block.arguments), []
    for type in DATA_TYPES.values():
        yield f'data "{type.name}"', list(type.arguments), list(type.blocks)
    yield "provider", [MAX_CALLS], []
    for name in installed_providers():
        definition = provider_definition(name)
        assert definition is not None
        if definition.settings:
            yield f'provider "{name}"', list(definition.settings), []
        if definition.pool_arguments:
            yield f"pool of {name}", list(definition.pool_arguments), []
        if definition.host_arguments:
            yield f"host of {name}", list(definition.host_arguments), []


SCHEMAS = list(schemas())


@pytest.mark.parametrize(("title", "declared", "blocks"), SCHEMAS, ids=[title for title, _, _ in SCHEMAS])
def test_tables_agree_with_the_schema(title: str, declared: list[Argument], blocks: list[NestedBlock]) -> None:
    rows = BY_TITLE[title].rows
    assert sorted(rows) == sorted([argument.name for argument in declared] + [block.type for block in blocks])
    for argument in declared:
        row = rows[argument.name]
        assert ("required. " in row) == argument.required, argument.name
        assert ("read-only. " in row) == (not argument.settable), argument.name
        assert ("sensitive. " in row) == argument.sensitive, argument.name
        assert all(f'`"{choice}"`' in row for choice in argument.choices), argument.name
        if isinstance(argument.default, str):
            assert f'`"{argument.default}"`' in row, argument.name


def test_every_block_of_a_file_is_described() -> None:
    assert decoder._TOP_LEVEL.keys() <= {section.title for section in SECTIONS if section.page == "blocks.md"}


SHAPES: Mapping[str, Shape] = {
    "lunform": decoder._SETTINGS,
    "encryption": decoder._ENCRYPTION,
    "key and old_key": decoder._KEY,
    "variable": decoder._VARIABLE,
    "output": decoder._OUTPUT,
    "module": Shape([name for name in decoder._MODULE_ARGUMENTS if name != "version"], required=["source"]),
    "lifecycle": decoder._LIFECYCLE,
    "precondition and postcondition": decoder._CONDITION,
    "check": decoder._CHECK,
    "moved": decoder._MOVED,
    "removed": decoder._REMOVED,
    "import": decoder._IMPORT,
    "dynamic": arguments._DYNAMIC,
}
"""What the language's own blocks take, by the title of the section."""


@pytest.mark.parametrize(("title", "shape"), SHAPES.items(), ids=SHAPES)
def test_tables_agree_with_the_language(title: str, shape: Shape) -> None:
    rows = BY_TITLE[title].rows
    assert sorted(rows) == sorted([*shape.arguments, *shape.blocks])
    assert {name for name, row in rows.items() if "required. " in row} == set(shape.required)


def test_links_lead_somewhere() -> None:
    for path in PAGES.glob("*.md"):
        for page, fragment in re.findall(r"\]\(([\w./]*)(#[\w-]+)?\)", path.read_text()):
            target = PAGES / page if page else path
            assert target.is_file(), f"{path.name}: {page}"
            headings = (_HEADING.fullmatch(line) for line in target.read_text().splitlines())
            anchors = {f"#{anchor(heading[1])}" for heading in headings if heading}
            assert not fragment or fragment in anchors, f"{path.name}: {page}{fragment}"


def anchor(title: str) -> str:
    """What a heading is called in a link, as GitHub has it."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
