"""
Desired x recorded x actual -> plan.

    evaluate      what placement decides is taken as recorded, or unknown
    refresh       every pool and host that is involved, once
    place         all volumes together
    evaluate      again, with placement and everything planned known; every instance is compared and becomes a change
    steps         the provider calls that the changes take
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from planner.placement.model import Demand, Placement
from planner.planning.access import refuse_access
from planner.planning.adoption import Importer, can_be_imported, find_imports, read_data
from planner.planning.cloning import clone_of, demand_of_clone
from planner.planning.comparison import Verdict, compare_recorded, compare_volume, refuse_replacement
from planner.planning.current import Current, current
from planner.planning.deleted import Restoration, by_address, find_restorable, purged
from planner.planning.effect import takes_effect
from planner.planning.goal import SETTLED, Goal, as_it_is, demand_of, goal_of, planned_attributes
from planner.planning.moves import Moves, apply_moves
from planner.planning.needs import needs_as_declared, needs_as_planned
from planner.planning.offline import as_recorded, leave_open, outputs_as_recorded
from planner.planning.outputs import outputs_as_found, outputs_as_planned, outputs_destroyed, without_left_out
from planner.planning.placing import candidates, check_pools, held_by_pool, is_without_pool, report
from planner.planning.plan import Action, Change, Changes, OutputChange, Plan, Reservation
from planner.planning.policies import Policies
from planner.planning.reading import to_read
from planner.planning.recording import left_out, recordings
from planner.planning.refresh import PARALLELISM, Actual, refresh
from planner.planning.removal import Removals, in_order
from planner.planning.renames import find_renames, refuse_renames
from planner.planning.reservation import reservations
from planner.planning.selection import Selection, check_replacements, select, unit_of
from planner.planning.vms import check_offering, compare_vm, refuse_unknown, root_disk_of, with_name
from planner.resources.catalog import shown
from planner.resources.vm import ROOT_DISK, VM, VOLUME_TYPES, root_disk_address, vm_address
from planner.resources.volume import VOLUME
from planner.sdk.provider import Providers
from planner.state.model import Attributes, RecordedObject, Snapshot
from planner.steps.graph import StepGraph
from planner.values.marks import UNKNOWN, Unknown

BuildSteps = Callable[[Changes], tuple[StepGraph, Mapping[InstanceAddress, tuple[int, ...]]]]


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """
    Attributes:
        destroy: plan to take everything away.
        read: refresh from the providers; otherwise what is recorded is taken for what is.
        refresh_only: plan to record what is there, whatever the configuration asks for; goes with `read` and without
            `destroy`.
        targets, excludes: plan only for these, or for all but these; see `planner.planning.selection`. One of both is
            empty.
        replaces: objects that are to be made anew.
        importing: plan only to record, under the address, the volume that the array has under the id; goes without all
            the others.
        offline: plan by what is recorded and declared, and open no provider; goes without `refresh_only` and
            `importing`. Such a plan has no steps, and is never applied.
        parallelism: pools and hosts that are read at once.
    """

    destroy: bool = False
    read: bool = True
    refresh_only: bool = False
    targets: tuple[InstanceAddress, ...] = ()
    excludes: tuple[InstanceAddress, ...] = ()
    replaces: frozenset[InstanceAddress] = frozenset()
    importing: tuple[InstanceAddress, str] | None = None
    offline: bool = False
    parallelism: int = PARALLELISM

    @property
    def is_partial(self) -> bool:
        return bool(self.targets or self.excludes)

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
    there, gone = snapshot.without_deleted, by_address(snapshot.deleted)
    return _Planning(evaluator, there, gone, build_steps, request, observer).build(providers)


@dataclass(slots=True)
class _Planning:
    evaluator: Evaluator
    snapshot: Snapshot
    deleted: Mapping[InstanceAddress, Sequence[RecordedObject]]
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
    restored: dict[InstanceAddress, Restoration] = field(default_factory=dict)
    now: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    data: dict[str, Attributes] = field(default_factory=dict)
    root_disks: dict[InstanceAddress, ResourceInstance] = field(default_factory=dict)
    remade_vms: set[tuple[str, str]] = field(default_factory=set)
    policies: Policies = field(init=False)
    selection: Selection = field(default_factory=Selection)
    reservations: tuple[Reservation, ...] = ()

    def build(self, open_providers: Callable[[ResourceGraph], Providers]) -> tuple[Plan | None, Diagnostics]:
        self.diagnostics.extend(self.evaluator.diagnostics)
        only, offline = self.request.only_records, self.request.offline
        # Which conditions count is known when it is known what the plan is about.
        holds = self._holds_none if only or self.request.is_partial else self._is_in_plan
        first = self.evaluator.evaluate(self._as_recorded, without_copies=only, holds=holds, without_secrets=offline)
        if first.diagnostics.has_errors or self.diagnostics.has_errors:
            self.diagnostics.extend(first.diagnostics)
            return None, self.diagnostics
        self.moves = apply_moves(self.snapshot, self.evaluator.program.modules, first.paths, self.diagnostics)
        if self.request.refresh_only:
            self._select(first.graph)
            return self._record_what_is_there(first.graph, open_providers(first.graph)), self.diagnostics
        self.snapshot, self.paths = self.moves.snapshot, first.paths
        if self.request.importing is not None:
            return self._take_over(*self.request.importing, first.graph, open_providers), self.diagnostics
        desired = first.graph
        self._select(desired)
        self._learn(desired.instances)
        if offline:
            self.actual = as_recorded(self.known, self.snapshot.objects)
        elif not self.diagnostics.has_errors:
            providers = open_providers(desired)
            self._refresh(desired, providers)
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        self._see()
        if self.moves.changed or any(instance.is_data for instance in desired.instances.values()):
            # Only now is known what data sources say and what moved objects are.
            if not offline:
                self._read_data(desired)
            first = self.evaluator.evaluate(self._as_recorded, holds=holds, without_secrets=offline)
            if first.diagnostics.has_errors:
                self.diagnostics.extend(first.diagnostics)
            desired = first.graph
            self._learn(desired.instances)
        if not self.request.destroy:
            self._adopt(desired)
            self._restore(desired)
        check_replacements(
            self.request.replaces, desired.instances, self.snapshot.objects, self.selection, self.diagnostics
        )
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        restored = {at: replace(one.recorded, attributes=one.attributes) for at, one in self.restored.items()}
        self.policies = Policies({**self.snapshot.objects, **restored}, self.pool_providers, self.selection.leaves)
        if self.request.destroy:
            program = self.evaluator.program
            outputs: Mapping[str, OutputChange] = outputs_destroyed(self.snapshot, self.selection, program)
            variables = desired.variables
            instances: Mapping[InstanceAddress, ResourceInstance] = {}
        else:
            self._place(desired)
            if self.diagnostics.has_errors:
                return None, self.diagnostics
            before = None if self.request.is_partial else first
            second = self.evaluator.evaluate(
                self._plan_instance, before, holds=self._is_in_plan, without_secrets=offline
            )
            self.diagnostics.extend(second.diagnostics)
            instances, variables = self._with_root_disks(second.graph.instances), second.graph.variables
            outputs = self._told(outputs_as_planned(self.snapshot.outputs, second.graph))
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        self.changes.update(
            (change.address, change) for change in self._removals().plan(instances.keys(), self.diagnostics)
        )
        if not offline and not self.diagnostics.has_errors:
            self._refuse_access(instances, providers)
        if self.diagnostics.has_errors:
            return None, self.diagnostics
        return self._finish(instances, outputs, variables), self.diagnostics

    def _refuse_access(self, instances: Mapping[InstanceAddress, ResourceInstance], providers: Providers) -> None:
        refuse_access(
            self.changes.values(),
            instances,
            self.known,
            self.pool_providers,
            providers,
            self.diagnostics,
            self.request.parallelism,
        )

    # -- what the plan is about --

    def _select(self, desired: ResourceGraph) -> None:
        """Find what the plan is about."""
        request, moves = self.request, self.moves
        if not request.is_partial:
            return
        stays = {
            address: needs_as_declared(instance)
            for address, instance in desired.instances.items()
            if instance.is_data or request.operation == "apply"
        }
        if request.refresh_only:
            # Nothing moves and nothing goes, whatever is declared.
            moves = Moves(self.snapshot, {}, frozenset())
            stays |= {unit_of(address): () for address in self.snapshot.objects}
        program = self.evaluator.program
        self.selection = select(request.targets, request.excludes, stays, moves, program, self.diagnostics)

    def _is_in_plan(self, address: InstanceAddress) -> bool:
        return not self.selection.leaves(address)

    def _holds_none(self, address: InstanceAddress) -> bool:
        return False

    def _in_plan(self, desired: ResourceGraph) -> list[ResourceInstance]:
        return [instance for address, instance in desired.instances.items() if self._is_in_plan(address)]

    def _pools(self, desired: ResourceGraph) -> dict[str, ResourceInstance]:
        """
        The pools that volumes may go to: those that the plan is about; and where a target is on none yet, all that are
        declared.
        """
        recorded = self.snapshot.objects
        takes_all = bool(self.request.targets) and any(is_without_pool(i, recorded) for i in self._in_plan(desired))
        return {
            str(address): instance
            for address, instance in desired.instances.items()
            if address.type == "pool" and (takes_all or self._is_in_plan(address))
        }

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
        """Read every pool and host that the plan's volumes are on, and those that they may go to."""
        chosen = self._in_plan(desired)
        is_apply = self.request.operation == "apply"
        asked = is_apply and any(self._is_in_plan(item.target) for item in self.evaluator.module.imports)
        importing = asked or self.request.importing is not None
        places: set[str] = set()
        if is_apply and any(i.is_data or i.address.type in (VOLUME.name, VM.name) for i in chosen):
            places = {*self._pools(desired), *(str(i.address) for i in chosen if i.address.type == "host")}
        elif importing:
            places = set(self._pools(desired))
        pools, hosts = to_read(
            [object for object in self.snapshot.objects.values() if self._is_in_plan(object.address)],
            chosen,
            self.known,
            self.pool_providers,
            places,
            [
                object
                for address in self._volumes(desired)
                if address not in self.snapshot.objects
                for object in self.deleted.get(address, ())
            ],
            lists=self.request.read,
            importing=importing,
        )
        self.actual, mistakes = refresh(pools, hosts, providers, self.observer, self.request.parallelism)
        self.diagnostics.extend(mistakes)

    def _see(self) -> None:
        """What everything is now; what is left out is taken as recorded, though its pool may have been listed."""
        for object in self.snapshot.objects.values():
            is_read = self._is_in_plan(object.address)
            self.currents[object.address] = current(object, self.actual) if is_read else Current(object.attributes)

    def _read_data(self, desired: ResourceGraph) -> None:
        sources = [instance for instance in self._in_plan(desired) if instance.is_data]
        self.data = read_data(sources, self.actual, self.snapshot.objects, self.diagnostics)

    def _adopt(self, desired: ResourceGraph) -> None:
        """What `import` blocks take over becomes what the volumes are now."""
        new = [item for item in self.evaluator.module.imports if item.target not in self.snapshot.objects]
        asked = [item for item in new if self._is_in_plan(item.target)]
        importer = None if self.request.offline else Importer(self.snapshot, self.actual, self.diagnostics)
        for address, id, found in find_imports(asked, desired, importer, self.diagnostics):
            self.imports[address] = id
            if found is not None:
                self.currents[address] = Current(found)

    def _volumes(self, desired: ResourceGraph) -> Iterator[InstanceAddress]:
        """The volumes that the plan is to see to, root disks too."""
        for instance in self._in_plan(desired) if self.request.operation == "apply" else ():
            if not instance.is_data and instance.address.type in (VOLUME.name, VM.name):
                is_vm = instance.address.type == VM.name
                yield root_disk_address(instance.address) if is_vm else instance.address

    def _restore(self, desired: ResourceGraph) -> None:
        """What was deleted, and is asked for again, becomes what the volumes are now."""
        gone: dict[InstanceAddress, list[RecordedObject]] = {}
        for address in self._volumes(desired):
            recorded = self.snapshot.objects.get(address)
            had = [*([recorded] if recorded else []), *self.deleted.get(address, ())]
            if had and self._now(address) is None and address not in self.request.replaces:
                gone[address] = had
        names = {
            pool: frozenset(volume.name for volume in (reading.volumes or {}).values())
            for pool, reading in (self.actual.pools.items() if gone else ())
        }
        for address, had in gone.items():
            instance = desired.instances[vm_address(address) if address.type == ROOT_DISK.name else address]
            instance = root_disk_of(self._vm(instance)) if address.type == ROOT_DISK.name else instance
            goal = self._goal(instance, Diagnostics())  # what is wrong with it is told where it is placed
            found = goal and find_restorable(goal, had, self.actual, names, self.now, self.diagnostics)
            if found:
                self.restored[address] = found
                self.currents[address] = Current(found.attributes)

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
        goal = self._goal(desired.instances[address], self.diagnostics)
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
            is_needed = provider.alias is not None and self._is_in_plan(parse_instance(id))
            if is_needed and provider not in desired.providers:
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
        self._see()
        self._read_data(desired)
        found = self.evaluator.evaluate(self._as_found, without_copies=True, holds=self._holds_none)
        self.diagnostics.extend(found.diagnostics)
        if self.diagnostics.has_errors:
            return None
        self.changes = {
            change.address: change
            for change in recordings(self.snapshot, self.currents)
            if self._is_in_plan(change.address)
        }
        objects = self.snapshot.objects
        return self._assemble(
            {object.address: object.dependencies for object in objects.values()},
            frozenset(object.address for object in objects.values() if object.protected),
            self._told(outputs_as_found(self.snapshot.outputs, found.graph)),
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
        """Give every volume of the plan its pool. Pools that are chosen are part of it then, with what they require."""
        while True:
            mistakes = Diagnostics()
            self._place_selected(desired, mistakes)
            assigned = self.placement.assignments.values()
            chosen = (parse_instance(assignment.pool) for assignment in assigned if not assignment.among)
            before, self.selection = self.selection, self.selection.with_also(chosen)
            if mistakes.has_errors or self.selection.left == before.left:
                self.diagnostics.extend(mistakes)
                return

    def _place_selected(self, desired: ResourceGraph, diagnostics: Diagnostics) -> None:
        self.goals.clear()
        for instance in self._in_plan(desired):
            if instance.address.type == VM.name:
                instance = root_disk_of(self._vm(instance))
            if instance.address.type in VOLUME_TYPES:
                goal = self._goal(instance, diagnostics)
                if goal is not None:
                    self.goals[instance.address] = goal
        vanishing = self._removals().vanished({*desired.instances, *self.goals})
        appearing = [goal for address, goal in self.goals.items() if address not in self.currents]
        refuse_renames(find_renames(vanishing, appearing), desired.instances.keys(), diagnostics)
        pools = self._pools(desired)
        check_pools(pools, self.actual, diagnostics)
        if diagnostics.has_errors:
            return
        demands = [self._demand(goal, diagnostics) for goal in self.goals.values()]
        if diagnostics.has_errors:
            return
        ours = held_by_pool(
            # What is deleted still holds its bytes, and no floor.
            {**found.attributes, "min_iops": None} if address in self.restored else found.attributes
            for address, found in self.currents.items()
            if address.type in VOLUME_TYPES and found.attributes is not None
        )
        offered = list(candidates({id: self.known[id] for id in pools}, self.actual, ours))
        weigher = self.evaluator.module.settings.placement
        self.placement = place(demands, offered, weigher)
        report(demands, self.placement, diagnostics)
        if self.request.offline:
            self.placement = leave_open(self.placement, weigher)
        elif not self.placement.unplaced:
            self.reservations = reservations(demands, self.placement, offered, self.pool_providers)

    def _removals(self) -> Removals:
        return Removals(
            self.snapshot,
            self.currents,
            self.evaluator.program,
            self.paths,
            self.request.destroy,
            self.selection.leaves,
        )

    def _demand(self, goal: Goal, diagnostics: Diagnostics) -> Demand:
        address = goal.instance.address
        demand = demand_of(goal, self.actual, self._now(address))
        demand = demand_of_clone(demand, goal, self.goals, self._now, self.data, self.actual, diagnostics)
        if address in self.request.replaces and goal.instance.resource.lifecycle.create_before_destroy:
            # The old one gives nothing back before the new one is made.
            return replace(demand, holds=(0, 0))
        if address in self.restored:
            return replace(demand, holds=(demand.holds[0], 0))
        return demand

    # -- comparing --

    def _now(self, address: InstanceAddress) -> Attributes | None:
        found = self.currents.get(address)
        return found.attributes if found else None

    def _settled(self, instance: ResourceInstance) -> ResourceInstance:
        """The instance with what `ignore_changes` leaves as it is."""
        now, ignored = self._now(instance.address), instance.resource.lifecycle.ignore_changes
        return instance if now is None or ignored == () else as_it_is(instance, now, ignored)

    def _goal(self, instance: ResourceInstance, diagnostics: Diagnostics) -> Goal | None:
        return goal_of(self._settled(instance), self.known, diagnostics)

    def _vm(self, instance: ResourceInstance) -> ResourceInstance:
        return self._settled(with_name(instance, self._now(instance.address)))

    def _plan_instance(self, instance: ResourceInstance) -> Attributes:
        """Decide what becomes of an instance; answers its planned attributes for others to refer to."""
        address = instance.address
        if instance.is_data:
            return self.data.get(str(address), instance.attributes)
        if self.selection.leaves(address):
            return self._as_recorded(instance)
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
        verdict = compare_vm(
            vm,
            offering,
            found,
            self.changes,
            disk_is_remade=remade,
            is_requested=vm.address in self.request.replaces,
        )
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
        goal = self._goal(instance, self.diagnostics)
        if goal is None:
            return None
        assignment = self.placement.assignments[instance.address]
        goal = replace(goal, size=self.actual.pools[assignment.pool].array.limits.rounded(goal.size))
        found = self.currents.get(instance.address, Current(None))
        if self.request.offline and instance.address in self.imports:
            there = planned_attributes(goal, assignment, None, None) | {"pool": UNKNOWN}
            return replace(self._change(instance, Verdict(Action.NO_OP, there)), before=there, recorded_anew=True)
        verdict = compare_volume(
            goal,
            assignment,
            found,
            self.changes,
            self.remade_vms,
            self.policies.of(goal, assignment.pool, self.actual, self._now(instance.address)),
            self.diagnostics,
            is_requested=instance.address in self.request.replaces,
        )
        if instance.address in self.restored and verdict.action is Action.REPLACE:
            # It is not restored only to be deleted again.
            del self.restored[instance.address]
            self.currents[instance.address] = Current(None)
            return self._volume_change(instance)
        return replace(self._change(instance, verdict), assignment=assignment)

    def _change(self, instance: ResourceInstance, verdict: Verdict) -> Change:
        address = instance.address
        object = self.snapshot.objects.get(address)
        found = self.currents.get(address, Current(None))
        previous, restored = self.moves.previous.get(address), self.restored.get(address)
        if restored is not None:
            object = restored.recorded
            previous = object.address if object.address != address else previous
        is_made = verdict.action in (Action.CREATE, Action.REPLACE) and address in self.goals
        in_place = verdict.action is Action.UPDATE and address.type in VOLUME_TYPES
        held = instance.resource.lifecycle.prevent_destroy or (object is not None and object.protected)
        if verdict.action is Action.REPLACE and held:
            refuse_replacement(instance, verdict, self.diagnostics)
        return Change(
            address=address,
            action=Action.UPDATE if restored is not None else verdict.action,
            before=found.attributes,
            after=verdict.after,
            provider=instance.provider,
            reason=verdict.reason,
            replace_paths=verdict.paths,
            drift=found.drift,
            revision=object.revision if object else None,
            holds_data=instance.type.holds_data,
            previous=previous,
            importing=self.imports.get(address, ""),
            restoring=restored.until if restored else None,
            clone_of=clone_of(self.goals[address], self.data) if is_made else None,
            create_first=verdict.action is Action.REPLACE
            and instance.type.holds_data
            and instance.resource.lifecycle.create_before_destroy,
            recorded_anew=found.attributes is not None
            and (address in self.moves.changed or address in self.imports or address in self.restored),
            takes_effect=takes_effect(found, verdict.after) if in_place else (),
        )

    def _with_root_disks(
        self, instances: Mapping[InstanceAddress, ResourceInstance]
    ) -> dict[InstanceAddress, ResourceInstance]:
        disks = {disk.address: disk for disk in self.root_disks.values()}
        return {**instances, **disks}

    def _told(self, outputs: Mapping[str, OutputChange]) -> Mapping[str, OutputChange]:
        return without_left_out(outputs, self.selection, self.evaluator.program)

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
            else needs_as_planned(instances[address], change.after)
            for address, change in self.changes.items()
        }
        protected = frozenset(a for a, i in instances.items() if i.resource.lifecycle.prevent_destroy and not i.is_data)
        if self.request.offline and all(change.is_empty for change in self.changes.values()):
            outputs = outputs_as_recorded(outputs)
        return self._assemble(dependencies, protected, outputs, variables)

    def _is_restorable(self, change: Change) -> bool:
        """Its array can restore for a while what goes."""
        if not change.loses_data or change.before is None or change.before.get("on_destroy") == "purge":
            return False
        reading = self.actual.pools.get(change.before["pool"]) if change.address.type in VOLUME_TYPES else None
        return reading is not None and "undelete" in reading.array.supports

    def _assemble(
        self,
        dependencies: Mapping[InstanceAddress, tuple[InstanceAddress, ...]],
        protected: frozenset[InstanceAddress],
        outputs: Mapping[str, OutputChange],
        variables: Mapping[str, Any],
    ) -> Plan:
        """All changes, in order and with their steps."""
        if self.request.is_partial:
            self.diagnostics.warning(
                "The plan is partial",
                "What it leaves out was neither read nor compared, and outputs that depend on that keep their values."
                " Plan without -target and -exclude to see what else is to be done.",
            )
        previous = {} if self.request.refresh_only else self.moves.previous
        self.changes.update((change.address, change) for change in left_out(self.snapshot, self.selection, previous))
        ordered = in_order(self.changes, dependencies)
        deleted = [object for gone in self.deleted.values() for object in gone]
        restored = {one.recorded.address for one in self.restored.values()}
        expired = tuple(purged(deleted, restored, self.actual, self.now))
        given = Changes(tuple(ordered), self.known, self.pool_providers, dependencies, protected, expired)
        graph, made = (StepGraph(), {}) if self.request.offline else self.build_steps(given)
        changes = tuple(
            replace(change, steps=made.get(change.address, ()), restorable=self._is_restorable(change))
            for change in sorted(ordered, key=lambda change: change.address)
        )
        return Plan(
            operation=self.request.operation,
            lineage=self.snapshot.lineage,
            serial=self.snapshot.serial,
            created=self.now,
            changes=changes,
            outputs=outputs,
            steps=graph,
            variables=variables,
            warnings=tuple(self.diagnostics),
            reservations=self.reservations,
            targets=tuple(map(str, self.request.targets)),
            excludes=tuple(map(str, self.request.excludes)),
            workspace=self.evaluator.workspace,
            offline=self.request.offline,
        )
