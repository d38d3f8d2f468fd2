"""
Expressions compiled to nested Python closures: once per expression, then run for every instance.

A closure takes a frame: the scope's `resolve`, then one slot for each variable of for-expressions and each splat. What
depends on neither is evaluated here and becomes a constant. Closures know the plain cases (numbers, strings, objects);
all else goes to `operators`, whose faults get their place in the text here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from planner.diagnostics import SourceRange, did_you_mean
from planner.evaluation import operators
from planner.evaluation.conditional import choose
from planner.evaluation.errors import EvaluationError, Fault
from planner.evaluation.functions.signature import Function
from planner.evaluation.references import base_length, references, split_chain
from planner.evaluation.scope import Scope
from planner.syntax import ast
from planner.syntax.ast import Expression
from planner.values.codec import normalized
from planner.values.convert import ConversionError, convert, type_name, type_of
from planner.values.marks import UNKNOWN, Sensitive, Unknown, is_wholly_known, lasting_prefix, mark_sensitive, unmark
from planner.values.numbers import PRECISION, rounded
from planner.values.show import statement
from planner.values.types import (
    BOOL,
    DYNAMIC,
    NULL,
    NUMBER,
    STRING,
    ListType,
    ListValue,
    Null,
    SetType,
    SetValue,
    TupleType,
    Type,
    Value,
)

Frame = list[Any]
"""`[resolve, slot, slot, ...]`"""

Run = Callable[[Frame], Value]

_SCOPE = 0
_LIMIT = 1 << PRECISION


class Compiled:
    """An expression ready to be evaluated in any number of scopes."""

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
    compiler = _Compiler(functions)
    code = compiler.compile(expression)
    return Compiled(code, compiler.slots - 1, expression.range)


@dataclass(frozen=True, slots=True)
class Code:
    """
    A compiled part.

    Attributes:
        depends: slots of the frame that it reads, 0 for the scope.
        constant: its value when it depends on nothing and evaluation went well.
        type: the type of its result where the operator alone says it, so that it is known even after an error.
    """

    run: Run
    depends: frozenset[int]
    constant: Value | None = None
    type: Type = DYNAMIC


class _Place:
    """Where a part stands and which variables it sees: all that is needed to tell what went wrong there."""

    __slots__ = ("expression", "operands", "variables")

    def __init__(self, expression: Expression, operands: tuple[Expression, ...], variables: Mapping[str, int]) -> None:
        self.expression = expression
        self.operands = operands
        self.variables = variables

    def error(self, fault: Fault, frame: Frame, subject: SourceRange | None = None) -> EvaluationError:
        expression, context = self.expression, None
        if fault.operand is not None and fault.operand < len(self.operands):
            expression, context = self.operands[fault.operand], self.expression.range
        kept = list(frame)
        return EvaluationError(fault, subject or expression.range, context, lambda: self._statements(expression, kept))

    def _statements(self, expression: Expression, frame: Frame) -> tuple[str, ...]:
        """What each reference in an expression stands for, as far as it can be told."""
        statements = set()
        for reference in references(expression):
            try:
                if reference.root in self.variables:
                    value: Value = frame[self.variables[reference.root]]
                    steps = (reference.name, *reference.steps) if reference.name else reference.steps
                else:
                    value, steps = frame[_SCOPE](reference.root, reference.name), reference.steps
                for step in steps:
                    value = operators.get_index(value, step)
                statements.add(statement(str(reference), value))
            except (Fault, EvaluationError):
                continue
        return tuple(sorted(statements))


class _Compiler:
    """Compiles one expression; `slots` counts those of its frame."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self.functions = functions
        self.slots = 1
        self._variables: dict[str, int] = {}
        self._element = 0

    def compile(self, node: Expression) -> Code:
        match node:
            case ast.Literal(value):
                return _constant(_literal(value))
            case ast.Template():
                return self._template(node)
            case ast.Name() | ast.GetAttribute() | ast.Index():
                return self._chain(node)
            case ast.Splat():
                return self._splat(node)
            case ast.SplatElement():
                return self._slot(self._element)
            case ast.Call():
                return self._call(node)
            case ast.Conditional(condition, then, otherwise):
                return self._conditional(node, condition, self.compile(then), self.compile(otherwise), then, otherwise)
            case ast.Binary():
                return self._binary(node)
            case ast.Unary():
                return self._unary(node)
            case ast.Parentheses(inner):
                return self.compile(inner)
            case ast.Tuple():
                return self._tuple(node)
            case ast.Object():
                return self._object(node)
            case ast.ForTuple():
                return self._for_tuple(node)
            case ast.ForObject():
                return self._for_object(node)

    # Building blocks

    def _place(self, expression: Expression, *operands: Expression) -> _Place:
        return _Place(expression, operands, dict(self._variables))

    def _code(
        self,
        run: Run,
        parts: Iterable[Code],
        *,
        own: Iterable[int] = (),
        pure: bool = True,
        type: Type = DYNAMIC,
    ) -> Code:
        """The code of a part made of others, evaluated now when none of them depends on anything."""
        depends = frozenset[int]().union(*(part.depends for part in parts)) - frozenset(own)
        if depends or not pure:
            return Code(run, depends or frozenset((_SCOPE,)), type=type)
        try:
            return _constant(run([_no_scope, *[None] * self.slots]))
        except EvaluationError:
            return Code(run, depends, type=type)

    def _slot(self, slot: int) -> Code:
        return Code(operator.itemgetter(slot), frozenset((slot,)))

    def _new_slot(self) -> int:
        self.slots += 1
        return self.slots - 1

    @contextmanager
    def _bound(self, names: Mapping[str, int]) -> Any:
        outer = self._variables
        self._variables = {**outer, **names}
        yield
        self._variables = outer

    # References, attributes and indexes

    def _chain(self, node: ast.Name | ast.GetAttribute | ast.Index) -> Code:
        chain = split_chain(node)
        if chain is not None:
            head, steps = chain
            if head.name in self._variables:
                code = self._slot(self._variables[head.name])
            else:
                root, name, words = base_length(head, steps)
                code = self._reference(steps[words - 1] if words else head, root, name)
                steps = steps[words:]
            for step in steps:
                code = self._step(step, code)
            return code
        assert not isinstance(node, ast.Name)
        return self._step(node, self.compile(node.target))

    def _reference(self, node: Expression, root: str, name: str) -> Code:
        place = self._place(node)

        def run(frame: Frame) -> Value:
            try:
                value: Value = frame[_SCOPE](root, name)
            except Fault as fault:
                raise place.error(fault, frame) from None
            except EvaluationError as error:
                error.catchable = False
                raise
            return value

        return Code(run, frozenset((_SCOPE,)))

    def _step(self, node: ast.GetAttribute | ast.Index, target: Code) -> Code:
        if isinstance(node, ast.GetAttribute):
            return self._attribute(node, target)
        return self._index(node, target)

    def _attribute(self, node: ast.GetAttribute, target: Code) -> Code:
        place, name, value_of = self._place(node), node.name, target.run

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

        return self._code(run, (target,))

    def _index(self, node: ast.Index, target: Code) -> Code:
        key = self.compile(node.key)
        place, value_of, key_of = self._place(node, node.target, node.key), target.run, key.run

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

        return self._code(run, (target, key))

    def _splat(self, node: ast.Splat) -> Code:
        target = self.compile(node.target)
        slot, outer = self._new_slot(), self._element
        self._element = slot
        each = self.compile(node.each)
        self._element = outer
        place = self._place(node, node.target)
        run_each = each.run

        def apply(frame: Frame, item: Value) -> Value:
            frame[slot] = item
            return run_each(frame)

        def run(frame: Frame) -> Value:
            value, sensitive = unmark(target.run(frame))
            kind = type_of(value) if isinstance(value, Null | Unknown) else None
            single = not isinstance(value, tuple | ListValue | SetValue) and not isinstance(
                kind, ListType | SetType | TupleType
            )
            if isinstance(value, Null):
                if single:
                    return mark_sensitive((), sensitive)
                raise place.error(Fault("Splat of null value", "This sequence is null; it has no elements.", 0), frame)
            if isinstance(value, Unknown):
                return mark_sensitive(_unknown_splat(value, single, lambda item: apply(frame, item)), sensitive)
            if isinstance(value, ListValue | SetValue):
                items = [apply(frame, item) for item in value.items]
                if not items:
                    return mark_sensitive(ListValue(type_of(apply(frame, Unknown(value.element))), ()), sensitive)
                return mark_sensitive(ListValue(type_of(items[0]), tuple(items)), sensitive)
            items = [apply(frame, item) for item in (value if isinstance(value, tuple) else (value,))]
            return mark_sensitive(tuple(items), sensitive)

        return self._code(run, (target, each), own=(slot,))

    # Operators

    def _binary(self, node: ast.Binary) -> Code:
        left, right = self.compile(node.left), self.compile(node.right)
        place = self._place(node, node.left, node.right)
        general = operators.BINARY[node.operator]
        left_of, right_of = left.run, right.run
        plain = _PLAIN_OPERATORS.get(node.operator)

        def run(frame: Frame) -> Value:
            one, other = left_of(frame), right_of(frame)
            try:
                return general(one, other)
            except Fault as fault:
                raise place.error(fault, frame) from None

        if plain is not None:
            kinds, compute = plain

            def run_plain(frame: Frame) -> Value:
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

            run = run_plain
        return self._code(run, (left, right), type=NUMBER if node.operator in "+-*/%" else BOOL)

    def _unary(self, node: ast.Unary) -> Code:
        operand = self.compile(node.operand)
        place = self._place(node, node.operand)
        compute = operators.negate if node.operator == "-" else operators.invert

        def run(frame: Frame) -> Value:
            try:
                return compute(operand.run(frame))
            except Fault as fault:
                raise place.error(fault, frame) from None

        return self._code(run, (operand,), type=NUMBER if node.operator == "-" else BOOL)

    def _conditional(
        self,
        node: Expression,
        condition_node: Expression,
        then: Code,
        otherwise: Code,
        *branches: Expression,
    ) -> Code:
        condition = self.compile(condition_node)
        place, condition_place = self._place(node, *branches), self._place(condition_node)

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
                chosen_error = errors[0 if verdict else 1]
                if chosen_error is not None:
                    raise chosen_error
                chosen = results[0 if verdict else 1]
                if results[0].__class__ is results[1].__class__ and chosen.__class__ in _SCALARS and not sensitive:
                    return chosen
            try:
                return choose(verdict, results[0], results[1], sensitive)
            except Fault as fault:
                raise place.error(fault, frame) from None

        return self._code(run, (condition, then, otherwise))

    # Templates

    def _template(self, node: ast.Template) -> Code:
        if len(node.parts) == 1 and isinstance(node.parts[0], ast.Interpolation):
            return self.compile(node.parts[0].value)
        return self._parts(node, node.parts)

    def _parts(self, node: Expression, parts: tuple[ast.TemplatePart, ...]) -> Code:
        codes = [self._part(node, part) for part in parts]
        expressions = [part.value if isinstance(part, ast.Interpolation) else node for part in parts]
        place = self._place(node, *expressions)
        runs = [code.run for code in codes]

        def run(frame: Frame) -> Value:
            values = [part(frame) for part in runs]
            try:
                text = "".join(values)  # type: ignore[arg-type] # what is no string is seen to below
            except TypeError:
                try:
                    return _render(values)
                except Fault as fault:
                    raise place.error(fault, frame) from None
            return text if text.isascii() else normalized(text)

        return self._code(run, codes, type=STRING)

    def _part(self, node: Expression, part: ast.TemplatePart) -> Code:
        match part:
            case str():
                return _constant(normalized(part))
            case ast.Interpolation(value):
                return self.compile(value)
            case ast.TemplateIf(condition, then, otherwise):
                return self._conditional(
                    node, condition, self._parts(node, then), self._parts(node, otherwise), node, node
                )
            case ast.TemplateFor():
                return self._template_for(node, part)

    def _template_for(self, node: Expression, part: ast.TemplateFor) -> Code:
        collection = self.compile(part.collection)
        with self._iteration(part.key, part.value) as (key_slot, value_slot):
            body = self._parts(node, part.parts)
        place = self._place(part.collection)

        def run(frame: Frame) -> Value:
            entries, sensitive = _entries(collection.run(frame), place, frame)
            if entries is None:
                return mark_sensitive(Unknown(STRING), sensitive)
            texts = []
            for key, item in entries:
                frame[key_slot], frame[value_slot] = key, item
                texts.append(body.run(frame))
            return mark_sensitive(_render(texts), sensitive)

        return self._code(run, (collection, body), own=(key_slot, value_slot))

    # Tuples, objects and for

    def _tuple(self, node: ast.Tuple) -> Code:
        items = [self.compile(item) for item in node.items]
        runs = [item.run for item in items]
        return self._code(lambda frame: tuple([item(frame) for item in runs]), items)

    def _object(self, node: ast.Object) -> Code:
        entries = [(self._key(item.key), self.compile(item.value)) for item in node.items]
        codes = [code for entry in entries for code in entry]
        names = [key.constant for key, _ in entries]
        if all(isinstance(name, str) for name in names):
            # The usual case: all names are in the text. The last of equal ones stands; errors come in text order.
            runs = [(str(name), value.run) for name, (_, value) in zip(names, entries, strict=True)]
            ordered = sorted({name for name, _ in runs})
            if ordered == [name for name, _ in runs]:
                return self._code(lambda frame: {name: value(frame) for name, value in runs}, codes)

            def run_named(frame: Frame) -> Value:
                found = {name: value(frame) for name, value in runs}
                return {name: found[name] for name in ordered}

            return self._code(run_named, codes)
        places = [self._place(item.key) for item in node.items]

        def run(frame: Frame) -> Value:
            found: dict[str, Value] = {}
            known, sensitive = True, False
            for (key, value), place in zip(entries, places, strict=True):
                name, marked = _object_key(key.run(frame), place, frame)
                sensitive = sensitive or marked
                item = value.run(frame)
                if name is None:
                    known = False
                else:
                    found[name] = item
            if not known:
                return UNKNOWN
            return mark_sensitive({name: found[name] for name in sorted(found)}, sensitive)

        return self._code(run, codes)

    def _key(self, key: Expression) -> Code:
        code = self.compile(key)
        if code.constant is not None and isinstance(code.constant, bool | int | Fraction):
            return _constant(convert(code.constant, STRING))
        return code

    @contextmanager
    def _iteration(self, key: str | None, value: str) -> Any:
        """Slots for the key and the value of an iteration; the key has one even where it has no name."""
        key_slot, value_slot = self._new_slot(), self._new_slot()
        with self._bound({**({key: key_slot} if key else {}), value: value_slot}):
            yield key_slot, value_slot

    def _condition(self, node: Expression | None) -> tuple[Code, Callable[[Frame], tuple[bool | None, bool]]]:
        """An `if` clause and how to ask it: what it says, None while unknown, and whether that is sensitive."""
        if node is None:
            return _constant(True), lambda frame: (True, False)
        code, place = self.compile(node), self._place(node)

        def ask(frame: Frame) -> tuple[bool | None, bool]:
            value = code.run(frame)
            if isinstance(value, bool):
                return value, False
            try:
                return operators.truth(value, "'for' condition")
            except Fault as fault:
                raise place.error(fault, frame) from None

        return code, ask

    def _for_tuple(self, node: ast.ForTuple) -> Code:
        collection = self.compile(node.collection)
        with self._iteration(node.key, node.value) as (key_slot, value_slot):
            result = self.compile(node.result)
            condition, ask = self._condition(node.condition)
        place = self._place(node.collection)
        result_of = result.run

        def run(frame: Frame) -> Value:
            entries, sensitive = _entries(collection.run(frame), place, frame)
            if entries is None:
                return mark_sensitive(UNKNOWN, sensitive)
            items: list[Value] = []
            known, empty = True, True
            for frame[key_slot], frame[value_slot] in entries:
                empty = False
                wanted, marked = ask(frame)
                sensitive = sensitive or marked
                if wanted:
                    items.append(result_of(frame))
                elif wanted is None:
                    known = False
            if empty:
                _try_condition(ask, frame, key_slot, value_slot)
            return mark_sensitive(tuple(items), sensitive) if known else UNKNOWN

        return self._code(run, (collection, result, condition), own=(key_slot, value_slot))

    def _for_object(self, node: ast.ForObject) -> Code:
        collection = self.compile(node.collection)
        with self._iteration(node.key, node.value) as (key_slot, value_slot):
            key, value = self.compile(node.result_key), self.compile(node.result_value)
            condition, ask = self._condition(node.condition)
            key_place = self._place(node.result_key)
        place, group = self._place(node.collection), node.group

        def run(frame: Frame) -> Value:
            entries, sensitive = _entries(collection.run(frame), place, frame)
            if entries is None:
                return mark_sensitive(UNKNOWN, sensitive)
            found: dict[str, list[Value]] = {}
            known, empty = True, True
            for frame[key_slot], frame[value_slot] in entries:
                empty = False
                wanted, marked = ask(frame)
                sensitive = sensitive or marked
                if wanted is None:
                    known = False
                if not wanted:
                    continue
                name, marked = _object_key(key.run(frame), key_place, frame)
                sensitive = sensitive or marked
                if name is None:
                    known = False
                    continue
                items = found.setdefault(name, [])
                if items and not group:
                    detail = (
                        f'Two elements give the key "{name}". To collect the values of equal keys in a tuple, '
                        "write an ellipsis (...) after the value."
                    )
                    raise key_place.error(Fault("Duplicate object key", detail), frame)
                items.append(value.run(frame))
            if empty:
                _try_condition(ask, frame, key_slot, value_slot)
            if not known:
                return UNKNOWN
            result = {name: tuple(found[name]) if group else found[name][0] for name in sorted(found)}
            return mark_sensitive(result, sensitive)

        return self._code(run, (collection, key, value, condition), own=(key_slot, value_slot))

    # Calls

    def _call(self, node: ast.Call) -> Code:
        name = node.name.removeprefix("core::")
        place = self._place(node, *node.arguments)
        if name in ("try", "can"):
            return self._try(node, name, place)
        arguments = [self.compile(argument) for argument in node.arguments]
        function = self.functions.get(name)
        if function is None:
            detail = f"There is no function named {node.name}().{did_you_mean(name, [*self.functions, 'try', 'can'])}"
            return self._failure(Fault("Call to unknown function", detail), place, node.name_range)
        if name == "templatestring" and node.arguments and split_chain(node.arguments[0]) is None:
            detail = (
                "The template must be a reference to a string that is defined elsewhere. "
                "For a template in place, write a quoted template instead."
            )
            return self._failure(Fault("Invalid function argument", detail, 0), place)
        if node.expand:
            return self._expanded_call(function, arguments, place)
        try:
            function.check_count(len(arguments))
        except Fault as fault:
            return self._failure(fault, place)
        runs, call = [argument.run for argument in arguments], function.call

        def run(frame: Frame) -> Value:
            values = [argument(frame) for argument in runs]
            try:
                return call(values)
            except Fault as fault:
                raise place.error(fault, frame) from None

        return self._code(run, arguments, pure=function.pure)

    def _expanded_call(self, function: Function, arguments: list[Code], place: _Place) -> Code:
        *first, last = arguments

        def run(frame: Frame) -> Value:
            values = [argument.run(frame) for argument in first]
            final, sensitive = unmark(last.run(frame))
            try:
                if isinstance(final, Unknown) and (
                    final.type == DYNAMIC or isinstance(final.type, ListType | SetType | TupleType)
                ):
                    return UNKNOWN
                if isinstance(final, tuple):
                    items: tuple[Value, ...] = final
                elif isinstance(final, ListValue | SetValue):
                    items = final.items
                else:
                    what = "null" if isinstance(final, Null) else type_name(type_of(final))
                    detail = f"What is expanded with ... must be a tuple, list or set, not {what}."
                    raise Fault("Invalid expanding argument value", detail, len(first))
                values.extend(mark_sensitive(item, sensitive) for item in items)
                function.check_count(len(values))
                return function.call(values)
            except Fault as fault:
                if fault.operand is not None:
                    fault.operand = min(fault.operand, len(first))
                raise place.error(fault, frame) from None

        return self._code(run, arguments, pure=function.pure)

    def _try(self, node: ast.Call, name: str, place: _Place) -> Code:
        arguments = [self.compile(argument) for argument in node.arguments]
        if node.expand or not arguments or (name == "can" and len(arguments) > 1):
            takes = "one expression" if name == "can" else "at least one expression"
            return self._failure(Fault("Invalid function call", f"{name}() takes {takes}."), place)

        def run_can(frame: Frame) -> Value:
            try:
                return True if is_wholly_known(arguments[0].run(frame)) else Unknown(BOOL)
            except EvaluationError as error:
                if not error.catchable:
                    raise
                return False

        def run_try(frame: Frame) -> Value:
            for argument in arguments:
                try:
                    value = argument.run(frame)
                except EvaluationError as error:
                    if not error.catchable:
                        raise
                    last = error
                else:
                    # What is not known yet may still fail once it is, so the result may be another argument's.
                    return value if is_wholly_known(value) else mark_sensitive(UNKNOWN, isinstance(value, Sensitive))
            detail = f"No argument of try() has a value. The last one failed: {last.diagnostic.detail}"
            raise place.error(Fault("Error in function call", detail), frame)

        return self._code(run_can if name == "can" else run_try, arguments)

    def _failure(self, fault: Fault, place: _Place, subject: SourceRange | None = None) -> Code:
        """Code that always fails: mistakes count only where they are evaluated."""

        def run(frame: Frame) -> Value:
            raise place.error(fault, frame, subject)

        return Code(run, frozenset((_SCOPE,)))


def _constant(value: Value) -> Code:
    return Code(lambda frame: value, frozenset(), value)


def _literal(value: str | int | Fraction | bool | None) -> Value:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return value
    return normalized(value) if isinstance(value, str) else rounded(value)


def _no_scope(root: str, name: str) -> Value:
    raise AssertionError("A constant refers to nothing. This is a bug in lunform.")


_SCALARS = (str, int, bool, Fraction)
_INT = frozenset((int,))
_EQUATABLE = frozenset((int, str, bool))
_PLAIN_OPERATORS: dict[str, tuple[frozenset[type], Callable[[Any, Any], Any]]] = {
    "+": (_INT, operator.add),
    "-": (_INT, operator.sub),
    "*": (_INT, operator.mul),
    "<": (_INT, operator.lt),
    "<=": (_INT, operator.le),
    ">": (_INT, operator.gt),
    ">=": (_INT, operator.ge),
    "==": (_EQUATABLE, operator.eq),
    "!=": (_EQUATABLE, operator.ne),
    "&&": (frozenset((bool,)), operator.and_),
    "||": (frozenset((bool,)), operator.or_),
}
"""Operators on two operands of one of these Python types; a result of more than 512 bits goes the general way."""


def _render(values: list[Value]) -> Value:
    """
    The text of a template's evaluated parts.

    Raises:
        Fault: a part has no text; the operand is its index.
    """
    texts: list[str] = []
    known, sensitive = True, False
    for index, value in enumerate(values):
        value, marked = unmark(value)
        sensitive = sensitive or marked
        if isinstance(value, Null):
            raise Fault("Invalid template value", "The value is null, which has no text.", index)
        if isinstance(value, Unknown):
            known = False
            continue
        try:
            text = convert(value, STRING)
        except ConversionError as error:
            raise Fault("Invalid template value", f"The value cannot be part of a string: {error}.", index) from None
        if known:
            assert isinstance(text, str)
            texts.append(text)
    result: Value = normalized("".join(texts))
    if not known:
        result = Unknown(STRING, not_null=True, prefix=lasting_prefix(str(result)))
    return mark_sensitive(result, sensitive)


def _entries(value: Value, place: _Place, frame: Frame) -> tuple[Iterable[tuple[Value, Value]] | None, bool]:
    """Keys and elements of what is iterated, or None while they are unknown; and whether it is sensitive."""
    value, sensitive = unmark(value)
    entries = operators.pairs(value)
    if entries is not None:
        return entries, sensitive
    if isinstance(value, Null):
        raise place.error(Fault("Iteration over null value", "A null value has no elements to go over."), frame)
    kind = type_of(value)
    if isinstance(value, Unknown) and (kind == DYNAMIC or not isinstance(kind, type(STRING))):
        return None, sensitive
    detail = f"A value of type {type_name(kind)} has no elements to go over."
    raise place.error(Fault("Iteration over non-iterable value", detail), frame)


def _try_condition(
    ask: Callable[[Frame], tuple[bool | None, bool]], frame: Frame, key_slot: int, value_slot: int
) -> None:
    """Ask a condition about an unknown element, so that a wrong one is found though there is nothing to go over."""
    frame[key_slot] = frame[value_slot] = UNKNOWN
    ask(frame)


def _object_key(value: Value, place: _Place, frame: Frame) -> tuple[str | None, bool]:
    """The name that a key stands for, None while it is unknown, and whether it is sensitive."""
    value, sensitive = unmark(value)
    if isinstance(value, Null):
        raise place.error(Fault("Invalid object key", "A null value cannot be a key."), frame)
    try:
        name = convert(value, STRING)
    except ConversionError as error:
        raise place.error(Fault("Invalid object key", f"A key must be a string: {error}."), frame) from None
    return (name if isinstance(name, str) else None), sensitive


def _unknown_splat(value: Unknown, single: bool, apply: Callable[[Value], Value]) -> Value:
    match value.type:
        case ListType(element) | SetType(element):
            kind = ListType(type_of(apply(Unknown(element))))
            return Unknown(kind, not_null=True, min_length=value.min_length, max_length=value.max_length)
        case TupleType(elements):
            return Unknown(TupleType(tuple(type_of(apply(Unknown(element))) for element in elements)), not_null=True)
        case _:
            if value.type == DYNAMIC:
                return UNKNOWN
            item = apply(value)
            return (item,) if single and value.not_null else UNKNOWN
