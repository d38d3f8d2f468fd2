"""A saved plan is read back as it was written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from planner import planfile
from planner.placement.allocator import place
from planner.planning.plan import Action, Change, Plan
from tests.unit.placement.worlds import candidate, demand


def test_a_placement_is_saved_with_the_figures_of_each_rejection(tmp_path: Path) -> None:
    wanted = demand("db", floor=600)
    assignment = place([wanted], [candidate("a", iops=500), candidate("b"), candidate("c", zone="east")]).assignments[
        wanted.address
    ]
    assert [(rejection.pool, rejection.filter) for rejection in assignment.rejections] == [("pool.a", "iops")]
    change = Change(wanted.address, Action.CREATE, None, {"size": "1GiB"}, assignment=assignment)
    plan = Plan("apply", "lineage", 1, "2026-01-31T12:00:00Z", (change,))
    planfile.write(tmp_path / "p", plan, ())
    (read,) = planfile.read(tmp_path / "p").plan.changes
    assert read == replace(change, assignment=replace(assignment, rejections=tuple(assignment.rejections)))
