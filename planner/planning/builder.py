"""
Desired x recorded x actual -> plan.

    evaluate      what placement decides is taken as recorded, or unknown
    refresh       every pool and host that is involved, once
    place         all volumes together
    evaluate      again, with placement and everything planned known; every instance is compared and becomes a change
    steps         the provider calls that the changes take
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from planner.addresses import InstanceAddress, ModulePath, ProviderAddress, parse_instance
from planner.diagnostics import Diagnostics, SourceRange
from planner.evaluation.evaluator import Evaluator
from planner.evaluation.program import StaticPath
from planner.evaluation.references import references
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.events import Observer
from planner.placement.allocator import place
from planner.placement.model import Assignment, Candidate, Placement, Rejection
from planner.planning.adoption import find_import, read_data
from planner.planning.current import Current, current
from planner.planning.goal import Goal, as_it_is, demand_of, goal_of, planned_attributes
from planner.planning.moves import Moves, apply_moves, covers
from planner.planning.plan import Action, Change, OutputChange, Plan
from planner.planning.refresh import Actual, HostTarget, PoolTarget, refresh
from planner.resources.declared import host_arguments, pool_arguments
from planner.resources.volume import visible
from planner.sdk.hypervisor import HostSpec
from planner.sdk.provider import Providers
from planner.sdk.storage import PoolSpec
from planner.state.model import Attributes, OutputValue, RecordedObject, Snapshot
from planner.steps.graph import StepGraph
from planner.units import format_size, parse_size
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
            desired = first.graph
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
        self._plan_removals(instances)
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
        candidates = [
            self._candidate(id, attributes)
            for address in desired.instances
            if address.type == "pool" and (attributes := self.known[(id := str(address))]) and id in self.actual.pools
        ]
        demands = [demand_of(goal, self.actual, self._now(goal.instance.address)) for goal in self.goals.values()]
        self.placement = place(demands, candidates)
        ranges = {demand.address: demand.range for demand in demands}
        for address, rejections in self.placement.unplaced.items():
            self._report_unplaced(address, rejections, ranges[address])
        for demand in demands:
            assignment = self.placement.assignments.get(demand.address)
            if assignment is not None and demand.enforcement == "best_effort":
                who = assignment.enforcement
                lacking = [n for n in ("floor", "ceiling", "burst") if getattr(who, n) == "none"]
                if lacking:
                    self.diagnostics.warning(
                        "Figures that nobody holds",
                        f"On {assignment.pool} nobody holds the {', '.join(lacking)} of this volume; its offering asks"
                        " for best effort only.",
                        demand.range,
                        address=str(demand.address),
                    )

    def _report_unplaced(
        self, address: InstanceAddress, rejections: tuple[Rejection, ...], range: SourceRange | None
    ) -> None:
        now = self._now(address)
        summary = "No pool can take the volume"
        if now is not None and [rejection.pool for rejection in rejections] == [now["pool"]]:
            summary = "The volume does not fit its pool any more"
            detail = (
                f"{address} is on {now['pool']}: {rejections[0].reason}. It is not moved by itself: that would lose"
                " its data. Make room there; or pin it elsewhere with the argument pool, which replaces it."
            )
        elif rejections:
            width = max(len(rejection.pool) for rejection in rejections)
            rows = [f"  {r.pool:<{width}}  {r.filter:<6}  {r.reason}" for r in rejections]
            detail = "\n".join(["Every pool was refused:", *rows])
        else:
            detail = "The configuration declares no pool."
        self.diagnostics.error(summary, detail, range, address=str(address))

    def _candidate(self, id: str, attributes: Attributes) -> Candidate:
        reading = self.actual.pools[id]
        capacity = attributes.get("capacity")
        return Candidate(
            id=id,
            spec=PoolSpec(id, pool_arguments(attributes)),
            array=reading.array,
            status=reading.status,
            tags=frozenset(attributes.get("tags") or ()),
            zone=attributes.get("zone"),
            exclusive=bool(attributes.get("exclusive")),
            enabled=attributes.get("state") == "enabled",
            capacity=None if capacity is None else parse_size(capacity),
            capacity_iops=attributes.get("capacity_iops"),
            overprovision=float(attributes.get("overprovision") or 1),
        )

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
            action, after, paths, reason = self._compare_volume(goal, assignment, found)
        else:
            after, paths, reason = dict(instance.attributes), (), ""
            now = found.attributes
            same = (
                now is not None and dict(now) == after and object is not None and object.provider == instance.provider
            )
            action = Action.CREATE if now is None else Action.NO_OP if same else Action.UPDATE
        if action is Action.REPLACE and self._is_protected(instance.resource.lifecycle.prevent_destroy, object):
            self._refuse_destruction(address, f"would be replaced, since {', '.join(paths)} cannot be changed in place")
        self.changes[address] = Change(
            address=address,
            action=action,
            before=found.attributes,
            after=after,
            provider=instance.provider,
            reason=reason,
            replace_paths=paths,
            drift=found.drift,
            assignment=assignment,
            revision=object.revision if object else None,
            holds_data=instance.type.holds_data,
            previous=self.moves.previous.get(address),
            importing=self.imports.get(address, ""),
            recorded_anew=found.attributes is not None and (address in self.moves.changed or address in self.imports),
        )
        return visible(after) if instance.type.provisioned else after

    def _compare_volume(
        self, goal: Goal, assignment: Assignment, found: Current
    ) -> tuple[Action, dict[str, Any], tuple[str, ...], str]:
        now = found.attributes
        if now is None:
            reason = "gone_outside" if found.drift else ""
            return Action.CREATE, planned_attributes(goal, assignment, None), (), reason
        wanted = (("pool", assignment.pool), ("name", goal.name_of(now)))
        paths = tuple(name for name, value in wanted if now[name] != value)
        if paths:
            return Action.REPLACE, planned_attributes(goal, assignment, None), paths, "replace_because_cannot_update"
        if self._is_triggered(goal.instance):
            return Action.REPLACE, planned_attributes(goal, assignment, None), (), "replace_by_triggers"
        had = parse_size(now["size"])
        if goal.size < had:
            given = goal.instance.resource.body.argument("size")
            self.diagnostics.error(
                "Volumes cannot shrink",
                f"{goal.instance.address} has {format_size(had)} and would get {format_size(goal.size)}: what lies"
                f" beyond would be lost.{_grown_outside(found, had)} Keep the size, or make a new volume and copy the"
                " data.",
                given.value.range if given else goal.instance.resource.range,
                address=str(goal.instance.address),
            )
        after = planned_attributes(goal, assignment, now)
        return (Action.NO_OP if _same_volume(now, after) else Action.UPDATE), after, (), ""

    def _is_triggered(self, instance: ResourceInstance) -> bool:
        """Something in `replace_triggered_by` changes: an object, or the attribute of it that is named."""
        for trigger in instance.resource.lifecycle.replace_triggered_by:
            for reference in references(trigger):
                for address, change in self.changes.items():
                    named = (address.type, address.name, address.module)
                    if named != (reference.root, reference.name, instance.address.module):
                        continue
                    steps = list(reference.steps)
                    if address.key is not None and steps and steps.pop(0) != address.key:
                        continue
                    if change.action is Action.NO_OP:
                        continue
                    before, after = change.before or {}, change.after or {}
                    if not steps or before.get(str(steps[0])) != after.get(str(steps[0])):
                        return True
        return False

    def _plan_removals(self, instances: Mapping[InstanceAddress, ResourceInstance]) -> None:
        kept = self._kept(instances)
        for object in self.snapshot.objects.values():
            address = object.address
            if address in instances or address in kept:
                continue
            now = self.currents[address]
            forgets = now.attributes is None or self._is_let_go(object)
            self.changes[address] = Change(
                address=address,
                action=Action.FORGET if forgets else Action.DELETE,
                before=now.attributes if now.attributes is not None else object.attributes,
                after=None,
                provider=object.provider,
                reason="forget_because_removed" if self._is_removed(object) else self._why_removed(address),
                drift=now.drift,
                revision=object.revision,
                holds_data=address.type == "volume",
            )

    def _is_let_go(self, object: RecordedObject) -> bool:
        """It leaves the record and stays on its system: by `on_destroy`, or by a `removed` block."""
        retained = object.address.type == "volume" and object.attributes.get("on_destroy") == "retain"
        return retained or self._is_removed(object)

    def _is_removed(self, object: RecordedObject) -> bool:
        """A `removed` block lets it go without destroying it."""
        return not self.request.destroy and any(
            covers(removed.source, object.address) and not removed.destroy for removed in self.evaluator.module.removed
        )

    def _why_removed(self, address: InstanceAddress) -> str:
        if self.request.destroy:
            return ""
        static = tuple(step.name for step in address.module)
        module = self.evaluator.program.modules.get(static)
        if module is None or address.module not in self.paths.get(static, ()):
            return "delete_because_no_module"
        if (address.type, address.name) not in module.resources:
            return "delete_because_no_resource_config"
        if address.key is None:
            return "delete_because_wrong_repetition"
        return "delete_because_each_key" if isinstance(address.key, str) else "delete_because_count_index"

    def _kept(self, instances: Mapping[InstanceAddress, ResourceInstance]) -> set[InstanceAddress]:
        """
        What would go, but is protected, and what that needs. The rest of the plan goes on without it.
        """
        objects = self.snapshot.objects
        kept: set[InstanceAddress] = set()
        waiting = [
            object.address
            for object in objects.values()
            if object.protected and object.address not in instances and self._now(object.address) is not None
        ]
        for address in waiting:
            self.diagnostics.warning(
                "Protected from destruction",
                f"{address} is not in the configuration any more, and prevent_destroy keeps it; the protection outlives"
                " the block. It is left as it is. To lift the protection, apply the block with prevent_destroy = false"
                " first."
                if not self.request.destroy
                else f"{address} is left as it is, with what it needs. To lift the protection, apply it with"
                " prevent_destroy = false first.",
                address=str(address),
            )
        while waiting:
            address = waiting.pop()
            if address not in kept and address in objects:
                kept.add(address)
                for need in objects[address].dependencies:
                    waiting.extend(
                        other
                        for other in objects
                        if other == need or (need.key is None and other.resource == need.resource)
                    )
        return kept

    def _is_protected(self, by_block: bool, object: RecordedObject | None) -> bool:
        return by_block or (object is not None and object.protected)

    def _refuse_destruction(self, address: InstanceAddress, what: str) -> None:
        resource = self.evaluator.module.resources.get((address.type, address.name))
        self.diagnostics.error(
            "Protected from destruction",
            f"{address} {what}, and prevent_destroy holds it. The protection outlives the block: to lift it, apply the"
            " block with prevent_destroy = false first.",
            resource.range if resource else None,
            address=str(address),
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
        ordered = _in_order(self.changes, dependencies)
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


def _grown_outside(found: Current, had: int) -> str:
    """An explanation for who did not write the larger size."""
    if any(item.path == "size" for item in found.drift):
        return f' It was grown outside; size = "{format_size(had)}" accepts that.'
    return ""


def _same_volume(now: Attributes, after: Mapping[str, Any]) -> bool:
    """Whether nothing is to be done: what is unknown in `after` is what apply would find anyway."""
    for name, value in after.items():
        if name == "access":
            if {host: (p.get("address"), p.get("initiator")) for host, p in now["access"].items()} != {
                host: (p["address"], p["initiator"]) for host, p in value.items()
            }:
                return False
        elif name == "attachments":
            if len(now[name]) != len(value):
                return False
            had = {(disk["host"], disk["vm"]): disk for disk in now[name]}
            for disk in value:
                there = had.get((disk["host"], disk["vm"]))
                if there is None or any(
                    there.get(key) != wanted for key, wanted in disk.items() if not isinstance(wanted, Unknown)
                ):
                    return False
        elif not isinstance(value, Unknown) and now.get(name) != value:
            return False
    return True


def _in_order(
    changes: Mapping[InstanceAddress, Change], dependencies: Mapping[InstanceAddress, Iterable[InstanceAddress]]
) -> list[Change]:
    """What stays is in dependency order already; what goes comes after what it depended on."""
    stays = [change for change in changes.values() if change.after is not None]
    goes = {address: change for address, change in changes.items() if change.after is None}
    placed: dict[InstanceAddress, Change] = {}

    def visit(address: InstanceAddress) -> None:
        waiting = [address]
        while waiting:
            at = waiting[-1]
            open_needs = [
                need for need in dependencies.get(at, ()) if need in goes and need not in placed and need not in waiting
            ]
            if open_needs:
                waiting.extend(open_needs)
            else:
                waiting.pop()
                placed.setdefault(at, goes[at])

    for address in sorted(goes):
        visit(address)
    return [*stays, *placed.values()]
