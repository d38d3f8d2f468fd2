"""The state backends pass the conformance suite."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from planner.state.conformance import DurableStateConformance, Opener, StateConformance
from planner.state.memory import MemoryStore
from planner.state.sqlite import open_sqlite


class TestMemory(StateConformance):
    @pytest.fixture
    def opener(self) -> Opener:
        store = MemoryStore()
        return lambda: store


class TestSqlite(DurableStateConformance):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(open_sqlite, tmp_path / "lunform.state")
