"""What a state backend does. Every backend passes `planner.state.conformance`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from planner.state.model import Intent, Outcome, OutputValue, Run, Snapshot


class StateStore(Protocol):
    """
    The recorded state and its journal.

    Reading needs no lock. Writing calls are made by the holder of the lock only, one after the other, but in any of its
    threads; each is one transaction: it is there whole, or not at all, whatever dies.

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

    def begin(self, run: Run, intents: Sequence[Intent]) -> str:
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

    def close(self) -> None: ...
