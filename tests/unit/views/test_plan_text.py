"""What a plan looks like: each case is a plan of `plans.py` and the text of `plan_text/<case>.txt`."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.views.plan_text import render_plan
from planner.views.style import Style
from tests.unit.views.artefacts import expected
from tests.unit.views.plans import PLANS

CASES = Path(__file__).with_name("plan_text")


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_is_shown(case: str) -> None:
    text = render_plan(PLANS[case](), Style(color=False))

    assert text == expected(CASES / f"{case}.txt", text)
