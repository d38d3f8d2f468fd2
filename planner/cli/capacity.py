"""`capacity`: what the pools hold, and how much more they take. Looks, never touches."""

from __future__ import annotations

from contextlib import closing

import click

from planner import operations
from planner.cli.arguments import boolean, takes_inputs, takes_terminal
from planner.cli.asking import load_project
from planner.cli.terminal import Terminal
from planner.cli.watching import tell_recovery
from planner.errors import EXIT_ERROR, EXIT_OK
from planner.units import UnitError, parse_size


@click.command("capacity")
@click.option("-pool", "pools", multiple=True, metavar="ADDRESS", help="Only this pool; may be given several times.")
@click.option(
    "-size",
    default="100GiB",
    metavar="SIZE",
    help="Size of the volumes that are counted, where the offering leaves it open (100GiB).",
)
@boolean("-input", True, "-input=false never asks.")
@takes_inputs
@takes_terminal
def capacity_command(
    pools: tuple[str, ...], size: str, input: bool, inputs: operations.Inputs, terminal: Terminal
) -> int:
    """
    Show for each pool its bytes and IOPS: total, taken by this state's volumes, taken by others, and free; and how
    many volumes of each offering still fit, with what refuses one more.

    Only reads: nothing is changed, and no lock is taken. A pool that cannot be read is an error; the others are shown.

    \b
    Examples:
      lunform capacity
      lunform capacity -size=2TiB
      lunform capacity -pool=pool.ssd -pool='pool.site["east"]'
      lunform capacity -json | jq '.pools[].iops.free'
    """
    project = load_project(inputs, input, terminal)
    with closing(operations.store_of(project)) as store:
        capacity, diagnostics = operations.capacity(project, store, _size(size), pools, tell_recovery(terminal))
    if terminal.json:
        from planner.views.capacity_json import capacity_to_json

        terminal.result_json(capacity_to_json(capacity, diagnostics))
    else:
        from planner.views.capacity_text import ASCII, BLOCKS, render_capacity

        shades = BLOCKS if terminal.can_show("".join(BLOCKS)) else ASCII
        terminal.result(render_capacity(capacity, terminal.style, terminal.width, shades))
        terminal.diagnostics(diagnostics)
    return EXIT_ERROR if diagnostics.has_errors else EXIT_OK


def _size(text: str) -> int:
    try:
        size = parse_size(text)
    except UnitError as error:
        raise click.UsageError(f"-size: {error}") from None
    if size == 0:
        raise click.UsageError("-size: a volume of no size is none.")
    return size
