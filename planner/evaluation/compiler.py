"""
Expressions compiled to nested Python closures: once per expression, then run for every instance.

What depends on neither the scope nor a variable is evaluated here and becomes a constant. Closures know the plain cases
(numbers, strings, objects); all else goes to `operators`, whose faults get their place in the text from `code.Place`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from planner.diagnostics import SourceRange
from planner.evaluation import calls, iteration, operators, templates
from planner.evaluation.code import SCOPE, Code, Frame, Place, Run, constant
from planner.evaluation.conditional import choose
from planner.evaluation.errors import EvaluationError, Fault
from planner.evaluation.functions.signature import Function
from planner.evaluation.references import base_length, split_chain
from planner.evaluation.scope import Scope
from planner.syntax import ast
from planner.syntax.ast import Expression
from planner.values.codec import normalized
from planner.values.convert import convert
from planner.values.marks import UNKNOWN, Unknown, mark_sensitive
from planner.values.numbers import PRECISION, rounded
from planner.values.types import BOOL, DYNAMIC, NULL, NUMBER, STRING, Type, Value

_LIMIT = 1 << PRECISION


class Compiled:
    """An expression ready to be evaluated in any number of scopes, by any number of threads."""

    __slots__ = ("_constant", "_run", "_slots", "range")

    def __init__(self, code: Code, slots: int, range: SourceRange) -> None:
        self._run = code.run
        self._constant = code.constant
        self._slots = [None] * slots
        self.range = range

    @property
    def is_constant(self) -> bool:
        """Whether it has the same value in every scope."""
        return self._constant is not None

    def evaluate(self, scope: Scope) -> Value:
        """
        The value in a scope.

        Raises:
            EvaluationError: there is none; it carries a diagnostic.
        """
        if self._constant is not None:
            return self._constant
        return self._run([scope.resolve, *self._slots])


def compile_expression(expression: Expression, functions: Mapping[str, Function]) -> Compiled:
    """Compile once; unknown functions and the like are errors only when they are evaluated, as in Terraform."""
    compiler = Compiler(functions)
    code = compiler.compile(expression)
    return Compiled(code, compiler.slots - 1, expression.range)


class Compiler:
    """Compiles the parts of one expression; `slots` counts those of its frame."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.slots = 1
        self._variables: dict[str, int] = {}
        self._element = SCOPE

    def compile(self, node: Expression) -> Code:
        match node:
            case ast.Literal(value):
                return constant(_literal(value))
            case ast.Template():
                return templates.template(self, node)
            case ast.Name() | ast.GetAttribute() | ast.Index():
                return self._chain(node)
            case ast.Splat():
                return iteration.splat(self, node)
            case ast.SplatElement():
                return _slot(self._element)
            case ast.Call():
                return calls.call(self, node)
            case ast.Conditional(condition, then, otherwise):
                branches = self.compile(then), self.compile(otherwise)
                return self.conditional(self.place(node, then, otherwise), condition, *branches)
            case ast.Binary():
                return self._binary(node)
            case ast.Unary():
                return self._unary(node)
            case ast.Parentheses(inner):
                return self.compile(inner)
            case ast.Tuple(items):
                return self._tuple([self.compile(item) for item in items])
            case ast.Object():
                return self._object(node)
            case ast.ForTuple():
                return iteration.for_tuple(self, node)
            case ast.ForObject():
                return iteration.for_object(self, node)

    # Building blocks, for the modules of calls, iteration and templates too

    def place(self, expression: Expression, *operands: Expression) -> Place:
        """Where `expression` stands; `operands` are the parts that its faults may point at, by index."""
        return Place(expression, operands, self._variables)

    def code(
        self, run: Run, parts: Iterable[Code], *, own: Iterable[int] = (), pure: bool = True, type: Type = DYNAMIC
    ) -> Code:
        """
        The code of a part made of others, evaluated now when none of them depends on anything.

        Args:
            own: slots that it fills itself.
            pure: False for what gives something else each time.
        """
        depends = frozenset[int]().union(*(part.depends for part in parts)).difference(own)
        if depends or not pure:
            return Code(run, depends or frozenset((SCOPE,)), type=type)
        try:
            return constant(run([_no_scope, *[None] * self.slots]))
        except EvaluationError:
            return Code(run, depends, type=type)

    @contextmanager
    def iteration(self, key: str | None, value: str) -> Iterator[tuple[int, int]]:
        """Slots for the key and the value of an iteration; the key has one even where it has no name."""
        key_slot, value_slot = self._new_slot(), self._new_slot()
        outer = self._variables
        self._variables = {**outer, **({key: key_slot} if key else {}), value: value_slot}
        yield key_slot, value_slot
        self._variables = outer

    @contextmanager
    def splat_element(self) -> Iterator[int]:
        """A slot for the element of a splat."""
        outer = self._element
        self._element = self._new_slot()
        yield self._element
        self._element = outer

    def _new_slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    # References, attributes and indexes

    def _chain(self, node: ast.Name | ast.GetAttribute | ast.Index) -> Code:
        chain = split_chain(node)
        if chain is None:
            assert not isinstance(node, ast.Name)
            return self._step(node, self.compile(node.target))
        head, steps = chain
        if head.name in self._variables:
            code = _slot(self._variables[head.name])
        else:
            root, name, words = base_length(head, steps)
            code = self._reference(steps[words - 1] if words else head, root, name)
            steps = steps[words:]
        for step in steps:
            code = self._step(step, code)
        return code

    def _reference(self, node: Expression, root: str, name: str) -> Code:
        place = self.place(node)

        def run(frame: Frame) -> Value:
            try:
                value: Value = frame[SCOPE](root, name)
            except Fault as fault:
                raise place.error(fault, frame) from None
            except EvaluationError as error:
                error.catchable = False
                raise
            return value

        return Code(run, frozenset((SCOPE,)))

    def _step(self, node: ast.GetAttribute | ast.Index, target: Code) -> Code:
        return self._attribute(node, target) if isinstance(node, ast.GetAttribute) else self._index(node, target)

    def _attribute(self, node: ast.GetAttribute, target: Code) -> Code:
        place, name, value_of = self.place(node), node.name, target.run

        def run(frame: Frame) -> Value:
            value = value_of(frame)
            if value.__class__ is dict:
                found: Value | None = value.get(name)
                if found is not None:
                    return found
            try:
                return operators.get_attribute(value, name)
            except Fault as fault:
                raise place.error(fault, frame, node.name_range) from None

        return self.code(run, (target,))

    def _index(self, node: ast.Index, target: Code) -> Code:
        key = self.compile(node.key)
        place, value_of, key_of = self.place(node, node.target, node.key), target.run, key.run

        def run(frame: Frame) -> Value:
            value, wanted = value_of(frame), key_of(frame)
            if value.__class__ is dict and wanted.__class__ is str:
                found: Value | None = value.get(wanted)
                if found is not None:
                    return found
            try:
                return operators.get_index(value, wanted)
            except Fault as fault:
                raise place.error(fault, frame) from None

        return self.code(run, (target, key))

    # Operators

    def _binary(self, node: ast.Binary) -> Code:
        left, right = self.compile(node.left), self.compile(node.right)
        place = self.place(node, node.left, node.right)
        left_of, right_of = left.run, right.run
        general = operators.BINARY[node.operator]
        kinds, compute = _PLAIN_OPERATORS.get(node.operator, (frozenset(), general))

        def run(frame: Frame) -> Value:
            one, other = left_of(frame), right_of(frame)
            kind = one.__class__
            if kind is other.__class__ and kind in kinds:
                result: Value = compute(one, other)
                if result.__class__ is bool or -_LIMIT < result < _LIMIT:  # type: ignore[operator] # or an int
                    return result
            try:
                return general(one, other)
            except Fault as fault:
                raise place.error(fault, frame) from None

        return self.code(run, (left, right), type=NUMBER if node.operator in "+-*/%" else BOOL)

    def _unary(self, node: ast.Unary) -> Code:
        operand = self.compile(node.operand)
        place = self.place(node, node.operand)
        compute = operators.negate if node.operator == "-" else operators.invert

        def run(frame: Frame) -> Value:
            try:
                return compute(operand.run(frame))
            except Fault as fault:
                raise place.error(fault, frame) from None

        return self.code(run, (operand,), type=NUMBER if node.operator == "-" else BOOL)

    def conditional(self, place: Place, condition_node: Expression, then: Code, otherwise: Code) -> Code:
        """`condition ? then : otherwise`, also of a template's directive; `place` has the two as operands."""
        condition, condition_place = self.compile(condition_node), self.place(condition_node)

        def run(frame: Frame) -> Value:
            # Both are evaluated, since the type of the result depends on both; an error counts only in the chosen one.
            results: list[Value] = []
            errors: list[EvaluationError | None] = []
            for branch in (then, otherwise):
                try:
                    results.append(branch.run(frame))
                    errors.append(None)
                except EvaluationError as error:
                    if not error.catchable:
                        raise
                    results.append(Unknown(branch.type))
                    errors.append(error)
            value = condition.run(frame)
            try:
                verdict, sensitive = (value, False) if isinstance(value, bool) else operators.truth(value, "condition")
            except Fault as fault:
                raise condition_place.error(fault, frame) from None
            if verdict is not None:
                error_of_chosen, chosen = (errors[0], results[0]) if verdict else (errors[1], results[1])
                if error_of_chosen is not None:
                    raise error_of_chosen
                if results[0].__class__ is results[1].__class__ and chosen.__class__ in _SCALARS and not sensitive:
                    return chosen
            try:
                return choose(verdict, results[0], results[1], sensitive)
            except Fault as fault:
                raise place.error(fault, frame) from None

        return self.code(run, (condition, then, otherwise))

    # Tuples and objects

    def _tuple(self, items: list[Code]) -> Code:
        runs = [item.run for item in items]
        return self.code(lambda frame: tuple([item(frame) for item in runs]), items)

    def _object(self, node: ast.Object) -> Code:
        entries = [(self._key(item.key), self.compile(item.value)) for item in node.items]
        codes = [code for entry in entries for code in entry]
        names = [key.constant for key, _ in entries if isinstance(key.constant, str)]
        if len(names) == len(entries):
            # The usual case: all names are in the text. The last of equal ones stands.
            runs = {name: value.run for name, (_, value) in zip(names, entries, strict=True)}
            ordered = [(name, runs[name]) for name in sorted(runs)]
            if len(runs) == len(names):
                return self.code(lambda frame: {name: value(frame) for name, value in ordered}, codes)
        places = [self.place(item.key) for item in node.items]

        def run(frame: Frame) -> Value:
            found: dict[str, Value] = {}
            known, sensitive = True, False
            for (key, value), place in zip(entries, places, strict=True):
                name, marked = iteration.object_key(key.run(frame), place, frame)
                sensitive = sensitive or marked
                item = value.run(frame)
                if name is None:
                    known = False
                else:
                    found[name] = item
            if not known:
                return UNKNOWN
            return mark_sensitive({name: found[name] for name in sorted(found)}, sensitive)

        return self.code(run, codes)

    def _key(self, key: Expression) -> Code:
        code = self.compile(key)
        if isinstance(code.constant, bool | int | Fraction):
            return constant(convert(code.constant, STRING))
        return code


def _slot(slot: int) -> Code:
    return Code(operator.itemgetter(slot), frozenset((slot,)))


def _literal(value: str | int | Fraction | bool | None) -> Value:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return value
    return normalized(value) if isinstance(value, str) else rounded(value)


def _no_scope(root: str, name: str) -> Value:
    raise AssertionError("A constant refers to nothing. This is a bug in lunform.")


_SCALARS = (str, int, bool, Fraction)
_INTEGERS: frozenset[type] = frozenset((int,))
_BOOLS: frozenset[type] = frozenset((bool,))
_EQUATABLE: frozenset[type] = frozenset((int, str, bool))
_PLAIN_OPERATORS: dict[str, tuple[frozenset[type], Callable[[Any, Any], Any]]] = {
    "+": (_INTEGERS, operator.add),
    "-": (_INTEGERS, operator.sub),
    "*": (_INTEGERS, operator.mul),
    "<": (_INTEGERS, operator.lt),
    "<=": (_INTEGERS, operator.le),
    ">": (_INTEGERS, operator.gt),
    ">=": (_INTEGERS, operator.ge),
    "==": (_EQUATABLE, operator.eq),
    "!=": (_EQUATABLE, operator.ne),
    "&&": (_BOOLS, operator.and_),
    "||": (_BOOLS, operator.or_),
}
"""Operators on two operands of one of these Python types; a result of more than 512 bits goes the general way."""
