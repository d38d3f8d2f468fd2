"""Types of values and marks on them."""

from __future__ import annotations

from collections.abc import Callable

from planner.evaluation.functions.signature import ArgumentFault, Family, Parameter, Takes
from planner.values.convert import ConversionError, convert, type_of
from planner.values.marks import Sensitive, Unknown, mark_sensitive, unmark
from planner.values.show import type_text
from planner.values.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, MapType, SetType, Type, Value

FUNCTIONS = Family()

CONSOLE_FUNCTIONS = Family()
"""What only the console offers."""

_ANYTHING = Parameter("v", DYNAMIC, null=True, unknown=Takes.ALL, sensitive=Takes.ALL)
_VALUE = Parameter("value", DYNAMIC, null=True, unknown=Takes.ALL, sensitive=Takes.ALL)


def _converter(type: Type) -> Callable[[Value], Value]:
    def body(value: Value) -> Value:
        try:
            return convert(value, type)
        except ConversionError as error:
            raise ArgumentFault(0, str(error)) from None

    return body


_TARGETS: dict[str, Type] = {
    "tostring": STRING,
    "tonumber": NUMBER,
    "tobool": BOOL,
    "tolist": ListType(DYNAMIC),
    "toset": SetType(DYNAMIC),
    "tomap": MapType(DYNAMIC),
}
for _name, _type in _TARGETS.items():
    FUNCTIONS.add(_name, _ANYTHING, returns=_type)(_converter(_type))


@FUNCTIONS.add("sensitive", _VALUE, returns=DYNAMIC)
def sensitive(value: Value) -> Value:
    return mark_sensitive(value)


@FUNCTIONS.add("nonsensitive", _VALUE, returns=DYNAMIC)
def nonsensitive(value: Value) -> Value:
    return unmark(value)[0]


@FUNCTIONS.add("issensitive", _VALUE, returns=BOOL)
def is_sensitive(value: Value) -> Value:
    if isinstance(value, Sensitive):
        return True
    return Unknown(BOOL, not_null=True) if isinstance(value, Unknown) else False


@FUNCTIONS.add("ephemeralasnull", _VALUE, returns=DYNAMIC)
def ephemeral_as_null(value: Value) -> Value:
    """There are no ephemeral values here, so that everything stays as it is."""
    return value


@CONSOLE_FUNCTIONS.add("type", _VALUE, returns=STRING)
def type_description(value: Value) -> Value:
    return type_text(type_of(value))
