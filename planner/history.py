"""What was applied before: finds a run by its id, with what became of it and what its plan was made from."""

from __future__ import annotations

from planner.diagnostics import Source
from planner.errors import LunformError
from planner.state.model import Origin, Run
from planner.state.store import StateStore


def find_run(store: StateStore, id: str) -> Run:
    """
    The run with an id, or with the only one that begins so.

    Raises:
        LunformError: there is none, or more than one.
    """
    found = [run for run in store.runs() if id and run.id.startswith(id)]
    if len(found) > 1:
        raise LunformError(f'Several runs begin with "{id}".', f"They are {', '.join(run.id for run in found)}.")
    if not found:
        raise LunformError(f'There is no run "{id}".', "See: lunform history")
    return found[0]


def origin_of(store: StateStore, run: Run) -> tuple[Origin, tuple[Source, ...]]:
    """
    What a run's plan was made from, and the sources in it, so that it can be planned again.

    Raises:
        LunformError: that is not kept, or the run did not bring anything to what a configuration says.
    """
    if run.operation != "apply":
        raise LunformError(
            f"The run {run.id} was no apply.",
            f"It was: {run.operation}. Only an apply brings everything to what its configuration says, and can be gone"
            " back to. See: lunform history",
        )
    origin = store.origin(run.id)
    if origin is None:
        raise LunformError(
            f"What the run {run.id} was made from is not kept.",
            "It is too long ago. Take the configuration back to what it was then, and plan: lunform plan",
        )
    return origin, tuple(Source(name, text) for name, text in sorted(origin.sources.items()))
