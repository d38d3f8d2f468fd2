"""
Runs a compiled program: declared configuration to resource graph.

Values are worked out in the order of the references between blocks. What only planning or apply knows of a resource is
asked of a `ValueOf`, so the same evaluator serves before placement, while planning, and after apply. A mistake becomes
a diagnostic and an unknown value, and the rest goes on: one run reports them all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from planner.addresses import (
    InstanceAddress,
    InstanceKey,
    ModulePath,
    ModuleStep,
    ProviderAddress,
    ResourceAddress,
    parse_provider,
)
from planner.config.model import Module
from planner.config.variables import GivenValue, ParseExpression
from planner.diagnostics import Diagnostics, Severity, did_you_mean
from planner.evaluation.arguments import CompiledBody, evaluate_body, merge_copies, texts_in
from planner.evaluation.compiler import Compiled, compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.functions.signature import Function
from planner.evaluation.inputs import check_variable, evaluate_variable, unknown_variable
from planner.evaluation.program import (
    CompiledCondition,
    CompiledResource,
    Definitions,
    Node,
    Program,
    StaticPath,
    compile_program,
    undeclared,
)
from planner.evaluation.resource_graph import DesiredOutput, ResourceGraph, ResourceInstance
from planner.evaluation.scope import Scope
from planner.sdk.provider import MAX_CALLS
from planner.syntax import ast
from planner.values.codec import from_plain, to_plain
from planner.values.convert import ConversionError, convert
from planner.values.marks import UNKNOWN, Unknown, has_sensitive, mark_sensitive, unmark, unmark_deep
from planner.values.show import short_text
from planner.values.types import NULL, NUMBER, ListValue, MapValue, SetValue, Value


class ValueOf(Protocol):
    """
    Answers what an instance's attributes are, as far as the asker's stage can know: plain data, Unknown allowed among
    it or in place of it.
    """

    def __call__(self, instance: ResourceInstance) -> Mapping[str, Any] | Unknown: ...


class Evaluator:
    """
    A module tree, ready to be evaluated.

    Attributes:
        program: the compiled blocks; its diagnostics need no values to be seen.
    """

    def __init__(
        self,
        module: Module,
        given: Mapping[str, GivenValue],
        definitions: Definitions,
        parse_expression: ParseExpression,
        functions: Mapping[str, Function],
        *,
        workspace: str = "default",
    ) -> None:
        self.module = module
        self.given = given
        self.parse_expression = parse_expression
        self.functions = functions
        self.workspace = workspace
        self.program = compile_program(module, functions, definitions)

    @property
    def diagnostics(self) -> Diagnostics:
        return self.program.diagnostics

    def evaluate(
        self,
        value_of: ValueOf,
        before: Evaluated | None = None,
        *,
        without_inputs: bool = False,
        without_secrets: bool = False,
        without_copies: bool = False,
        holds: Callable[[InstanceAddress], bool] = lambda address: True,
        providers_only: bool = False,
    ) -> Evaluated:
        """
        Work out every value.

        Args:
            value_of: asked once for each instance, in dependency order.
            before: an earlier evaluation; only what depends on volumes is worked out anew, since only of volumes can
                a later stage know more.
            without_inputs: a required variable that nothing gives a value is unknown, and no mistake.
            without_secrets: the same for those that are sensitive.
            without_copies: a block whose number of copies is not known has none and is unknown, which is no mistake.
            holds: whether an instance's preconditions and postconditions count; they do not where nothing is to be done
                that they could stop.
            providers_only: nothing but the providers' settings and what they need: thousands of volumes are not.
        """
        nodes = [node for node in self.program.order if not providers_only or node in self.program.for_providers]
        return _Run(self, value_of, before, without_inputs, without_secrets, without_copies, holds).evaluate(nodes)

    def edges(self) -> list[tuple[str, str]]:
        """(needing, needed) pairs of blocks, sorted."""
        return sorted((str(needing), str(needed)) for needing, needed in self.program.edges)


@dataclass(frozen=True, slots=True)
class _Copies:
    """
    The instances of one block in one module instance; `kind` is "for_each", "count", "" without copies, or "unknown"
    where it cannot be told which there are.
    """

    kind: str
    instances: tuple[ResourceInstance, ...]
    scopes: tuple[_Scope, ...]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A resource graph, the mistakes met on the way, and what a later evaluation may reuse."""

    graph: ResourceGraph
    diagnostics: Diagnostics
    values: Mapping[tuple[ModulePath, str, str], Value]
    copies: Mapping[tuple[ModulePath, Node], _Copies]
    paths: Mapping[StaticPath, tuple[ModulePath, ...]]
    calls: Mapping[ModulePath, _Scope]
    program: Program
    names: Scope
    """What names mean in the root module, outside of all blocks; one that is not there is unknown."""

    def answer(self, expression: ast.Expression, functions: Mapping[str, Function]) -> tuple[Value | None, Diagnostics]:
        """The value of an expression in the root module, outside of all blocks; None with the mistakes that it has."""
        mistakes = undeclared(self.program, expression)
        if mistakes.has_errors:
            return None, mistakes
        try:
            return compile_expression(expression, functions).evaluate(self.names), mistakes
        except EvaluationError as error:
            mistakes.add(error.diagnostic)
            return None, mistakes


class _Scope:
    """What names mean in one copy of a block, in one instance of a module."""

    __slots__ = ("_path", "_run", "index", "key", "own", "value")

    def __init__(
        self,
        run: _Run,
        path: ModulePath,
        key: Value | None = None,
        value: Value | None = None,
        index: int | None = None,
    ) -> None:
        self._run = run
        self._path = path
        self.key = key
        self.value = value
        self.index = index
        self.own: Value | None = None

    def resolve(self, root: str, name: str) -> Value:
        if root == "each":
            found = self.key if name == "key" else self.value
            return UNKNOWN if found is None else found
        if root == "count":
            return UNKNOWN if self.index is None else self.index
        if root == "path":
            return self._run.directory(self._path, name)
        if root == "self":
            return UNKNOWN if self.own is None else self.own
        if root == "lunform":
            return self._run.evaluator.workspace if name == "workspace" else UNKNOWN
        if root == "module":
            return self._run.outputs_of(self._path, name)
        # A name that is not there was reported when the blocks were compiled.
        return self._run.values.get((self._path, root, name), UNKNOWN)

    def within(self, run: _Run) -> _Scope:
        """The same scope in a later run."""
        return _Scope(run, self._path, self.key, self.value, self.index)


class _Run:
    def __init__(
        self,
        evaluator: Evaluator,
        value_of: ValueOf,
        before: Evaluated | None,
        without_inputs: bool,
        without_secrets: bool,
        without_copies: bool,
        holds: Callable[[InstanceAddress], bool],
    ) -> None:
        self.evaluator = evaluator
        self.without_inputs = without_inputs
        self.without_secrets = without_secrets
        self.without_copies = without_copies
        self.holds = holds
        self.program = evaluator.program
        self.value_of = value_of
        self.before = before
        self.diagnostics = Diagnostics()
        self.instances: dict[InstanceAddress, ResourceInstance] = {}
        self.named: dict[int, InstanceAddress] = {}
        self.providers: dict[ProviderAddress, Mapping[str, Any]] = {}
        self.secrets: set[str] = set(before.graph.secrets) if before is not None else set()
        self.outputs: dict[str, DesiredOutput] = {}
        self.variables: dict[str, Any] = {}
        self.imports: dict[InstanceAddress, Any] = {}
        self.values: dict[tuple[ModulePath, str, str], Value] = {}
        self.copies: dict[tuple[ModulePath, Node], _Copies] = {}
        self.paths: dict[StaticPath, tuple[ModulePath, ...]] = {(): ((),)}
        self.calls: dict[ModulePath, _Scope] = {}

    def evaluate(self, nodes: Sequence[Node]) -> Evaluated:
        for node in nodes:
            reuse = self.before is not None and node not in self.program.after_provisioned
            for path in self.paths.get(node.module, ()):
                if reuse and self.before is not None:
                    self._reuse(node, path, self.before)
                else:
                    self._evaluate(node, path)
        graph = ResourceGraph(
            self.instances, self.providers, self.outputs, self.imports, self.variables, frozenset(self.secrets)
        )
        return Evaluated(
            graph=graph,
            diagnostics=merge_copies(self.diagnostics),
            values=self.values,
            copies=self.copies,
            paths=self.paths,
            calls=self.calls,
            program=self.program,
            names=_Scope(self, ()),
        )

    def _reuse(self, node: Node, path: ModulePath, before: Evaluated) -> None:
        graph = before.graph
        match node.kind:
            case "var" | "local" | "output":
                self.values[path, node.kind, node.name] = before.values[path, node.kind, node.name]
                if not path and node.kind == "var" and node.name in graph.variables:
                    self.variables[node.name] = graph.variables[node.name]
                if not path and node.kind == "output":
                    self.outputs[node.name] = graph.outputs[node.name]
            case "provider":
                address = parse_provider(node.name)
                configured = {
                    known: value for known, value in graph.providers.items() if replace(known, key=None) == address
                }
                self.providers.update(configured)
            case "check":
                self._check(node, path)
            case "import":
                self._import(node, path)
            case "module":
                inside = (*node.module, node.name)
                if (path, "module", node.name) in before.values:
                    self.values[path, "module", node.name] = UNKNOWN
                called = tuple(found for found in before.paths.get(inside, ()) if found[:-1] == path)
                self.paths[inside] = (*self.paths.get(inside, ()), *called)
                for found in called:
                    self.calls[found] = before.calls[found].within(self)
            case _:
                self._publish(node, path, before.copies[path, node])

    def _evaluate(self, node: Node, path: ModulePath) -> None:
        match node.kind:
            case "var":
                self._variable(node, path)
            case "local":
                self.values[path, "local", node.name] = self._value(self.program.expressions[node], _Scope(self, path))
            case "output":
                self._output(node, path)
            case "provider":
                self._provider(node, path)
            case "module":
                self._call(node, path)
            case "check":
                self._check(node, path)
            case "import":
                self._import(node, path)
            case _:
                self._publish(node, path, self._expand(node, path))

    def _value(self, compiled: Compiled, scope: _Scope) -> Value:
        try:
            return compiled.evaluate(scope)
        except EvaluationError as error:
            self.diagnostics.add(error.diagnostic)
            return UNKNOWN

    # -- variables, outputs, providers, calls --

    def _variable(self, node: Node, path: ModulePath) -> None:
        evaluator = self.evaluator
        variable = self.program.modules[node.module].variables[node.name]
        if not path:
            given = evaluator.given.get(node.name)
            may_lack = self.without_inputs or (self.without_secrets and variable.sensitive)
            if given is None and variable.default is None and may_lack:
                value = unknown_variable(variable, self.diagnostics)
            else:
                value = evaluate_variable(
                    variable, given, evaluator.parse_expression, evaluator.functions, self.diagnostics
                )
            if has_sensitive(value):
                self.secrets.update(texts_in(to_plain(unmark_deep(value)[0])))
            elif given is not None:
                self.variables[node.name] = to_plain(value)
        else:
            call = self.program.calls[Node("module", node.module[-1], node.module[:-1])]
            given_here = call.inputs.get(node.name)
            if given_here is not None:
                argument = call.call.body.argument(node.name)
                passed = self._value(given_here, self.calls[path])
                value = check_variable(
                    variable, passed, argument.value.range if argument else None, evaluator.functions, self.diagnostics
                )
            else:
                value = evaluate_variable(
                    variable, None, evaluator.parse_expression, evaluator.functions, self.diagnostics
                )
        self.values[path, "var", node.name] = value

    def _output(self, node: Node, path: ModulePath) -> None:
        output = self.program.modules[node.module].outputs[node.name]
        value = self._value(self.program.expressions[node], _Scope(self, path))
        self.values[path, "output", node.name] = mark_sensitive(value, output.sensitive)
        if path:
            return
        if has_sensitive(value) and not output.sensitive:
            self.diagnostics.error(
                "Output shows a sensitive value",
                f'Output "{node.name}" holds something sensitive. Add sensitive = true, or use nonsensitive() if it may'
                " be seen.",
                output.range,
            )
        # The value of a sensitive output is needed by nobody: it is not shown and not stored.
        plain = None if output.sensitive else to_plain(value)
        self.outputs[node.name] = DesiredOutput(plain, output.sensitive)

    def _provider(self, node: Node, path: ModulePath) -> None:
        compiled = self.program.providers.get(node)
        if compiled is None or path:
            return
        for key, scope in self._scopes(compiled.for_each, None, compiled.copies, path) or ():
            settings = evaluate_body(compiled.body, scope, self.diagnostics, stored=False, secrets=self.secrets)
            self._check_limit(compiled.body, settings[MAX_CALLS.name])
            address = replace(compiled.address, key=None if key is None else str(key))
            self.providers[address] = settings

    def _check_limit(self, body: CompiledBody, limit: Any) -> None:
        if limit is None or isinstance(limit, Unknown) or (isinstance(limit, int) and limit >= 1):
            return
        given = next(item.range for item in body.arguments if item.argument == MAX_CALLS)
        self.diagnostics.error(
            "Unsuitable value",
            f"{MAX_CALLS.name} is a whole number from 1 up, not {short_text(limit)}. Leave it out for as many as the"
            " provider bears.",
            given,
        )

    def _provider_of(self, compiled: CompiledResource, scope: _Scope, mistakes: Diagnostics) -> ProviderAddress | None:
        """The provider of one copy of a pool or host: where its block has for_each, one of its copies."""
        if compiled.provider is None or compiled.provider_key is None:
            return compiled.provider
        key = self._value(compiled.provider_key, scope)
        found = replace(compiled.provider, key=key) if isinstance(key, str) else None
        if found in self.providers:
            return found
        known = [str(address.key) for address in self.providers if replace(address, key=None) == compiled.provider]
        mistakes.error(
            "Invalid provider reference",
            f"{compiled.provider} has no copy {short_text(key)}; it has {', '.join(known) or 'none'}."
            f"{did_you_mean(str(key), known)}",
            compiled.resource.provider_range,
        )
        return None

    def _call(self, node: Node, path: ModulePath) -> None:
        compiled = self.program.calls[node]
        call = compiled.call
        inside = (*node.module, node.name)
        found: list[ModulePath] = []
        scopes = self._scopes(call.for_each, call.count, compiled.copies, path)
        if scopes is None:
            self.values[path, "module", node.name] = UNKNOWN
        for key, scope in scopes or ():
            called = (*path, ModuleStep(node.name, key))
            self.calls[called] = scope
            found.append(called)
        self.paths[inside] = (*self.paths.get(inside, ()), *found)

    def _import(self, node: Node, path: ModulePath) -> None:
        item = next(item for item in self.program.modules[node.module].imports if str(item.target) == node.name)
        if path:
            self.diagnostics.error(
                "Import in a called module",
                "import blocks stand in the root module; it may import into any.",
                item.range,
            )
            return
        id = self._value(self.program.expressions[node], _Scope(self, path))
        if isinstance(id, str):
            self.imports[item.target] = id
        else:
            self.diagnostics.error("Invalid import", f"id is a known text; this is {short_text(id)}.", item.id.range)

    def _check(self, node: Node, path: ModulePath) -> None:
        """What does not hold is a warning, also what goes wrong while it is worked out."""
        mistakes = Diagnostics()
        self._hold(self.program.checks[node], _Scope(self, path), "Check failed", mistakes, known_now=True)
        shown = str(replace(node, module=()))
        self.diagnostics.extend(replace(item, severity=Severity.WARNING, address=shown) for item in mistakes)

    def _hold(
        self,
        conditions: tuple[CompiledCondition, ...],
        scope: _Scope,
        summary: str,
        mistakes: Diagnostics,
        known_now: bool = False,
    ) -> None:
        """
        Report each condition that is not true. One that is not known yet is held again after apply.

        Args:
            known_now: say so where it is not known yet.
        """
        for item in conditions:
            try:
                verdict, _ = unmark(item.condition.evaluate(scope))
                if isinstance(verdict, Unknown):
                    if known_now:
                        mistakes.error("Check not known yet", "It is held again after apply.", item.range)
                elif verdict not in (True, "true"):
                    message, is_sensitive = unmark(item.message.evaluate(scope))
                    text = message if isinstance(message, str) and not is_sensitive else "Its message is sensitive."
                    mistakes.error(summary, text, item.range)
            except EvaluationError as error:
                mistakes.add(error.diagnostic)

    def outputs_of(self, path: ModulePath, name: str) -> Value:
        """What `module.name` is in the module instance at `path`: its outputs, by key where it has copies."""
        static = tuple(step.name for step in path)
        call = self.program.modules[static].calls.get(name)
        if call is None or call.module is None or (path, "module", name) in self.values:
            return UNKNOWN
        by_key: dict[InstanceKey, Value] = {}
        for called in self.paths.get((*static, name), ()):
            if called[:-1] == path:
                by_key[called[-1].key] = {
                    output: self.values.get((called, "output", output), UNKNOWN) for output in call.module.outputs
                }
        if call.for_each:
            return {str(key): value for key, value in by_key.items()}
        return tuple(by_key.values()) if call.count else by_key.get(None, UNKNOWN)

    def directory(self, path: ModulePath, name: str) -> str:
        """`path.module` is the module's directory as the root sees it; `path.root` and `path.cwd` are here."""
        return self.program.modules[tuple(step.name for step in path)].directory if name == "module" else "."

    # -- resources --

    def _expand(self, node: Node, path: ModulePath) -> _Copies:
        """The copies of a block, each with its key and evaluated arguments."""
        compiled = self.program.resources[node]
        resource = compiled.resource
        address = ResourceAddress(node.kind, node.name, path)
        dependencies = self._dependencies(node, path)
        copies, within = [], []
        scopes = self._scopes(resource.for_each, resource.count, compiled.copies, path)
        for key, scope in scopes or ():
            instance_address = address.instance(key)
            mistakes = Diagnostics()
            within.append(scope)
            if compiled.preconditions and self.holds(instance_address):
                self._hold(compiled.preconditions, scope, "Precondition failed", mistakes)
            attributes = evaluate_body(compiled.body, scope, mistakes, stored=True, instances=self.named)
            provider = self._provider_of(compiled, scope, mistakes)
            if not compiled.type.provisioned:
                attributes["id"] = str(instance_address)
            self.diagnostics.extend(replace(item, address=str(instance_address)) for item in mistakes)
            copies.append(
                ResourceInstance(instance_address, resource, compiled.type, attributes, provider, dependencies)
            )
        kind = "unknown" if scopes is None else "for_each" if resource.for_each else "count" if resource.count else ""
        return _Copies(kind, tuple(copies), tuple(within))

    def _dependencies(self, node: Node, path: ModulePath) -> tuple[InstanceAddress, ...]:
        """
        The resources that a block refers to, without keys. In its own module instance where they are declared there;
        of other modules, every instance.
        """
        found: set[InstanceAddress] = set()
        for need in self.program.needs.get(node, ()):
            paths = (path,) if need.module == node.module else self.paths.get(need.module, ())
            found.update(InstanceAddress(need.kind, need.name, None, where) for where in paths)
        return tuple(sorted(found))

    def _publish(self, node: Node, path: ModulePath, copies: _Copies) -> None:
        """Ask what each copy's attributes are, and let references see them."""
        self.copies[path, node] = copies
        seen: dict[InstanceKey, Value] = {}
        postconditions = self.program.resources[node].postconditions
        for instance, scope in zip(copies.instances, copies.scopes, strict=True):
            self.instances[instance.address] = instance
            seen[instance.address.key] = value = from_plain(self.value_of(instance))
            self.named[id(value)] = instance.address
            if postconditions and self.holds(instance.address):
                mistakes = Diagnostics()
                inside = scope.within(self)
                inside.own = value
                self._hold(postconditions, inside, "Postcondition failed", mistakes)
                self.diagnostics.extend(replace(item, address=str(instance.address)) for item in mistakes)
        match copies.kind:
            case "for_each":
                value = {str(key): seen[key] for key in sorted(seen, key=str)}
            case "count":
                value = tuple(seen.values())
            case _:
                value = seen.get(None, UNKNOWN)
        self.values[path, node.kind, node.name] = value

    def _scopes(
        self,
        for_each: ast.Expression | None,
        count: ast.Expression | None,
        compiled: Compiled | None,
        path: ModulePath,
    ) -> list[tuple[InstanceKey, _Scope]] | None:
        """A scope for each copy of a block; None where it cannot be told which there are, which mostly is a mistake."""
        expression = for_each or count
        if expression is None or compiled is None:
            return [(None, _Scope(self, path))]
        argument = "for_each" if for_each else "count"

        def refuse(detail: str) -> None:
            self.diagnostics.error(f"Invalid {argument}", detail, expression.range)

        try:
            value = compiled.evaluate(_Scope(self, path))
        except EvaluationError as error:
            self.diagnostics.add(error.diagnostic)
            return None
        if has_sensitive(value):
            refuse(f"{argument} decides which addresses there are, and those are shown; a sensitive value cannot.")
        elif contains_unknown_shape(value):
            if not self.without_copies:
                refuse(
                    f"{argument} must be known when planning, and this is known only after apply. Use names from the"
                    " configuration as keys, and what is known later as values."
                )
        elif argument == "count":
            try:
                number = convert(value, NUMBER)
            except ConversionError:
                number = NULL
            if isinstance(number, int) and number >= 0:
                return [(index, _Scope(self, path, index=index)) for index in range(number)]
            refuse(f"count takes a whole number from 0 up; this is {short_text(value)}.")
        else:
            pairs = _pairs(value)
            if pairs is not None:
                return [(name, _Scope(self, path, key=name, value=item)) for name, item in pairs]
            hint = " Wrap the list: toset([...])." if isinstance(value, (tuple, ListValue)) else ""
            refuse(f"for_each takes a map, an object, or a set of strings; this is {short_text(value)}.{hint}")
        return None


def contains_unknown_shape(value: Value) -> bool:
    """Whether it is unknown which elements there are; unknown elements of a map are fine."""
    if isinstance(value, SetValue):
        return any(isinstance(item, Unknown) for item in value.items)
    return isinstance(value, Unknown)


def _pairs(value: Value) -> list[tuple[str, Value]] | None:
    """Keys and values of what for_each takes, sorted by key; None for anything else."""
    match value:
        case dict():
            return sorted(value.items())
        case MapValue(items=items):
            return sorted(items.items())
        case SetValue(items=items) if all(isinstance(item, str) for item in items):
            return [(str(item), item) for item in items]
    return None
