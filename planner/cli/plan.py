"""`plan`: what would change, and why. Changes nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from planner import operations
from planner.cli.arguments import (
    Planning,
    boolean,
    refuse_with_refresh_only,
    takes_inputs,
    takes_planning,
    takes_refresh_only,
    takes_terminal,
)
from planner.cli.asking import load_project
from planner.cli.terminal import Terminal
from planner.cli.watching import tell_recovery
from planner.config.loader import all_sources
from planner.errors import EXIT_CHANGES, EXIT_OK
from planner.planning.builder import PlanRequest


@click.command("plan")
@click.option("-out", metavar="FILE", help="Save the plan; `lunform apply FILE` does exactly that.")
@boolean("-destroy", False, "Plan to take everything away.")
@takes_refresh_only
@boolean("-detailed-exitcode", False, "Exit with 2 when there are changes.")
@boolean("-offline", False, "Plan by what is recorded and declared, and ask no system.")
@boolean("-explain", False, "Say why each volume is where it is, and why not elsewhere.")
@takes_inputs
@takes_planning
@takes_terminal
def plan_command(
    out: str | None,
    destroy: bool,
    refresh_only: bool,
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
      lunform plan -offline -detailed-exitcode
    """
    if refresh_only:
        refuse_with_refresh_only(destroy, planning)
    if offline and refresh_only:
        raise click.UsageError("-refresh-only reads what is there, and -offline asks nobody: take one of them away.")
    if offline and out is not None:
        raise click.UsageError(
            "-offline plans without asking any system, so what it shows is not what an apply would do, and it is not"
            " saved. For a policy check: lunform plan -offline -json > plan.json"
        )
    project = load_project(inputs, planning.may_ask, terminal, secrets=not offline)
    request = PlanRequest(destroy, planning.refresh, refresh_only, offline=offline, parallelism=planning.parallelism)
    with closing(operations.store_of(project)) as store:
        plan, diagnostics = operations.plan(project, store, request, tell_recovery(terminal), lock=planning.locks)
    terminal.plan(plan, explain)
    terminal.diagnostics(diagnostics)
    if out is not None:
        from planner import planfile

        planfile.write(Path(out), plan, tuple(all_sources(project.module)))
        if not terminal.json:
            terminal.result(f"\nSaved the plan to {out}. To do exactly that: lunform apply {out}")
    return EXIT_CHANGES if detailed_exitcode and not plan.is_empty else EXIT_OK
