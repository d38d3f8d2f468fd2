"""`show`, `output` and `graph`: look, never touch."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from planner import operations
from planner.cli.arguments import boolean, takes_inputs, takes_terminal
from planner.cli.state import recorded
from planner.cli.terminal import Terminal
from planner.diagnostics import did_you_mean
from planner.errors import LunformError


@click.command("show")
@click.argument("saved", required=False, metavar="[PLANFILE]")
@click.option("-run", "run", metavar="ID", help="A run of the history: what became of each of its steps.")
@boolean("-explain", False, "Of a saved plan: why each volume is where it is, and why not elsewhere.")
@takes_terminal
def show_command(saved: str | None, run: str | None, explain: bool, terminal: Terminal) -> None:
    """
    Show the state, a saved plan, or a run of the history.

    \b
    Examples:
      lunform show
      lunform show -run 3f2a
      lunform show -explain tonight.plan
      lunform show -json tonight.plan
    """
    if saved is not None and run is not None:
        raise click.UsageError("-run shows a run of the history, and not a saved plan: take one of them away.")
    if saved is not None:
        terminal.plan(operations.read_plan(Path(), Path(saved)).plan, explain)
        return
    if explain:
        raise click.UsageError("-explain is about a saved plan; say which. For a new one: lunform plan -explain")
    if run is not None:
        _show_run(run, terminal)
        return
    snapshot = recorded(terminal)
    if terminal.json:
        from planner.views.state_json import state_to_json

        terminal.result_json(state_to_json(snapshot))
    else:
        from planner.views.state_text import render_state

        terminal.result(render_state(snapshot, terminal.style))


@click.command("output")
@click.argument("name", required=False)
@boolean("-raw", False, "The bare text of one output, for scripts.")
@takes_terminal
def output_command(name: str | None, raw: bool, terminal: Terminal) -> None:
    """
    Show outputs as last applied.

    \b
    Examples:
      lunform output -json
      lunform output -raw iqn
    """
    outputs = recorded(terminal).outputs
    if name is None:
        if raw:
            raise click.UsageError("-raw shows one output; say which.")
        if terminal.json:
            terminal.result_json({n: {"sensitive": o.sensitive, "value": o.value} for n, o in outputs.items()})
        else:
            from planner.views.state_text import render_outputs

            terminal.result(render_outputs(outputs, terminal.style))
        return
    if name not in outputs:
        known = f" There are {', '.join(outputs)}." if outputs else " Nothing was applied yet, or nothing has outputs."
        raise LunformError(f'There is no output "{name}".', did_you_mean(name, outputs).strip() or known.strip())
    output = outputs[name]
    if output.sensitive:
        raise LunformError(
            f'The output "{name}" is sensitive.', "Sensitive values are never stored, so there is nothing to show."
        )
    if raw:
        if not isinstance(output.value, (str, int, bool)):
            raise LunformError(f'The output "{name}" is not a text, number or bool.', "Use -json for it.")
        terminal.result(str(output.value).lower() if isinstance(output.value, bool) else str(output.value))
    elif terminal.json:
        terminal.result_json(output.value)
    else:
        from planner.views.state_text import render_outputs

        terminal.result(render_outputs({name: output}, terminal.style))


@click.command("graph")
@click.option("-plan", "saved", metavar="PLANFILE", help="The steps of a saved plan, instead of the blocks.")
@takes_inputs
@takes_terminal
def graph_command(saved: str | None, inputs: operations.Inputs, terminal: Terminal) -> None:
    """
    Show what needs what, as DOT.

    \b
    Examples:
      lunform graph | dot -Tsvg > blocks.svg
      lunform graph -plan=tonight.plan
    """
    from planner.views.dot import resources_to_dot, steps_to_dot

    if saved is not None:
        steps = operations.read_plan(Path(), Path(saved)).plan.steps
        if terminal.json:
            terminal.result_json([step.to_json() for step in steps.steps])
        else:
            terminal.result(steps_to_dot(steps))
        return
    edges = operations.block_edges(operations.load(Path(), inputs))
    if terminal.json:
        terminal.result_json([{"from": needing, "to": needed} for needing, needed in edges])
    else:
        terminal.result(resources_to_dot(edges))


def _show_run(id: str, terminal: Terminal) -> None:
    from planner.history import find_run
    from planner.views.history_text import outcome_to_json, render_run, run_to_json

    project = operations.load(Path(), operations.Inputs())
    with closing(operations.store_of(project)) as store:
        run = find_run(store, id)
        outcomes = store.outcomes(run.id)
    if terminal.json:
        terminal.result_json({**run_to_json(run), "steps": [outcome_to_json(outcome) for outcome in outcomes]})
    else:
        terminal.result(render_run(run, outcomes, terminal.style))
