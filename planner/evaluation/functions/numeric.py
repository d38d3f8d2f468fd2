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
    dividend, divisor = _natural_log(number), _natural_log(base)
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
    """Through 64-bit floats, as in Terraform."""
    try:
        return from_float(math.pow(_float(number), _float(exponent)))
    except OverflowError:
        return -math.inf if number < 0 and isinstance(exponent, int) and exponent % 2 else math.inf
    except ValueError:
        if number == 0:
            return math.inf
        raise CallFault("the result is not a number") from None


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


def _natural_log(number: Number) -> float:
    if number < 0:
        raise CallFault("the logarithm of a negative number is not a number")
    return -math.inf if number == 0 else math.log(number)
