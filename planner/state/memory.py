"""The state in memory: gone with its process. For tests, and for what is only planned."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from planner.errors import StateError, StateLocked
from planner.state import document as documents
from planner.state.document import StateDocument
from planner.state.model import Intent, Origin, Outcome, OutputValue, Run, Snapshot


class MemoryStore:
    """See `planner.state.store.StateStore`."""

    def __init__(self) -> None:
        self._holder = threading.Lock()
        self._document = StateDocument()
        self._may_write = False

    def read(self) -> Snapshot:
        return self._document.snapshot()

    def runs(self) -> Sequence[Run]:
        return tuple(self._document.runs.values())

    def outcomes(self, run: str) -> Sequence[Outcome]:
        return self._document.outcomes_of(run)

    def origin(self, run: str) -> Origin | None:
        return self._document.origins.get(run)

    def document(self) -> StateDocument:
        return self._document

    @contextmanager
    def lock(self, operation: str, timeout: float = 0.0) -> Iterator[None]:
        if not self._holder.acquire(timeout=timeout):
            raise StateLocked("The state is locked", "Another part of this process holds it.", "this process")
        try:
            with self.unlocked():
                yield
        finally:
            self._holder.release()

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        before, self._may_write = self._may_write, True
        try:
            yield
        finally:
            self._may_write = before

    def begin(self, run: Run, intents: Sequence[Intent], origin: Origin | None = None) -> str:
        self._write(documents.begin(self._document, run, intents, origin))
        return self._document.lineage

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        self._write(documents.commit(self._document, outcomes))

    def finish(self, run: Run, outputs: Mapping[str, OutputValue] | None) -> None:
        self._write(documents.finish(self._document, run, outputs))

    def replace(self, document: StateDocument) -> None:
        self._write(document)

    def close(self) -> None:
        pass

    def _write(self, document: StateDocument) -> None:
        if not self._may_write:
            raise StateError("The state is written to without its lock", "This is a bug in lunform.")
        self._document = document
