"""
What a verb does, as a page of stage calls. No logic of its own: each stage is a room, and this is the corridor.

    load -> validate | capacity | plan -> apply

Nothing here prints. Diagnostics come back; what takes long tells an Observer.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.addresses import InstanceAddress
from planner.config.decoder import decode_module
from planner.config.json_outline import CONFIGURATION
from planner.config.loader import Parse, all_sources, find_sources, load_module, remote_calls
from planner.config.model import Module, Settings
from planner.config.variables import FromCommandLine, GivenValue, collect
from planner.diagnostics import Diagnostics, Source, did_you_mean
from planner.encryption import cipher_of
from planner.errors import InvalidConfiguration, LunformError, StalePlan, StateError, StateLocked
from planner.evaluation.evaluator import Evaluated, Evaluator, ValueOf
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.events import Observer, RunInterrupted, WaitingForLock, ignore
from planner.initialisation import WORK_DIRECTORY, current_workspace, open_initialised
from planner.log import log, logged
from planner.planning.adoption import pools_of, read_data
from planner.planning.builder import PlanRequest, build_plan
from planner.planning.capacity import Capacity, measure, pool_targets
from planner.planning.plan import LEFT_OUT, Changes, Plan
from planner.planning.refresh import PARALLELISM, refresh
from planner.plugins import OpenProviders, check_backend, provider_definition
from planner.resources.catalog import shown
from planner.resources.vm import block_address
from planner.state.model import Attributes, Origin, OutputValue, RecordedObject, Run, Snapshot
from planner.state.store import DEFAULT_WORKSPACE, StateBackend, StateStore
from planner.state.traced import traced
from planner.steps.builder import StepBuilder
from planner.values.marks import UNKNOWN, Unknown
from planner.version import VERSION

if TYPE_CHECKING:  # a plan needs none of it, and is asked for more often than an apply
    from planner.execution.executor import ExecutionResult, Stop
    from planner.execution.recovery import Recovery
    from planner.planfile import SavedPlan
    from planner.planning.orphans import Disposal
    from planner.planning.scan import Places, Scan


@dataclass(frozen=True, slots=True)
class Inputs:
    """
    What a user gives besides the configuration.

    Attributes:
        command_line: `-var` and `-var-file`, in their order.
        environment: where LUNFORM_VAR_name, LUNFORM_BACKEND_name and LUNFORM_WORKSPACE are looked for.
        saved: plain values that a plan was made with, but for the sensitive ones; then only those count of what else is
            given.
    """

    command_line: Sequence[FromCommandLine] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    saved: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """
    A loaded configuration, ready to be evaluated; `diagnostics` hold what was wrong so far.

    Attributes:
        environment: as in `Inputs`.
        workspace: the one in use.
    """

    directory: Path
    module: Module
    given: Mapping[str, GivenValue]
    evaluator: Evaluator
    diagnostics: Diagnostics
    environment: Mapping[str, str]
    workspace: str


@dataclass(frozen=True, slots=True)
class Applied:
    """
    Attributes:
        result: None when there was nothing to do.
        diagnostics: checks and postconditions that do not hold now, and what could not be read back.
    """

    result: ExecutionResult | None
    outputs: Mapping[str, OutputValue]
    diagnostics: Diagnostics = field(default_factory=Diagnostics)

    @property
    def complete(self) -> bool:
        """Every step was done."""
        return self.result is None or not (self.result.failed or self.result.skipped)


@dataclass(frozen=True, slots=True)
class Scanned:
    """A scan, and what it was made of: the state as it was read last, pools and hosts, and the configuration."""

    scan: Scan
    snapshot: Snapshot
    places: Places
    desired: ResourceGraph


def load(directory: Path, inputs: Inputs, sources: Sequence[Source] | None = None, *, planning: bool = True) -> Project:
    """
    Read a directory's configuration, or `sources` instead of its files. Mistakes come with it and are not raised.

    Args:
        sources: what a saved plan or an earlier run was made from. They say what is wanted, and not where the state is,
            which may have been moved since: that is still for the files in the directory to say.
        planning: what only apply can tell, such as timestamp(), is left unknown.
    """
    diagnostics = Diagnostics()
    from planner.syntax.json_syntax import parse_source

    find = partial(find_sources, directory) if sources is None else partial(_among, sources)
    parse = _parser(directory)
    module, mistakes = load_module(find, parse, VERSION)
    diagnostics.extend(mistakes)
    if sources:
        module = replace(module, settings=_settings_of(directory, parse, diagnostics) or module.settings)
    given, mistakes = collect(module, directory, inputs.environment, inputs.command_line, inputs.saved, parse_source)
    diagnostics.extend(mistakes)
    workspace = DEFAULT_WORKSPACE
    try:
        workspace = current_workspace(directory, inputs.environment)
    except LunformError as error:
        diagnostics.error(str(error), error.detail)
    evaluator = _evaluator(directory, module, given, workspace, planning=planning)
    return Project(directory, module, given, evaluator, diagnostics, inputs.environment, workspace)


def fetch_modules(directory: Path, inputs: Inputs) -> tuple[Project, int]:
    """
    Load a project, fetching the modules that come from elsewhere, also those that fetched ones call.

    Returns:
        the project, and how many repositories were fetched.
    """
    from planner.fetching import fetch

    fetched = 0
    while True:
        project = load(directory, inputs)
        mistakes = Diagnostics()
        new = sum(fetch(call, directory, mistakes) for call in remote_calls(project.module))
        fetched += new
        if mistakes.has_errors:
            raise InvalidConfiguration(mistakes)
        if not new:
            return project, fetched


def validate(project: Project) -> Diagnostics:
    """All that can be told without any provider, without the state, and without values for required variables."""
    diagnostics = Diagnostics(list(project.diagnostics))
    diagnostics.extend(project.evaluator.diagnostics)
    evaluated = project.evaluator.evaluate(
        lambda instance: instance.attributes, without_inputs=True, without_copies=True
    )
    diagnostics.extend(evaluated.diagnostics)
    diagnostics.extend(check_backend(project.module.settings))
    return diagnostics


def backend_of(project: Project) -> StateBackend:
    """
    Raises:
        InvalidConfiguration: the configuration does not say where the state is, or not what was initialised.
    """
    backend, mistakes = open_initialised(project.module.settings, project.directory, project.environment)
    if backend is None or mistakes.has_errors or project.diagnostics.has_errors:
        raise InvalidConfiguration(Diagnostics([*project.diagnostics, *mistakes]))
    return backend


def store_of(project: Project) -> StateStore:
    """
    The state of the workspace that is in use.

    Raises:
        InvalidConfiguration: as in `backend_of`.
    """
    return traced(backend_of(project).open(project.workspace))


def plan(
    project: Project, store: StateStore, request: PlanRequest, observer: Observer = ignore, *, lock: bool = True
) -> tuple[Plan, Diagnostics]:
    """
    What would change. Only reads: nothing is written, also not what a killed run is found to have done.

    Args:
        lock: what a run left in doubt is looked up while its lock shows that it is over.

    Raises:
        InvalidConfiguration: with all that stands in the way.
        StateError: the state cannot be read, or its workspace does not exist.
    """
    diagnostics = Diagnostics(list(project.diagnostics))
    observer = logged(observer)
    snapshot = store.read()
    if not snapshot.lineage and project.workspace != DEFAULT_WORKSPACE:
        raise StateError(
            f'There is no workspace "{project.workspace}".',
            "A plan for it would create everything anew. If that is meant, make it first:"
            f" lunform workspace new {project.workspace}. The others: lunform workspace list",
        )
    if request.offline and snapshot.in_doubt:
        addresses = sorted({intent.address for intent in snapshot.in_doubt})
        diagnostics.warning(
            "A run was interrupted",
            f"It may or may not have done something to {', '.join(addresses)}. That was not looked up: the plan is made"
            " for what is recorded.",
        )
        snapshot = replace(snapshot, in_doubt=())
    opened: list[OpenProviders] = []

    def open_providers(graph: ResourceGraph) -> OpenProviders:
        opened.append(OpenProviders(graph.providers, graph.secrets))
        return opened[-1]

    try:
        if snapshot.in_doubt:
            from planner.execution.recovery import recover

            try:
                with store.lock("look up", 0) if lock else nullcontext():
                    _tell_interrupted(_unfinished(store), observer)
                    settings = project.evaluator.evaluate(lambda instance: instance.attributes, providers_only=True)
                    found = recover(snapshot, open_providers(settings.graph))
            except StateLocked as error:
                # Whoever holds the state is alive, and what seems in doubt is what it is just doing.
                diagnostics.warning(
                    "Somebody is applying", f"The plan is made for what is recorded by now. {error.detail}"
                )
                snapshot = replace(snapshot, in_doubt=())
            else:
                _tell(found, observer)
                snapshot = found.snapshot
        made, mistakes = build_plan(project.evaluator, snapshot, open_providers, _build_steps, request, observer)
    finally:
        for providers in opened:
            providers.close()
    diagnostics.extend(mistakes)
    if made is None or diagnostics.has_errors:
        raise InvalidConfiguration(diagnostics)
    return made, diagnostics


def capacity(
    project: Project,
    store: StateStore,
    size: int,
    only: Sequence[str] = (),
    observer: Observer = ignore,
) -> tuple[Capacity, Diagnostics]:
    """
    What the declared pools hold and still take. Only reads, and takes no lock. A pool that cannot be read is a
    diagnostic; the others are measured all the same.

    Args:
        size: bytes of volumes whose offering leaves that open.
        only: addresses of pools, without a key for all copies; none for all pools.

    Raises:
        InvalidConfiguration: the configuration cannot be evaluated.
        LunformError: there is no such pool.
        StateError: the state cannot be read.
    """
    snapshot = store.read().without_deleted
    desired = _evaluated(project, partial(_with_recorded, snapshot.objects)).graph
    pools = _pools_named(only, desired)
    targets, diagnostics = pool_targets(desired, pools)
    with closing(OpenProviders(desired.providers, desired.secrets)) as providers:
        actual, mistakes = refresh(targets, (), providers, observer)
    diagnostics.extend(mistakes)
    measured, mistakes = measure(desired, snapshot, pools, actual, size)
    diagnostics.extend(mistakes)
    return measured, diagnostics


def scan(
    project: Project, store: StateStore, observer: Observer = ignore, *, parallelism: int = PARALLELISM
) -> tuple[Scanned, Diagnostics]:
    """
    What is on the declared and the recorded pools and hosts that the state does not know, and what it knows and is not
    there. Only reads, and takes no lock. What cannot be read is a diagnostic; the rest is looked at all the same.

    Args:
        parallelism: pools and hosts that are read at once.

    Raises:
        InvalidConfiguration: the configuration cannot be evaluated.
        StateError: the state cannot be read.
    """
    desired = _evaluated(project, partial(_with_recorded, store.read().objects)).graph
    with closing(OpenProviders(desired.providers, desired.secrets)) as providers:
        return _scanned(store, desired, providers, observer, parallelism)


def plan_disposal(scanned: Scanned, disposal: Disposal) -> Plan:
    """The plan that adopts or reaps what was chosen of a scan."""
    from planner.planning.orphans import changes_of

    changes, needs = changes_of(disposal, scanned.snapshot)
    protected = frozenset(
        change.address
        for change in changes
        if (instance := scanned.desired.instances.get(block_address(change.address)))
        and instance.resource.lifecycle.prevent_destroy
    )
    places = scanned.places
    steps, made = _build_steps(Changes(tuple(changes), places.attributes, places.providers, needs, protected))
    return Plan(
        operation=disposal.operation,
        lineage=scanned.snapshot.lineage,
        serial=scanned.snapshot.serial,
        created=_now(),
        changes=tuple(replace(c, steps=made[c.address]) for c in sorted(changes, key=lambda change: change.address)),
        steps=steps,
    )


def dispose(
    project: Project,
    store: StateStore,
    plan: Plan,
    scanned: Scanned,
    disposal: Disposal,
    observer: Observer = ignore,
    *,
    parallelism: int = PARALLELISM,
    lock_timeout: float | None = 0.0,
    stop: Stop | None = None,
) -> Applied:
    """
    Adopt or reap, if under the lock all of it is still as it was shown.

    Args:
        parallelism, lock_timeout: as in `apply`.

    Raises:
        StalePlan: it is not; nothing was done.
        And what `apply` raises.
    """

    def recheck(snapshot: Snapshot, providers: OpenProviders) -> None:
        again, mistakes = _scanned(store, scanned.desired, providers, ignore, parallelism)
        if mistakes.has_errors:
            raise InvalidConfiguration(mistakes)
        changed = [found for found in disposal.items if found not in again.scan.found]
        if changed:
            names = ", ".join(f"{found.id} of {found.address}" for found in changed)
            raise StalePlan("What the scan found has changed since.", f"{names}. Nothing was done: scan again.")

    return apply(
        project,
        store,
        plan,
        observer,
        parallelism=parallelism,
        lock_timeout=lock_timeout,
        stop=stop,
        recheck=recheck,
    )


def apply(
    project: Project,
    store: StateStore,
    plan: Plan,
    observer: Observer = ignore,
    *,
    parallelism: int = PARALLELISM,
    lock_timeout: float | None = 0.0,
    stop: Stop | None = None,
    recheck: Callable[[Snapshot, OpenProviders], None] = lambda snapshot, providers: None,
) -> Applied:
    """
    Do what the plan says, all of it that can be done, and record each step. What systems were told is read back.

    Args:
        parallelism: calls at once.
        lock_timeout: seconds to wait for the state; None to go without its lock, which keeps nobody out.
        recheck: raises when what the plan was made for is not so any more; called once the state is held.

    Raises:
        StalePlan: what it touches has moved on, or it was made for another workspace; nothing was done.
        NoRoom: others have used what it counts on; nothing was done.
        StateLocked: somebody else holds the state.
        InvalidConfiguration: the providers' settings cannot be evaluated any more.
    """
    if plan.offline:
        raise LunformError("An offline plan is not applied.", "It was made without asking any system. Plan again.")
    from planner.execution.admission import refuse_overcommitted
    from planner.execution.executor import execute
    from planner.execution.faults import fault_point
    from planner.execution.readback import read_back
    from planner.planning.staleness import refuse_stale

    refuse_elsewhere(plan, project)
    observer = logged(observer)
    with locked(store, plan.operation, lock_timeout, observer), closing(_providers(project)) as providers:
        snapshot = _settled(store, providers, observer)
        refuse_stale(plan, snapshot)
        if plan.is_empty:
            return Applied(None, snapshot.outputs)
        recheck(snapshot, providers)
        refuse_overcommitted(plan.reservations, providers, parallelism)
        run = new_run(plan.operation)
        result = execute(
            run,
            plan.steps,
            snapshot.objects,
            providers,
            store,
            observer,
            parallelism=parallelism,
            stop=stop,
            origin=Origin({source.filename: source.text for source in all_sources(project.module)}, plan.variables),
        )
        mistakes = Diagnostics()
        if stop is None or stop.requests < 2:
            result, mistakes = read_back(run, plan, result, providers, store, observer, parallelism)
        applied = Applied(result, snapshot.outputs, mistakes)
        if applied.complete and plan.operation in ("destroy", "refresh"):
            applied = replace(applied, outputs=_planned_outputs(plan, snapshot))
        elif applied.complete and plan.operation == "apply" and not project.evaluator.program.has_aftermath:
            applied = replace(applied, outputs={})
        elif applied.complete and plan.operation == "apply":
            outputs, unmet = _aftermath(project, plan, snapshot, result.objects, providers, observer, parallelism)
            applied = replace(applied, outputs=outputs, diagnostics=Diagnostics([*mistakes, *unmet]))
        if plan.is_partial:
            applied.diagnostics.warning(
                "Applied in part",
                "The plan was made with -target or -exclude. Plan without them to see what else is to be done.",
            )
        summary = f"{len(result.done)} done, {len(result.failed)} failed, {len(result.skipped)} skipped"
        fault_point("before-finish")
        store.finish(finished(run, summary), applied.outputs)
        log.info("run %s of %s has ended: %s", run.id, run.operation, summary)
        fault_point("after-finish")
        return applied


def settle_interrupted(
    project: Project, store: StateStore, observer: Observer = ignore, timeout: float | None = 0.0
) -> None:
    """
    Record what a killed run is found to have done, so that a plan made next starts from there.

    Args:
        timeout: as `lock_timeout` of `apply`.

    Raises:
        StateLocked: somebody else holds the state; then that run may well be going on.
    """
    if store.read().in_doubt:
        observer = logged(observer)
        with locked(store, "recover", timeout, observer), closing(_providers(project)) as providers:
            _settled(store, providers, observer)


def save_plan(project: Project, plan: Plan, path: Path) -> None:
    """
    Raises:
        PlanFileError: the file cannot be written.
        StateError: it is to be encrypted, and the key cannot be had.
    """
    from planner import planfile

    cipher = cipher_of(project.module.settings.encryption, project.directory, "plan")
    planfile.write(path, plan, tuple(all_sources(project.module)), cipher)


def read_plan(directory: Path, path: Path) -> SavedPlan:
    """
    A saved plan. What it is sealed with is said by the configuration in `directory`: its own is within the seal.

    Raises:
        InvalidConfiguration: the configuration asks for encryption, and is not sound.
        PlanFileError: there is no such file, or it is no plan that this Lunform reads.
        StateError: it does not open with the keys that there are.
    """
    from planner import planfile

    mistakes = Diagnostics()
    settings = _settings_of(directory, _parser(directory), mistakes) or Settings()
    if settings.encryption is not None and mistakes.has_errors:
        raise InvalidConfiguration(mistakes)
    return planfile.read(path, cipher_of(settings.encryption, directory, "plan"))


def with_saved(inputs: Inputs, saved: SavedPlan) -> Inputs:
    """Inputs for a saved plan: its own values, and whatever is given now for the sensitive ones, which it lacks."""
    return replace(inputs, saved=saved.plan.variables)


def refuse_elsewhere(plan: Plan, project: Project) -> None:
    """
    Raises:
        StalePlan: the plan was made for another workspace than the one in use.
    """
    if plan.workspace != project.workspace:
        raise StalePlan(
            "The plan was made for another workspace.",
            f'It was made for "{plan.workspace}", and "{project.workspace}" is in use. Change to that one with:'
            f" lunform workspace select {plan.workspace}",
        )


def block_edges(project: Project) -> list[tuple[str, str]]:
    """
    (needing, needed) pairs of blocks, sorted.

    Raises:
        InvalidConfiguration: the configuration is not sound.
    """
    mistakes = Diagnostics([*project.diagnostics, *project.evaluator.diagnostics])
    if mistakes.has_errors:
        raise InvalidConfiguration(mistakes)
    return project.evaluator.edges()


# -- pieces --


def _scanned(
    store: StateStore, desired: ResourceGraph, providers: OpenProviders, observer: Observer, parallelism: int
) -> tuple[Scanned, Diagnostics]:
    from planner.planning.scan import find, places_of, targets_of

    before = store.read().without_deleted
    places = places_of(before, desired)
    pools, hosts = targets_of(places, desired)
    actual, diagnostics = refresh(pools, hosts, providers, observer, parallelism)
    after = store.read().without_deleted
    return Scanned(find(before, actual, after, places, desired.instances), after, places, desired), diagnostics


def _pools_named(texts: Sequence[str], desired: ResourceGraph) -> list[InstanceAddress]:
    """
    Sorted addresses of declared pools.

    Args:
        texts: what they are named by; an address without a key stands for all copies, and no text at all for all pools.

    Raises:
        LunformError: there is no such pool.
    """
    pools = sorted(address for address in desired.instances if address.type == "pool")
    names = {address: (str(address), str(address.resource)) for address in pools}
    for text in texts:
        if not any(text in name for name in names.values()):
            known = [str(address) for address in pools]
            hint = did_you_mean(text, known) or f" There are {', '.join(known) or 'none'}."
            raise LunformError(f'There is no pool "{text}" in the configuration.', hint.strip())
    return [address for address, name in names.items() if not texts or not set(name).isdisjoint(texts)]


@contextmanager
def locked(store: StateStore, operation: str, timeout: float | None, observer: Observer) -> Iterator[None]:
    """Hold the state; who has to be waited for is told. Without a timeout it is written to without its lock."""
    with ExitStack() as held:
        if timeout is None:
            held.enter_context(store.unlocked())
            yield
            return
        try:
            held.enter_context(store.lock(operation, 0.0))
        except StateLocked as error:
            if timeout <= 0:
                raise
            observer(WaitingForLock(error.holder, timeout))
            held.enter_context(store.lock(operation, timeout))
        yield


def _evaluator(
    directory: Path, module: Module, given: Mapping[str, GivenValue], workspace: str, *, planning: bool
) -> Evaluator:
    """
    Args:
        planning: as in `load`.
    """
    from planner.evaluation.functions.registry import standard_functions
    from planner.syntax.parser import parse_expression

    functions = standard_functions(directory, plan_time=datetime.now(UTC), planning=planning)
    return Evaluator(module, given, provider_definition, parse_expression, functions, workspace=workspace)


def _among(sources: Sequence[Source], directory: str) -> tuple[list[Source], Diagnostics]:
    """A saved plan's sources of one directory."""
    return [source for source in sources if str(Path(source.filename).parent) == directory], Diagnostics()


def _settings_of(directory: Path, parse: Parse, diagnostics: Diagnostics) -> Settings | None:
    """The `lunform` block of the files in a directory; None where there are no files."""
    sources, mistakes = find_sources(directory)
    if not sources:
        return None
    bodies = [(source, parse(source, CONFIGURATION)) for source in sources]
    for _, (_, unread) in bodies:
        mistakes.extend(unread)
    module, wrong = decode_module(".", [(source, body) for source, (body, _) in bodies], VERSION)
    diagnostics.extend(mistakes)
    if module.settings.encryption is not None:  # a mistake in it must not be taken for leave to write in plain
        diagnostics.extend(wrong)
    return module.settings


def _parser(directory: Path) -> Parse:
    """Parses configuration files, through the cache where `init` was run. Values of variables never go there."""
    from planner.syntax.cache import TreeCache, parse_file_cached, user_key

    work = directory / WORK_DIRECTORY
    key = user_key() if work.is_dir() else None
    trees = None if key is None else TreeCache(work / "cache", key)
    return lambda source, outline: parse_file_cached(source, trees, outline)


def _build_steps(changes: Changes) -> Any:
    builder = StepBuilder(changes.known, changes.providers)
    made = builder.add_all(changes.changes, changes.dependencies, changes.protected)
    return builder.finish(changes.purged), made


def _providers(project: Project) -> OpenProviders:
    """Providers with settings evaluated now: what is sensitive is in no file."""
    # Conditions were held when planning, and those of what a plan leaves out do not count.
    evaluated = _evaluated(
        project, lambda instance: instance.attributes, holds=lambda address: False, providers_only=True
    )
    return OpenProviders(evaluated.graph.providers, evaluated.graph.secrets)


def _evaluated(
    project: Project,
    value_of: ValueOf,
    *,
    holds: Callable[[InstanceAddress], bool] = lambda address: True,
    providers_only: bool = False,
) -> Evaluated:
    """
    Args:
        holds, providers_only: as in `Evaluator.evaluate`.

    Raises:
        InvalidConfiguration: with all that is wrong.
    """
    evaluated = project.evaluator.evaluate(value_of, holds=holds, providers_only=providers_only)
    mistakes = Diagnostics([*project.diagnostics, *project.evaluator.diagnostics, *evaluated.diagnostics])
    if mistakes.has_errors:
        raise InvalidConfiguration(mistakes)
    return evaluated


def _settled(store: StateStore, providers: OpenProviders, observer: Observer) -> Snapshot:
    """The state after what killed runs did is found out and recorded, and those runs are closed."""
    from planner.execution.faults import fault_point
    from planner.execution.recovery import recover

    snapshot, unfinished = store.read(), _unfinished(store)
    if not snapshot.in_doubt and not unfinished:
        return snapshot
    _tell_interrupted(unfinished, observer)
    found = recover(snapshot, providers)
    if found.outcomes:
        fault_point("recovery:before-commit")
        store.commit(found.outcomes)
        fault_point("recovery:after-commit")
    _tell(found, observer)
    summary = f"interrupted; of {len(found.outcomes)} steps in doubt {len(found.findings)} had been done"
    for run in unfinished:
        store.finish(replace(run, finished=_now(), summary=summary), None)
        fault_point("recovery:closed")
    return store.read()


def _unfinished(store: StateStore) -> list[Run]:
    """Runs that began and did not end. For the holder of the lock: killed ones."""
    return [run for run in store.runs() if run.finished is None]


def _tell_interrupted(runs: Sequence[Run], observer: Observer) -> None:
    for run in runs:
        observer(RunInterrupted(run.id, run.operation, run.who, run.started))


def _tell(found: Recovery, observer: Observer) -> None:
    for finding in found.findings:
        observer(finding)


def _planned_outputs(plan: Plan, snapshot: Snapshot) -> Mapping[str, OutputValue]:
    """For a plan whose outputs wait for nothing. Those that it does not know stay as they are recorded."""
    kept = {name: output for name, output in snapshot.outputs.items() if name not in plan.outputs}
    return kept | {name: output.after for name, output in plan.outputs.items() if output.after is not None}


def _aftermath(
    project: Project,
    plan: Plan,
    before: Snapshot,
    objects: Mapping[InstanceAddress, RecordedObject],
    providers: OpenProviders,
    observer: Observer,
    parallelism: int,
) -> tuple[Mapping[str, OutputValue], Diagnostics]:
    """
    Outputs with the values that only apply knew; checks and postconditions held against what is there now. What a
    partial plan leaves out is not looked at, and outputs that depend on it stay as they are recorded.
    """
    planned = {change.address for change in plan.changes if change.reason != LEFT_OUT}

    def holds(address: InstanceAddress) -> bool:
        return not plan.is_partial or address in planned

    evaluator = _evaluator(project.directory, project.module, project.given, project.workspace, planning=False)
    data: Mapping[str, Attributes] = {}

    def as_recorded(instance: ResourceInstance) -> Attributes:
        if instance.is_data:
            return data.get(str(instance.address), instance.attributes)
        recorded = recorded_attributes(objects, instance)
        return instance.attributes if isinstance(recorded, Unknown) else recorded

    evaluated = evaluator.evaluate(as_recorded, holds=holds)
    mistakes = Diagnostics()
    sources = [instance for instance in evaluated.graph.instances.values() if instance.is_data]
    if plan.is_partial:
        pools = {str(address) for address in planned}
        sources = [instance for instance in sources if instance.attributes.get("pool") in pools | {None}]
    if sources:
        actual, mistakes = refresh(pools_of(sources, objects), (), providers, observer, parallelism)
        data = read_data(sources, actual, objects, mistakes)
        evaluated = evaluator.evaluate(as_recorded, holds=holds)
    mistakes.extend(evaluated.diagnostics)
    outputs = {
        name: OutputValue(None if isinstance(output.value, Unknown) else output.value, output.sensitive)
        for name, output in evaluated.graph.outputs.items()
        if not plan.is_partial or name in plan.outputs
    }
    if plan.is_partial:
        outputs = {name: output for name, output in before.outputs.items() if name not in plan.outputs} | outputs
    return outputs, mistakes


def _with_recorded(objects: Mapping[InstanceAddress, RecordedObject], instance: ResourceInstance) -> Attributes:
    """What an instance is wanted to be; for a volume that there is, what it is."""
    recorded = recorded_attributes(objects, instance) if instance.type.provisioned else UNKNOWN
    return instance.attributes if isinstance(recorded, Unknown) else recorded


def recorded_attributes(
    objects: Mapping[InstanceAddress, RecordedObject], instance: ResourceInstance
) -> Attributes | Unknown:
    """What is recorded of an instance, as expressions see it."""
    object = objects.get(instance.address)
    if object is None:
        return UNKNOWN
    return shown(instance.type.name, object.attributes)


def new_run(operation: str) -> Run:
    """A run of this process that begins now."""
    from planner.state.lock import who

    return Run(secrets.token_hex(8), operation, _now(), who())


def finished(run: Run, summary: str) -> Run:
    return replace(run, finished=_now(), summary=summary)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
