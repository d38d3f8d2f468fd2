"""Stores of the backends that need a server, opened by plain data, so that other processes can open them too."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.state import http, s3
from planner.state.leased import LeasedWholeStore
from planner.state.store import DEFAULT_WORKSPACE, BackendDefinition, NoCipher, StateBackend
from tests.rigs.servers import Bucket

_DEFINITIONS = {"s3": s3.BACKEND, "http": http.BACKEND}


def open_backend(definition: BackendDefinition, given: Mapping[str, Any]) -> StateBackend:
    """With the defaults of what is not given."""
    defaults = {argument.name: argument.default for argument in definition.arguments}
    return definition.open({**defaults, **given}, Path(), NoCipher())


def open_leased(backend: str, given: Mapping[str, Any]) -> LeasedWholeStore:
    store = open_backend(_DEFINITIONS[backend], given).open(DEFAULT_WORKSPACE)
    assert isinstance(store, LeasedWholeStore)
    return store


def new_object(bucket: Bucket, url: str = "") -> dict[str, Any]:
    """Arguments of s3 for a state that nothing is recorded in, reached by `url`."""
    way = bucket.through(url) if url else bucket.arguments
    return {**way, "key": f"{secrets.token_hex(8)}/lunform.state", "max_retries": 2}


def new_address(port: int, lock_path: str = "") -> dict[str, Any]:
    """Arguments of http for a state that nothing is recorded in."""
    address = f"http://127.0.0.1:{port}/{secrets.token_hex(8)}"
    return {"address": address, "lock_address": address + lock_path, "retry_wait_min": 0}
