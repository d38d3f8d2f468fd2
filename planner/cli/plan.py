"""`plan`: what would change, and why. Changes nothing."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from planner import operations
from planner.cli.arguments import (
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
from planner.cli.asking import load_project
from planner.cli.terminal import Terminal
from planner.cli.watching import tell_recovery
from planner.errors import EXIT_CHANGES, EXIT_OK


@click.command("plan")
@click.option("-out", metavar="FILE", help="Save the plan; `lunform apply FILE` does exactly that.")
@boolean("-destroy", False, "Plan to take everything away.")
@click.option("-revert", metavar="RUN", help="Plan back to what an earlier apply was made from: see lunform history.")
@takes_refresh_only
@takes_selection
@takes_replace
@boolean("-detailed-exitcode", False, "Exit with 2 when there are changes.")
@boolean("-offline", False, "Plan by what is recorded and declared, and ask no system.")
@boolean("-explain", False, "Say why each volume is where it is, and why not elsewhere.")
@takes_inputs
@takes_planning
@takes_terminal
def plan_command(
    out: str | None,
    destroy: bool,
    revert: str | None,
    refresh_only: bool,
    selecting: Selecting,
    replaces: tuple[str, ...],
    detailed_exitcode: bool,
    offline: bool,
    explain: bool,
    inputs: operations.Inputs,
    planning: Planning,
    terminal: Terminal,
) -> int:
    """
    Show what would change, on which pool each volume would go, who holds its figures, and the steps that it takes.

    Only reads: nothing is changed, and no lock is taken.

    With -offline no provider is opened or asked, and sensitive variables need no value: for pull requests, where there
    are no credentials. Such a plan is neither saved nor applied.

    \b
    Examples:
      lunform plan
      lunform plan -explain
      lunform plan -out=tonight.plan -var size=200GiB
      lunform plan -detailed-exitcode -json > plan.json
      lunform plan -refresh-only
      lunform plan -target='volume.db["wal"]'
      lunform plan -exclude=pool.west
      lunform plan -replace='volume.db["wal"]'
      lunform plan -revert 3f2a -out=back.plan
      lunform plan -offline -detailed-exitcode
    """
    if revert is not None and (destroy or refresh_only):
        raise click.UsageError("-revert goes back to a configuration; -destroy and -refresh-only follow none.")
    if offline and refresh_only:
        raise click.UsageError("-refresh-only reads what is there, and -offline asks nobody: take one of them away.")
    if offline and out is not None:
        raise click.UsageError(
            "-offline plans without asking any system, so what it shows is not what an apply would do, and it is not"
            " saved. For a policy check: lunform plan -offline -json > plan.json"
        )
    request = replace(
        plan_request(planning, selecting, replaces, destroy=destroy, refresh_only=refresh_only), offline=offline
    )
    load = load_project if revert is None else partial(_as_of, revert)
    project = load(inputs, planning.may_ask, terminal, secrets=not offline)
    with closing(operations.store_of(project)) as store:
        plan, diagnostics = operations.plan(project, store, request, tell_recovery(terminal), lock=planning.locks)
    terminal.plan(plan, explain)
    terminal.diagnostics(diagnostics)
    if out is not None:
        operations.save_plan(project, plan, Path(out))
        if not terminal.json:
            terminal.result(f"\nSaved the plan to {out}. To do exactly that: lunform apply {out}")
    return EXIT_CHANGES if detailed_exitcode and not plan.is_empty else EXIT_OK


def _as_of(
    id: str, inputs: operations.Inputs, may_ask: bool, terminal: Terminal, *, secrets: bool
) -> operations.Project:
    """The configuration and the values that a run was made from. Sensitive values are those that are given now."""
    from planner.history import find_run, origin_of

    with closing(operations.store_of(operations.load(Path(), operations.Inputs()))) as store:
        run = find_run(store, id)
        origin, sources = origin_of(store, run)
    project = load_project(replace(inputs, saved=origin.variables), may_ask, terminal, sources, secrets=secrets)
    project.diagnostics.warning(
        "Back to an earlier configuration",
        f"This is planned with the configuration and the values of run {run.id} ({run.started}, {run.who}). Take the"
        " files in this directory back to it, too: the next plan without -revert goes by them, and forward again.",
    )
    return project
