"""The sandbox passes the provider conformance suite, done at once and taking its time, with and without CHAP."""

from __future__ import annotations

import secrets
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import (
    CreateVolume,
    Endpoint,
    GrantAccess,
    HostSpec,
    HypervisorProvider,
    PoolSpec,
    ResizeVolume,
    StorageProvider,
)
from planner.sdk.conformance import (
    ArrayUnderTest,
    HostUnderTest,
    HypervisorConformance,
    StorageConformance,
    Target,
    finish,
    new_owner,
)
from providers.sandbox import PROVIDER

POOL = PoolSpec("pool.fast", {"size": "1TiB", "iops": 1_000_000})
KVM1 = Endpoint("kvm1", "10.0.0.11", "iqn.1993-08.org.debian:01:kvm1")
KVM2 = Endpoint("kvm2", "10.0.0.12", "iqn.1993-08.org.debian:01:kvm2")
HOST = HostSpec('host.kvm["kvm1"]', "kvm1", KVM1.address, KVM1.initiator, {"vms": ("db-01", "db-02")})


@pytest.fixture(params=[0, 3], ids=["at-once", "pending"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    return {
        "path": str(tmp_path / "sandbox.db"),
        "async_after": request.param,
        "chap_seed": "a seed for tests",
        "iops_range": (50, 200_000),
    }


def open_array(settings: dict[str, Any]) -> StorageProvider:
    assert PROVIDER.open_storage is not None
    return PROVIDER.open_storage(settings)


def open_hypervisor(settings: dict[str, Any]) -> HypervisorProvider:
    assert PROVIDER.open_hypervisor is not None
    return PROVIDER.open_hypervisor(settings)


def write(settings: dict[str, Any], statement: str, *values: object) -> None:
    """What a second administrator does to the array."""
    connection = sqlite3.connect(settings["path"])
    with connection:
        connection.execute(statement, values)
    connection.close()


class CountingConnection(sqlite3.Connection):
    """Counts the statements that are sent to the array, by whomever."""

    statements = 0

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        CountingConnection.statements += 1
        return super().execute(*arguments)


class TestArray(StorageConformance):
    @pytest.fixture
    def array(self, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> ArrayUnderTest:
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=CountingConnection))
        return ArrayUnderTest(
            open=lambda: open_array(settings),
            pool=POOL,
            endpoints=(KVM1, KVM2),
            add_foreign=lambda name: write(
                settings, "INSERT INTO volume (pool, name, size) VALUES (?, ?, ?)", POOL.address, name, 1 << 30
            ),
            count_calls=lambda: CountingConnection.statements,
        )


class TestArrayWithoutChap(StorageConformance):
    @pytest.fixture
    def array(self, settings: dict[str, Any]) -> ArrayUnderTest:
        settings["chap_seed"] = None
        return ArrayUnderTest(open=lambda: open_array(settings), pool=POOL, endpoints=(KVM1, KVM2))


class TestHypervisor(HypervisorConformance):
    @pytest.fixture
    def hypervisor(self, settings: dict[str, Any]) -> HostUnderTest:
        array = open_array(settings)

        def serve(endpoint: Endpoint = KVM1) -> Target:
            volume = finish(
                array, array.create_async(CreateVolume(POOL, f"v-{secrets.token_hex(4)}", 1 << 30, None, new_owner()))
            )
            path = finish(array, array.grant_access(GrantAccess(POOL, volume.id, endpoint)))
            return Target(volume.id, path, array.credentials(volume.id, path), volume.size)

        def grow(target: Target) -> int:
            return finish(array, array.resize_async(ResizeVolume(POOL, target.volume, 2 * target.size))).size

        def add_foreign() -> str:
            target = serve()
            assert HOST.network_address is not None
            write(
                settings,
                "INSERT INTO attachment (host, vm, device, volume, endpoint, size, read_only)"
                " VALUES (?, 'db-01', 'vdz', ?, ?, ?, 0)",
                *(HOST.network_address, int(target.volume.removeprefix("vol-")), KVM1.initiator, target.size),
            )
            return target.path.iqn

        return HostUnderTest(
            open=lambda: open_hypervisor(settings),
            host=HOST,
            vm="db-01",
            missing_vm="db-99",
            serve=serve,
            serve_closed=lambda: serve(KVM2),
            grow=grow,
            add_foreign=add_foreign,
        )
