"""
Declared configuration to resource graph.

Values are worked out in the order of the references between blocks. What only planning or apply knows of a resource is
asked of a `ValueOf`, so the same evaluator serves before placement, while planning, and after apply. A mistake becomes
a diagnostic and an unknown value, and the rest goes on: one run reports them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from planner.addresses import InstanceAddress, InstanceKey, ProviderAddress, ResourceAddress, parse_provider
from planner.config.model import Module, Resource
from planner.config.variables import GivenValue, ParseExpression
from planner.dependency import CycleError, DependencyGraph
from planner.diagnostics import Diagnostics, SourceRange, did_you_mean
from planner.evaluation.arguments import CompiledBody, compile_body, evaluate_body, merge_copies
from planner.evaluation.compiler import Compiled, compile_expression
from planner.evaluation.errors import EvaluationError
from planner.evaluation.functions.signature import Function
from planner.evaluation.inputs import evaluate_variable
from planner.evaluation.references import Reference, references
from planner.evaluation.resource_graph import DesiredOutput, ResourceGraph, ResourceInstance
from planner.resources.catalog import PROVIDED, RESOURCE_TYPES
from planner.resources.schema import ResourceType
from planner.sdk.provider import ProviderDefinition
from planner.values.codec import from_plain, to_plain
from planner.values.convert import ConversionError, convert
from planner.values.marks import UNKNOWN, Unknown, has_sensitive
from planner.values.show import short_text
from planner.values.types import NUMBER, ListValue, MapValue, SetValue, Value

ROOTS = ("var", "local", "each", "count", "path", "lunform")


class ValueOf(Protocol):
    """Answers what an instance's attributes are, as far as the asker's stage can know: plain data, Unknown allowed."""

    def __call__(self, instance: ResourceInstance) -> Mapping[str, Any]: ...


Definitions = Callable[[str], ProviderDefinition | None]


@dataclass(frozen=True, slots=True)
class Node:
    """One thing with a value: `kind` is "var", "local", "provider", "output", or a resource type."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}"


@dataclass(frozen=True, slots=True)
class CompiledResource:
    type: ResourceType
    body: CompiledBody
    copies: Compiled | None
    dependencies: tuple[InstanceAddress, ...]


class Evaluator:
    """
    A module's blocks, compiled and in order.

    Attributes:
        diagnostics: mistakes that need no values to be seen: unknown names, unknown arguments, cycles.
    """

    def __init__(
        self,
        module: Module,
        given: Mapping[str, GivenValue],
        definitions: Definitions,
        parse_expression: ParseExpression,
        functions: Mapping[str, Function],
        *,
        directory: str = ".",
        workspace: str = "default",
    ) -> None:
        self.module = module
        self.given = given
        self.definitions = definitions
        self.parse_expression = parse_expression
        self.functions = functions
        self.directory = directory
        self.workspace = workspace
        self.diagnostics = Diagnostics()
        self.expressions: dict[Node, Compiled] = {}
        self.resources: dict[Node, CompiledResource] = {}
        self.provider_bodies: dict[Node, CompiledBody] = {}
        self._graph: DependencyGraph[Node] = DependencyGraph()
        self._ranges: dict[Node, SourceRange] = {}
        self._edges: dict[tuple[Node, Node], SourceRange] = {}
        self._build()
        try:
            self.order = self._graph.order()
            volumes = [node for node in self.order if node.kind == "volume"]
            self.after_volumes = self._graph.downstream(volumes)
        except CycleError as error:
            self._report_cycle(error)
            self.order = []
            self.after_volumes = set()

    def evaluate(self, value_of: ValueOf, before: Evaluated | None = None) -> Evaluated:
        """
        Work out every value.

        Args:
            value_of: asked once for each instance, in dependency order.
            before: an earlier evaluation; only what depends on volumes is worked out anew, since only of volumes can
                a later stage know more.
        """
        return _Run(self, value_of, before).evaluate()

    def edges(self) -> list[tuple[str, str]]:
        """(needing, needed) pairs of blocks, sorted."""
        return sorted((str(needing), str(needed)) for needing, needed in self._edges)

    # -- compiling --

    def _build(self) -> None:
        module = self.module
        for variable in module.variables.values():
            node = self._node("var", variable.name, variable.range)
            self._graph.add(node)
        for local in module.locals.values():
            node = self._node("local", local.name, local.range)
            self._expression(node, local.value, ())
        for provider in module.providers.values():
            node = self._node("provider", str(provider.address), provider.range)
            self._needs(node, references(provider.body), ())
            definition = self._definition(provider.address, provider.range)
            if definition is not None:
                self.provider_bodies[node] = compile_body(
                    provider.body,
                    definition.settings,
                    (),
                    f'provider "{provider.address.name}"',
                    provider.range,
                    ("alias",),
                    self.functions,
                    self.diagnostics,
                )
        for resource in module.resources.values():
            self._resource(resource)
        for output in module.outputs.values():
            node = self._node("output", output.name, output.range)
            self._expression(node, output.value, ())
            for dependency in output.depends_on:
                self._needs(node, references(dependency), ())

    def _resource(self, resource: Resource) -> None:
        node = self._node(resource.type, resource.name, resource.range)
        copies = resource.for_each or resource.count
        special = ("each",) if resource.for_each else ("count",) if resource.count else ()
        found = list(references(resource.body))
        self._needs(node, found, special)
        compiled_copies = None
        if copies is not None:
            found_in_copies = list(references(copies))
            self._needs(node, found_in_copies, ())
            found += found_in_copies
            compiled_copies = compile_expression(copies, self.functions)
        explicit = [reference for item in resource.depends_on for reference in references(item)]
        self._needs(node, explicit, ())
        found += explicit
        type = RESOURCE_TYPES[resource.type]
        if resource.type in PROVIDED:
            type = self._with_provider_arguments(resource, type, node)
        extra = ("count", "for_each", "depends_on", *(("provider",) if resource.type in PROVIDED else ()))
        body = compile_body(
            resource.body,
            type.arguments,
            type.blocks,
            f'{resource.type} "{resource.name}"',
            resource.range,
            extra,
            self.functions,
            self.diagnostics,
        )
        dependencies = sorted(
            {address for reference in found if (address := _dependency(reference, self.module)) is not None}
        )
        self.resources[node] = CompiledResource(type, body, compiled_copies, tuple(dependencies))

    def _with_provider_arguments(self, resource: Resource, type: ResourceType, node: Node) -> ResourceType:
        address = resource.provider
        if address is None:
            if resource.provider_range is None:
                self.diagnostics.error(
                    "Missing required argument",
                    f'{resource.type} "{resource.name}" needs the argument "provider".',
                    resource.range,
                )
            return type
        definition = self._definition(address, resource.provider_range or resource.range)
        if definition is None:
            return type
        if address in self.module.providers:
            self._graph.add(node, [Node("provider", str(address))])
        elif address.alias is not None:
            declared = [str(known) for known in self.module.providers]
            self.diagnostics.error(
                "Undeclared provider configuration",
                f'There is no provider "{address.name}" block with alias = "{address.alias}".'
                f"{did_you_mean(str(address), declared)}",
                resource.provider_range,
            )
        kind = definition.open_storage if resource.type == "pool" else definition.open_hypervisor
        if kind is None:
            word = "storage" if resource.type == "pool" else "hypervisors"
            self.diagnostics.error(
                "Unsuitable provider",
                f'The provider "{address.name}" does not do {word}, so a {resource.type} cannot use it.',
                resource.provider_range,
            )
        extra = definition.pool_arguments if resource.type == "pool" else definition.host_arguments
        return replace(type, arguments=(*type.arguments, *extra))

    def _definition(self, address: ProviderAddress, range: SourceRange) -> ProviderDefinition | None:
        definition = self.definitions(address.name)
        if definition is None:
            self.diagnostics.error(
                "Unknown provider",
                f'No installed provider has the name "{address.name}". "lunform providers" lists those that are'
                " installed.",
                range,
            )
        return definition

    def _node(self, kind: str, name: str, range: SourceRange) -> Node:
        node = Node(kind, name)
        self._ranges[node] = range
        self._graph.add(node)
        return node

    def _expression(self, node: Node, expression: Any, special: tuple[str, ...]) -> None:
        self._needs(node, references(expression), special)
        self.expressions[node] = compile_expression(expression, self.functions)

    def _needs(self, node: Node, found: Iterable[Reference], special: tuple[str, ...]) -> None:
        """Draw edges for references; report those to nothing."""
        for reference in found:
            if reference.root in ("path", "lunform", *special):
                continue
            target = Node(reference.root, reference.name)
            if self._exists(target):
                self._graph.add(node, [target])
                self._edges.setdefault((node, target), reference.range)
            else:
                self._report_unknown(reference)

    def _exists(self, node: Node) -> bool:
        match node.kind:
            case "var":
                return node.name in self.module.variables
            case "local":
                return node.name in self.module.locals
            case _:
                return (node.kind, node.name) in self.module.resources

    def _report_unknown(self, reference: Reference) -> None:
        root, name = reference.root, reference.name
        if root in ("var", "local"):
            known = self.module.variables if root == "var" else self.module.locals
            what, how = ("variable", f'variable "{name}" {{}}') if root == "var" else ("local value", "a locals block")
            detail = f'There is no {what} "{name}". Declare it with {how}.{did_you_mean(name, known)}'
        elif root in ("each", "count"):
            argument = "for_each" if root == "each" else "count"
            detail = f'"{root}.{name}" has a value only in a block with {argument}.'
        elif root in RESOURCE_TYPES:
            known_names = [n for t, n in self.module.resources if t == root]
            detail = f'There is no {root} "{name}" in this configuration.{did_you_mean(name, known_names)}'
        elif not name:
            detail = (
                f"A bare word refers to something, and nothing is called {root}. If a text is meant, put it in quotes:"
                f' "{root}".'
            )
        else:
            detail = f'Nothing is called "{root}".{did_you_mean(root, [*ROOTS, *RESOURCE_TYPES])}'
        self.diagnostics.error("Reference to something undeclared", detail, reference.range)

    def _report_cycle(self, error: CycleError) -> None:
        path: list[Node] = [node for node in error.path if isinstance(node, Node)]
        related = []
        for node, need in zip(path, [*path[1:], path[0]], strict=True):
            range = self._edges.get((node, need), self._ranges[node])
            related.append((f"{node} needs {need}", range))
        loop = " -> ".join(str(node) for node in [*path, path[0]])
        self.diagnostics.error(
            "Cycle",
            f"These need each other, so none can come first: {loop}. Break the loop at one of the references.",
            related[0][1],
            related=tuple(related),
        )


@dataclass(frozen=True, slots=True)
class _Copies:
    """The instances of one block; `kind` is "for_each", "count", or "" for a block without copies."""

    kind: str
    instances: tuple[ResourceInstance, ...]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A resource graph, the mistakes met on the way, and what a later evaluation may reuse."""

    graph: ResourceGraph
    diagnostics: Diagnostics
    values: Mapping[tuple[str, str], Value]
    copies: Mapping[Node, _Copies]


class _Scope:
    """What names mean in one block's copy."""

    __slots__ = ("_run", "index", "key", "value")

    def __init__(self, run: _Run, key: Value | None = None, value: Value | None = None, index: int | None = None):
        self._run = run
        self.key = key
        self.value = value
        self.index = index

    def resolve(self, root: str, name: str) -> Value:
        if root == "each":
            found = self.key if name == "key" else self.value
            return UNKNOWN if found is None else found
        if root == "count":
            return UNKNOWN if self.index is None else self.index
        # A name that is not there was reported when the blocks were compiled.
        return self._run.values.get((root, name), UNKNOWN)


class _Run:
    def __init__(self, evaluator: Evaluator, value_of: ValueOf, before: Evaluated | None) -> None:
        self.evaluator = evaluator
        self.value_of = value_of
        self.before = before
        self.diagnostics = Diagnostics()
        self.instances: dict[InstanceAddress, ResourceInstance] = {}
        self.providers: dict[ProviderAddress, Mapping[str, Any]] = {}
        self.outputs: dict[str, DesiredOutput] = {}
        self.copies: dict[Node, _Copies] = {}
        self.variables: dict[str, Any] = {}
        self.values: dict[tuple[str, str], Value] = {
            ("path", "module"): evaluator.directory,
            ("path", "root"): evaluator.directory,
            ("path", "cwd"): evaluator.directory,
            ("lunform", "workspace"): evaluator.workspace,
        }

    def evaluate(self) -> Evaluated:
        for node in self.evaluator.order:
            if self.before is not None and node not in self.evaluator.after_volumes:
                self._reuse(node, self.before)
            else:
                self._evaluate(node)
        graph = ResourceGraph(self.instances, self.providers, self.outputs, self.variables)
        return Evaluated(graph, merge_copies(self.diagnostics), self.values, self.copies)

    def _reuse(self, node: Node, before: Evaluated) -> None:
        graph = before.graph
        match node.kind:
            case "var":
                self.values["var", node.name] = before.values["var", node.name]
                if node.name in graph.variables:
                    self.variables[node.name] = graph.variables[node.name]
            case "local":
                self.values["local", node.name] = before.values["local", node.name]
            case "output":
                self.outputs[node.name] = graph.outputs[node.name]
            case "provider":
                address = parse_provider(node.name)
                if address in graph.providers:
                    self.providers[address] = graph.providers[address]
            case _:
                self._publish(node, before.copies[node])

    def _evaluate(self, node: Node) -> None:
        match node.kind:
            case "var":
                self._variable(node)
            case "local":
                self.values["local", node.name] = self._value(node)
            case "output":
                self._output(node)
            case "provider":
                self._provider(node)
            case _:
                self._publish(node, self._expand(node))

    def _value(self, node: Node) -> Value:
        compiled = self.evaluator.expressions.get(node)
        if compiled is None:
            return UNKNOWN
        try:
            return compiled.evaluate(_Scope(self))
        except EvaluationError as error:
            self.diagnostics.add(error.diagnostic)
            return UNKNOWN

    def _variable(self, node: Node) -> None:
        variable = self.evaluator.module.variables[node.name]
        given = self.evaluator.given.get(node.name)
        value = evaluate_variable(
            variable, given, self.evaluator.parse_expression, self.evaluator.functions, self.diagnostics
        )
        self.values["var", node.name] = value
        if given is not None and not has_sensitive(value):
            self.variables[node.name] = to_plain(value)

    def _output(self, node: Node) -> None:
        output = self.evaluator.module.outputs[node.name]
        value = self._value(node)
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

    def _provider(self, node: Node) -> None:
        compiled = self.evaluator.provider_bodies.get(node)
        if compiled is None:
            return
        settings = evaluate_body(compiled, _Scope(self), self.diagnostics, stored=False)
        self.providers[parse_provider(node.name)] = settings

    def _expand(self, node: Node) -> _Copies:
        """The copies of a block, each with its key and evaluated arguments."""
        compiled = self.evaluator.resources[node]
        resource = self.evaluator.module.resources[node.kind, node.name]
        address = ResourceAddress(node.kind, node.name)
        copies = []
        for key, scope in self._scopes(resource, compiled):
            instance_address = address.instance(key)
            mistakes = Diagnostics()
            attributes = evaluate_body(compiled.body, scope, mistakes, stored=True)
            if not compiled.type.provisioned:
                attributes["id"] = str(instance_address)
            self.diagnostics.extend(replace(item, address=str(instance_address)) for item in mistakes)
            copies.append(
                ResourceInstance(
                    instance_address, resource, compiled.type, attributes, resource.provider, compiled.dependencies
                )
            )
        kind = "for_each" if resource.for_each else "count" if resource.count else ""
        return _Copies(kind, tuple(copies))

    def _publish(self, node: Node, copies: _Copies) -> None:
        """Ask what each copy's attributes are, and let references see them."""
        self.copies[node] = copies
        seen: dict[InstanceKey, Value] = {}
        for instance in copies.instances:
            self.instances[instance.address] = instance
            seen[instance.address.key] = from_plain(self.value_of(instance))
        value: Value
        match copies.kind:
            case "for_each":
                value = {str(key): seen[key] for key in sorted(seen, key=str)}
            case "count":
                value = tuple(seen.values())
            case _:
                value = seen.get(None, UNKNOWN)
        self.values[node.kind, node.name] = value

    def _scopes(self, resource: Resource, compiled: CompiledResource) -> Iterator[tuple[InstanceKey, _Scope]]:
        """A scope for each copy; none where the number of copies is wrong, which is reported."""
        expression = resource.for_each or resource.count
        if expression is None:
            yield None, _Scope(self)
            return
        if compiled.copies is None:
            return
        argument = "for_each" if resource.for_each else "count"

        def refuse(detail: str) -> None:
            self.diagnostics.error(f"Invalid {argument}", detail, expression.range)

        try:
            value = compiled.copies.evaluate(_Scope(self))
        except EvaluationError as error:
            self.diagnostics.add(error.diagnostic)
            return
        if has_sensitive(value):
            refuse(f"{argument} decides which addresses there are, and those are shown; a sensitive value cannot.")
        elif contains_unknown_shape(value):
            refuse(
                f"{argument} must be known when planning, and this is known only after apply. Use names from the"
                " configuration as keys, and what is known later as values."
            )
        elif argument == "count":
            try:
                number = convert(value, NUMBER)
            except ConversionError:
                number = None
            if isinstance(number, int) and number >= 0:
                for index in range(number):
                    yield index, _Scope(self, index=index)
            else:
                refuse(f"count takes a whole number from 0 up; this is {short_text(value)}.")
        else:
            pairs = _pairs(value)
            if pairs is None:
                hint = " Wrap the list: toset([...])." if isinstance(value, (tuple, ListValue)) else ""
                refuse(f"for_each takes a map, an object, or a set of strings; this is {short_text(value)}.{hint}")
            else:
                for name, item in pairs:
                    yield name, _Scope(self, key=name, value=item)


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


def _dependency(reference: Reference, module: Module) -> InstanceAddress | None:
    """The resource, or the one copy of it, that a reference names; None for variables and the like."""
    resource = module.resources.get((reference.root, reference.name))
    if resource is None:
        return None
    has_copies = resource.for_each is not None or resource.count is not None
    key = reference.steps[0] if has_copies and reference.steps else None
    return InstanceAddress(reference.root, reference.name, key)
