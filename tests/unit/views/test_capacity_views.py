"""What a capacity looks like: text as it is piped, text with bars, and JSON, beside `capacity/<case>.*`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from planner.diagnostics import Diagnostics
from planner.placement.model import Candidate, Rejection
from planner.planning.capacity import Budget, Capacity, Fit, OfferingRoom, PoolCapacity
from planner.sdk.storage import ArrayInfo, PoolSpec, PoolStatus, Qos
from planner.views.capacity_json import capacity_to_json
from planner.views.capacity_text import render_capacity
from planner.views.style import Style
from tests.unit.views.artefacts import expected

CASES = Path(__file__).with_name("capacity")
GIB, TIB = 1 << 30, 1 << 40
ARRAY = ArrayInfo("array", "test array 1", frozenset())


def pool(
    name: str,
    bytes: Budget,
    iops: Budget,
    volumes: tuple[int, int] = (0, 0),
    reported: tuple[int | None, int | None] = (None, None),
    **declared: object,
) -> PoolCapacity:
    status = PoolStatus(reported[0], bytes.ours + bytes.others, reported[1], iops.ours + iops.others)
    candidate = Candidate(name, PoolSpec(name), ARRAY, status, **declared)  # type: ignore[arg-type]
    return PoolCapacity(candidate, bytes, iops, *volumes)


def several() -> Capacity:
    """Roomy, crowded, over-committed in both, without any limit, empty, and one that could not be read."""
    fast, slow = Qos(5000, 10000, 15000), Qos(0, 500, 500)
    tags = Rejection("", "tags", "it is kept for offerings that name one of its tags (ssd)")
    space = Rejection("", "space", "100 GiB asked, 20 GiB of 2 TiB left")
    iops = Rejection("", "iops", "floor 5000 asked, 0 of 9000 IOPS left (12000 taken, 12000 of them before this plan)")
    pools = (
        pool(
            'module.east.pool.ssd["a"]',
            Budget(3 * TIB, 200 * GIB, 800 * GIB),
            Budget(50_000, 10_000, 300),
            (2, 5),
            (TIB, 60_000),
            capacity=2 * TIB,
            capacity_iops=50_000,
            overprovision=1.5,
            tags=frozenset({"ssd"}),
            exclusive=True,
        ),
        pool("pool.crowded", Budget(2 * TIB, 2 * TIB - 20 * GIB, 1), Budget(100, 99, 0), (900, 1), (2 * TIB, 100)),
        pool("pool.over", Budget(TIB, TIB // 4, TIB), Budget(9000, 12_000, 0), (3, 1), (TIB, 9000)),
        pool("pool.open", Budget(None, 10 * GIB, 0), Budget(None, 0, 70), (1, 1)),
        pool("pool.empty", Budget(0, 0, 0), Budget(0, 0, 0), reported=(0, 0), enabled=False),
    )
    names = [pool.candidate.id for pool in pools]
    return Capacity(
        100 * GIB,
        pools,
        (
            OfferingRoom(
                "disk_offering.archive",
                TIB,
                True,
                slow,
                dict(
                    zip(names, [Fit(0, tags), Fit(0, space), Fit(0, space), Fit(None, None), Fit(0, tags)], strict=True)
                ),
            ),
            OfferingRoom(
                "disk_offering.fast",
                100 * GIB,
                False,
                fast,
                dict(zip(names, [Fit(7, iops), Fit(12, space), Fit(0, iops), Fit(0, tags), Fit(0, tags)], strict=True)),
            ),
            OfferingRoom("disk_offering.none", 100 * GIB, False, None, dict.fromkeys(names, Fit(0, tags))),
        ),
        ("pool.west",),
    )


def fixed_sizes_alone() -> Capacity:
    one = pool("pool.a", Budget(TIB, 0, 0), Budget(None, 0, 0), reported=(TIB, None))
    full = Rejection("pool.a", "space", "100 GiB asked, 24 GiB of 1 TiB left")
    room = OfferingRoom("disk_offering.small", 100 * GIB, True, None, {"pool.a": Fit(10, full)})
    return Capacity(100 * GIB, (one,), (room,))


def no_offering() -> Capacity:
    return Capacity(100 * GIB, (pool("pool.a", Budget(TIB, 0, 0), Budget(10, 0, 0)),), ())


def nothing_read() -> Capacity:
    return Capacity(100 * GIB, (), (), ("pool.a", "pool.b"))


def no_pool() -> Capacity:
    return Capacity(100 * GIB, (), ())


CAPACITIES = {made.__name__: made for made in (several, fixed_sizes_alone, no_offering, nothing_read, no_pool)}


def without_colour(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize("case", CAPACITIES)
def test_a_capacity_is_shown_as_a_table_where_there_is_no_colour(case: str) -> None:
    text = render_capacity(CAPACITIES[case](), Style(color=False), 80)

    assert text == expected(CASES / f"{case}.txt", text)
    assert text == render_capacity(CAPACITIES[case](), Style(color=False), 120)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_capacity_is_drawn_as_wide_as_the_terminal(width: int) -> None:
    text = without_colour(render_capacity(several(), Style(color=True), width))

    assert text == expected(CASES / f"several.{width}.txt", text)
    assert max(map(len, text.splitlines())) <= max(width, 85)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bars_are_all_of_one_length_and_show_whatever_is_there(width: int) -> None:
    lines = without_colour(render_capacity(several(), Style(color=True), width)).splitlines()
    bars = [match[0] for line in lines[1:] if (match := re.search("[█▒░!]{2,}$", line))]

    assert len(bars) == 6
    assert len(set(map(len, bars))) == 1
    roomy, floors, crowded, nearly_all, over, over_floors = bars
    assert set(roomy) == set("█▒░")
    assert floors.count("▒") == 1
    assert crowded.endswith("█▒░")  # a byte of others, and the last free ones
    assert nearly_all.endswith("█░")
    assert over.endswith("!")
    assert over_floors.strip("█!") == ""


@pytest.mark.parametrize("case", CAPACITIES)
def test_programs_get_all_figures(case: str) -> None:
    text = json.dumps(capacity_to_json(CAPACITIES[case](), Diagnostics()), indent=2) + "\n"

    assert text == expected(CASES / f"{case}.json", text)
