"""The state backends pass the conformance suite."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from planner.config.model import Encryption, KeySource
from planner.diagnostics import Source, SourceRange
from planner.encryption import cipher_of
from planner.state import postgres as postgres_backend
from planner.state import s3, sqlite
from planner.state.conformance import BackendConformance, DurableStateConformance, Opener, StateConformance
from planner.state.memory import MemoryStore
from planner.state.sqlite import open_sqlite
from planner.state.store import DEFAULT_WORKSPACE, NoCipher, StateBackend, StateStore
from tests.rigs.opened import new_address, new_object, open_backend, open_leased
from tests.rigs.postgres import Postgres
from tests.rigs.servers import Bucket, running_http_state


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
        return sqlite.BACKEND.open({"path": "lunform.state"}, tmp_path, NoCipher())


def postgres_place(conn_str: str, schema: str) -> StateBackend:
    arguments = {"conn_str": conn_str, "schema_name": schema, "skip_schema_creation": False}
    return postgres_backend.BACKEND.open(arguments, Path(), NoCipher())


def open_postgres(conn_str: str, schema: str) -> StateStore:
    return postgres_place(conn_str, schema).open(DEFAULT_WORKSPACE)


@pytest.fixture(scope="module")
def gitlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that has GitLab's ways."""
    with running_http_state(tmp_path_factory.mktemp("gitlab"), "--like-gitlab") as port:
        yield port


class ServedStateConformance(DurableStateConformance):
    """Less of what takes long: a process needs a second of CPU to begin, and moto answers some fifty calls in one."""

    turns = 4

    @pytest.mark.parametrize("acknowledged", [1, 8])
    def test_a_writer_killed_in_the_middle_of_commits_loses_none(self, opener: Opener, acknowledged: int) -> None:
        super().test_a_writer_killed_in_the_middle_of_commits_loses_none(opener, acknowledged)


@pytest.mark.rig
class TestPostgres(ServedStateConformance):
    @pytest.fixture
    def opener(self, postgres: Postgres) -> Opener:
        return partial(open_postgres, postgres.conn_str, postgres.new_schema())


@pytest.mark.rig
class TestPostgresWorkspaces(BackendConformance):
    @pytest.fixture
    def backend(self, postgres: Postgres) -> StateBackend:
        return postgres_place(postgres.conn_str, postgres.new_schema())


@pytest.mark.rig
class TestS3(ServedStateConformance):
    @pytest.fixture
    def opener(self, bucket: Bucket) -> Opener:
        return partial(open_leased, "s3", new_object(bucket))


@pytest.mark.rig
class TestS3Workspaces(BackendConformance):
    @pytest.fixture
    def backend(self, bucket: Bucket) -> StateBackend:
        return open_backend(s3.BACKEND, {**new_object(bucket), "workspace_key_prefix": secrets.token_hex(8)})


@pytest.mark.rig
class TestHttp(ServedStateConformance):
    @pytest.fixture
    def opener(self, http_state: int) -> Opener:
        return partial(open_leased, "http", new_address(http_state))


@pytest.mark.rig
class TestHttpLikeGitlab(StateConformance):
    @pytest.fixture
    def opener(self, gitlab: int) -> Opener:
        methods = {"lock_method": "POST", "unlock_method": "DELETE"}
        return partial(open_leased, "http", {**new_address(gitlab, "/lock"), **methods})
