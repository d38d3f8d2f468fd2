"""`history`: who changed what is recorded, and when."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from planner import operations
from planner.cli.arguments import takes_terminal
from planner.cli.terminal import Terminal


@click.command("history")
@click.option("-n", "number", type=click.IntRange(1), metavar="NUMBER", help="Only the newest ones.")
@takes_terminal
def history_command(number: int | None, terminal: Terminal) -> None:
    """
    List all runs that changed what is recorded, the newest first.

    \b
    Examples:
      lunform history -n 5
      lunform show -run 3f2a
      lunform plan -revert 3f2a -out=back.plan
    """
    from planner.views.history_text import render_runs, run_to_json

    project = operations.load(Path(), operations.Inputs())
    with closing(operations.store_of(project)) as store:
        runs = list(reversed(store.runs()))[:number]
    if terminal.json:
        terminal.result_json([run_to_json(run) for run in runs])
    else:
        terminal.result(render_runs(runs, terminal.style))
