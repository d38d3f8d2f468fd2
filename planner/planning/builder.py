"""
Desired x recorded x actual -> plan.

    evaluate      what placement decides is taken as recorded, or unknown
    refresh       every pool and host that is involved, once
    place         all volumes together
    evaluate      again, with placement and everything planned known; every instance is compared and becomes a change
    steps         the provider calls that the changes take
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from planner.addresses import InstanceAddress, ModulePath, ProviderAddress, parse_instance
from planner.diagnostics import Diagnostics
from planner.evaluation.evaluator import Evaluator
from planner.evaluation.program import StaticPath
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.events import Observer
from planner.placement.allocator import place
from planner.placement.model import Assignment, Placement
from planner.planning.adoption import find_import, read_data
from planner.planning.comparison import Verdict, compare_recorded, compare_volume
from planner.planning.current import Current, current
from planner.planning.goal import Goal, as_it_is, demand_of, goal_of
from planner.planning.moves import Moves, apply_moves
from planner.planning.placing import candidates, check_pools, held_by_pool, report
from planner.planning.plan import Action, Change, OutputChange, Plan
from planner.planning.refresh import Actual, HostTarget, PoolTarget, refresh
from planner.planning.removal import Removals, in_order
from planner.resources.declared import host_arguments, pool_arguments
from planner.resources.volume import visible
from planner.sdk.hypervisor import HostSpec
from planner.sdk.provider import Providers
from planner.sdk.storage import PoolSpec
from planner.state.model import Attributes, OutputValue, Snapshot
from planner.steps.graph import StepGraph
from planner.values.marks import UNKNOWN, Unknown

BuildSteps = Callable[["Changes"], tuple[StepGraph, Mapping[InstanceAddress, tuple[int, ...]]]]


@dataclass(frozen=True, slots=True)
class Changes:
    """
    What the step builder is given.

    Attributes:
        changes: in dependency order.
        known: attributes of pools and hosts by address, desired before recorded.
        providers: the provider of each of them.
        dependencies: what each instance needs, desired or, for what goes, recorded.
        protected: instances that `prevent_destroy` holds from now on.
    """

    changes: tuple[Change, ...]
    known: Mapping[str, Attributes]
    providers: Mapping[str, ProviderAddress]
    dependencies: Mapping[InstanceAddress, tuple[InstanceAddress, ...]]
    protected: frozenset[InstanceAddress] = frozenset()


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """
    Attributes:
        destroy: plan to take everything away.
        read: refresh from the providers; otherwise what is recorded is taken for what is.
    """

    destroy: bool = False
    read: bool = True


def build_plan(
    evaluator: Evaluator,
    snapshot: Snapshot,
    providers: Callable[[ResourceGraph], Providers],
    build_steps: BuildSteps,
    request: PlanRequest,
    observer: Observer,
) -> tuple[Plan | None, Diagnostics]:
    """
    The plan, or None with the diagnostics that stand in its way; warnings come with a plan, too. Only reads.

    Args:
        providers: opens providers with the evaluated settings.
    """
    return _Planning(evaluator, snapshot, build_steps, request, observer).build(providers)


@dataclass(slots=True)
class _Planning:
    evaluator: Evaluator
    snapshot: Snapshot
    build_steps: BuildSteps
    request: PlanRequest
    observer: Observer
    diagnostics: Diagnostics = field(default_factory=Diagnostics)
    currents: dict[InstanceAddress, Current] = field(default_factory=dict)
    known: dict[str, Attributes] = field(default_factory=dict)
    pool_providers: dict[str, ProviderAddress] = field(default_factory=dict)
    goals: dict[InstanceAddress, Goal] = field(default_factory=dict)
    actual: Actual = field(default_factory=Actual)
    placement: Placement = field(default_factory=Placement)
    changes: dict[InstanceAddress, Change] = field(default_factory=dict)
    moves: Moves = field(default_factory=lambda: Moves(Snapshot("", 0), {}, frozenset()))
    paths: Mapping[StaticPath, tuple[ModulePath, ...]] = field(default_factory=dict)
    imports: dict[InstanceAddress, str] = field(default_factory=dict)
    data: dict[str, Attributes] = field(default_factory=dict)

    def build(self, open_providers: Callable[[ResourceGraph], Providers]) -> tuple[Plan | None, Diagnostics]:
        self.diagnostics.extend(self.evaluator.diagnostics)
        first = self.evaluator.evaluate(self._as_recorded)
        if first.diagnostics.has_errors or self.diagnostics.has_errors:
            self.diagnostics.extend(first.diagnostics)
            return None, self.diagnostics
        self.moves = apply_moves(self.snapshot, self.evaluator.program.modules, first.paths, self.diagnostics)
        self.snapshot, self.paths = self.moves.snapshot, first.paths
        desired = first.graph
        self._learn(desired)
        self._refresh(desired, open_providers(desired))
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        for object in self.snapshot.objects.values():
            self.currents[object.address] = current(object, self.actual)
        if self.moves.changed or any(instance.is_data for instance in desired.instances.values()):
            # Only now is known what data sources say and what moved objects are.
            self.data = read_data(
                (instance for instance in desired.instances.values() if instance.is_data), self.actual, self.diagnostics
            )
            first = self.evaluator.evaluate(self._as_recorded)
            if first.diagnostics.has_errors:
                self.diagnostics.extend(first.diagnostics)
            desired = first.graph
            self._learn(desired)
        self._find_imports(desired)
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        if self.request.destroy:
            outputs: Mapping[str, OutputChange] = {
                name: OutputChange(value, None) for name, value in self.snapshot.outputs.items()
            }
            variables = desired.variables
            instances: Mapping[InstanceAddress, ResourceInstance] = {}
        else:
            self._place(desired)
            if self.diagnostics.has_errors:
                return None, self.diagnostics
            second = self.evaluator.evaluate(self._plan_instance, first)
            self.diagnostics.extend(second.diagnostics)
            instances, variables = second.graph.instances, second.graph.variables
            outputs = self._outputs(second.graph)
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        removals = Removals(self.snapshot, self.currents, self.evaluator.program, self.paths, self.request.destroy)
        self.changes.update((change.address, change) for change in removals.plan(instances.keys(), self.diagnostics))
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        return self._finish(instances, outputs, variables), self.diagnostics

    # -- what is known of each instance --

    def _as_recorded(self, instance: ResourceInstance) -> Attributes:
        """Before planning: what the configuration says, and for the rest what is recorded or was read."""
        if instance.is_data:
            return self.data.get(str(instance.address), instance.attributes)
        object = self.snapshot.objects.get(instance.address)
        if object is None or not instance.type.provisioned:
            return instance.attributes
        recorded = visible(object.attributes)
        return {
            name: recorded.get(name, UNKNOWN) if isinstance(value, Unknown) else value
            for name, value in instance.attributes.items()
        }

    def _learn(self, desired: ResourceGraph) -> None:
        """Pools, hosts and offerings by address: as recorded, and over that as desired."""
        for object in self.snapshot.objects.values():
            if object.address.type != "volume":
                self.known[str(object.address)] = object.attributes
                if object.provider is not None:
                    self.pool_providers[str(object.address)] = object.provider
        for instance in desired.instances.values():
            if instance.address.type != "volume" and not instance.is_data:
                self.known[str(instance.address)] = instance.attributes
                if instance.provider is not None:
                    self.pool_providers[str(instance.address)] = instance.provider

    # -- reading --

    def _refresh(self, desired: ResourceGraph, providers: Providers) -> None:
        """
        Read every pool and host that volumes are on, and those that volumes may go to.

        A pool whose arguments changed is read as it is desired now.
        """
        on_pools: set[str] = set()
        on_hosts: set[str] = set()
        for object in self.snapshot.objects.values():
            if object.address.type == "volume":
                on_pools.add(object.attributes["pool"])
                on_hosts.update(disk["host"] for disk in object.attributes["attachments"])
        ranges = {str(i.address): i.resource.range for i in desired.instances.values()}
        has_volumes = any(address.type == "volume" for address in desired.instances)
        read_from = {i.attributes["pool"] for i in desired.instances.values() if i.is_data}
        importing = bool(self.evaluator.module.imports)
        wanted = (
            set()
            if self.request.destroy or not (has_volumes or read_from)
            else {str(address) for address in desired.instances if address.type in ("pool", "host")}
        )
        pools, hosts = [], []
        for id in sorted((on_pools | on_hosts | wanted) & self.known.keys()):
            attributes, provider = self.known[id], self.pool_providers[id]
            if parse_instance(id).type == "pool":
                spec = PoolSpec(id, pool_arguments(attributes))
                lists = (self.request.read and id in on_pools) or id in read_from or importing
                pools.append(PoolTarget(provider, spec, lists, ranges.get(id)))
            else:
                host = HostSpec(
                    id, id, attributes.get("address"), attributes.get("initiator"), host_arguments(attributes)
                )
                hosts.append(HostTarget(provider, host, self.request.read and id in on_hosts, ranges.get(id)))
        self.actual, mistakes = refresh(pools, hosts, providers, self.observer)
        self.diagnostics.extend(mistakes)

    def _find_imports(self, desired: ResourceGraph) -> None:
        """What `import` blocks take over becomes what the volumes are now."""
        for item in self.evaluator.module.imports:
            id = desired.imports.get(item.target)
            if item.target in self.snapshot.objects or self.request.destroy:
                continue
            if item.target not in desired.instances:
                self.diagnostics.error(
                    "Import of something undeclared",
                    f"{item.target} is not declared. Write its block; the plan then shows what would change.",
                    item.range,
                )
            elif isinstance(id, str):
                found = find_import(id, self.actual, item.range, self.diagnostics)
                if found is not None:
                    self.currents[item.target] = Current(found)
                    self.imports[item.target] = found["id"]

    # -- placing --

    def _place(self, desired: ResourceGraph) -> None:
        for instance in desired.instances.values():
            if instance.address.type == "volume":
                goal = self._goal(instance)
                if goal is not None:
                    self.goals[instance.address] = goal
        declared = {str(a): instance for a, instance in desired.instances.items() if a.type == "pool"}
        check_pools(declared, self.actual, self.diagnostics)
        if self.diagnostics.has_errors:
            return
        pools = {id: self.known[id] for id in declared}
        demands = [demand_of(goal, self.actual, self._now(goal.instance.address)) for goal in self.goals.values()]
        ours = held_by_pool(
            found.attributes
            for address, found in self.currents.items()
            if address.type == "volume" and found.attributes is not None
        )
        placement = self.evaluator.module.settings.placement
        self.placement = place(demands, list(candidates(pools, self.actual, ours)), placement)
        report(demands, self.placement, self.diagnostics)

    # -- comparing --

    def _now(self, address: InstanceAddress) -> Attributes | None:
        found = self.currents.get(address)
        return found.attributes if found else None

    def _goal(self, instance: ResourceInstance) -> Goal | None:
        now, ignored = self._now(instance.address), instance.resource.lifecycle.ignore_changes
        if now is not None and ignored != ():
            instance = as_it_is(instance, now, ignored)
        return goal_of(instance, self.known, self.diagnostics)

    def _plan_instance(self, instance: ResourceInstance) -> Attributes:
        """Decide what becomes of an instance; answers its planned attributes for others to refer to."""
        address = instance.address
        if instance.is_data:
            return self.data.get(str(address), instance.attributes)
        object = self.snapshot.objects.get(address)
        found = self.currents.get(address, Current(None))
        assignment: Assignment | None = None
        if address.type == "volume":
            # References to other volumes may have become known since the first evaluation.
            goal = self._goal(instance)
            if goal is None:
                return instance.attributes
            assignment = self.placement.assignments[address]
            verdict = compare_volume(goal, assignment, found, self.changes, self.diagnostics)
        else:
            verdict = compare_recorded(instance, object, found.attributes)
        held = instance.resource.lifecycle.prevent_destroy or (object is not None and object.protected)
        if verdict.action is Action.REPLACE and held:
            self._refuse_replacement(instance, verdict)
        self.changes[address] = Change(
            address=address,
            action=verdict.action,
            before=found.attributes,
            after=verdict.after,
            provider=instance.provider,
            reason=verdict.reason,
            replace_paths=verdict.paths,
            drift=found.drift,
            assignment=assignment,
            revision=object.revision if object else None,
            holds_data=instance.type.holds_data,
            previous=self.moves.previous.get(address),
            importing=self.imports.get(address, ""),
            create_first=verdict.action is Action.REPLACE and instance.resource.lifecycle.create_before_destroy,
            recorded_anew=found.attributes is not None and (address in self.moves.changed or address in self.imports),
        )
        return visible(verdict.after) if instance.type.provisioned else verdict.after

    def _refuse_replacement(self, instance: ResourceInstance, verdict: Verdict) -> None:
        why = (
            f"{', '.join(verdict.paths)} cannot be changed in place"
            if verdict.paths
            else "replace_triggered_by says so"
        )
        self.diagnostics.error(
            "Protected from destruction",
            f"{instance.address} would be replaced, since {why}, and prevent_destroy holds it. To lift the protection,"
            " apply the block with prevent_destroy = false first.",
            instance.resource.range,
            address=str(instance.address),
        )

    def _outputs(self, graph: ResourceGraph) -> dict[str, OutputChange]:
        before = self.snapshot.outputs
        after = {name: OutputValue(value.value, value.sensitive) for name, value in graph.outputs.items()}
        return {name: OutputChange(before.get(name), after.get(name)) for name in sorted({*before, *after})}

    # -- the plan --

    def _finish(
        self,
        instances: Mapping[InstanceAddress, ResourceInstance],
        outputs: Mapping[str, OutputChange],
        variables: Mapping[str, Any],
    ) -> Plan:
        dependencies = {
            address: self.snapshot.objects[address].dependencies
            if change.after is None
            else _dependencies(instances[address], change.after)
            for address, change in self.changes.items()
        }
        protected = frozenset(a for a, i in instances.items() if i.resource.lifecycle.prevent_destroy and not i.is_data)
        ordered = in_order(self.changes, dependencies)
        graph, made = self.build_steps(
            Changes(tuple(ordered), self.known, self.pool_providers, dependencies, protected)
        )
        changes = tuple(
            replace(change, steps=made.get(change.address, ()))
            for change in sorted(ordered, key=lambda change: change.address)
        )
        return Plan(
            operation="destroy" if self.request.destroy else "apply",
            lineage=self.snapshot.lineage,
            serial=self.snapshot.serial,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            changes=changes,
            outputs=outputs,
            steps=graph,
            variables=variables,
            warnings=tuple(self.diagnostics),
        )


def _dependencies(instance: ResourceInstance, after: Attributes) -> tuple[InstanceAddress, ...]:
    """
    What must outlive an instance: what it refers to, and for a volume its pool and hosts, whoever chose them.

    Where the very copy is known, it stands for the reference to all of them.
    """
    if instance.address.type != "volume":
        return instance.dependencies
    named = {parse_instance(id) for id in (after["offering"], after["pool"], *after["access"])}
    exact = {address.resource for address in named}
    return tuple(sorted({*named, *(need for need in instance.dependencies if need.resource not in exact)}))
