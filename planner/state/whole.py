"""A store whose state lies in one piece: each write makes a new document of the one before, and puts it there whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from planner.state import document as documents
from planner.state.document import StateDocument
from planner.state.model import Intent, Origin, Outcome, OutputValue, Run, Snapshot


class WholeStore(ABC):
    """See `planner.state.store.StateStore`. A subclass says where the document lies, and who may write it."""

    @abstractmethod
    def document(self) -> StateDocument: ...

    @abstractmethod
    def lock(self, operation: str, timeout: float = 0.0) -> AbstractContextManager[None]: ...

    @abstractmethod
    def unlocked(self) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _change(self, fold: Callable[[StateDocument], StateDocument]) -> StateDocument:
        """
        Put what `fold` makes of the present document in its place, and return it.

        Raises:
            StateError: the lock is not held, or is lost; or what `fold` raises. Nothing was changed.
        """

    def read(self) -> Snapshot:
        return self.document().snapshot()

    def runs(self) -> Sequence[Run]:
        return tuple(self.document().runs.values())

    def outcomes(self, run: str) -> Sequence[Outcome]:
        return self.document().outcomes_of(run)

    def origin(self, run: str) -> Origin | None:
        return self.document().origins.get(run)

    def begin(self, run: Run, intents: Sequence[Intent], origin: Origin | None = None) -> str:
        return self._change(lambda document: documents.begin(document, run, intents, origin)).lineage

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        self._change(lambda document: documents.commit(document, outcomes))

    def finish(self, run: Run, outputs: Mapping[str, OutputValue] | None) -> None:
        self._change(lambda document: documents.finish(document, run, outputs))

    def replace(self, document: StateDocument) -> None:
        self._change(lambda _: document)

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        pass
