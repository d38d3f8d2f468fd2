from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from planner.evaluation.functions.registry import standard_functions

FUNCTIONS = standard_functions(Path(), plan_time=datetime(2026, 1, 31, tzinfo=UTC))


def test_a_pattern_that_backtracks_elsewhere_takes_linear_time() -> None:
    # A backtracking matcher needs some 2**60 steps for this.
    assert FUNCTIONS["replace"].call(["a" * 60, "/^(a+)+$b/", "x"]) == "a" * 60
