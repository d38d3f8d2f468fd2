from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from planner.addresses import ProviderAddress
from planner.guard import Secrets, guarded
from planner.log import TRACE, log
from planner.resources.schema import Argument
from planner.sdk.errors import OutcomeUnknown, ProviderError, Rejected, Retryable
from planner.sdk.hypervisor import VmHosts
from planner.sdk.provider import ProviderDefinition
from planner.sdk.storage import AccessPath, Credentials, PoolSpec, QosPolicies

SECRET = 'hunter2 "&ü'
ADDRESS = ProviderAddress("array", "east")
POOL = PoolSpec("pool.a")
PATH = AccessPath("192.0.2.1:3260", "iqn.x", 0, "user")


class Array:
    """Raises what it is given."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def list_volumes(self, pool: PoolSpec) -> Iterator[str]:
        yield "volume"
        if self.error is not None:
            raise self.error

    def pool_status(self, pool: PoolSpec) -> str:
        if self.error is not None:
            raise self.error
        return f"status of {pool.address}"

    def credentials(self, volume: str, path: AccessPath) -> Credentials:
        return Credentials("user", "chap-secret-1")


class ArrayWithPolicies(Array):
    def list_policies(self) -> list[str]:
        return []

    def update_policy(self, request: object) -> None: ...


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log at trace level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    monkeypatch.setattr(log, "handlers", [handler])
    before = log.level
    log.setLevel(TRACE)
    yield stream
    log.setLevel(before)


def guard(array: Any, *secrets: str) -> Any:
    return guarded(array, ADDRESS, Secrets(secrets))


@pytest.mark.parametrize("form", [SECRET, "hunter2%20%22%26%C3%BC", json.dumps({"x": SECRET}), repr([SECRET])])
@pytest.mark.parametrize("call", ["pool_status", "list_volumes"])
def test_a_secret_in_an_error_is_hidden(form: str, call: str) -> None:
    error = Retryable(f"login with {form} failed", f"tried {form}", 7.0)
    with pytest.raises(Retryable) as raised:
        list(getattr(guard(Array(error), SECRET), call)(POOL))
    assert "hunter2" not in f"{raised.value} {raised.value.detail}"
    assert str(raised.value).startswith("login with ")
    assert raised.value.retry_after == 7.0


def test_an_error_without_a_secret_stays_as_it_is() -> None:
    error = OutcomeUnknown("no answer", "from 192.0.2.1")
    with pytest.raises(ProviderError) as raised:
        guard(Array(error), SECRET).pool_status(POOL)
    assert raised.value is error
    assert (str(error), error.detail) == ("no answer", "from 192.0.2.1")


def test_chap_secrets_become_known_when_they_are_had() -> None:
    secrets = Secrets()
    guarded(Array(), ADDRESS, secrets).credentials("vol-1", PATH)
    with pytest.raises(Rejected, match=r"^iscsiadm \(sensitive value\)$"):
        guarded(Array(Rejected("iscsiadm chap-secret-1")), ADDRESS, secrets).pool_status(POOL)


def test_texts_of_three_characters_are_in_every_other_word() -> None:
    assert Secrets(["the"]).hide("the end of the other") == "the end of the other"


def test_what_a_provider_can_do_is_seen_through_the_guard() -> None:
    assert isinstance(guard(ArrayWithPolicies()), QosPolicies)
    assert not isinstance(guard(Array()), QosPolicies | VmHosts)
    assert guard(Array()).pool_status(POOL) == "status of pool.a"


def test_calls_are_traced_without_what_is_secret(lines: io.StringIO) -> None:
    array = guard(Array(), SECRET)
    array.credentials(f"vol of {SECRET}", PATH)
    list(array.list_volumes(POOL))
    said = lines.getvalue()
    assert "array.east: credentials('vol of (sensitive value)', AccessPath(" in said
    assert "array.east: list_volumes(PoolSpec(address='pool.a', arguments={})) -> 1 items: 'volume' in 0.0" in said
    assert "hunter2" not in said
    assert "chap-secret" not in said


def test_an_unexpected_exception_is_logged_by_kind_and_place_alone(lines: io.StringIO) -> None:
    with pytest.raises(KeyError):
        guard(Array(KeyError(SECRET))).pool_status(POOL)
    said = lines.getvalue()
    assert "pool_status failed with KeyError" in said
    assert "in pool_status: raise self.error" in said
    assert "hunter2" not in said


def test_only_settings_can_be_declared_sensitive() -> None:
    secret = (Argument("password", sensitive=True),)
    ProviderDefinition("array", "", settings=secret)
    with pytest.raises(ValueError, match="only settings"):
        ProviderDefinition("array", "", pool_arguments=secret)
