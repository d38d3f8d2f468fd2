"""The state backends pass the conformance suite."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from planner.config.model import Encryption, KeySource
from planner.diagnostics import Source, SourceRange
from planner.encryption import cipher_of
from planner.state import postgres as postgres_backend
from planner.state.conformance import BackendConformance, DurableStateConformance, Opener, StateConformance
from planner.state.memory import MemoryStore
from planner.state.sqlite import BACKEND, open_sqlite
from planner.state.store import DEFAULT_WORKSPACE, NoCipher, StateBackend, StateStore
from tests.rigs.postgres import Postgres


class TestMemory(StateConformance):
    @pytest.fixture
    def opener(self) -> Opener:
        store = MemoryStore()
        return lambda: store


class TestSqlite(DurableStateConformance):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(open_sqlite, tmp_path / "lunform.state")


class TestSealedSqlite(StateConformance):
    @pytest.fixture
    def opener(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opener:
        monkeypatch.setenv("LUNFORM_KEY", "5eed" * 16)
        where = SourceRange(Source("main.lun.hcl", ""), 0, 0)
        cipher = cipher_of(Encryption(KeySource("env", ("LUNFORM_KEY",), where)), tmp_path, "state")
        return partial(open_sqlite, tmp_path / "lunform.state", cipher)


class TestSqliteWorkspaces(BackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> StateBackend:
        return BACKEND.open({"path": "lunform.state"}, tmp_path, NoCipher())


def postgres_place(conn_str: str, schema: str) -> StateBackend:
    arguments = {"conn_str": conn_str, "schema_name": schema, "skip_schema_creation": False}
    return postgres_backend.BACKEND.open(arguments, Path(), NoCipher())


def open_postgres(conn_str: str, schema: str) -> StateStore:
    return postgres_place(conn_str, schema).open(DEFAULT_WORKSPACE)


@pytest.mark.rig
class TestPostgres(DurableStateConformance):
    @pytest.fixture
    def opener(self, postgres: Postgres) -> Opener:
        return partial(open_postgres, postgres.conn_str, postgres.new_schema())


@pytest.mark.rig
class TestPostgresWorkspaces(BackendConformance):
    @pytest.fixture
    def backend(self, postgres: Postgres) -> StateBackend:
        return postgres_place(postgres.conn_str, postgres.new_schema())
