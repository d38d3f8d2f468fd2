"""
Values given from outside, in Terraform's order: default < LUNFORM_VAR_name < lunform.lunvars.hcl < lunform.lunvars.json
< *.auto.lunvars.hcl and *.auto.lunvars.json by name < -var and -var-file as they come on the command line. The last one
wins whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.config.json_outline import VALUES
from planner.config.loader import Parse
from planner.config.model import Module
from planner.diagnostics import Diagnostics, Source, SourceRange, did_you_mean
from planner.syntax import ast

DEFAULT_FILES = ("lunform.lunvars.hcl", "lunform.lunvars.json")
AUTO_SUFFIXES = (".auto.lunvars.hcl", ".auto.lunvars.json")
ENVIRONMENT_PREFIX = "LUNFORM_VAR_"


@dataclass(frozen=True, slots=True)
class FromCommandLine:
    """`-var name=text` or, with `name` None, `-var-file text`."""

    name: str | None
    text: str


@dataclass(frozen=True, slots=True)
class GivenValue:
    """
    A variable's value as given.

    Attributes:
        expression: to be evaluated without any scope; None when `text` is the value itself.
        text: what stood on the command line or in the environment; taken as it is by a string variable.
        plain: the value itself as plain data, where neither of the two is given.
        origin: where it came from, in words.
    """

    expression: ast.Expression | None
    text: str | None
    origin: str
    range: SourceRange | None = None
    plain: Any = None


ParseExpression = Callable[[Source], tuple[ast.Expression | None, Diagnostics]]


def collect(
    module: Module,
    directory: Path,
    environment: Mapping[str, str],
    command_line: Sequence[FromCommandLine],
    saved: Mapping[str, Any] | None,
    parse: Parse,
) -> tuple[Mapping[str, GivenValue], Diagnostics]:
    """
    The value given last for each variable. Undeclared names are errors in -var and warnings in files.

    Args:
        saved: values that a plan was made with, but for the sensitive ones. Only those are taken from anywhere else.
    """
    diagnostics = Diagnostics()
    given: dict[str, GivenValue] = {}
    for name in module.variables:
        if (text := environment.get(ENVIRONMENT_PREFIX + name)) is not None:
            given[name] = GivenValue(None, text, f"environment variable {ENVIRONMENT_PREFIX}{name}")
    automatic = (path for suffix in AUTO_SUFFIXES for path in directory.glob("*" + suffix))
    files = [*(directory / name for name in DEFAULT_FILES), *sorted(automatic)]
    for path in files:
        if path.exists():
            _read_file(path, path.name, module, parse, given, diagnostics)
    for item in command_line:
        if item.name is None:
            _read_file(Path(item.text), item.text, module, parse, given, diagnostics)
        elif saved is not None and item.name in module.variables and not module.variables[item.name].sensitive:
            diagnostics.error(
                "Value for a plan that has its own",
                f'-var gives a value to "{item.name}", which has the one that the plan was made with. Only sensitive'
                " variables are given again. Take it away, or make a new plan.",
            )
        elif item.name in module.variables:
            given[item.name] = GivenValue(None, item.text, f'-var "{item.name}=..."')
        else:
            diagnostics.error(
                "Undeclared variable",
                f'-var gives a value to "{item.name}", but the configuration declares no such variable.'
                f"{did_you_mean(item.name, module.variables)}",
            )
    if saved is not None:
        given = {name: value for name, value in given.items() if module.variables[name].sensitive}
        given |= {name: GivenValue(None, None, "the saved plan", plain=value) for name, value in saved.items()}
    return given, diagnostics


def _read_file(
    path: Path,
    shown: str,
    module: Module,
    parse: Parse,
    given: dict[str, GivenValue],
    diagnostics: Diagnostics,
) -> None:
    try:
        source = Source(shown, path.read_bytes().decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        diagnostics.error("Unreadable variables file", f"{shown} cannot be read: {reason}.")
        return
    body, mistakes = parse(source, VALUES)
    diagnostics.extend(mistakes)
    for block in body.blocks:
        diagnostics.error(
            "Block in a variables file",
            f'A variables file only gives values: name = value. Declare "{block.type}" in a .lun.hcl file.',
            block.header_range,
        )
    for argument in body.arguments:
        if argument.name in module.variables:
            given[argument.name] = GivenValue(argument.value, None, shown, argument.value.range)
        else:
            diagnostics.warning(
                "Value for an undeclared variable",
                f'The configuration declares no variable "{argument.name}".'
                f"{did_you_mean(argument.name, module.variables)}",
                _alone(argument.name_range),
            )


def _alone(name: SourceRange) -> SourceRange:
    """The range of a name in a text where nothing else stands on its line: a value may be a secret."""
    source = name.source
    start = source.line_starts[name.line - 1]
    text = source.text[:start] + " " * (name.start - start) + name.text
    return SourceRange(Source(source.filename, text), name.start, name.end)
