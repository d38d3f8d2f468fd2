"""Why volumes are where they are: each case is a plan and the text of `explain_text/<case>.txt`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from planner import planfile
from planner.placement.model import Assignment, Headroom, Rejection
from planner.planning.plan import Action, Change, Plan
from planner.views.explain_text import render_explanation
from planner.views.plan_json import plan_to_json
from planner.views.plan_text import render_plan
from planner.views.style import Style
from tests.unit.views.artefacts import EAST, WEST, assigned, change, existing, expected, plan, wanted

CASES = Path(__file__).with_name("explain_text")
PLAIN = Style(color=False)
GIB, TIB = 1 << 30, 1 << 40
TAGS = Rejection("pool.hdd", "tags", "it lacks the tag ssd (it has hdd)")


def placed(pool: str, *fitting: Headroom, rejections: tuple[Rejection, ...] = ()) -> Assignment:
    reason = f"most IOPS left of {len(fitting)} pools that fit" if len(fitting) > 1 else "the only pool that fits"
    return replace(assigned(pool, reason=reason, rejections=rejections), fitting=fitting)


def new(address: str, assignment: Assignment) -> Change:
    return change(address, Action.CREATE, None, wanted(address, assignment.pool), assignment=assignment)


def chosen_among_several() -> Plan:
    """More IOPS, as many IOPS and more space, as much of both, and pools without limits."""
    left = {
        "a": (Headroom(EAST, 9000, TIB), Headroom(WEST, 8000, 2 * TIB)),
        "b": (Headroom(EAST, 9000, TIB), Headroom(WEST, 9000, 512 * GIB)),
        "c": (Headroom(EAST, 9000, TIB), Headroom(WEST, 9000, TIB)),
        "d": (Headroom(EAST, None, None), Headroom(WEST, 9000, None), Headroom("pool.z", None, TIB)),
        "packed": (Headroom(EAST, 1000, TIB), Headroom(WEST, 8000, TIB)),
    }
    return plan(*(new(f"volume.{name}", placed(EAST, *pools)) for name, pools in left.items()))


def the_only_one() -> Plan:
    full = Rejection(WEST, "iops", "floor 5000 asked, 1000 of 9000 IOPS left")
    return plan(new("volume.db", placed(EAST, Headroom(EAST, 9000, TIB), rejections=(TAGS, full))))


def pinned() -> Plan:
    """A dozen other pools are refused for the pin: they stand together."""
    pins = tuple(Rejection(f"pool.p{n:02}", "pin", f"the volume asks for {EAST}") for n in range(12))
    return plan(new("volume.db", placed(EAST, Headroom(EAST, 9000, TIB), rejections=pins)))


def kept_and_moved() -> Plan:
    """One stays as it is, one is changed where it is, one is replaced elsewhere, and one goes."""
    there = assigned(EAST, reason="it is there already")
    volume = existing("db")
    pin = Rejection(EAST, "pin", f"the volume asks for {WEST}")
    return plan(
        change("volume.kept", Action.NO_OP, volume, volume, assignment=there),
        change("volume.grown", Action.UPDATE, volume, volume | {"size": "1TiB"}, assignment=there),
        change(
            "volume.moved",
            Action.REPLACE,
            volume,
            wanted("db", WEST),
            reason="replace_because_cannot_update",
            replace_paths=("pool",),
            assignment=placed(WEST, Headroom(WEST, 9000, TIB), rejections=(pin,)),
        ),
        change("volume.gone", Action.DELETE, volume),
    )


def a_thousand_copies() -> Plan:
    """They go to two pools in turns, and each sees other figures."""
    changes = []
    for number in range(1000):
        left = 500_000 - number // 2 * 100
        chosen, other = Headroom(EAST, left, TIB), Headroom(WEST, left, TIB)
        if number % 2:
            chosen, other = Headroom(WEST, left, TIB), Headroom(EAST, left - 100, TIB)
        changes.append(new(f"volume.db[{number}]", placed(chosen.pool, chosen, other, rejections=(TAGS,))))
    return plan(*changes)


PLANS: dict[str, Callable[[], Plan]] = {
    made.__name__: made for made in (chosen_among_several, the_only_one, pinned, kept_and_moved, a_thousand_copies)
}


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_is_explained(case: str) -> None:
    text = render_explanation(PLANS[case](), PLAIN) + "\n"

    assert text == expected(CASES / f"{case}.txt", text)


@pytest.mark.parametrize("case", PLANS)
def test_colour_changes_nothing_but_colour(case: str) -> None:
    coloured = render_explanation(PLANS[case](), Style(color=True))

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == render_explanation(PLANS[case](), PLAIN)


@pytest.mark.parametrize("case", PLANS)
def test_a_saved_plan_is_explained_with_the_same_words(case: str, tmp_path: Path) -> None:
    made = PLANS[case]()
    planfile.write(tmp_path / "p", made, ())
    saved = planfile.read(tmp_path / "p").plan

    assert render_explanation(saved, PLAIN) == render_explanation(made, PLAIN)
    assert plan_to_json(saved)["placements"] == plan_to_json(made)["placements"]


def test_the_explanation_stands_before_the_last_summary_in_place_of_the_refused_pools() -> None:
    sections = render_plan(the_only_one(), PLAIN, explain=True).strip().split("\n\n")

    assert sections[-3].startswith("Why each volume is where it is:")
    assert sections[-1] == sections[0]
    assert not [section for section in sections if section.startswith("Pools that were refused")]


def test_a_plan_without_changes_is_explained_too() -> None:
    volume = existing("db")
    there = assigned(EAST, reason="it is there already")
    text = render_plan(plan(change("volume.db", Action.NO_OP, volume, volume, assignment=there)), PLAIN, explain=True)

    assert text.startswith("Why each volume is where it is:\n\n  volume.db: pool.east-ssd\n")
    assert text.endswith("No changes. Your storage matches the configuration.\n")


def test_where_nothing_is_placed_nothing_is_explained() -> None:
    assert render_explanation(plan(change("volume.db", Action.DELETE, existing("db"))), PLAIN) == ""


def test_programs_get_the_pools_that_fitted() -> None:
    placements = plan_to_json(chosen_among_several())["placements"]

    assert placements["volume.d"]["fitting"] == [
        {"pool": EAST, "iops": None, "bytes": None},
        {"pool": WEST, "iops": 9000, "bytes": None},
        {"pool": "pool.z", "iops": None, "bytes": TIB},
    ]
