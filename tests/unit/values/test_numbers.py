from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.values.numbers import (
    PRECISION,
    add,
    divide,
    from_float,
    multiply,
    number_text,
    parse_number,
    remainder,
    rounded,
)

THIRD = "0." + "3" * 154 + "5"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("+1", "1"),
        ("007", "7"),
        ("1.", "1"),
        (".5", "0.5"),
        ("1.50", "1.5"),
        ("1e3", "1000"),
        ("1E-7", "0.0000001"),
        ("-12.25", "-12.25"),
        ("0.1", "0.1"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e400", "1" + "0" * 400),
        ("1e-400", "0." + "0" * 399 + "1"),
        ("1e5000", "1" + "0" * 5000),
        ("9" * 5000, "1" + "0" * 5000),
        ("inf", "+Inf"),
        ("-Inf", "-Inf"),
    ],
)
def test_text_of_a_parsed_number(text: str, shown: str) -> None:
    number = parse_number(text)
    assert number is not None
    assert number_text(number) == shown


@pytest.mark.parametrize("text", ["", " 1", "1 ", "0x10", "1_000", "e3", ".", "1e", "--1", "NaN", "١", "1e1000000"])
def test_no_number(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (divide(1, 3), THIRD),
        (add(parse_number("0.1") or 0, parse_number("0.2") or 0), "0.3"),
        (add(1, -(parse_number("0.9") or 0)), "0.1" + "0" * 153 + "3"),
        (multiply(divide(1, 3), 3), "1"),
        (divide(6, 3), "2"),
        (divide(1, 0), "+Inf"),
        (divide(-1, 0), "-Inf"),
        (divide(5, math.inf), "0"),
        (remainder(-7, 3), "-1"),
        (remainder(Fraction(-15, 2), 2), "-1.5"),
        (remainder(5, 0), "5"),
        (from_float(2.0**100), "1267650600228229400000000000000"),
        (from_float(0.1), "0.1"),
    ],
)
def test_arithmetic_rounds_to_512_bits(result: float, shown: str) -> None:
    assert number_text(result) == shown


@pytest.mark.parametrize(
    "operation", [lambda: divide(0, 0), lambda: multiply(0, math.inf), lambda: add(math.inf, -math.inf)]
)
def test_what_is_no_number_has_no_value(operation: object) -> None:
    with pytest.raises(ZeroDivisionError):
        operation()  # type: ignore[operator]


def test_rounding_is_to_even() -> None:
    odd, even = (1 << PRECISION) + 1, (1 << PRECISION) + 3
    assert rounded(odd) == 1 << PRECISION
    assert rounded(even) == (1 << PRECISION) + 4


@given(st.fractions())
def test_text_reads_back_as_the_same_number(value: Fraction) -> None:
    number = rounded(value)
    assert parse_number(number_text(number)) == number


@given(st.integers(), st.integers(min_value=-(2**600), max_value=2**600))
def test_integers_within_512_bits_are_exact(left: int, right: int) -> None:
    total = add(left, right)
    exact = left + right
    assert total == exact if abs(exact) < 1 << PRECISION else abs(Fraction(total) - exact) * 2**PRECISION <= abs(exact)
