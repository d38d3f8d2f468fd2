"""
What a verb does, as a page of stage calls. No logic of its own: each stage is a room, and this is the corridor.

    load -> validate | capacity | plan -> apply

Nothing here prints. Diagnostics come back; what takes long tells an Observer.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.addresses import InstanceAddress
from planner.config.loader import SUFFIXES, Parse, all_sources, find_sources, load_module, remote_calls
from planner.config.model import Module
from planner.config.variables import FromCommandLine, GivenValue, collect
from planner.diagnostics import Diagnostics, Source, did_you_mean
from planner.errors import InvalidConfiguration, LunformError, StateError, StateLocked
from planner.evaluation.evaluator import Evaluated, Evaluator, ValueOf
from planner.evaluation.functions.signature import Function
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.events import Observer, WaitingForLock, ignore
from planner.planning.adoption import pools_of, read_data
from planner.planning.builder import Changes, PlanRequest, build_plan
from planner.planning.capacity import Capacity, measure, pool_targets
from planner.planning.plan import Plan
from planner.planning.refresh import PARALLELISM, refresh
from planner.plugins import OpenProviders, open_store, provider_definition
from planner.resources.catalog import shown
from planner.state.model import Attributes, Origin, OutputValue, RecordedObject, Run, Snapshot
from planner.state.store import StateStore
from planner.steps.builder import StepBuilder
from planner.syntax import ast
from planner.values.marks import UNKNOWN, Unknown
from planner.values.types import Value
from planner.version import VERSION

if TYPE_CHECKING:  # a plan needs none of it, and is asked for more often than an apply
    from planner.execution.executor import ExecutionResult, Stop
    from planner.execution.recovery import Recovery
    from planner.planfile import SavedPlan

WORK_DIRECTORY = ".lunform"
"""What `init` makes: fetched modules, and trees of unchanged files. It may be deleted; `init` makes it again."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """
    What a user gives besides the configuration.

    Attributes:
        command_line: `-var` and `-var-file`, in their order.
        environment: where LUNFORM_VAR_name is looked for.
        saved: values that a saved plan carries, plain data.
    """

    command_line: Sequence[FromCommandLine] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    saved: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """A loaded configuration, ready to be evaluated; `diagnostics` hold what was wrong so far."""

    directory: Path
    module: Module
    given: Mapping[str, GivenValue]
    evaluator: Evaluator
    diagnostics: Diagnostics


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the console has to say to an expression.

    Attributes:
        value: None where there is none; then `mistakes` say why.
        is_type: the value is what type() has made: the text of a type, and no text of the user's.
    """

    value: Value | None
    mistakes: Diagnostics
    is_type: bool = False


@dataclass(frozen=True, slots=True)
class Console:
    """A configuration, evaluated once with what is recorded; `diagnostics` hold what was wrong with it."""

    evaluated: Evaluated
    functions: Mapping[str, Function]
    diagnostics: Diagnostics

    def answer(self, source: Source) -> Answer:
        """The value of an expression in the root module, outside of all blocks."""
        from planner.syntax.parser import parse_expression

        expression, mistakes = parse_expression(source)
        if expression is None:
            return Answer(None, mistakes)
        value, mistakes = self.evaluated.answer(expression, self.functions)
        return Answer(value, mistakes, isinstance(expression, ast.Call) and expression.name == "type")


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


def load(directory: Path, inputs: Inputs, sources: Sequence[Source] | None = None, *, planning: bool = True) -> Project:
    """
    Read a directory's configuration, or `sources` instead of its files. Mistakes come with it and are not raised.

    Args:
        planning: what only apply can tell, such as timestamp(), is left unknown.
    """
    diagnostics = Diagnostics()
    from planner.syntax.json_syntax import parse_source

    find = partial(find_sources, directory) if sources is None else partial(_among, sources)
    module, mistakes = load_module(find, _parser(directory), VERSION)
    diagnostics.extend(mistakes)
    given, mistakes = collect(module, directory, inputs.environment, inputs.command_line, inputs.saved, parse_source)
    diagnostics.extend(mistakes)
    return Project(directory, module, given, _evaluator(directory, module, given, planning=planning), diagnostics)


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
    _, mistakes = open_store(project.module.settings, project.directory)
    diagnostics.extend(mistakes)
    return diagnostics


def store_of(project: Project) -> StateStore:
    """
    Raises:
        InvalidConfiguration: the configuration does not say where the state is.
    """
    store, mistakes = open_store(project.module.settings, project.directory)
    if store is None or mistakes.has_errors or project.diagnostics.has_errors:
        raise InvalidConfiguration(Diagnostics([*project.diagnostics, *mistakes]))
    return store


def plan(
    project: Project, store: StateStore, request: PlanRequest, observer: Observer = ignore, *, lock: bool = True
) -> tuple[Plan, Diagnostics]:
    """
    What would change. Only reads: nothing is written, also not what a killed run is found to have done.

    Args:
        lock: what a run left in doubt is looked up while its lock shows that it is over.

    Raises:
        InvalidConfiguration: with all that stands in the way.
        StateError: the state cannot be read.
    """
    diagnostics = Diagnostics(list(project.diagnostics))
    snapshot = store.read()
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
        opened.append(OpenProviders(graph.providers))
        return opened[-1]

    try:
        if snapshot.in_doubt:
            from planner.execution.recovery import recover

            try:
                with store.lock("look up", 0) if lock else nullcontext():
                    settings = project.evaluator.evaluate(lambda instance: instance.attributes)
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
    snapshot = store.read()
    desired = _evaluated(project, partial(_with_recorded, snapshot.objects)).graph
    pools = _pools_named(only, desired)
    targets, diagnostics = pool_targets(desired, pools)
    with closing(OpenProviders(desired.providers)) as providers:
        actual, mistakes = refresh(targets, (), providers, observer)
    diagnostics.extend(mistakes)
    measured, mistakes = measure(desired, snapshot, pools, actual, size)
    diagnostics.extend(mistakes)
    return measured, diagnostics


def apply(
    project: Project,
    store: StateStore,
    plan: Plan,
    observer: Observer = ignore,
    *,
    parallelism: int = PARALLELISM,
    lock_timeout: float | None = 0.0,
    stop: Stop | None = None,
) -> Applied:
    """
    Do what the plan says, all of it that can be done, and record each step. What systems were told is read back.

    Args:
        parallelism: calls at once.
        lock_timeout: seconds to wait for the state; None to go without its lock, which keeps nobody out.

    Raises:
        StalePlan: what it touches has moved on; nothing was done.
        NoRoom: others have used what it counts on; nothing was done.
        StateLocked: somebody else holds the state.
        InvalidConfiguration: the providers' settings cannot be evaluated any more.
    """
    if plan.offline:
        raise LunformError("An offline plan is not applied.", "It was made without asking any system. Plan again.")
    from planner.execution.admission import refuse_overcommitted
    from planner.execution.executor import execute
    from planner.execution.readback import read_back
    from planner.planning.staleness import refuse_stale
    from planner.state.lock import who

    with _locked(store, plan.operation, lock_timeout, observer), closing(_providers(project)) as providers:
        snapshot = _settled(store, providers, observer)
        refuse_stale(plan, snapshot)
        if plan.is_empty:
            return Applied(None, snapshot.outputs)
        refuse_overcommitted(plan.reservations, providers, parallelism)
        run = Run(_new_run(), plan.operation, _now(), who())
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
        if applied.complete and plan.operation == "destroy":
            applied = replace(applied, outputs={})
        elif applied.complete and plan.operation == "refresh":
            applied = replace(applied, outputs=_planned_outputs(plan, snapshot))
        elif applied.complete and plan.operation == "apply" and project.evaluator.program.has_aftermath:
            outputs, unmet = _aftermath(project, result.objects, providers, observer, parallelism)
            applied = replace(applied, outputs=outputs, diagnostics=Diagnostics([*mistakes, *unmet]))
        summary = f"{len(result.done)} done, {len(result.failed)} failed, {len(result.skipped)} skipped"
        store.finish(replace(run, finished=_now(), summary=summary), applied.outputs)
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
        with _locked(store, "recover", timeout, observer), closing(_providers(project)) as providers:
            _settled(store, providers, observer)


def with_saved(inputs: Inputs, saved: SavedPlan) -> Inputs:
    """Inputs for a saved plan: its own values, and whatever is given now for the sensitive ones, which it lacks."""
    return replace(inputs, saved=saved.plan.variables)


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


def open_console(directory: Path, inputs: Inputs) -> Console:
    """
    What expressions are asked of: the configuration with what is recorded, and unknown what is not created yet.

    Works without configuration, and with a broken one: what is wrong comes with it and is not raised.
    """
    from planner.evaluation.functions.registry import standard_functions

    is_empty = not any(path.name.endswith(SUFFIXES) for path in directory.iterdir())
    project = load(directory, inputs, () if is_empty else None, planning=False)
    diagnostics = Diagnostics([*project.diagnostics, *project.evaluator.diagnostics])
    objects: Mapping[InstanceAddress, RecordedObject] = {}
    store, mistakes = open_store(project.module.settings, directory)
    diagnostics.extend(mistakes)
    if store is not None:
        try:
            with closing(store):
                objects = store.read().objects
        except StateError as error:
            diagnostics.error(str(error), error.detail)
    evaluated = project.evaluator.evaluate(partial(_recorded, objects), without_copies=True)
    diagnostics.extend(evaluated.diagnostics)
    functions = standard_functions(directory, plan_time=datetime.now(UTC), console=True)
    return Console(evaluated, functions, diagnostics)


# -- pieces --


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
def _locked(store: StateStore, operation: str, timeout: float | None, observer: Observer) -> Iterator[None]:
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


def _evaluator(directory: Path, module: Module, given: Mapping[str, GivenValue], *, planning: bool) -> Evaluator:
    """
    Args:
        planning: as in `load`.
    """
    from planner.evaluation.functions.registry import standard_functions
    from planner.syntax.parser import parse_expression

    functions = standard_functions(directory, plan_time=datetime.now(UTC), planning=planning)
    return Evaluator(module, given, provider_definition, parse_expression, functions)


def _among(sources: Sequence[Source], directory: str) -> tuple[list[Source], Diagnostics]:
    """A saved plan's sources of one directory."""
    return [source for source in sources if str(Path(source.filename).parent) == directory], Diagnostics()


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
    return builder.finish(), made


def _providers(project: Project) -> OpenProviders:
    """Providers with settings evaluated now: what is sensitive is in no file. Of all the rest nothing is asked."""
    return OpenProviders(_evaluated(project, lambda instance: instance.attributes, only_settings=True).graph.providers)


def _evaluated(project: Project, value_of: ValueOf, *, only_settings: bool = False) -> Evaluated:
    """
    Args:
        only_settings: of resources neither the number of copies nor the conditions count.

    Raises:
        InvalidConfiguration: with all that is wrong.
    """
    evaluated = project.evaluator.evaluate(value_of, without_copies=only_settings, without_conditions=only_settings)
    mistakes = Diagnostics([*project.diagnostics, *project.evaluator.diagnostics, *evaluated.diagnostics])
    if mistakes.has_errors:
        raise InvalidConfiguration(mistakes)
    return evaluated


def _settled(store: StateStore, providers: OpenProviders, observer: Observer) -> Snapshot:
    from planner.execution.recovery import recover

    snapshot = store.read()
    if not snapshot.in_doubt:
        return snapshot
    found = recover(snapshot, providers)
    store.commit(found.outcomes)
    _tell(found, observer)
    return store.read()


def _tell(found: Recovery, observer: Observer) -> None:
    for finding in found.findings:
        observer(finding)


def _planned_outputs(plan: Plan, snapshot: Snapshot) -> Mapping[str, OutputValue]:
    """For a plan whose outputs wait for nothing. Those that it does not know stay as they are recorded."""
    kept = {name: output for name, output in snapshot.outputs.items() if name not in plan.outputs}
    return kept | {name: output.after for name, output in plan.outputs.items() if output.after is not None}


def _aftermath(
    project: Project,
    objects: Mapping[InstanceAddress, RecordedObject],
    providers: OpenProviders,
    observer: Observer,
    parallelism: int,
) -> tuple[Mapping[str, OutputValue], Diagnostics]:
    """Outputs with the values that only apply knew; checks and postconditions held against what is there now."""
    evaluator = _evaluator(project.directory, project.module, project.given, planning=False)
    data: Mapping[str, Attributes] = {}

    def as_recorded(instance: ResourceInstance) -> Attributes:
        if instance.is_data:
            return data.get(str(instance.address), instance.attributes)
        recorded = _recorded(objects, instance)
        return instance.attributes if isinstance(recorded, Unknown) else recorded

    evaluated = evaluator.evaluate(as_recorded)
    mistakes = Diagnostics()
    sources = [instance for instance in evaluated.graph.instances.values() if instance.is_data]
    if sources:
        actual, mistakes = refresh(pools_of(sources, objects), (), providers, observer, parallelism)
        data = read_data(sources, actual, mistakes)
        evaluated = evaluator.evaluate(as_recorded)
    mistakes.extend(evaluated.diagnostics)
    outputs = {
        name: OutputValue(None if isinstance(output.value, Unknown) else output.value, output.sensitive)
        for name, output in evaluated.graph.outputs.items()
    }
    return outputs, mistakes


def _with_recorded(objects: Mapping[InstanceAddress, RecordedObject], instance: ResourceInstance) -> Attributes:
    """What an instance is wanted to be; for a volume that there is, what it is."""
    recorded = _recorded(objects, instance) if instance.type.provisioned else UNKNOWN
    return instance.attributes if isinstance(recorded, Unknown) else recorded


def _recorded(objects: Mapping[InstanceAddress, RecordedObject], instance: ResourceInstance) -> Attributes | Unknown:
    object = objects.get(instance.address)
    if object is None:
        return UNKNOWN
    return shown(instance.type.name, object.attributes)


def _new_run() -> str:
    return secrets.token_hex(8)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
