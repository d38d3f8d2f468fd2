"""
Changes of the record alone, asked for by a person: objects are moved to another address or forgotten, a whole state is
pushed, a workspace is made. No system is asked or told anything; each is a run in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from planner.addresses import AddressError, InstanceAddress, names_of, parse_instance
from planner.diagnostics import Diagnostics, did_you_mean
from planner.encryption import cipher_of
from planner.errors import InvalidConfiguration, LunformError, StateError
from planner.events import Observer, ignore
from planner.initialisation import open_initialised
from planner.operations import Project, finished, locked, new_run
from planner.planning.moves import Moves, Rule, relocate
from planner.resources.catalog import OBJECT_TYPES
from planner.resources.vm import ROOT_DISK, VM, block_address, root_disk_address
from planner.state.document import StateDocument
from planner.state.model import Outcome, RecordedObject, Run, Snapshot
from planner.state.store import StateBackend, StateStore
from planner.state.transfer import Push, push, refuse_moved
from planner.steps.graph import Verb


@dataclass(frozen=True, slots=True)
class Forgotten:
    """
    What is recorded no more.

    Attributes:
        objects: sorted by address.
        dependents: objects that stay recorded and need one of them.
    """

    objects: tuple[RecordedObject, ...]
    dependents: tuple[InstanceAddress, ...]


def move(
    store: StateStore,
    source: str,
    target: str,
    *,
    dry_run: bool = False,
    timeout: float = 0.0,
    observer: Observer = ignore,
) -> Moves:
    """
    Record what is at `source` at `target` from now on: a resource with all its copies, one copy, or a module.

    Raises:
        LunformError: nothing is recorded at `source`, something is at `target`, or one cannot become the other.
        StateError: a killed run is in doubt; nothing was moved.
    """
    origin, destination = address_of(source), address_of(target)
    if dry_run:
        return _moves(store.read(), origin, destination)
    with locked(store, "state mv", timeout, observer):
        snapshot = store.read()
        _refuse_in_doubt(snapshot)
        moves = _moves(snapshot, origin, destination)
        run = new_run("state mv")
        outcomes = [
            Outcome(run.id, step, address, "done", removed=True, verb=Verb.FORGET.value)
            for step, address in enumerate(moves.previous.values())
        ]
        outcomes += [
            Outcome(run.id, step, address, "done", object=moves.snapshot.objects[address], verb=Verb.RECORD.value)
            for step, address in enumerate(sorted(moves.changed), len(outcomes))
        ]
        _record(store, run, outcomes, f"{source} to {target}")
        return moves


def forget(
    store: StateStore,
    addresses: Sequence[str],
    *,
    force: bool = False,
    dry_run: bool = False,
    timeout: float = 0.0,
    observer: Observer = ignore,
) -> Forgotten:
    """
    Forget objects: each address names one, a resource with all its copies, or a module with all that is in it.

    Args:
        force: also what is protected, and what others need.

    Raises:
        LunformError: nothing is recorded at an address; or what is may not be forgotten without `force`.
        StateError: a killed run is in doubt; nothing was forgotten.
    """
    named = {text: address_of(text) for text in addresses}
    if dry_run:
        return _forgotten(store.read(), named, force=True)
    with locked(store, "state rm", timeout, observer):
        snapshot = store.read()
        _refuse_in_doubt(snapshot)
        found = _forgotten(snapshot, named, force)
        run = new_run("state rm")
        outcomes = [
            Outcome(run.id, step, object.address, "done", removed=True, verb=Verb.FORGET.value)
            for step, object in enumerate(found.objects)
        ]
        _record(store, run, outcomes, ", ".join(addresses))
        return found


def push_state(
    store: StateStore, given: StateDocument, *, force: bool = False, timeout: float = 0.0, observer: Observer = ignore
) -> Push:
    """
    Put `given` in the place of what is recorded, by the rules of `planner.state.transfer.push`.

    Raises:
        StateError: it may not, without `force`; nothing was changed.
    """
    with locked(store, "state push", timeout, observer):
        present = store.document()
        run = new_run("state push")
        summary = f"serial {given.serial}" + (", forced" if force else "")
        pushed = push(present, given, finished(run, summary), force=force)
        if pushed.is_new:
            store.replace(pushed.document)
        return pushed


def create_workspace(backend: StateBackend, name: str, *, timeout: float = 0.0, observer: Observer = ignore) -> None:
    """
    Make the empty state of a workspace, so that others find it.

    Raises:
        LunformError: it exists.
    """
    store = backend.open(name)
    try:
        with locked(store, "workspace new", timeout, observer):
            if store.read().lineage:
                raise LunformError(f'The workspace "{name}" exists.', f"Use it with: lunform workspace select {name}")
            _record(store, new_run("workspace new"), (), "")
    finally:
        store.close()


def reseal(project: Project, *, timeout: float = 0.0, observer: Observer = ignore) -> Sequence[str]:
    """
    Write the states of all workspaces anew: sealed with the key that the configuration names, or in plain where it
    names only old ones. What is not sealed at all is read, too.

    Returns:
        the workspaces.

    Raises:
        InvalidConfiguration: the configuration does not say where the state is, or not what was initialised.
        LunformError: it says nothing of encryption.
        StateError: a state cannot be read; it was not touched.
    """
    settings = project.module.settings
    cipher = cipher_of(settings.encryption, project.directory, "state", takes_plain=True)
    backend, mistakes = open_initialised(settings, project.directory, project.environment, cipher)
    if backend is None or project.diagnostics.has_errors:
        raise InvalidConfiguration(Diagnostics([*project.diagnostics, *mistakes]))
    if settings.encryption is None:
        raise LunformError(
            "The configuration says nothing of encryption.",
            'Name a key: lunform { encryption { key { env = "LUNFORM_KEY" } } }. To take encryption away, name the key'
            " as old_key instead, and remove the block afterwards.",
        )
    workspaces = backend.workspaces()
    for workspace in workspaces:
        with closing(backend.open(workspace)) as store, locked(store, "state reseal", timeout, observer):
            document, run = store.document(), finished(new_run("state reseal"), "")
            store.replace(replace(document, serial=document.serial + 1, runs={**document.runs, run.id: run}))
    return workspaces


def address_of(text: str) -> InstanceAddress:
    """
    Raises:
        LunformError: it is no address.
    """
    try:
        return parse_instance(text)
    except AddressError as error:
        raise LunformError("That is no address.", str(error)) from None


def matching(snapshot: Snapshot, text: str) -> list[InstanceAddress]:
    """
    Addresses, sorted, of what is recorded at an address: one object, all copies, or all that is in a module.

    Raises:
        LunformError: it is no address, or nothing is recorded there.
    """
    wanted = address_of(text)
    found = sorted(address for address in snapshot.objects if wanted in names_of(address))
    if not found:
        raise _nothing_at(text, snapshot)
    return found


def _record(store: StateStore, run: Run, outcomes: Sequence[Outcome], summary: str) -> None:
    """Nothing outside is done, so nothing can be in doubt: one commit is all of it."""
    store.begin(run, ())
    if outcomes:
        store.commit(outcomes)
    store.finish(finished(run, summary), None)


def _moves(snapshot: Snapshot, source: InstanceAddress, target: InstanceAddress) -> Moves:
    _refuse_other_kind(source, target)
    rules = [Rule(source, target)]
    if source.type == VM.name:
        rules.append(Rule(root_disk_address(source), root_disk_address(target)))
    targets = {
        address: new
        for address in snapshot.objects
        if (new := next((to for rule in rules if (to := rule.apply(address)) is not None), None)) is not None
    }
    if not targets:
        raise _nothing_at(str(source), snapshot)
    if source == target:
        raise LunformError("Both addresses are the same.", "Nothing was moved.")
    taken = {new for new in targets.values() if new in snapshot.objects}
    if target.type == "module" or source.key is None is target.key:
        # The whole moves, and not into another whole.
        taken |= {address for address in snapshot.objects.keys() - targets.keys() if target in names_of(address)}
    if taken:
        raise LunformError(
            f"{min(taken)} is recorded already.",
            f"Nothing was moved. Move that first, or forget it with: lunform state rm '{min(taken)}'",
        )
    return relocate(snapshot, targets)


def _refuse_other_kind(source: InstanceAddress, target: InstanceAddress) -> None:
    if source.type != target.type:
        raise LunformError(
            f"A {source.type} cannot become a {target.type}.", f"{source} and {target} must be of the same kind."
        )
    if source.type == ROOT_DISK.name:
        raise LunformError("A root disk moves with its vm.", f"Move {block_address(source)} instead.")
    if source.type != "module" and source.type not in OBJECT_TYPES:
        raise LunformError(
            f'There are no resources of the type "{source.type}".', did_you_mean(source.type, OBJECT_TYPES).strip()
        )


def _forgotten(snapshot: Snapshot, named: dict[str, InstanceAddress], force: bool) -> Forgotten:
    going: set[InstanceAddress] = set()
    for text, address in named.items():
        found = {known for known in snapshot.objects if address in names_of(block_address(known))}
        if address.type == ROOT_DISK.name:
            raise LunformError("A root disk is forgotten with its vm.", f"Forget {block_address(address)} instead.")
        if not found:
            raise _nothing_at(text, snapshot)
        going |= found
    objects = tuple(snapshot.objects[address] for address in sorted(going))
    blocks = {address.resource for address in going}
    dependents = tuple(
        sorted(
            object.address
            for object in snapshot.objects.values()
            if object.address not in going
            and any(need in going or (need.key is None and need.resource in blocks) for need in object.dependencies)
        )
    )
    protected = [str(object.address) for object in objects if object.protected]
    if not force and protected:
        raise LunformError(
            "Something is protected.",
            f"{', '.join(protected)}: prevent_destroy is recorded with it, and would be forgotten with it, too. If that"
            " is meant, add -force. Nothing was forgotten.",
        )
    if not force and dependents:
        raise LunformError(
            "Something else needs what would be forgotten.",
            f"{', '.join(map(str, dependents))} would refer to what nobody knows any more. Forget that, too; or, if the"
            " next apply records it again, add -force. Nothing was forgotten.",
        )
    return Forgotten(objects, dependents)


def _nothing_at(text: str, snapshot: Snapshot) -> LunformError:
    hint = did_you_mean(text, [str(known) for known in snapshot.objects]).strip()
    return LunformError(f"Nothing is recorded at {text}.", hint or "See: lunform state list")


def _refuse_in_doubt(snapshot: Snapshot) -> None:
    refuse_moved(snapshot.in_doubt)
    if snapshot.in_doubt:
        raise StateError(
            "A killed run is in doubt",
            "It must be known what it did before the record is changed by hand. Find out with: lunform refresh",
        )
