from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import (
    AccessPath,
    CreateVolume,
    Done,
    Endpoint,
    GrantAccess,
    Missing,
    Owner,
    Pending,
    PoolSpec,
    Rejected,
    Unreachable,
)
from providers.tgt import PROVIDER
from providers.tgt.link import Here, Ssh
from providers.tgt.provider import CHAP_KEY_VARIABLE, TgtArray

KEY = "sixteen letters!"
POOL = PoolSpec("pool.fast", {"directory": "/srv/luns"})
VOLUME = "iqn.2026-01.lunform:db-wal-4f1c9a0e77b2d385"


class Recording:
    """A link that notes requests and answers as a box does that has done what it was asked."""

    place = "nowhere"

    def __init__(self) -> None:
        self.request: Mapping[str, Any] = {}
        self.under_way = False

    @property
    def arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = self.request["arguments"]
        return arguments

    def call(self, request: Mapping[str, Any]) -> Any:
        self.request = request
        if self.under_way:
            return None
        identity, account = self.arguments["iqn"], self.arguments.get("account")
        return {"id": identity, "name": "", "size": 1, "qos": None, "owner": None, "grants": (), "account": account}

    def close(self) -> None:
        return


@pytest.fixture
def link() -> Recording:
    return Recording()


def array(link: Recording | Here | Ssh, **settings: object) -> TgtArray:
    return TgtArray({"portal": "192.0.2.10:3260", "chap_key": KEY, **settings}, link)


def create(name: str, size: int = 1 << 20) -> CreateVolume:
    return CreateVolume(POOL, name, size, None, Owner("lineage", "volume.db", "4f1c9a0e77b2d385"))


@pytest.mark.parametrize(
    ("name", "iqn"),
    [
        ("db-wal", "iqn.2026-01.lunform:db-wal-4f1c9a0e77b2d385"),
        ("DB_Wal", "iqn.2026-01.lunform:db-wal-4f1c9a0e77b2d385"),
        ("../../etc/x", "iqn.2026-01.lunform:etc-x-4f1c9a0e77b2d385"),
        ("größe", "iqn.2026-01.lunform:gr-e-4f1c9a0e77b2d385"),
        ("日本", "iqn.2026-01.lunform:volume-4f1c9a0e77b2d385"),
        ("a:b,c", "iqn.2026-01.lunform:a-b-c-4f1c9a0e77b2d385"),
        ("x" * 300, f"iqn.2026-01.lunform:{'x' * 60}-4f1c9a0e77b2d385"),
    ],
)
def test_target_name_is_made_from_the_volumes_name_and_intent(link: Recording, name: str, iqn: str) -> None:
    array(link).create_async(create(name))
    assert link.arguments["iqn"] == iqn


def test_prefix_of_target_names_can_be_chosen(link: Recording) -> None:
    array(link, iqn_prefix="iqn.2020-02.com.example:east").create_async(create("db"))
    assert link.arguments["iqn"] == "iqn.2020-02.com.example:east:db-4f1c9a0e77b2d385"


@pytest.mark.parametrize("size", [0, 511, 513])
def test_size_off_the_sector_is_rejected(link: Recording, size: int) -> None:
    with pytest.raises(Rejected, match="size"):
        array(link).create_async(create("db", size))


@pytest.mark.parametrize(
    ("address", "initiator", "entry"),
    [
        ("192.0.2.1", "iqn.2026-01.test:kvm1", "iqn.2026-01.test:kvm1"),
        (None, "iqn.2026-01.test:kvm1", "iqn.2026-01.test:kvm1"),
        ("192.0.2.1", None, "192.0.2.1"),
    ],
)
def test_host_is_let_in_by_its_name_or_else_its_address(
    link: Recording, address: str | None, initiator: str | None, entry: str
) -> None:
    array(link).grant_access(GrantAccess(POOL, VOLUME, Endpoint("kvm1", address, initiator)))
    assert link.arguments["entry"] == entry


@pytest.mark.parametrize(
    ("address", "initiator", "detail"),
    [
        (None, None, "neither"),
        ("192.0.2.1", "kvm1", "no iSCSI name"),
        ("kvm1.example.com", None, "no IP address"),
        ("ALL", None, "no IP address"),
    ],
)
def test_host_that_tgtd_could_not_tell_is_rejected(
    link: Recording, address: str | None, initiator: str | None, detail: str
) -> None:
    with pytest.raises(Rejected, match="cannot be let in") as refusal:
        array(link).grant_access(GrantAccess(POOL, VOLUME, Endpoint("kvm1", address, initiator)))
    assert detail in refusal.value.detail


def test_secret_is_the_same_wherever_it_is_derived_and_has_16_characters(link: Recording) -> None:
    array(link).grant_access(GrantAccess(POOL, VOLUME, Endpoint("kvm1", "192.0.2.1", None)))
    path = AccessPath("192.0.2.10:3260", VOLUME, 1, link.arguments["account"])
    credentials = array(Recording()).credentials(VOLUME, path)
    assert credentials is not None
    assert (credentials.username, credentials.password) == (link.arguments["account"], link.arguments["password"])
    assert len(credentials.password) == 16


def test_each_volume_and_each_key_has_its_own_secret() -> None:
    other_volume = VOLUME[:-1] + "0"
    made = {
        array(Recording(), chap_key=key)._account(volume)
        for key in (KEY, "another sixteen letters")
        for volume in (VOLUME, other_volume)
    }
    assert len({user for user, _ in made}) == len({password for _, password in made}) == 4


def test_key_comes_from_the_environment_when_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CHAP_KEY_VARIABLE, KEY)
    assert array(Recording(), chap_key=None)._account(VOLUME) == array(Recording())._account(VOLUME)


@pytest.mark.parametrize("key", [None, "", "fifteen letters"])
def test_plan_without_a_usable_key_is_rejected(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    monkeypatch.delenv(CHAP_KEY_VARIABLE, raising=False)
    with pytest.raises(Rejected, match="chap_key") as refusal:
        array(Recording(), chap_key=key).inspect()
    assert CHAP_KEY_VARIABLE in refusal.value.detail


def test_pool_whose_directory_is_not_there_is_missing() -> None:
    with pytest.raises(Missing, match="/srv/nowhere"):
        array(Here()).list_volumes(PoolSpec("pool.fast", {"directory": "/srv/nowhere"}))


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        ("echo 'ssh: Could not resolve hostname box' >&2; exit 255", Unreachable, "box"),
        ("echo 'root@box: Permission denied (publickey).' >&2; exit 255", Unreachable, "box"),
        ("echo 'bash: line 1: python3: command not found' >&2; exit 127", Rejected, "no python3"),
    ],
)
def test_what_ssh_says_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[Exception], message: str
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text(f"#!/bin/sh\n{script}\n")
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(error, match=message):
        array(Ssh("root@box")).pool_status(POOL)


def test_pool_is_throttled_unless_it_says_otherwise(link: Recording) -> None:
    asked = []
    for arguments in ({}, {"throttle": None}, {"throttle": True}, {"throttle": False}):
        pool = PoolSpec("pool.fast", {"directory": "/srv/luns", **arguments})
        array(link).create_async(replace(create("db"), pool=pool))
        asked.append(link.request["throttle"])
    assert asked == [True, True, True, False]


def test_create_whose_image_is_being_copied_is_polled_by_any_process(link: Recording) -> None:
    link.under_way = True
    pool = PoolSpec("pool.fast", {"directory": "/srv/luns", "throttle": False})
    reply = array(link).create_async(replace(create("db-wal"), pool=pool, source="/srv/images/debian.qcow2"))
    assert isinstance(reply, Pending)
    assert KEY not in reply.job
    other = Recording()
    volume = array(other).poll(reply.job)
    assert isinstance(volume, Done)
    assert volume.value.id == VOLUME
    assert (other.request["directory"], other.request["throttle"]) == ("/srv/luns", False)
    assert other.arguments == {name: link.arguments[name] for name in ("iqn", "account", "password")}


@pytest.mark.parametrize("job", ["", "no-such-job", "7", "[1]", '{"a": 1}'])
def test_job_of_somebody_else_is_rejected(link: Recording, job: str) -> None:
    with pytest.raises(Rejected, match="no such job"):
        array(link).poll(job)


def test_key_is_a_sensitive_setting() -> None:
    assert [setting.name for setting in PROVIDER.settings if setting.sensitive] == ["chap_key"]
