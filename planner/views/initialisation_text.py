"""What `init` says of the state: where it is, and what was or would be carried over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from planner.state.model import Snapshot
from planner.state.store import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from planner.migration import Carried, Initialisation


def render_question(found: Initialisation, carried: Sequence[Carried]) -> str:
    """What a person is asked before states are carried over, without the question mark."""
    lines = [f"From {found.before}", f"to   {found.now}:"]
    for item in carried:
        lines.append(f"  {item.workspace}, {_objects(item.objects)}")
        if item.obstacle:
            lines.append(f"    but {item.obstacle}")
    return "\n".join([*lines, "", "Do you want to carry that over"])


def render_initialised(
    found: Initialisation, carried: Sequence[Carried], workspace: str, snapshot: Snapshot
) -> list[str]:
    """Lines."""
    lines = []
    if carried:
        lines.append(f"Carried over from {found.before}:")
        lines.extend(f"  {item.workspace}, {_objects(item.objects)}" for item in carried)
        lines.extend(["What is left there is marked as moved: nobody goes on from it by mistake.", ""])
    where = "" if workspace == DEFAULT_WORKSPACE else f", workspace {workspace}"
    recorded = f"{_objects(len(snapshot.objects))} recorded" if snapshot.lineage else "nothing recorded yet"
    lines.append(f"State: {found.now}{where}, {recorded}")
    if found.lost:
        names = ", ".join(f"LUNFORM_BACKEND_{name}" for name in found.lost)
        lines.append(f"Sensitive and kept in no file: the next commands need {names} in the environment.")
    return lines


def _objects(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"
