"""`apply`, `destroy`, `refresh` and `import`: do what a plan says."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from planner import operations
from planner.addresses import AddressError, parse_instance
from planner.cli.arguments import (
    Command,
    Planning,
    Selecting,
    boolean,
    plan_request,
    takes_inputs,
    takes_planning,
    takes_refresh_only,
    takes_replace,
    takes_selection,
    takes_terminal,
)
from planner.cli.asking import approve, load_project, warn_without_lock
from planner.cli.terminal import Terminal
from planner.cli.watching import apply_progress, stopping, tell_recovery
from planner.errors import EXIT_ERROR, EXIT_OK
from planner.execution.executor import Stop
from planner.planning.builder import PlanRequest
from planner.planning.plan import Plan
from planner.views.json_lines import JsonLines


def _applies(command: Command) -> Command:
    for option in (
        boolean("-auto-approve", False, "Do not ask."),
        boolean("-allow-data-loss", False, "Let volumes be destroyed without being asked for their number."),
    ):
        command = option(command)
    return command


@click.command("apply")
@click.argument("saved", required=False, metavar="[PLANFILE]")
@boolean("-destroy", False, "Take everything away.")
@takes_refresh_only
@takes_selection
@takes_replace
@_applies
@takes_inputs
@takes_planning
@takes_terminal
def apply_command(
    saved: str | None,
    destroy: bool,
    refresh_only: bool,
    selecting: Selecting,
    replaces: tuple[str, ...],
    auto_approve: bool,
    allow_data_loss: bool,
    inputs: operations.Inputs,
    planning: Planning,
    terminal: Terminal,
) -> int:
    """
    Do what a plan says: one that was saved, or one made now and shown first.

    It can be killed at any point: the next run finds out what was done, and goes on.

    \b
    Examples:
      lunform apply
      lunform apply tonight.plan
      lunform apply -auto-approve -parallelism=64
      lunform apply -refresh-only
      lunform apply -target=module.east
    """
    if saved is None:
        request = plan_request(planning, selecting, replaces, destroy=destroy, refresh_only=refresh_only)
        return _plan_and_apply(request, auto_approve, allow_data_loss, inputs, planning, terminal)
    if destroy or refresh_only or replaces or selecting != Selecting() or not planning.refresh:
        raise click.UsageError(
            "A saved plan says all that is to be done; -destroy, -refresh, -refresh-only, -target, -exclude and"
            " -replace do not go with it."
        )
    warn_without_lock(planning, terminal)
    found = operations.read_plan(Path(), Path(saved))
    project = operations.load(Path(), operations.with_saved(inputs, found), found.sources)
    approve(found.plan, True, allow_data_loss, False)
    return _run(project, found.plan, planning, terminal)


@click.command("destroy")
@takes_selection
@_applies
@takes_inputs
@takes_planning
@takes_terminal
def destroy_command(
    selecting: Selecting,
    auto_approve: bool,
    allow_data_loss: bool,
    inputs: operations.Inputs,
    planning: Planning,
    terminal: Terminal,
) -> int:
    """
    Take away everything that the state records. The same as: lunform apply -destroy

    \b
    Examples:
      lunform destroy
      lunform destroy -exclude='volume.db["wal"]'
    """
    request = plan_request(planning, selecting, destroy=True)
    return _plan_and_apply(request, auto_approve, allow_data_loss, inputs, planning, terminal)


@click.command("refresh")
@takes_selection
@takes_inputs
@takes_planning
@takes_terminal
def refresh_command(selecting: Selecting, inputs: operations.Inputs, planning: Planning, terminal: Terminal) -> int:
    """
    Record what is there, without asking. The same as: lunform apply -refresh-only -auto-approve

    Nothing is changed on any system. What is gone is forgotten; `lunform plan -refresh-only` shows it before.

    \b
    Example: lunform refresh
    """
    request = plan_request(planning, selecting, refresh_only=True)
    return _plan_and_apply(request, True, False, inputs, planning, terminal)


@click.command("import")
@click.argument("address")
@click.argument("id")
@takes_inputs
@takes_planning
@takes_terminal
def import_command(address: str, id: str, inputs: operations.Inputs, planning: Planning, terminal: Terminal) -> int:
    """
    Record a volume that an array has already under an address that the configuration declares. The ID is the array's
    id of it, or its name there.

    Nothing is changed on any system. How the volume differs from its block, the next plan shows.

    \b
    Examples:
      lunform import volume.legacy vol-17
      lunform import 'volume.db["wal"]' db-01-wal
    """
    if not planning.refresh:
        raise click.UsageError("import looks for the volume on its array, and -refresh=false does not: take it away.")
    try:
        request = PlanRequest(read=False, importing=(parse_instance(address), id), parallelism=planning.parallelism)
    except AddressError as error:
        raise click.UsageError(str(error)) from None
    return _plan_and_apply(request, True, False, inputs, planning, terminal)


def _plan_and_apply(
    request: PlanRequest,
    auto_approve: bool,
    allow_data_loss: bool,
    inputs: operations.Inputs,
    planning: Planning,
    terminal: Terminal,
) -> int:
    if terminal.json and not auto_approve:
        raise click.UsageError("With -json nobody can be asked: add -auto-approve, or apply a saved plan.")
    warn_without_lock(planning, terminal)
    project = load_project(inputs, planning.may_ask, terminal)
    watch = tell_recovery(terminal)
    with closing(operations.store_of(project)) as store:
        operations.settle_interrupted(project, store, watch, planning.lock_timeout)
        plan, diagnostics = operations.plan(project, store, request, watch, lock=planning.locks)
    if not terminal.json:
        terminal.plan(plan)
    terminal.diagnostics(diagnostics)
    if not plan.is_empty:
        approve(plan, auto_approve, allow_data_loss, planning.may_ask and terminal.can_ask)
    return _run(project, plan, planning, terminal)


def _run(project: operations.Project, plan: Plan, planning: Planning, terminal: Terminal) -> int:
    stop = Stop()
    with (
        closing(operations.store_of(project)) as store,
        apply_progress(plan, terminal) as watch,
        stopping(stop),
    ):
        applied = operations.apply(
            project, store, plan, watch, parallelism=planning.parallelism, lock_timeout=planning.lock_timeout, stop=stop
        )
        if isinstance(watch, JsonLines):
            watch.diagnostics(applied.diagnostics)
            if applied.complete:
                watch.finish(applied.outputs)
    terminal.applied(plan, applied)
    if not isinstance(watch, JsonLines):
        terminal.diagnostics(applied.diagnostics)
    return EXIT_OK if applied.complete and not applied.diagnostics.has_errors else EXIT_ERROR
