"""What s3 and http say before anything is connected, and what they never say."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from planner.errors import StateError, StateLocked
from planner.state import http, s3
from planner.state.leased import LeasedWholeStore
from planner.state.store import DEFAULT_WORKSPACE
from tests.rigs.opened import open_backend, open_leased
from tests.rigs.servers import free_port

BUCKET = {"bucket": "states", "key": "k", "region": "us-east-1", "use_path_style": True, "max_retries": 0}


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "find_spec", lambda name: None)
    with pytest.raises(StateError) as caught:
        open_backend(s3.BACKEND, BUCKET)
    assert "lunform[s3]" in caught.value.detail


@pytest.mark.parametrize("backend", [s3.BACKEND, http.BACKEND], ids=lambda backend: backend.name)
def test_a_lease_shorter_than_servers_tell_the_time_is_refused(backend: Any) -> None:
    with pytest.raises(StateError, match="Unsuitable"):
        open_backend(backend, {**BUCKET, "address": "http://127.0.0.1/state", "lease_time": 1})


def test_http_is_configured_by_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StateError, match="no address"):
        open_backend(http.BACKEND, {})
    monkeypatch.setenv("LUNFORM_HTTP_ADDRESS", "http://127.0.0.1/a")
    monkeypatch.setenv("LUNFORM_HTTP_LOCK_METHOD", "POST")
    monkeypatch.setenv("LUNFORM_HTTP_LEASE_TIME", "20")
    place = open_leased("http", {"lock_method": "PUT"})._place
    assert isinstance(place, http.HttpPlace)
    arguments = place._arguments
    assert (place.name, arguments["lock_method"], arguments["lease_time"]) == ("http://127.0.0.1/a", "PUT", 20)
    monkeypatch.setenv("LUNFORM_HTTP_RETRY_MAX", "often")
    with pytest.raises(StateError, match="Unsuitable"):
        open_backend(http.BACKEND, {})


def test_http_has_one_workspace() -> None:
    backend = open_backend(http.BACKEND, {"address": "http://127.0.0.1/state"})
    with pytest.raises(StateError, match="No workspaces"):
        backend.open("east")


def test_http_without_a_lock_address_is_not_written_to() -> None:
    store = open_leased("http", {"address": "http://127.0.0.1/state"})
    with pytest.raises(StateError, match="cannot be locked") as caught, store.lock("apply"):
        pass
    assert not isinstance(caught.value, StateLocked)


def test_no_secret_is_in_a_message() -> None:
    secret, port = "hunter2", free_port()
    url = f"http://me:{secret}@127.0.0.1:{port}/state?token={secret}"
    stores = [
        open_leased(
            "http", {"address": url, "lock_address": url, "password": secret, "username": "me", "retry_max": 0}
        ),
        open_leased("s3", {**BUCKET, "endpoint": f"http://127.0.0.1:{port}", "access_key": "a", "secret_key": secret}),
    ]
    for store in stores:
        assert secret not in said_by(store)


def said_by(store: LeasedWholeStore) -> str:
    with pytest.raises(StateError) as read:
        store.read()
    with pytest.raises(StateError) as locked, store.lock("apply"):
        pass
    chained = [error for caught in (read, locked) for error in (caught.value, caught.value.__cause__) if error]
    return " ".join(f"{error!r} {getattr(error, 'detail', '')}" for error in chained)


def test_the_modules_cost_nothing_until_they_are_used() -> None:
    import subprocess
    import sys

    program = (
        "import sys, planner.state.s3, planner.state.http;"
        "print([name for name in ('boto3', 'botocore', 'requests') if name in sys.modules])"
    )
    assert importlib.util.find_spec("boto3") is not None
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=Path())
    assert ran.stdout.strip() == "[]"


def test_the_default_workspace_is_the_key_itself() -> None:
    backend = open_backend(s3.BACKEND, BUCKET)
    for workspace, name in ((DEFAULT_WORKSPACE, "s3://states/k"), ("east", "s3://states/env:/east/k")):
        store = backend.open(workspace)
        assert isinstance(store, LeasedWholeStore)
        assert store._place.name == name
