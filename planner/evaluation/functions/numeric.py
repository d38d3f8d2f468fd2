"""Numbers."""

from __future__ import annotations

import math
import string
from fractions import Fraction

from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Parameter
from planner.values.compare import type_of
from planner.values.numbers import from_float
from planner.values.types import DYNAMIC, NUMBER, STRING, Number, Type, Value
from planner.values.unify import required

FUNCTIONS = Family()

_NUMBER = Parameter("num", NUMBER)
_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase


@FUNCTIONS.add("abs", _NUMBER, returns=NUMBER)
def absolute(number: Number) -> Value:
    return -number if number < 0 else number


@FUNCTIONS.add("ceil", _NUMBER, returns=NUMBER)
def ceil(number: Number) -> Value:
    return number if isinstance(number, float) else math.ceil(number)


@FUNCTIONS.add("floor", _NUMBER, returns=NUMBER)
def floor(number: Number) -> Value:
    return number if isinstance(number, float) else math.floor(number)


@FUNCTIONS.add("log", _NUMBER, Parameter("base", NUMBER), returns=NUMBER)
def log(number: Number, base: Number) -> Value:
    """Through 64-bit floats, as the quotient of natural logarithms, which is what Terraform's digits come from."""
    dividend, divisor = _natural_log(_float(number)), _natural_log(_float(base))
    if divisor == 0 and dividend != 0:
        return math.copysign(math.inf, dividend)
    if divisor == 0 or (math.isinf(dividend) and math.isinf(divisor)):
        raise CallFault("the result is not a number")
    return from_float(dividend / divisor)


@FUNCTIONS.add("max", variadic=Parameter("numbers", NUMBER), returns=NUMBER)
def maximum(*numbers: Number) -> Value:
    if not numbers:
        raise CallFault("it needs at least one number")
    return max(numbers)


@FUNCTIONS.add("min", variadic=Parameter("numbers", NUMBER), returns=NUMBER)
def minimum(*numbers: Number) -> Value:
    if not numbers:
        raise CallFault("it needs at least one number")
    return min(numbers)


def _parsed_type(text: Value, *rest: Value) -> Type:
    if type_of(text) not in (STRING, DYNAMIC):
        raise ArgumentFault(0, f"a string is required, not {required(type_of(text))}")
    return NUMBER


@FUNCTIONS.add("parseint", Parameter("number", DYNAMIC), Parameter("base", NUMBER), returns=_parsed_type)
def parse_int(text: Value, base: Number) -> Value:
    """Digits up to base 36 in either case; beyond it small letters come before capital ones."""
    if not isinstance(base, int) or not 2 <= base <= 62:
        raise ArgumentFault(1, "the base must be a whole number from 2 to 62")
    _parsed_type(text)
    assert isinstance(text, str)
    digits = text[1:] if text[:1] in ("+", "-") else text
    value = 0
    for character in digits.lower() if base <= 36 else digits:
        digit = _DIGITS.find(character)
        if not 0 <= digit < base:
            raise ArgumentFault(0, f'"{text}" is not a whole number in base {base}')
        value = value * base + digit
    if not digits:
        raise ArgumentFault(0, f'"{text}" is not a whole number in base {base}')
    return -value if text[0] == "-" else value


@FUNCTIONS.add("pow", _NUMBER, Parameter("power", NUMBER), returns=NUMBER)
def power(number: Number, exponent: Number) -> Value:
    base, times = _float(number), _float(exponent)
    try:
        special = math.pow(base, times)
    except OverflowError:
        special = -math.inf if base < 0 and times % 2 == 1 else math.inf
    except ValueError:
        if base == 0:
            return math.inf
        raise CallFault("the result is not a number") from None
    if special == 0 or math.isinf(special) or math.isinf(base) or math.isinf(times):
        return from_float(special)
    return from_float(_power(base, times))


def _power(base: float, exponent: float) -> float:
    """
    The power as Go computes it, by squaring: Terraform shows last digits that are not always Python's.

    What overflows, and other special cases, are dealt with before.
    """
    if abs(exponent) == 0.5:
        root = math.sqrt(base)
        return root if exponent > 0 else 1 / root
    fraction, whole = math.modf(abs(exponent))
    result, binary_places = 1.0, 0
    if fraction != 0:
        if fraction > 0.5:
            fraction, whole = fraction - 1, whole + 1
        result = math.exp(fraction * _natural_log(base))
    factor, factor_places = math.frexp(base)
    times = int(whole)
    while times and abs(factor_places) <= 1 << 12:
        if times & 1:
            result, binary_places = result * factor, binary_places + factor_places
        factor, factor_places = factor * factor, factor_places * 2
        if factor < 0.5:
            factor, factor_places = factor * 2, factor_places - 1
        times >>= 1
    return math.ldexp(1 / result, -binary_places) if exponent < 0 else math.ldexp(result, binary_places)


@FUNCTIONS.add("signum", _NUMBER, returns=NUMBER)
def signum(number: Number) -> Value:
    if isinstance(number, Fraction):
        raise ArgumentFault(0, "a whole number is required")
    return (number > 0) - (number < 0)


def _float(number: Number) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.copysign(math.inf, number)


def _natural_log(value: float) -> float:
    """
    The logarithm as Go computes it: the last digit is not always that of Python's, and Terraform shows it.

    Source: the method of FreeBSD's e_log.c, by which log(x) = k log 2 + log(1 + f) with a polynomial for the latter.
    """
    if value < 0:
        raise CallFault("the logarithm of a negative number is not a number")
    if value == 0 or math.isinf(value):
        return -math.inf if value == 0 else math.inf
    fraction, exponent = math.frexp(value)
    if fraction < math.sqrt(2) / 2:
        fraction, exponent = fraction * 2, exponent - 1
    f = fraction - 1
    s = f / (2 + f)
    square, fourth = s * s, (s * s) * (s * s)
    odd = square * (_L[0] + fourth * (_L[2] + fourth * (_L[4] + fourth * _L[6])))
    even = fourth * (_L[1] + fourth * (_L[3] + fourth * _L[5]))
    half = 0.5 * f * f
    return exponent * _LN2_HIGH - ((half - (s * (half + odd + even) + exponent * _LN2_LOW)) - f)


_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_L = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
