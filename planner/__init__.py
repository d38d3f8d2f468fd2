"""
Lunform: a directory of HCL becomes block volumes with hard quality of service. `README.md` beside this is the map.

The public API is what `__all__` names:

    project = planner.load(Path("."), planner.Inputs())
    with closing(planner.store_of(project)) as store:
        plan, diagnostics = planner.plan(project, store, planner.PlanRequest())
        planner.apply(project, store, plan)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.operations import Applied, Inputs, Project, apply, load, plan, store_of, validate
    from planner.planning.builder import PlanRequest
    from planner.planning.plan import Plan

__all__ = ["Applied", "Inputs", "Plan", "PlanRequest", "Project", "apply", "load", "plan", "store_of", "validate"]


def __getattr__(name: str) -> Any:
    """Names of the API are imported when they are used: `lunform version` imports this package, too."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from planner import operations
    from planner.planning import builder, plan

    found = {"PlanRequest": builder.PlanRequest, "Plan": plan.Plan}
    return found.get(name) or getattr(operations, name)
