"""
What a function declares of itself, and how it is called: arguments converted, nulls refused, marks carried over.

A body is a plain Python function that gets values of the declared types without marks, wholly known and not null,
unless its parameters say that it deals with these itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from fractions import Fraction

from planner.evaluation.errors import Fault
from planner.values.codec import normalized
from planner.values.convert import ConversionError, convert, type_of
from planner.values.marks import Sensitive, Unknown, has_sensitive, is_wholly_known, mark_sensitive, unmark, unmark_deep
from planner.values.types import (
    BOOL,
    DYNAMIC,
    NUMBER,
    STRING,
    ListType,
    ListValue,
    MapType,
    MapValue,
    Null,
    ObjectType,
    SetType,
    SetValue,
    TupleType,
    Type,
    Value,
)
from planner.values.unify import required

INVALID_ARGUMENT = "Invalid function argument"


Kinds = tuple[type[Type], ...]
SEQUENCES: Kinds = (ListType, TupleType)
ITERABLES: Kinds = (ListType, SetType, TupleType)
MAPPINGS: Kinds = (MapType, ObjectType)


PythonTypes = tuple[type, ...]
_NUMBERS: PythonTypes = (int, Fraction, float)
_PLAIN: dict[Type, PythonTypes] = {
    STRING: (str,),
    NUMBER: _NUMBERS,
    BOOL: (bool,),
    DYNAMIC: (str, bool, *_NUMBERS),
}


class Takes(IntEnum):
    """How much of unknown or sensitive values a body deals with itself."""

    NOTHING = 0
    """An argument with an unknown part makes the result unknown; one with a sensitive part makes it sensitive."""
    PARTS = 1
    """The same for the argument itself, but its parts are the body's business."""
    ALL = 2


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    Attributes:
        type: arguments are converted to it; DYNAMIC takes any value as it is.
        kinds: the only types that are good where `type` is open, such as SEQUENCES; holds for unknown values too.
        null: whether null is an argument like any other.
        unknown, sensitive: what the body deals with itself.
        plain: Python types whose values are good arguments as they are.
    """

    name: str
    type: Type = STRING
    kinds: Kinds = ()
    null: bool = False
    unknown: Takes = Takes.NOTHING
    sensitive: Takes = Takes.NOTHING
    plain: PythonTypes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", () if self.kinds else _PLAIN.get(self.type, ()))


class ArgumentFault(Exception):
    """Raised by a body about one of its arguments. `str()` is what is wrong with it, without a full stop."""

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


class CallFault(Exception):
    """Raised by a body about the call as a whole. `str()` is what went wrong, without a full stop."""


Returns = Type | Callable[..., Type]


@dataclass(frozen=True, slots=True)
class Function:
    """
    A function of the language.

    Attributes:
        variadic: the parameter that further arguments are for, if it takes more.
        most: how many arguments there may be in all, where `variadic` does not stand for any number.
        returns: the type of the result, or a function of the arguments that gives it where they decide.
        pure: the same arguments always give the same result, so that it may be called ahead of time.
    """

    name: str
    parameters: tuple[Parameter, ...]
    variadic: Parameter | None
    returns: Returns
    body: Callable[..., Value]
    pure: bool = True
    most: int | None = None

    def parameter(self, index: int) -> Parameter:
        """The parameter that the argument at `index` is for."""
        if index < len(self.parameters):
            return self.parameters[index]
        assert self.variadic is not None
        return self.variadic

    def check_count(self, count: int) -> None:
        """
        Raises:
            Fault: this many arguments are too few, or too many (the operand is then the first that is too many).
        """
        least = len(self.parameters)
        if count < least:
            missing = ", ".join(f'"{parameter.name}"' for parameter in self.parameters[count:])
            at_least = "at least " if self.variadic else ""
            raise Fault(
                "Not enough function arguments",
                f"{self.name}() takes {at_least}{least} argument{'s' if least != 1 else ''}; missing: {missing}.",
            )
        most = self.most or least
        if count > most and (self.variadic is None or self.most is not None):
            raise Fault(
                "Too many function arguments",
                f"{self.name}() takes {f'at most {most}' if most else 'no'} argument{'s' if most != 1 else ''}.",
                most,
            )

    def call(self, arguments: Sequence[Value]) -> Value:
        """
        The result for these arguments, whose number has been checked.

        Raises:
            Fault: an argument is wrong, or the function fails; the operand is the argument's index.
        """
        values: list[Value] = []
        sensitive = unknown = False
        for index, argument in enumerate(arguments):
            parameter = self.parameter(index)
            if type(argument) in parameter.plain:
                values.append(argument)
                continue
            value, marked = self._prepare(argument, parameter, index)
            sensitive = sensitive or marked
            unknown = unknown or not _known_enough(value, parameter.unknown)
            values.append(value)
        try:
            result = self._unknown_result(values) if unknown else self.body(*values)
        except ArgumentFault as fault:
            raise self._argument_fault(fault.index, _hidden(str(fault), arguments)) from None
        except CallFault as fault:
            raise self._call_fault(_hidden(str(fault), arguments)) from None
        except RecursionError:
            raise self._call_fault("the value is nested too deeply") from None
        if type(result) is str:
            result = normalized(result)
        return mark_sensitive(result, sensitive)

    def _prepare(self, argument: Value, parameter: Parameter, index: int) -> tuple[Value, bool]:
        """The argument as the body takes it, and whether a mark was taken off it."""
        marked = False
        if parameter.sensitive is Takes.NOTHING:
            argument, marked = unmark_deep(argument)
        elif parameter.sensitive is Takes.PARTS:
            argument, marked = unmark(argument)
        try:
            value = convert(argument, parameter.type)
        except ConversionError as error:
            raise self._argument_fault(index, _hidden(str(error), (mark_sensitive(argument, marked),))) from None
        if isinstance(value, Sensitive) and parameter.sensitive is not Takes.ALL:
            # A set made of sensitive elements is sensitive as a whole.
            value, marked = value.value, True
        if isinstance(value, Null) and not parameter.null:
            raise self._argument_fault(index, "it must not be null")
        if parameter.kinds and not _is_of_kind(value, parameter.kinds):
            allowed = " or ".join(_KIND_NAMES[kind] for kind in parameter.kinds)
            raise self._argument_fault(index, f"a {allowed} is required, not {required(type_of(unmark(value)[0]))}")
        return value, marked

    def _argument_fault(self, index: int, message: str) -> Fault:
        name = self.parameter(index).name
        detail = _sentence(f'Invalid value for the parameter "{name}" of {self.name}(): {message}')
        return Fault(INVALID_ARGUMENT, detail, index)

    def _call_fault(self, message: str) -> Fault:
        return Fault("Error in function call", _sentence(f"{self.name}() failed: {message}"))

    def _unknown_result(self, values: Sequence[Value]) -> Value:
        result = self.returns(*values) if callable(self.returns) else self.returns
        return Unknown(result, not_null=result != DYNAMIC)


def _known_enough(value: Value, taken: Takes) -> bool:
    if taken is Takes.ALL:
        return True
    inner = value.value if isinstance(value, Sensitive) else value
    return not isinstance(inner, Unknown) and (taken is Takes.PARTS or is_wholly_known(inner))


def _sentence(text: str) -> str:
    return text if text.endswith("?") else text + "."


def _hidden(message: str, arguments: Iterable[Value]) -> str:
    """The message of a fault, unless an argument is sensitive: what is wrong with it may be the secret itself."""
    return "what is wrong is not shown, since the value is sensitive" if any(map(has_sensitive, arguments)) else message


_KINDS: dict[type, type[Type]] = {
    tuple: TupleType,
    dict: ObjectType,
    ListValue: ListType,
    SetValue: SetType,
    MapValue: MapType,
}
_KIND_NAMES: dict[type[Type], str] = {
    ListType: "list",
    SetType: "set",
    TupleType: "tuple",
    MapType: "map",
    ObjectType: "object",
}


def _is_of_kind(value: Value, kinds: Kinds) -> bool:
    inner = value.value if isinstance(value, Sensitive) else value
    if isinstance(inner, Unknown | Null):
        return inner.type == DYNAMIC or isinstance(inner.type, kinds)
    return _KINDS.get(type(inner)) in kinds


class Family(dict[str, Function]):
    """Functions of one kind by name, as a module defines them."""

    def add(
        self,
        name: str,
        *parameters: Parameter,
        returns: Returns,
        variadic: Parameter | None = None,
        pure: bool = True,
        most: int | None = None,
    ) -> Callable[[Callable[..., Value]], Callable[..., Value]]:
        """Decorate a body: it becomes the function `name`."""

        def define(body: Callable[..., Value]) -> Callable[..., Value]:
            self[name] = Function(name, parameters, variadic, returns, body, pure, most)
            return body

        return define
