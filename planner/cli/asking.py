"""What a person at a terminal is asked or told before: values of variables that have none, and whether to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from planner import operations
from planner.cli.arguments import Planning
from planner.cli.terminal import Terminal
from planner.config.variables import FromCommandLine
from planner.diagnostics import Diagnostics, Source
from planner.errors import LunformError
from planner.planning.plan import Plan


def load_project(
    inputs: operations.Inputs,
    may_ask: bool,
    terminal: Terminal,
    sources: Sequence[Source] | None = None,
    *,
    secrets: bool = True,
) -> operations.Project:
    """
    This directory's configuration, or that of `sources`; required variables without a value are asked for where
    somebody can answer.

    Args:
        secrets: sensitive ones, too.
    """
    project = operations.load(Path(), inputs, sources)
    missing = [
        variable
        for name, variable in project.module.variables.items()
        if variable.default is None and name not in project.given and (secrets or not variable.sensitive)
    ]
    if not missing or not may_ask or not terminal.can_ask:
        return project
    answers = []
    for variable in missing:
        description = f"\n  {variable.description}" if variable.description else ""
        text = click.prompt(f"var.{variable.name}{description}\n  Value", hide_input=variable.sensitive)
        answers.append(FromCommandLine(variable.name, text))
    return operations.load(Path(), replace(inputs, command_line=[*inputs.command_line, *answers]), sources)


def approve(plan: Plan, auto_approve: bool, allow_data_loss: bool, can_ask: bool) -> None:
    """
    Ask whether to go on, where that is needed and somebody can answer.

    Raises:
        LunformError: it was declined, or there is nobody to ask.
    """
    lost = sum(change.loses_data for change in plan.changes)
    volumes = f"{lost} volume{'s' if lost > 1 else ''}"
    if lost and not allow_data_loss:
        if not can_ask:
            raise LunformError(
                "The plan destroys data, and nobody can be asked.",
                f"{volumes} would be deleted or replaced. If that is meant, add -allow-data-loss.",
            )
        _ask(f"{volumes} with all data will be destroyed. Type the number to go on", str(lost))
    elif not auto_approve:
        if not can_ask:
            raise LunformError(
                "Nobody can be asked whether to go on.",
                "There is no terminal, or -input=false was given. Add -auto-approve, or apply a saved plan.",
            )
        from planner.views.plan_summary import in_workspace

        what = "record this" if plan.operation == "refresh" else "do this"
        _ask(f"Do you want to {what}{in_workspace(plan)}? Only 'yes' goes on", "yes")


def confirm(question: str, flag: str, can_ask: bool) -> None:
    """
    Ask `question`, which ends without its question mark.

    Args:
        flag: says yes without being asked.

    Raises:
        LunformError: it was declined, or there is nobody to ask.
    """
    if not can_ask:
        raise LunformError(
            "Nobody can be asked whether to go on.",
            f"{question}? There is no terminal, or -input=false or -json was given. If that is meant, add {flag}.",
        )
    _ask(f"{question}? Only 'yes' goes on", "yes", "Cancelled.")


def _ask(question: str, answer: str, declined: str = "Apply cancelled.") -> None:
    if click.prompt("\n" + question, default="", show_default=False) != answer:
        raise LunformError(declined, "Nothing was changed.")


def warn_without_lock(planning: Planning, terminal: Terminal) -> None:
    """For whatever writes the state."""
    if not planning.locks:
        warning = Diagnostics()
        warning.warning(
            "The state is not locked",
            "-lock=false keeps nobody else out: two applies at once make volumes twice, and each writes over what the"
            " other recorded. To wait for whoever holds the lock, give -lock-timeout instead.",
        )
        terminal.diagnostics(warning)
