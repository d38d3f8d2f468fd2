"""The state backends pass the conformance suite."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from planner.state.conformance import BackendConformance, DurableStateConformance, Opener, StateConformance
from planner.state.memory import MemoryStore
from planner.state.sqlite import BACKEND, open_sqlite
from planner.state.store import NoCipher, StateBackend


class TestMemory(StateConformance):
    @pytest.fixture
    def opener(self) -> Opener:
        store = MemoryStore()
        return lambda: store


class TestSqlite(DurableStateConformance):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(open_sqlite, tmp_path / "lunform.state")


class TestSqliteWorkspaces(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> StateBackend:
        return BACKEND.open({"path": "lunform.state"}, tmp_path, NoCipher())
