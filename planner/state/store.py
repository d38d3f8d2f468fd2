"""
What a state backend does. Every backend passes `planner.state.conformance`, and is found by the entry point group
`lunform.backends`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from planner.errors import StateError
from planner.resources.schema import Argument
from planner.state.document import StateDocument
from planner.state.model import Intent, Origin, Outcome, OutputValue, Run, Snapshot

DEFAULT_WORKSPACE = "default"


class StateStore(Protocol):
    """
    The recorded state of one workspace, and its journal.

    Reading needs no lock. Writing calls are made by the holder of the lock only, or inside of `unlocked`, one after the
    other, but in any of its threads; each is one transaction: it is there whole, or not at all, whatever dies.

    Raises (all methods): StateError and what is below it.
    """

    def read(self) -> Snapshot:
        """All that is recorded; an empty snapshot with an empty lineage when nothing ever was."""
        ...

    def lock(self, operation: str, timeout: float = 0.0) -> AbstractContextManager[None]:
        """
        Hold the state for writing. The lock dies with its holder.

        Raises StateLocked, naming the holder, when it is not to be had within `timeout` seconds.
        """
        ...

    def unlocked(self) -> AbstractContextManager[None]:
        """
        Let it be written to without the lock, whoever has that: for a user who knows better than the lock does. Writing
        calls are transactions all the same.

        Raises StateError where the lock is a lease: what is written without it takes it from its holder.
        """
        ...

    def begin(self, run: Run, intents: Sequence[Intent], origin: Origin | None = None) -> str:
        """Store a run and all its intents before its first step; the answer is the state's lineage."""
        ...

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        """Store outcomes and the objects they left."""
        ...

    def finish(self, run: Run, outputs: Mapping[str, OutputValue] | None) -> None:
        """
        Close a run: its intents without any outcome are known not to have started; those whose outcome is "pending"
        or "unknown" stay in doubt. None keeps the outputs.
        """
        ...

    def runs(self) -> Sequence[Run]:
        """All runs, oldest first."""
        ...

    def outcomes(self, run: str) -> Sequence[Outcome]:
        """What became of a run's steps, by their numbers, for the history; none when that is not kept any more."""
        ...

    def origin(self, run: str) -> Origin | None:
        """What a run's plan was made from; None when that is not kept, or not any more."""
        ...

    def document(self) -> StateDocument:
        """All of it, the journal too, as one value."""
        ...

    def replace(self, document: StateDocument) -> None:
        """
        Put `document` in the place of all there is, in one transaction. Its serial stands, and so do the revisions of
        its objects: whoever calls this sees to it that neither comes again.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class LeasedStore(StateStore, Protocol):
    """A store whose lock is a lease: it runs out some time after its holder died, and can be broken before."""

    def break_lock(self, id: str) -> None:
        """
        Let the lock go for its holder, who cannot write any more then.

        Args:
            id: of the lease, as StateLocked names it.

        Raises StateError when nobody holds the lock, or another lease does.
        """
        ...


class StateBackend(Protocol):
    """The place that a `backend` block names: a state for each workspace."""

    def open(self, workspace: str) -> StateStore:
        """The state of a workspace, which need not exist: its first `begin` makes it."""
        ...

    def workspaces(self) -> Sequence[str]:
        """Those that hold a state, sorted."""
        ...

    def remove(self, workspace: str) -> None:
        """Delete a workspace's state for good, under its lock. Nothing happens when there is none."""
        ...


class Cipher(Protocol):
    """Keeps texts from whoever can read the place where they are stored."""

    def seal(self, text: str) -> str: ...

    def open(self, sealed: str) -> str:
        """Raises StateError when it was sealed with another key, or was changed since."""
        ...


SEALED = '{"lunform_sealed":'
"""How every sealed text begins, and no plain one; see `planner.encryption`."""


class NoCipher:
    def seal(self, text: str) -> str:
        return text

    def open(self, sealed: str) -> str:
        if sealed.startswith(SEALED):
            raise StateError(
                "Encrypted, and no key is configured",
                "Name the key in the configuration: lunform { encryption { key { ... } } }. To take encryption away,"
                " name it there as old_key, run `lunform state reseal`, and only then remove the block. Nothing was"
                " changed.",
            )
        return sealed


@dataclass(frozen=True, slots=True)
class BackendDefinition:
    """
    What a backend declares of itself: the object behind an entry point of the group `lunform.backends`.

    Attributes:
        name: as written in `backend "name"`; also the entry point's name.
        arguments: of the block. Sensitive ones are never written to disk.
        open: connects lazily: it raises nothing that the network causes. Given are the plain values of all arguments
            (None for what was left out), the project's directory, and what seals texts at rest.
    """

    name: str
    summary: str
    arguments: tuple[Argument, ...]
    open: Callable[[Mapping[str, Any], Path, Cipher], StateBackend]
