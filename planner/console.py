"""What the console is asked: expressions, evaluated with what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from planner.addresses import InstanceAddress
from planner.config.loader import SUFFIXES
from planner.diagnostics import Diagnostics, Source
from planner.errors import StateError
from planner.evaluation.evaluator import Evaluated
from planner.evaluation.functions.signature import Function
from planner.initialisation import open_initialised
from planner.operations import Inputs, load, recorded_attributes
from planner.state.model import RecordedObject
from planner.syntax import ast
from planner.values.types import Value


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the console has to say to an expression.

    Attributes:
        value: None where there is none; then `mistakes` say why.
        is_type: the value is what type() has made: the text of a type, and no text of the user's.
    """

    value: Value | None
    mistakes: Diagnostics
    is_type: bool = False


@dataclass(frozen=True, slots=True)
class Console:
    """A configuration, evaluated once with what is recorded; `diagnostics` hold what was wrong with it."""

    evaluated: Evaluated
    functions: Mapping[str, Function]
    diagnostics: Diagnostics

    def answer(self, source: Source) -> Answer:
        """The value of an expression in the root module, outside of all blocks."""
        from planner.syntax.parser import parse_expression

        expression, mistakes = parse_expression(source)
        if expression is None:
            return Answer(None, mistakes)
        value, mistakes = self.evaluated.answer(expression, self.functions)
        return Answer(value, mistakes, isinstance(expression, ast.Call) and expression.name == "type")


def open_console(directory: Path, inputs: Inputs) -> Console:
    """
    What expressions are asked of: the configuration with what is recorded, and unknown what is not created yet.

    Works without configuration, and with a broken one: what is wrong comes with it and is not raised.
    """
    from planner.evaluation.functions.registry import standard_functions

    is_empty = not any(path.name.endswith(SUFFIXES) for path in directory.iterdir())
    project = load(directory, inputs, () if is_empty else None, planning=False)
    diagnostics = Diagnostics([*project.diagnostics, *project.evaluator.diagnostics])
    objects: Mapping[InstanceAddress, RecordedObject] = {}
    backend, mistakes = open_initialised(project.module.settings, directory, inputs.environment)
    diagnostics.extend(mistakes)
    if backend is not None:
        try:
            with closing(backend.open(project.workspace)) as store:
                objects = store.read().objects
        except StateError as error:
            diagnostics.error(str(error), error.detail)
    evaluated = project.evaluator.evaluate(partial(recorded_attributes, objects), without_copies=True)
    diagnostics.extend(evaluated.diagnostics)
    functions = standard_functions(directory, plan_time=datetime.now(UTC), console=True)
    return Console(evaluated, functions, diagnostics)
