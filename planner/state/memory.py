"""The state in memory: gone with its process. For tests, and for what is only planned."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from planner.errors import StateError, StateLocked
from planner.state.document import StateDocument
from planner.state.whole import WholeStore


class MemoryStore(WholeStore):
    def __init__(self) -> None:
        self._holder = threading.Lock()
        self._document = StateDocument()
        self._may_write = False

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

    def _change(self, fold: Callable[[StateDocument], StateDocument]) -> StateDocument:
        if not self._may_write:
            raise StateError("The state is written to without its lock", "This is a bug in lunform.")
        self._document = fold(self._document)
        return self._document
