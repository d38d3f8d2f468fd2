"""The state in memory: gone with its process. For tests, and for what is only planned."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from planner.addresses import InstanceAddress
from planner.errors import StateError, StateLocked
from planner.state.model import Intent, Outcome, OutputValue, RecordedObject, Run, Snapshot


class MemoryStore:
    """See `planner.state.store.StateStore`."""

    def __init__(self) -> None:
        self._holder = threading.Lock()
        self._change = threading.Lock()
        self._lineage = ""
        self._serial = 0
        self._objects: dict[InstanceAddress, RecordedObject] = {}
        self._outputs: dict[str, OutputValue] = {}
        self._runs: dict[str, Run] = {}
        self._intents: dict[tuple[str, int], Intent] = {}
        self._begun: set[tuple[str, int]] = set()

    def read(self) -> Snapshot:
        with self._change:
            return Snapshot(
                lineage=self._lineage,
                serial=self._serial,
                objects=dict(self._objects),
                outputs=dict(self._outputs),
                in_doubt=tuple(self._intents.values()),
            )

    def runs(self) -> Sequence[Run]:
        return tuple(self._runs.values())

    @contextmanager
    def lock(self, operation: str, timeout: float = 0.0) -> Iterator[None]:
        if not self._holder.acquire(timeout=timeout):
            raise StateLocked("The state is locked", "Another part of this process holds it.", "this process")
        try:
            yield
        finally:
            self._holder.release()

    def begin(self, run: Run, intents: Sequence[Intent]) -> str:
        if run.id in self._runs:
            raise StateError("The state knows this run already", f'"{run.id}" was begun before.')
        with self._writing():
            self._lineage = self._lineage or uuid.uuid4().hex
            self._runs[run.id] = run
            self._intents.update({(intent.run, intent.step): intent for intent in intents})
            return self._lineage

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if outcome.run not in self._runs:
                raise StateError("The state knows no such run", f'Run "{outcome.run}" was not begun.')
        with self._writing():
            for outcome in outcomes:
                key = (outcome.run, outcome.step)
                if outcome.status in ("done", "failed"):
                    self._intents.pop(key, None)
                    self._begun.discard(key)
                elif key in self._intents:
                    self._intents[key] = replace(self._intents[key], job=outcome.job)
                    self._begun.add(key)
                if outcome.removed:
                    self._objects.pop(outcome.address, None)
                elif outcome.object is not None:
                    self._objects[outcome.address] = replace(outcome.object, revision=self._serial)

    def finish(self, run: Run, outputs: Mapping[str, OutputValue] | None) -> None:
        with self._writing():
            self._runs[run.id] = run
            self._intents = {
                key: intent for key, intent in self._intents.items() if key[0] != run.id or key in self._begun
            }
            if outputs is not None:
                self._outputs = {
                    name: OutputValue(None, True) if output.sensitive else output
                    for name, output in sorted(outputs.items())
                }

    def close(self) -> None:
        pass

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if not self._holder.locked():
            raise StateError("The state is written to without its lock", "This is a bug in lunform.")
        with self._change:
            self._serial += 1
            yield
