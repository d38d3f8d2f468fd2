"""The state backends pass the conformance suite."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from planner.state import http, s3, sqlite
from planner.state.conformance import BackendConformance, DurableStateConformance, Opener, StateConformance
from planner.state.memory import MemoryStore
from planner.state.sqlite import open_sqlite
from planner.state.store import DEFAULT_WORKSPACE, BackendDefinition, NoCipher, StateBackend, StateStore
from tests.rigs.servers import Bucket


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
        return sqlite.BACKEND.open({"path": "lunform.state"}, tmp_path, NoCipher())


def opened(definition: BackendDefinition, given: Mapping[str, Any]) -> StateBackend:
    defaults = {argument.name: argument.default for argument in definition.arguments}
    return definition.open({**defaults, **given}, Path(), NoCipher())


def open_store(backend: str, given: Mapping[str, Any]) -> StateStore:
    """By name, as a definition cannot be given to another process."""
    return opened({"s3": s3.BACKEND, "http": http.BACKEND}[backend], given).open(DEFAULT_WORKSPACE)


def object_in(bucket: Bucket) -> dict[str, Any]:
    """Arguments of a state that nothing is recorded in."""
    return {**bucket.arguments, "key": f"{secrets.token_hex(8)}/lunform.state"}


@pytest.mark.rig
class TestS3(DurableStateConformance):
    turns = 4  # moto answers some fifty calls in a second

    @pytest.fixture
    def opener(self, bucket: Bucket) -> Opener:
        return partial(open_store, "s3", object_in(bucket))


@pytest.mark.rig
class TestS3Workspaces(BackendConformance):
    @pytest.fixture
    def backend(self, bucket: Bucket) -> StateBackend:
        return opened(s3.BACKEND, {**object_in(bucket), "workspace_key_prefix": secrets.token_hex(8)})


@pytest.mark.rig
class TestHttp(DurableStateConformance):
    @pytest.fixture
    def opener(self, http_state: int) -> Opener:
        address = f"http://127.0.0.1:{http_state}/{secrets.token_hex(8)}"
        return partial(open_store, "http", {"address": address, "lock_address": address})
