"""
Desired x recorded x actual -> plan.

    evaluate      what placement decides is taken as recorded, or unknown
    refresh       every pool and host that is involved, once
    place         all volumes together
    evaluate      again, with placement and everything planned known; every instance is compared and becomes a change
    steps         the provider calls that the changes take
"""

from __future__ import annotations

import secrets
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
from planner.placement.model import Placement
from planner.planning.adoption import Importer, can_be_imported, read_data
from planner.planning.comparison import Verdict, compare_recorded, compare_volume
from planner.planning.current import Current, current
from planner.planning.effect import takes_effect
from planner.planning.figures import are_shared
from planner.planning.goal import SETTLED, Goal, as_it_is, default_name, demand_of, goal_of, planned_attributes
from planner.planning.moves import Moves, apply_moves
from planner.planning.offline import as_recorded, leave_open, outputs_as_recorded
from planner.planning.placing import candidates, check_pools, held_by_pool, report
from planner.planning.plan import Action, Change, OutputChange, Plan, Reservation
from planner.planning.recording import outputs_as_found, recordings
from planner.planning.refresh import PARALLELISM, Actual, HostTarget, PoolTarget, refresh
from planner.planning.removal import Removals, in_order
from planner.planning.reservation import reservations
from planner.planning.vms import check_offering, compare_vm, refuse_unknown, root_disk_of, with_name
from planner.resources.catalog import shown
from planner.resources.declared import host_arguments, pool_arguments
from planner.resources.vm import VM, VOLUME_TYPES, root_disk_address
from planner.resources.volume import VOLUME
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
        refresh_only: plan to record what is there, whatever the configuration asks for; goes with `read` and without
            `destroy`.
        importing: plan only to record, under the address, the volume that the array has under the id; goes without all
            the others.
        offline: plan by what is recorded and declared, and open no provider; goes without `refresh_only` and
            `importing`. Such a plan has no steps, and is never applied.
        parallelism: pools and hosts that are read at once.
    """

    destroy: bool = False
    read: bool = True
    refresh_only: bool = False
    importing: tuple[InstanceAddress, str] | None = None
    offline: bool = False
    parallelism: int = PARALLELISM

    @property
    def operation(self) -> str:
        """As in `Plan.operation`."""
        if self.importing is not None:
            return "import"
        return "destroy" if self.destroy else "refresh" if self.refresh_only else "apply"

    @property
    def only_records(self) -> bool:
        """No system is changed, whatever the configuration asks for."""
        return self.operation in ("refresh", "import")


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
        providers: opens providers with the evaluated settings; not called for an offline plan.
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
    root_disks: dict[InstanceAddress, ResourceInstance] = field(default_factory=dict)
    remade_vms: set[tuple[str, str]] = field(default_factory=set)
    policies: dict[tuple[ProviderAddress | None, str], str] = field(default_factory=dict)
    reservations: tuple[Reservation, ...] = ()

    def build(self, open_providers: Callable[[ResourceGraph], Providers]) -> tuple[Plan | None, Diagnostics]:
        self.diagnostics.extend(self.evaluator.diagnostics)
        only, offline = self.request.only_records, self.request.offline
        first = self.evaluator.evaluate(
            self._as_recorded, without_copies=only, without_conditions=only, without_secrets=offline
        )
        if first.diagnostics.has_errors or self.diagnostics.has_errors:
            self.diagnostics.extend(first.diagnostics)
            return None, self.diagnostics
        self.moves = apply_moves(self.snapshot, self.evaluator.program.modules, first.paths, self.diagnostics)
        if self.request.refresh_only:
            return self._record_what_is_there(first.graph, open_providers(first.graph)), self.diagnostics
        self.snapshot, self.paths = self.moves.snapshot, first.paths
        if self.request.importing is not None:
            return self._take_over(*self.request.importing, first.graph, open_providers), self.diagnostics
        desired = first.graph
        self._learn(desired.instances)
        if offline:
            self.actual = as_recorded(self.known, self.snapshot.objects)
        else:
            self._refresh(desired, open_providers(desired))
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        for object in self.snapshot.objects.values():
            self.currents[object.address] = current(object, self.actual)
        if self.moves.changed or any(instance.is_data for instance in desired.instances.values()):
            # Only now is known what data sources say and what moved objects are.
            sources = [instance for instance in desired.instances.values() if instance.is_data and not offline]
            self.data = read_data(sources, self.actual, self.diagnostics)
            first = self.evaluator.evaluate(self._as_recorded, without_secrets=offline)
            if first.diagnostics.has_errors:
                self.diagnostics.extend(first.diagnostics)
            desired = first.graph
            self._learn(desired.instances)
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
            second = self.evaluator.evaluate(self._plan_instance, first, without_secrets=offline)
            self.diagnostics.extend(second.diagnostics)
            instances, variables = self._with_root_disks(second.graph.instances), second.graph.variables
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
        if instance.address.type == VM.name:
            instance = with_name(instance, object.attributes if object else None)
        if object is None or not instance.type.provisioned:
            return instance.attributes
        recorded = shown(instance.type.name, object.attributes)
        return {
            name: recorded.get(name, UNKNOWN) if isinstance(value, Unknown) else value
            for name, value in instance.attributes.items()
        }

    def _learn(self, desired: Mapping[InstanceAddress, ResourceInstance]) -> None:
        """Pools, hosts and offerings by address: as recorded, and over that as desired."""
        for object in self.snapshot.objects.values():
            if object.address.type not in VOLUME_TYPES:
                self.known[str(object.address)] = object.attributes
                if object.provider is not None:
                    self.pool_providers[str(object.address)] = object.provider
        for instance in desired.values():
            if instance.address.type not in VOLUME_TYPES and not instance.is_data:
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
        with_vms: set[str] = set()
        for object in self.snapshot.objects.values():
            if object.address.type in VOLUME_TYPES:
                on_pools.add(object.attributes["pool"])
                on_hosts.update(disk["host"] for disk in object.attributes["attachments"])
            elif object.address.type == VM.name:
                with_vms.add(object.attributes["host"])
        ranges = {str(i.address): i.resource.range for i in desired.instances.values()}
        has_volumes = any(address.type in (VOLUME.name, VM.name) for address in desired.instances)
        read_from = {i.attributes["pool"] for i in desired.instances.values() if i.is_data}
        places = self.request.operation == "apply"
        importing = self.request.importing is not None or (places and bool(self.evaluator.module.imports))
        involved = ("pool", "host") if places and (has_volumes or read_from) else ("pool",) if importing else ()
        wanted = {str(address) for address in desired.instances if address.type in involved}
        pools, hosts = [], []
        for id in sorted((on_pools | on_hosts | with_vms | wanted) & self.known.keys()):
            attributes, provider = self.known[id], self.pool_providers[id]
            if parse_instance(id).type == "pool":
                spec = PoolSpec(id, pool_arguments(attributes))
                lists = (self.request.read and id in on_pools) or id in read_from or importing
                pools.append(PoolTarget(provider, spec, lists, ranges.get(id)))
            else:
                host = HostSpec(
                    id, id, attributes.get("address"), attributes.get("initiator"), host_arguments(attributes)
                )
                lists, lists_vms = (self.request.read and id in those for those in (on_hosts, with_vms))
                hosts.append(HostTarget(provider, host, lists, lists_vms, ranges.get(id), inspect=id in wanted))
        self.actual, mistakes = refresh(pools, hosts, providers, self.observer, self.request.parallelism)
        self.diagnostics.extend(mistakes)

    def _find_imports(self, desired: ResourceGraph) -> None:
        """What `import` blocks take over becomes what the volumes are now."""
        importer = Importer(self.snapshot, self.actual, self.diagnostics)
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
            elif isinstance(id, str) and self.request.offline:
                self.imports[item.target] = id
                self.diagnostics.warning(
                    "Import that was not looked up",
                    f"{item.target} would be imported. How it differs from its block, only its array can tell.",
                    item.range,
                )
            elif isinstance(id, str):
                found = importer.find(item.target, id, item.range)
                if found is not None:
                    self.currents[item.target] = Current(found)
                    self.imports[item.target] = found["id"]

    def _take_over(
        self,
        address: InstanceAddress,
        id: str,
        desired: ResourceGraph,
        open_providers: Callable[[ResourceGraph], Providers],
    ) -> Plan | None:
        """
        Record a volume of the array as it is, with what its block says of it that no array is told; and of the pool and
        the offering that it names what is not recorded yet. How it differs from its block, the next plan shows.
        """
        self._learn(desired.instances)
        recorded = self.snapshot.objects.get(address)
        if not can_be_imported(address, desired.instances.keys(), recorded, self.diagnostics):
            return None
        goal = self._goal(desired.instances[address])
        if goal is None:
            return None
        self._refresh(desired, open_providers(desired))
        if self.diagnostics.has_errors:
            return None
        found = Importer(self.snapshot, self.actual, self.diagnostics).find(address, id, None)
        if found is None:
            return None
        found |= {name: goal.instance.attributes[name] for name in SETTLED}
        self.imports[address] = found["id"]
        self.currents[address] = Current(found)
        for need in (parse_instance(found["offering"]), parse_instance(found["pool"])):
            if need not in self.snapshot.objects:
                instance = desired.instances[need]
                self.changes[need] = self._change(instance, compare_recorded(instance, None, None))
        self.changes[address] = self._change(goal.instance, Verdict(Action.NO_OP, found))
        return self._finish(desired.instances, {}, desired.variables)

    # -- recording what is there --

    def _record_what_is_there(self, desired: ResourceGraph, providers: Providers) -> Plan | None:
        """
        Read all that is recorded, by the pools, hosts and providers that are recorded with it: a configuration that
        names others is not applied yet, and what is looked for elsewhere would seem to be gone.
        """
        self._learn({})
        for id, provider in self.pool_providers.items():
            if provider.alias is not None and provider not in desired.providers:
                self.diagnostics.error(
                    "Provider is not configured",
                    f"{id} is recorded with provider {provider}, which has no block in this configuration, so it cannot"
                    " be read. Put the block back; or apply what the configuration says now.",
                    address=id,
                )
        if not self.diagnostics.has_errors:
            self._refresh(desired, providers)
        if self.diagnostics.has_errors:
            return None
        objects = self.snapshot.objects
        self.currents = {object.address: current(object, self.actual) for object in objects.values()}
        sources = [instance for instance in desired.instances.values() if instance.is_data]
        self.data = read_data(sources, self.actual, self.diagnostics)
        found = self.evaluator.evaluate(self._as_found, without_copies=True, without_conditions=True)
        self.diagnostics.extend(found.diagnostics)
        if self.diagnostics.has_errors:
            return None
        self.changes = {change.address: change for change in recordings(self.snapshot, self.currents)}
        return self._assemble(
            {object.address: object.dependencies for object in objects.values()},
            frozenset(object.address for object in objects.values() if object.protected),
            outputs_as_found(self.snapshot.outputs, found.graph),
            desired.variables,
        )

    def _as_found(self, instance: ResourceInstance) -> Attributes | Unknown:
        """What is there of an instance, also under the address that it moves from; Unknown for one that is not."""
        if instance.is_data:
            return self.data.get(str(instance.address), UNKNOWN)
        found = self._now(self.moves.previous.get(instance.address, instance.address))
        if found is None:
            return UNKNOWN
        return shown(instance.address.type, found)

    # -- placing --

    def _place(self, desired: ResourceGraph) -> None:
        for instance in desired.instances.values():
            if instance.address.type == VM.name:
                instance = root_disk_of(self._vm(instance))
            if instance.address.type in VOLUME_TYPES:
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
            if address.type in VOLUME_TYPES and found.attributes is not None
        )
        offered = list(candidates(pools, self.actual, ours))
        weigher = self.evaluator.module.settings.placement
        self.placement = place(demands, offered, weigher)
        report(demands, self.placement, self.diagnostics)
        if self.request.offline:
            self.placement = leave_open(self.placement, weigher)
        elif not self.placement.unplaced:
            self.reservations = reservations(demands, self.placement, offered, self.pool_providers)

    # -- comparing --

    def _now(self, address: InstanceAddress) -> Attributes | None:
        found = self.currents.get(address)
        return found.attributes if found else None

    def _settled(self, instance: ResourceInstance) -> ResourceInstance:
        """The instance with what `ignore_changes` leaves as it is."""
        now, ignored = self._now(instance.address), instance.resource.lifecycle.ignore_changes
        return instance if now is None or ignored == () else as_it_is(instance, now, ignored)

    def _goal(self, instance: ResourceInstance) -> Goal | None:
        return goal_of(self._settled(instance), self.known, self.diagnostics)

    def _vm(self, instance: ResourceInstance) -> ResourceInstance:
        return self._settled(with_name(instance, self._now(instance.address)))

    def _plan_instance(self, instance: ResourceInstance) -> Attributes:
        """Decide what becomes of an instance; answers its planned attributes for others to refer to."""
        address = instance.address
        if instance.is_data:
            return self.data.get(str(address), instance.attributes)
        if address.type == VM.name:
            return self._plan_vm(self._vm(instance))
        if address.type == VOLUME.name:
            change = self._volume_change(instance)
            if change is None:
                return instance.attributes
        else:
            object, now = self.snapshot.objects.get(address), self._now(address)
            change = self._change(instance, compare_recorded(instance, object, now))
        self.changes[address] = change
        return shown(address.type, change.after or {})

    def _plan_vm(self, vm: ResourceInstance) -> Attributes:
        """A vm and its root disk: two changes, the vm's first."""
        disk = root_disk_of(vm)
        host, offering = self.known.get(str(vm.attributes["host"])), self.known.get(str(vm.attributes["offering"]))
        if refuse_unknown(vm, self.diagnostics) or host is None or offering is None:
            return vm.attributes  # an unknown reference was reported by the root disk's goal
        if not check_offering(vm, offering, self.diagnostics):
            return vm.attributes
        reading = self.actual.hosts.get(vm.attributes["host"])
        if reading is not None and not reading.makes_vms:
            provider = self.pool_providers[vm.attributes["host"]]
            self.diagnostics.error(
                "Host makes no VMs",
                f"{vm.attributes['host']} is of the provider {provider}, which attaches disks to VMs but makes none.",
                vm.resource.range,
                address=str(vm.address),
            )
        disk_change = self._volume_change(disk)
        if disk_change is None:
            return vm.attributes
        remade = disk_change.action is Action.REPLACE
        found = self.currents.get(vm.address, Current(None))
        verdict = compare_vm(vm, offering, found, self.changes, disk_is_remade=remade)
        if found.attributes is not None and verdict.action is Action.REPLACE:
            self.remade_vms.add((found.attributes["host"], found.attributes["name"]))
            disk_change = self._volume_change(disk) or disk_change
        change = self._change(vm, verdict)
        self.changes[vm.address] = replace(change, provider=self.pool_providers[vm.attributes["host"]])
        self.changes[disk.address] = disk_change
        self.root_disks[vm.address] = disk
        return shown(vm.address.type, verdict.after)

    def _volume_change(self, instance: ResourceInstance) -> Change | None:
        # References to other volumes may have become known since the first evaluation.
        goal = self._goal(instance)
        if goal is None:
            return None
        assignment = self.placement.assignments[instance.address]
        found = self.currents.get(instance.address, Current(None))
        if self.request.offline and instance.address in self.imports:
            there = planned_attributes(goal, assignment, None, None) | {"pool": UNKNOWN}
            return replace(self._change(instance, Verdict(Action.NO_OP, there)), before=there, recorded_anew=True)
        policy = self._policy(goal, assignment.pool)
        verdict = compare_volume(goal, assignment, found, self.changes, self.remade_vms, policy, self.diagnostics)
        return replace(self._change(instance, verdict), assignment=assignment)

    def _policy(self, goal: Goal, pool: str) -> str | None:
        """
        The array's policy for volumes of the offering; None where it has no policies, or the figures are its own.

        One that volumes are under goes on; otherwise it has a name that no earlier one had.
        """
        if self.request.offline:
            now = self._now(goal.instance.address)
            return now.get("policy") if now is not None and are_shared(goal.instance, goal.offering) else None
        if "qos_policy" not in self.actual.pools[pool].array.supports or not are_shared(goal.instance, goal.offering):
            return None
        if not self.policies:
            for object in self.snapshot.objects.values():
                if object.address.type in VOLUME_TYPES and (policy := object.attributes.get("policy")):
                    where = self.pool_providers.get(object.attributes["pool"])
                    self.policies.setdefault((where, object.attributes["offering"]), policy)
        offering = goal.instance.attributes["offering"]
        name = f"{default_name(parse_instance(offering))[:51]}-{secrets.token_hex(4)}"
        return self.policies.setdefault((self.pool_providers[pool], offering), name)

    def _change(self, instance: ResourceInstance, verdict: Verdict) -> Change:
        address = instance.address
        object = self.snapshot.objects.get(address)
        found = self.currents.get(address, Current(None))
        in_place = verdict.action is Action.UPDATE and address.type in VOLUME_TYPES
        held = instance.resource.lifecycle.prevent_destroy or (object is not None and object.protected)
        if verdict.action is Action.REPLACE and held:
            self._refuse_replacement(instance, verdict)
        return Change(
            address=address,
            action=verdict.action,
            before=found.attributes,
            after=verdict.after,
            provider=instance.provider,
            reason=verdict.reason,
            replace_paths=verdict.paths,
            drift=found.drift,
            revision=object.revision if object else None,
            holds_data=instance.type.holds_data,
            previous=self.moves.previous.get(address),
            importing=self.imports.get(address, ""),
            create_first=verdict.action is Action.REPLACE
            and instance.type.holds_data
            and instance.resource.lifecycle.create_before_destroy,
            recorded_anew=found.attributes is not None and (address in self.moves.changed or address in self.imports),
            takes_effect=takes_effect(found, verdict.after) if in_place else (),
        )

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

    def _with_root_disks(
        self, instances: Mapping[InstanceAddress, ResourceInstance]
    ) -> dict[InstanceAddress, ResourceInstance]:
        disks = {disk.address: disk for disk in self.root_disks.values()}
        return {**instances, **disks}

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
        if self.request.offline and all(change.is_empty for change in self.changes.values()):
            outputs = outputs_as_recorded(outputs)
        return self._assemble(dependencies, protected, outputs, variables)

    def _assemble(
        self,
        dependencies: Mapping[InstanceAddress, tuple[InstanceAddress, ...]],
        protected: frozenset[InstanceAddress],
        outputs: Mapping[str, OutputChange],
        variables: Mapping[str, Any],
    ) -> Plan:
        """All changes, in order and with their steps."""
        ordered = in_order(self.changes, dependencies)
        given = Changes(tuple(ordered), self.known, self.pool_providers, dependencies, protected)
        graph, made = (StepGraph(), {}) if self.request.offline else self.build_steps(given)
        changes = tuple(
            replace(change, steps=made.get(change.address, ()))
            for change in sorted(ordered, key=lambda change: change.address)
        )
        return Plan(
            operation=self.request.operation,
            lineage=self.snapshot.lineage,
            serial=self.snapshot.serial,
            created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            changes=changes,
            outputs=outputs,
            steps=graph,
            variables=variables,
            warnings=tuple(self.diagnostics),
            reservations=self.reservations,
            offline=self.request.offline,
        )


def _dependencies(instance: ResourceInstance, after: Attributes) -> tuple[InstanceAddress, ...]:
    """
    What must outlive an instance: what it refers to, and for a volume its pool and hosts, whoever chose them, and for a
    vm its root disk.

    Where the very copy is known, it stands for the reference to all of them.
    """
    if not instance.type.provisioned:
        return instance.dependencies
    named = {parse_instance(after["offering"])}
    if instance.address.type == VM.name:
        # Its root disk outlives it: it is taken from a vm that is gone, and not from under a running one.
        named |= {parse_instance(after["host"]), root_disk_address(instance.address)}
    else:
        named |= {parse_instance(id) for id in (after["pool"], *after["access"]) if not isinstance(id, Unknown)}
    exact = {address.resource for address in named}
    return tuple(sorted({*named, *(need for need in instance.dependencies if need.resource not in exact)}))
