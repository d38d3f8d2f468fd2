"""`workspace`: several states of one configuration."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import click

from planner import operations
from planner.cli.arguments import boolean, takes_lock_timeout, takes_terminal
from planner.cli.terminal import Terminal
from planner.cli.watching import tell_recovery
from planner.diagnostics import did_you_mean
from planner.errors import LunformError
from planner.initialisation import WORKSPACE_VARIABLE, checked_workspace, select_workspace
from planner.state.store import DEFAULT_WORKSPACE


@click.group("workspace")
def workspace_command() -> None:
    """
    Keep several states of one configuration, each with objects of its own.

    \b
    Examples:
      lunform workspace new staging
      lunform workspace select default
    """


@workspace_command.command("list")
@takes_terminal
def workspace_list(terminal: Terminal) -> None:
    """
    List the workspaces; a star is before the one in use.

    \b
    Example: lunform workspace list
    """
    project = _project()
    names = _names(project)
    if terminal.json:
        terminal.result_json({"workspaces": names, "current": project.workspace})
    else:
        terminal.result("\n".join(f"{'*' if name == project.workspace else ' '} {name}" for name in names))


@workspace_command.command("show")
@takes_terminal
def workspace_show(terminal: Terminal) -> None:
    """
    Show the name of the workspace in use.

    \b
    Example: lunform workspace show
    """
    project = _project()
    if terminal.json:
        terminal.result_json({"current": project.workspace})
    else:
        terminal.result(project.workspace)


@workspace_command.command("new")
@click.argument("name")
@takes_lock_timeout
@takes_terminal
def workspace_new(name: str, lock_timeout: float, terminal: Terminal) -> None:
    """
    Make a workspace, with an empty state, and use it.

    \b
    Example: lunform workspace new staging
    """
    from planner.bookkeeping import create_workspace

    _refuse_overridden()
    checked_workspace(name)
    project = _project()
    backend = operations.backend_of(project)
    create_workspace(backend, name, timeout=lock_timeout, observer=tell_recovery(terminal))
    _use(name, terminal, made=True)


@workspace_command.command("select")
@click.argument("name")
@boolean("-or-create", False, "Make it if there is none of this name.")
@takes_lock_timeout
@takes_terminal
def workspace_select(name: str, or_create: bool, lock_timeout: float, terminal: Terminal) -> None:
    """
    Use another workspace.

    \b
    Examples:
      lunform workspace select staging
      lunform workspace select -or-create staging
    """
    from planner.bookkeeping import create_workspace

    _refuse_overridden()
    checked_workspace(name)
    project = _project()
    is_there = name in _names(project)
    if not is_there and not or_create:
        raise _no_such(name, project)
    if not is_there:
        backend = operations.backend_of(project)
        create_workspace(backend, name, timeout=lock_timeout, observer=tell_recovery(terminal))
    _use(name, terminal, made=not is_there)


@workspace_command.command("delete")
@click.argument("name")
@boolean("-force", False, "Also when something is recorded; that stays on its array, and nobody knows of it.")
@takes_terminal
def workspace_delete(name: str, force: bool, terminal: Terminal) -> None:
    """
    Delete a workspace's state. What is recorded in it must be destroyed before.

    \b
    Example: lunform workspace delete staging
    """
    checked_workspace(name)
    project = _project()
    if name == DEFAULT_WORKSPACE:
        raise LunformError("The default workspace cannot be deleted.", "To take all of it away: lunform destroy")
    if name == project.workspace:
        raise LunformError(
            f'The workspace "{name}" is in use.', "Change to another one first: lunform workspace select default"
        )
    backend = operations.backend_of(project)
    if name not in backend.workspaces():
        raise _no_such(name, project)
    with closing(backend.open(name)) as store:
        snapshot = store.read()
    if (snapshot.objects or snapshot.in_doubt) and not force:
        raise LunformError(
            f'The workspace "{name}" is not empty.',
            f"{len(snapshot.objects)} objects are recorded in it, and {len(snapshot.in_doubt)} steps are in doubt:"
            f" destroy them first, with {WORKSPACE_VARIABLE}={name} lunform destroy. With -force their record is"
            " deleted, and they stay where they are.",
        )
    backend.remove(name)
    if terminal.json:
        terminal.result_json({"deleted": name, "objects_left": len(snapshot.objects)})
    else:
        left = f" {len(snapshot.objects)} objects stay where they are." if snapshot.objects else ""
        terminal.result(f'Deleted the workspace "{name}".{left}')


def _project() -> operations.Project:
    return operations.load(Path(), operations.Inputs())


def _names(project: operations.Project) -> list[str]:
    """Sorted; the one that needs no making is always there."""
    return sorted({DEFAULT_WORKSPACE, *operations.backend_of(project).workspaces()})


def _use(name: str, terminal: Terminal, *, made: bool) -> None:
    select_workspace(Path(), name)
    if terminal.json:
        terminal.result_json({"current": name, "created": made})
    else:
        terminal.result(f'{"Made and selected" if made else "Selected"} the workspace "{name}".')


def _no_such(name: str, project: operations.Project) -> LunformError:
    names = _names(project)
    hint = did_you_mean(name, names).strip() or f"There are {', '.join(names)}."
    return LunformError(f'There is no workspace "{name}".', f"{hint} Make it with: lunform workspace new {name}")


def _refuse_overridden() -> None:
    if name := os.environ.get(WORKSPACE_VARIABLE):
        raise LunformError(
            f"{WORKSPACE_VARIABLE} selects the workspace.",
            f'It says "{name}", whatever is selected here. Take it out of the environment first.',
        )
