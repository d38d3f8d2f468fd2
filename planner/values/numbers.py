"""
Numbers of the language: binary, 512 bits of mantissa, rounded to nearest even, as Terraform's are.

In Python a number is an `int`, or a `Fraction` whose denominator is a power of two where it is not whole; infinity,
which division by zero gives, is a float. Their text is the shortest decimal that reads back as the same number, and
never has an exponent.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction

from planner.values.types import Number

PRECISION = 512
_FLOAT_PRECISION = 53

_LARGEST_EXPONENT = 100_000
"""Beyond it a text is refused: Terraform goes further, but nobody means it and the digits would fill the memory."""

_WHOLE_LIMIT = 1 << PRECISION
_NUMBER = re.compile(r"([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:[eE]([+-]?\d+))?", re.ASCII)
_INFINITY = re.compile(r"([+-]?)[Ii]nf")


def rounded(number: Number) -> Number:
    """`number` with at most 512 bits of mantissa; a whole `Fraction` becomes an `int`."""
    if type(number) is int:
        return number if -_WHOLE_LIMIT <= number <= _WHOLE_LIMIT else _round_ratio(number, 1)
    if type(number) is Fraction:
        numerator, denominator = number.numerator, number.denominator
        if denominator & (denominator - 1) == 0 and -_WHOLE_LIMIT <= numerator <= _WHOLE_LIMIT:
            return number if denominator != 1 else numerator
        return _round_ratio(numerator, denominator)
    return number


def divide(dividend: Number, divisor: Number) -> Number:
    """
    The quotient, rounded; a signed infinity for a number divided by zero.

    Raises:
        ZeroDivisionError: zero by zero, or infinity by infinity.
    """
    if isinstance(dividend, float) or isinstance(divisor, float):
        if isinstance(dividend, float) and isinstance(divisor, float):
            raise ZeroDivisionError
        return 0 if isinstance(divisor, float) else math.copysign(math.inf, _sign(dividend) * (_sign(divisor) or 1))
    if divisor == 0:
        if dividend == 0:
            raise ZeroDivisionError
        return math.copysign(math.inf, dividend)
    if type(dividend) is int and type(divisor) is int:
        quotient, rest = divmod(dividend, divisor)
        return rounded(quotient) if rest == 0 else _round_ratio(dividend, divisor)
    return rounded(Fraction(dividend) / divisor)


def remainder(dividend: Number, divisor: Number) -> Number:
    """What is left of a division truncated towards zero; the dividend itself when the divisor is zero."""
    if isinstance(dividend, float) or isinstance(divisor, float):
        return math.copysign(math.inf, _sign(dividend) * _sign(divisor))
    if divisor == 0:
        return dividend
    quotient = divide(dividend, divisor)
    assert not isinstance(quotient, float)
    return rounded(dividend - rounded(divisor * math.trunc(quotient)))


def multiply(left: Number, right: Number) -> Number:
    """
    The product, rounded.

    Raises:
        ZeroDivisionError: infinity times zero, which is no number.
    """
    if isinstance(left, float) or isinstance(right, float):
        if left == 0 or right == 0:
            raise ZeroDivisionError
        return math.copysign(math.inf, _sign(left) * _sign(right))
    return rounded(left * right)


def add(left: Number, right: Number) -> Number:
    """
    The sum, rounded.

    Raises:
        ZeroDivisionError: infinities of opposite signs, whose sum is no number.
    """
    if isinstance(left, float) or isinstance(right, float):
        if isinstance(left, float) and isinstance(right, float) and left != right:
            raise ZeroDivisionError
        return left if isinstance(left, float) else right
    return rounded(left + right)


def parse_number(text: str) -> Number | None:
    """The number that a decimal text stands for ("+1", "1.", ".5", "010", "1e3", "Inf"); None if it is no such text."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        infinity = _INFINITY.fullmatch(text)
        if infinity is None:
            return None
        return -math.inf if infinity[1] == "-" else math.inf
    sign, whole, fraction, bare_fraction, exponent_text = match.groups()
    fraction = bare_fraction or fraction or ""
    exponent = int(exponent_text or 0) - len(fraction)
    if abs(exponent) > _LARGEST_EXPONENT:
        return None
    digits = _whole_number((whole or "") + fraction)
    if sign == "-":
        digits = -digits
    if exponent >= 0:
        return rounded(digits * 10**exponent)
    return _round_ratio(digits, 10**-exponent)


def from_float(number: float) -> Number:
    """
    The number whose text is the shortest decimal of a 64-bit float, as pow() and log() give.

    Raises:
        ValueError: not a number.
    """
    if math.isnan(number):
        raise ValueError("not a number")
    if math.isinf(number) or number == 0:
        return number or 0
    # Not repr(): for a power of two that sometimes has a digit more than Terraform shows.
    numerator, denominator = abs(number).as_integer_ratio()
    digits, exponent = _shortest_digits(numerator, denominator, _FLOAT_PRECISION)
    parsed = parse_number(f"{'-' if number < 0 else ''}{digits}e{exponent}")
    assert parsed is not None
    return parsed


def number_text(number: Number) -> str:
    """The shortest decimal that reads back as `number`, without exponent; "+Inf" and "-Inf" for the infinities."""
    if type(number) is int and -_WHOLE_LIMIT < number < _WHOLE_LIMIT:
        return str(number)
    if isinstance(number, float):
        return "+Inf" if number > 0 else "-Inf"
    digits, exponent = _shortest_digits(abs(number.numerator), number.denominator, PRECISION)
    if exponent >= 0:
        text = digits + "0" * exponent
    elif -exponent < len(digits):
        text = f"{digits[:exponent]}.{digits[exponent:]}"
    else:
        text = "0." + digits.rjust(-exponent, "0")
    return f"-{text}" if number < 0 else text


def _sign(number: Number) -> int:
    return (number > 0) - (number < 0)


def _whole_number(digits: str) -> int:
    # int() refuses very long texts since they take quadratic time; Decimal reads them in less.
    return int(digits) if len(digits) < 4000 else int(Decimal(digits))


def _round_ratio(numerator: int, denominator: int) -> Number:
    """The number of 512 bits that is nearest to a ratio; of two, the one with the even mantissa."""
    magnitude = abs(numerator)
    if magnitude == 0:
        return 0
    shift = magnitude.bit_length() - denominator.bit_length() - PRECISION
    mantissa, rest, unit = _divide_shifted(magnitude, denominator, shift)
    if mantissa.bit_length() < PRECISION:
        shift -= 1
        mantissa, rest, unit = _divide_shifted(magnitude, denominator, shift)
    elif mantissa.bit_length() > PRECISION:
        shift += 1
        mantissa, rest, unit = _divide_shifted(magnitude, denominator, shift)
    if 2 * rest > unit or (2 * rest == unit and mantissa & 1):
        mantissa += 1
    if numerator < 0:
        mantissa = -mantissa
    if shift >= 0:
        return mantissa << shift
    result = Fraction(mantissa, 1 << -shift)
    return result.numerator if result.denominator == 1 else result


def _divide_shifted(numerator: int, denominator: int, shift: int) -> tuple[int, int, int]:
    """Quotient and rest of numerator / (denominator * 2**shift), and the divisor that the rest is measured by."""
    if shift >= 0:
        denominator <<= shift
    else:
        numerator <<= -shift
    return *divmod(numerator, denominator), denominator


def _shortest_digits(numerator: int, denominator: int, precision: int) -> tuple[str, int]:
    """
    Digits and decimal exponent of the shortest decimal that is nearer to this number than to others of so many bits.

    A decimal of p digits will do when the one below or the one above the number lies within half a unit of its last
    binary place; if p digits will do then so will more, hence the bisection.
    """
    scale = denominator.bit_length() - 1
    top = numerator.bit_length() - 1 - scale
    half = top - precision + scale
    if half < 0:
        numerator, scale, half = numerator << -half, scale - half, 0
    margin = 1 << half
    even = (numerator >> (half + 1)) & 1 == 0
    whole_digits = _decimal_length(numerator, scale)

    def nearest(count: int) -> int | None:
        up, down = _power_of_ten(count - whole_digits), _power_of_ten(whole_digits - count)
        unit = down << scale
        below, rest = divmod(numerator * up, unit)
        low, high = (numerator - margin) * up, (numerator + margin) * up
        below_will_do = below * unit >= low if even else below * unit > low
        above_will_do = (below + 1) * unit <= high if even else (below + 1) * unit < high
        if below_will_do and above_will_do:
            return below + (2 * rest > unit or (2 * rest == unit and below & 1))
        return below if below_will_do else below + 1 if above_will_do else None

    too_few, enough = 0, 160
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if nearest(middle) is None:
            too_few = middle
        else:
            enough = middle
    digits = nearest(enough)
    assert digits is not None
    text = str(digits)
    stripped = text.rstrip("0")
    return stripped, whole_digits - enough + len(text) - len(stripped)


def _decimal_length(numerator: int, scale: int) -> int:
    """How many decimal digits numerator / 2**scale has before its point; zero or less counts zeros after it."""
    length = math.floor((numerator.bit_length() - scale) * math.log10(2))
    while _at_least_power_of_ten(numerator, scale, length):
        length += 1
    while not _at_least_power_of_ten(numerator, scale, length - 1):
        length -= 1
    return length


def _at_least_power_of_ten(numerator: int, scale: int, exponent: int) -> bool:
    return numerator * _power_of_ten(-exponent) >= _power_of_ten(exponent) << scale


def _power_of_ten(exponent: int) -> int:
    """10**exponent, and 1 for what would be a fraction."""
    power: int = 10 ** max(exponent, 0)
    return power
