from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from planner.values.marks import UNKNOWN, Sensitive
from planner.views.style import Style
from planner.views.values_text import Bare, difference, full, inline

PLAIN = Style(color=False)
LONG = [f"volume-{number}-with-a-long-name" for number in range(4)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ('say "hi"\n', '"say \\"hi\\"\\n"'),
        ("größer", '"größer"'),
        (True, "true"),
        (5000, "5000"),
        (Fraction(1, 4), "0.25"),
        (UNKNOWN, "(known after apply)"),
        (Sensitive("hunter2"), "(sensitive value)"),
        (Bare("200GiB"), "200GiB"),
        ((), "[]"),
        (("a", UNKNOWN), '["a", (known after apply)]'),
        ({}, "{}"),
        ({"b": 1, "a.b": {"c": ()}}, '{ "a.b" = { c = [] }, b = 1 }'),
    ],
)
def test_values_are_written_as_in_the_language(value: Any, text: str) -> None:
    assert inline(value) == text
    assert full(value) == text


def test_long_collections_take_a_line_for_each_part() -> None:
    value = {"names": tuple(LONG), "x": 1}

    assert full(value, 2).splitlines() == [
        "{",
        "    names = [",
        *(f'      "{name}",' for name in LONG),
        "    ]",
        "    x     = 1",
        "  }",
    ]


def test_a_part_that_differs_deep_inside_is_found() -> None:
    before = {"same": LONG, "inner": {"names": tuple(LONG), "gone": 1}}
    after = {"same": LONG, "inner": {"names": (*LONG, "new"), "come": 2}}

    assert difference(before, after, PLAIN).splitlines() == [
        "{",
        "  ~ inner = {",
        "      + come  = 2",
        "      - gone  = 1",
        "      ~ names = [",
        '          + "new",',
        "            # (4 unchanged elements hidden)",
        "        ]",
        "    }",
        "    # (1 unchanged element hidden)",
        "}",
    ]


def test_a_long_value_of_another_kind_is_shown_whole_on_both_sides() -> None:
    assert difference(tuple(LONG), {"a": 1}, PLAIN) == full(tuple(LONG)) + " -> { a = 1 }"
