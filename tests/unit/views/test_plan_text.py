"""What a plan looks like: each case is a plan of `plans.py` and the text of `plan_text/<case>.txt`."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize("case", PLANS)
def test_colour_changes_nothing_but_colour(case: str) -> None:
    coloured = render_plan(PLANS[case](), Style(color=True))

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render_plan(PLANS[case](), Style(color=False))


@pytest.mark.parametrize("case", ["first_apply", "grow_and_move", "losses", "outputs_alone"])
def test_a_plan_begins_and_ends_with_its_summary(case: str) -> None:
    sections = render_plan(PLANS[case](), Style(color=False)).strip().split("\n\n")

    assert sections[0].startswith("Plan: ")
    assert sections[0] == sections[-1]


def test_steps_may_be_left_out() -> None:
    text = render_plan(PLANS["first_apply"](), Style(color=False), show_steps=False)

    assert "create_async" not in text


def test_secrets_are_not_shown() -> None:
    assert not [case for case in PLANS if "hunter2" in render_plan(PLANS[case](), Style(color=False))]
