"""
A module tree, compiled: every block as a node, what it needs as edges, its expressions as closures, in an order in
which each comes after what it needs. Made once; `planner.evaluation.evaluator` runs it as often as a stage asks.

A node stands for a block as written. A module that is called for several keys has its nodes once; they are evaluated
for each of its instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from planner.addresses import ProviderAddress
from planner.config.model import Condition, Module, ModuleCall, ProviderBlock, Resource
from planner.dependency import CycleError, DependencyGraph
from planner.diagnostics import Diagnostics, SourceRange, did_you_mean
from planner.evaluation.arguments import CompiledBody, compile_body, iterator_of
from planner.evaluation.compiler import Compiled, compile_expression
from planner.evaluation.functions.signature import Function
from planner.evaluation.references import Reference, references
from planner.resources.catalog import DATA_TYPES, PROVIDED, RESOURCE_TYPES
from planner.resources.schema import ResourceType
from planner.sdk.provider import MAX_CALLS, ProviderDefinition
from planner.syntax import ast

ROOTS = ("var", "local", "each", "count", "path", "lunform", "module", "data", "self")

_GIVEN = {"path": ("module", "root", "cwd"), "lunform": ("workspace",)}
"""Names that every module has."""

Definitions = Callable[[str], ProviderDefinition | None]

StaticPath = tuple[str, ...]
"""Names of the calls on the way to a module, without keys; `()` is the root."""


@dataclass(frozen=True, slots=True)
class Node:
    """
    One thing with a value.

    Attributes:
        kind: "var", "local", "provider", "output", "check", "module" for a call, a resource type, or "data." and one.
    """

    kind: str
    name: str
    module: StaticPath = ()

    def __str__(self) -> str:
        own = f"{self.kind}.{self.name}"
        return ".".join([*(f"module.{name}" for name in self.module), own])


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    condition: Compiled
    message: Compiled
    range: SourceRange


@dataclass(frozen=True, slots=True)
class CompiledResource:
    """`provider` is that of a pool or host, as the root module calls it."""

    resource: Resource
    type: ResourceType
    body: CompiledBody
    copies: Compiled | None
    provider: ProviderAddress | None
    preconditions: tuple[CompiledCondition, ...] = ()
    postconditions: tuple[CompiledCondition, ...] = ()
    provider_key: Compiled | None = None


@dataclass(frozen=True, slots=True)
class CompiledProvider:
    address: ProviderAddress
    for_each: ast.Expression | None
    copies: Compiled | None
    body: CompiledBody


@dataclass(frozen=True, slots=True)
class CompiledCall:
    call: ModuleCall
    copies: Compiled | None
    inputs: Mapping[str, Compiled]


@dataclass(slots=True)
class Program:
    """
    Attributes:
        order: all nodes, each after what it needs; empty where there is a cycle.
        after_provisioned: the nodes whose values depend on volumes or VMs, directly or not.
        for_providers: the providers' nodes, and what they need, directly or not.
        needs: the resources that each resource's node refers to, also by way of locals, variables and outputs.
        diagnostics: mistakes that need no values to be seen: unknown names, unknown arguments, cycles.
    """

    modules: dict[StaticPath, Module] = field(default_factory=dict)
    order: list[Node] = field(default_factory=list)
    after_provisioned: set[Node] = field(default_factory=set)
    for_providers: set[Node] = field(default_factory=set)
    expressions: dict[Node, Compiled] = field(default_factory=dict)
    resources: dict[Node, CompiledResource] = field(default_factory=dict)
    calls: dict[Node, CompiledCall] = field(default_factory=dict)
    checks: dict[Node, tuple[CompiledCondition, ...]] = field(default_factory=dict)
    providers: dict[Node, CompiledProvider] = field(default_factory=dict)
    needs: dict[Node, tuple[Node, ...]] = field(default_factory=dict)
    edges: dict[tuple[Node, Node], SourceRange] = field(default_factory=dict)
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def has_aftermath(self) -> bool:
        """Something is to be worked out once everything is applied: outputs, checks or postconditions."""
        return bool(
            self.modules[()].outputs or self.checks or any(found.postconditions for found in self.resources.values())
        )


def compile_program(root: Module, functions: Mapping[str, Function], definitions: Definitions) -> Program:
    """Compile a module and all that it calls. Mistakes are in the program's diagnostics, and the rest is there."""
    return _Builder(functions, definitions).build(root)


def undeclared(program: Program, expression: ast.Expression) -> Diagnostics:
    """What an expression of the root module, outside of all blocks, refers to and is not there."""
    # The edges of its references are drawn as for any node, in a program that nobody sees.
    builder = _Builder({}, lambda name: None)
    builder.program.modules = program.modules
    _ModuleBuilder(builder, (), program.modules[()])._needs(Node("console", ""), references(expression))
    return builder.diagnostics


class _Builder:
    def __init__(self, functions: Mapping[str, Function], definitions: Definitions) -> None:
        self.functions = functions
        self.definitions = definitions
        self.program = Program()
        self.diagnostics = self.program.diagnostics
        self.graph: DependencyGraph[Node] = DependencyGraph()
        self.ranges: dict[Node, SourceRange] = {}

    def build(self, root: Module) -> Program:
        program = self.program
        self._collect((), root)
        for path, module in program.modules.items():
            _ModuleBuilder(self, path, module).build()
        try:
            program.order = self.graph.order()
        except CycleError as error:
            self._report_cycle(error)
            return program
        program.after_provisioned = self.graph.downstream(
            node for node in program.order if (type := RESOURCE_TYPES.get(node.kind)) and type.provisioned
        )
        program.for_providers = self.graph.upstream(program.providers) | program.providers.keys()
        self._find_needs()
        return program

    def _collect(self, path: StaticPath, module: Module) -> None:
        self.program.modules[path] = module
        for call in module.calls.values():
            if call.module is not None:
                self._collect((*path, call.name), call.module)

    def _find_needs(self) -> None:
        """Resources behind locals, variables, outputs and calls are needed by whoever refers to those."""
        direct: dict[Node, list[Node]] = {}
        for needing, needed in self.program.edges:
            direct.setdefault(needing, []).append(needed)
        behind: dict[Node, frozenset[Node]] = {}
        for node in self.program.order:
            found: set[Node] = set()
            for needed in direct.get(node, ()):
                found.update((needed,) if needed.kind in RESOURCE_TYPES else behind.get(needed, ()))
            behind[node] = frozenset(found)
            if node.kind in RESOURCE_TYPES:
                self.program.needs[node] = tuple(sorted(found, key=str))

    def _report_cycle(self, error: CycleError) -> None:
        path: list[Node] = [node for node in error.path if isinstance(node, Node)]
        related = []
        for node, need in zip(path, [*path[1:], path[0]], strict=True):
            range = self.program.edges.get((node, need), self.ranges[node])
            related.append((f"{node} needs {need}", range))
        loop = " -> ".join(str(node) for node in [*path, path[0]])
        self.diagnostics.error(
            "Cycle",
            f"These need each other, so none can come first: {loop}. Break the loop at one of the references.",
            related[0][1],
            related=tuple(related),
        )


class _ModuleBuilder:
    """Adds one module's nodes to the program."""

    def __init__(self, builder: _Builder, path: StaticPath, module: Module) -> None:
        self.builder = builder
        self.program = builder.program
        self.diagnostics = builder.diagnostics
        self.path = path
        self.module = module
        self.own_call = Node("module", path[-1], path[:-1]) if path else None

    def build(self) -> None:
        module = self.module
        for variable in module.variables.values():
            self._variable(self._node("var", variable.name, variable.range))
        for local in module.locals.values():
            self._expression(self._node("local", local.name, local.range), local.value)
        for provider in module.providers.values():
            self._provider(provider.address)
        for call in module.calls.values():
            self._call(call)
        for resource in module.resources.values():
            self._resource(resource, resource.type, RESOURCE_TYPES[resource.type])
        for resource in module.data.values():
            self._resource(resource, f"data.{resource.type}", DATA_TYPES[resource.type])
        for check in module.checks.values():
            node = self._node("check", check.name, check.range)
            self.program.checks[node] = self._conditions(node, check.assertions, ())
        for item in module.imports:
            self._expression(self._node("import", str(item.target), item.range), item.id)
        for output in module.outputs.values():
            node = self._node("output", output.name, output.range)
            self._expression(node, output.value)
            for dependency in output.depends_on:
                self._needs(node, references(dependency))

    def _node(self, kind: str, name: str, range: SourceRange) -> Node:
        node = Node(kind, name, self.path)
        self.builder.ranges[node] = range
        self.builder.graph.add(node, [self.own_call] if self.own_call else ())
        return node

    def _edge(self, node: Node, needed: Node, range: SourceRange) -> None:
        self.builder.graph.add(node, [needed])
        self.program.edges.setdefault((node, needed), range)

    def _compile(self, expression: ast.Expression) -> Compiled:
        return compile_expression(expression, self.builder.functions)

    def _expression(self, node: Node, expression: ast.Expression) -> None:
        self._needs(node, references(expression))
        self.program.expressions[node] = self._compile(expression)

    def _body(
        self, body: ast.Body, type: ResourceType, owner: str, range: SourceRange, extra: tuple[str, ...]
    ) -> CompiledBody:
        return compile_body(
            body, type.arguments, type.blocks, owner, range, extra, self.builder.functions, self.diagnostics
        )

    def _variable(self, node: Node) -> None:
        """A called module's variable needs what the call gives it."""
        variable = self.module.variables[node.name]
        if variable.sensitive and _is_text(variable.default):
            self.diagnostics.warning(
                "Secret in the configuration",
                f"var.{variable.name} is sensitive, and its default is a text of the configuration, which saved plans"
                " and the history hold. Leave the default out, and give the value from outside.",
                variable.range,
            )
        if self.own_call is None:
            return
        call = self.program.modules[self.path[:-1]].calls[self.path[-1]]
        given = call.body.argument(node.name)
        if given is not None:
            caller = _ModuleBuilder(self.builder, self.path[:-1], self.program.modules[self.path[:-1]])
            special = ("each",) if call.for_each else ("count",) if call.count else ()
            for reference in references(given.value):
                caller._need(node, reference, special)

    def _provider(self, address: ProviderAddress) -> None:
        block = self.module.providers[address]
        node = self._node("provider", str(address), block.range)
        if self.path:
            self.diagnostics.error(
                "Provider configuration in a called module",
                "Providers are configured in the root module, and passed on: in the module block, write"
                f" providers = {{ {address.name} = {address} }}.",
                block.range,
            )
        self._needs(node, references(block.body), ("each",) if block.for_each else ())
        if block.for_each is not None:
            self._needs(node, references(block.for_each))
        definition = self._definition(address, block.range)
        if definition is not None:
            settings = ResourceType(address.name, definition.summary, (*definition.settings, MAX_CALLS))
            owner = f'provider "{address.name}"'
            self._warn_of_secrets(block, definition)
            body = self._body(block.body, settings, owner, block.range, ("alias", "for_each"))
            copies = self._compile(block.for_each) if block.for_each else None
            self.program.providers[node] = CompiledProvider(address, block.for_each, copies, body)

    def _warn_of_secrets(self, block: ProviderBlock, definition: ProviderDefinition) -> None:
        """What is stored though it is secret. The line is not shown: it may hold the secret."""
        for argument in definition.settings:
            given = block.body.argument(argument.name)
            if given is None or not argument.sensitive:
                continue
            if _is_text(given.value):
                self.diagnostics.warning(
                    "Secret in the configuration",
                    f'"{argument.name}" is a secret, and this one is a text of the configuration, which saved plans and'
                    " the history hold. Give it from outside, by a variable with sensitive = true.",
                    block.range,
                )
            for reference in references(given.value):
                variable = self.module.variables.get(reference.name) if reference.root == "var" else None
                if variable is not None and reference.range == given.value.range and not variable.sensitive:
                    self.diagnostics.warning(
                        "Secret that is stored",
                        f'"{argument.name}" is a secret, and saved plans and the history hold the values of variables'
                        f" that are not sensitive. Add sensitive = true to var.{variable.name}.",
                        variable.range,
                    )

    def _call(self, call: ModuleCall) -> None:
        node = self._node("module", call.name, call.range)
        copies = call.for_each or call.count
        if copies is not None:
            self._needs(node, references(copies))
        for dependency in call.depends_on:
            self._needs(node, references(dependency))
        inputs = {}
        if call.module is not None:
            variables = call.module.variables
            for argument in call.body.arguments:
                if argument.name in variables:
                    inputs[argument.name] = self._compile(argument.value)
                else:
                    self.diagnostics.error(
                        "Unsupported argument",
                        f'The module "{call.name}" has no variable "{argument.name}".'
                        f"{did_you_mean(argument.name, variables)}",
                        argument.name_range,
                        related=_declared(call.module),
                    )
            for variable in variables.values():
                if variable.default is None and call.body.argument(variable.name) is None:
                    self.diagnostics.error(
                        "Missing required argument",
                        f'module "{call.name}" needs the argument "{variable.name}".',
                        call.range,
                        related=(("declared here", variable.range),),
                    )
        self.program.calls[node] = CompiledCall(call, self._compile(copies) if copies else None, inputs)

    def _resource(self, resource: Resource, kind: str, type: ResourceType) -> None:
        node = self._node(kind, resource.name, resource.range)
        copies, lifecycle = resource.for_each or resource.count, resource.lifecycle
        special = ("each",) if resource.for_each else ("count",) if resource.count else ()
        self._needs(node, _body_references(resource.body), special)
        if copies is not None:
            self._needs(node, references(copies))
        for dependency in resource.depends_on:
            self._needs(node, references(dependency))
        for trigger in lifecycle.replace_triggered_by:
            self._needs(node, references(trigger), special)
        if resource.provider_key is not None:
            self._needs(node, references(resource.provider_key), special)
        provider = None
        extra: tuple[str, ...] = ("count", "for_each", "depends_on")
        if kind in PROVIDED:
            type, provider = self._with_provider(resource, type, node)
            extra = (*extra, "provider")
        owner = f'{resource.type} "{resource.name}"'
        body = self._body(resource.body, type, owner, resource.range, extra)
        self._check_ignored(resource, type, owner)
        self.program.resources[node] = CompiledResource(
            resource=resource,
            type=type,
            body=body,
            copies=self._compile(copies) if copies else None,
            provider=provider,
            provider_key=self._compile(resource.provider_key) if resource.provider_key else None,
            preconditions=self._conditions(node, lifecycle.preconditions, special),
            postconditions=self._conditions(node, lifecycle.postconditions, (*special, "self")),
        )

    def _conditions(
        self, node: Node, conditions: tuple[Condition, ...], special: tuple[str, ...]
    ) -> tuple[CompiledCondition, ...]:
        for item in conditions:
            self._needs(node, references(item.condition), special)
            self._needs(node, references(item.error_message), special)
        return tuple(
            CompiledCondition(self._compile(item.condition), self._compile(item.error_message), item.range)
            for item in conditions
        )

    def _check_ignored(self, resource: Resource, type: ResourceType, owner: str) -> None:
        known = [argument.name for argument in type.settable()] + [block.type for block in type.blocks]
        lifecycle = resource.lifecycle
        if not type.provisioned and (lifecycle.ignore_changes != () or lifecycle.replace_triggered_by):
            self.diagnostics.error(
                "Unsupported argument",
                f"{owner} is only recorded, so there is nothing to ignore or to replace; ignore_changes and"
                " replace_triggered_by are for volumes and VMs.",
                resource.range,
            )
            return
        for name in lifecycle.ignore_changes or ():
            if name not in known:
                self.diagnostics.error(
                    "Invalid ignore_changes",
                    f'{owner} has no argument "{name}".{did_you_mean(name, known)}',
                    resource.range,
                )

    # -- providers --

    def _with_provider(
        self, resource: Resource, type: ResourceType, node: Node
    ) -> tuple[ResourceType, ProviderAddress | None]:
        """A pool's or host's type with its provider's arguments, and the provider as the root module calls it."""
        own, range = resource.provider, resource.provider_range or resource.range
        if own is None:
            if resource.provider_range is None:
                detail = f'{resource.type} "{resource.name}" needs the argument "provider".'
                self.diagnostics.error("Missing required argument", detail, resource.range)
            return type, None
        address = self._as_root_calls(own, self.path)
        definition = self._definition(address, range)
        if definition is None:
            return type, None
        root = self.program.modules[()]
        if address in root.providers:
            self._edge(node, Node("provider", str(address)), range)
            has_copies = root.providers[address].for_each is not None
            if has_copies is not (resource.provider_key is not None) and not self.path:
                needs = f'say which: {address}["KEY"]' if has_copies else "its block has no for_each, so no key fits"
                self.diagnostics.error("Invalid provider reference", f"provider {address}: {needs}.", range)
        elif address.alias is not None:
            self.diagnostics.error(
                "Undeclared provider configuration",
                f'There is no provider "{address.name}" block with alias = "{address.alias}".'
                f"{did_you_mean(str(address), [str(known) for known in root.providers])}",
                range,
            )
        is_pool = resource.type == "pool"
        if (definition.open_storage if is_pool else definition.open_hypervisor) is None:
            word = "storage" if is_pool else "hypervisors"
            self.diagnostics.error(
                "Unsuitable provider",
                f'The provider "{address.name}" does not do {word}, so a {resource.type} cannot use it.',
                range,
            )
        extra = definition.pool_arguments if is_pool else definition.host_arguments
        return replace(type, arguments=(*type.arguments, *extra)), address

    def _as_root_calls(self, address: ProviderAddress, path: StaticPath) -> ProviderAddress:
        """What a module calls `address`, followed through the `providers` of each call up to the root."""
        while path:
            call = self.program.modules[path[:-1]].calls[path[-1]]
            address = call.providers.get(str(address), address)
            path = path[:-1]
        return address

    def _definition(self, address: ProviderAddress, range: SourceRange) -> ProviderDefinition | None:
        definition = self.builder.definitions(address.name)
        if definition is None:
            self.diagnostics.error(
                "Unknown provider",
                f'No installed provider has the name "{address.name}". "lunform providers" lists those that are'
                " installed.",
                range,
            )
        return definition

    # -- references --

    def _needs(self, node: Node, found: Iterable[Reference], special: tuple[str, ...] = ()) -> None:
        for reference in found:
            self._need(node, reference, special)

    def _need(self, node: Node, reference: Reference, special: tuple[str, ...]) -> None:
        """Draw an edge for a reference, or report that it names nothing."""
        if reference.root in special or reference.name in _GIVEN.get(reference.root, ()):
            return
        targets = list(self._targets(reference))
        for target in targets:
            self._edge(node, target, reference.range)
        if not targets:
            self._report_unknown(reference)

    def _targets(self, reference: Reference) -> Iterator[Node]:
        root, name = reference.root, reference.name
        known: Mapping[str, object] = {}
        if root == "var":
            known = self.module.variables
        elif root == "local":
            known = self.module.locals
        elif root == "module" and name in self.module.calls:
            yield from self._outputs(self.module.calls[name], reference)
            return
        elif (root, name) in self.module.resources or (root.removeprefix("data."), name) in self._data(root):
            known = {name: None}
        if name in known:
            yield Node(root, name, self.path)

    def _data(self, root: str) -> Mapping[tuple[str, str], Resource]:
        return self.module.data if root.startswith("data.") else {}

    def _outputs(self, call: ModuleCall, reference: Reference) -> Iterator[Node]:
        """The call, and the outputs that the reference may mean: the one it names, or all."""
        yield Node("module", call.name, self.path)
        if call.module is None:
            return
        steps = reference.steps[1:] if call.for_each or call.count else reference.steps
        inside = (*self.path, call.name)
        if steps and isinstance(steps[0], str):
            if steps[0] in call.module.outputs:
                yield Node("output", steps[0], inside)
            else:
                self.diagnostics.error(
                    "Reference to something undeclared",
                    f'The module "{call.name}" has no output "{steps[0]}".'
                    f"{did_you_mean(steps[0], call.module.outputs)}",
                    reference.range,
                )
            return
        for output in call.module.outputs:
            yield Node("output", output, inside)
        if not reference.steps:
            # `depends_on = [module.x]` means all that is in it, outputs or not.
            for path, module in self.program.modules.items():
                if path[: len(inside)] == inside:
                    for type, name in module.resources:
                        yield Node(type, name, path)

    def _report_unknown(self, reference: Reference) -> None:
        root, name = reference.root, reference.name
        if not name and (root in ROOTS or root in RESOURCE_TYPES):
            detail = f'"{root}" alone has no value. It is followed by a name, as in "{root}.NAME".'
        elif root in _GIVEN:
            detail = f'There is no "{root}.{name}".{did_you_mean(name, _GIVEN[root])}'
        elif root in ("var", "local"):
            known = self.module.variables if root == "var" else self.module.locals
            what, how = ("variable", f'variable "{name}" {{}}') if root == "var" else ("local value", "a locals block")
            detail = f'There is no {what} "{name}". Declare it with {how}.{did_you_mean(name, known)}'
        elif root in ("each", "count"):
            argument = "for_each" if root == "each" else "count"
            detail = f'"{root}.{name}" has a value only in a block with {argument}.'
        elif root == "module":
            detail = f'No module block is called "{name}".{did_you_mean(name, self.module.calls)}'
        elif root.startswith("data."):
            known_names = [known for type, known in self.module.data if f"data.{type}" == root]
            detail = f'There is no data "{root[5:]}" "{name}" in this module.{did_you_mean(name, known_names)}'
        elif root in RESOURCE_TYPES:
            known_names = [known for type, known in self.module.resources if type == root]
            detail = f'There is no {root} "{name}" in this module.{did_you_mean(name, known_names)}'
        elif not name:
            detail = (
                f"A bare word refers to something, and nothing is called {root}. If a text is meant, put it in quotes:"
                f' "{root}".'
            )
        else:
            detail = f'Nothing is called "{root}".{did_you_mean(root, [*ROOTS, *RESOURCE_TYPES])}'
        self.diagnostics.error("Reference to something undeclared", detail, reference.range)


def _body_references(body: ast.Body) -> Iterator[Reference]:
    """References of a body's arguments and blocks; what a dynamic block's iterator is called is none in its content."""
    for argument in body.arguments:
        yield from references(argument.value)
    for block in body.blocks:
        if block.type != "dynamic":
            yield from _body_references(block.body)
            continue
        for_each = block.body.argument("for_each")
        if for_each is not None:
            yield from references(for_each.value)
        iterator = iterator_of(block)
        for content in block.body.blocks:
            yield from (found for found in _body_references(content.body) if found.root != iterator)


def _declared(module: Module) -> tuple[tuple[str, SourceRange], ...]:
    """Where a called module declares its first variable, for who looks for the right name."""
    first = next(iter(module.variables.values()), None)
    return (("its variables are declared here", first.range),) if first else ()


def _is_text(expression: ast.Expression | None) -> bool:
    """A text that stands in the configuration as it is; an empty one says nothing."""
    return isinstance(expression, ast.Literal) and isinstance(expression.value, str) and expression.value != ""
