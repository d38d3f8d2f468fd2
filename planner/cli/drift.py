"""`drift`: what was changed outside. Changes nothing, and records nothing."""

from __future__ import annotations

from contextlib import closing

import click

from planner import operations
from planner.cli.arguments import Planning, takes_inputs, takes_planning, takes_terminal
from planner.cli.asking import load_project
from planner.cli.terminal import Terminal
from planner.cli.watching import tell_recovery
from planner.errors import EXIT_CHANGES, EXIT_OK
from planner.planning.builder import PlanRequest


@click.command("drift")
@takes_inputs
@takes_planning
@takes_terminal
def drift_command(inputs: operations.Inputs, planning: Planning, terminal: Terminal) -> int:
    """
    Show what was changed outside since the last apply: sizes, figures, access, disks, and what is gone.

    Only reads, and takes no lock. Exits with 0 for none, 1 for an error, 2 for drift.

    \b
    Examples:
      lunform drift
      lunform drift -json > drift.json
    """
    if not planning.refresh:
        raise click.UsageError("drift reads what is there, and -refresh=false does not: take it away.")
    project = load_project(inputs, planning.may_ask, terminal)
    with closing(operations.store_of(project)) as store:
        request = PlanRequest(refresh_only=True, parallelism=planning.parallelism)
        plan, diagnostics = operations.plan(project, store, request, tell_recovery(terminal), lock=planning.locks)
    terminal.drift(plan)
    terminal.diagnostics(diagnostics)
    return EXIT_CHANGES if any(change.drift for change in plan.changes) else EXIT_OK
