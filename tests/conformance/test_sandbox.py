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
    CopyConformance,
    DeletedConformance,
    HostUnderTest,
    HypervisorConformance,
    PolicyConformance,
    StorageConformance,
    Target,
    VmConformance,
    VmHostUnderTest,
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
        "policies": True,
        "undelete_for": 3_600_000,
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


class TestArray(StorageConformance, PolicyConformance, CopyConformance, DeletedConformance):
    @pytest.fixture
    def array(self, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArrayUnderTest:
        image = tmp_path / "debian.raw"
        image.write_bytes(bytes(1 << 20))
        monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=CountingConnection))

        def add_snapshot(volume: str, name: str) -> str:
            write(
                settings,
                "INSERT INTO snapshot (volume, name, size, created)"
                " SELECT id, ?, size, '2026-11-01T10:00:00Z' FROM volume WHERE 'vol-' || id = ?",
                *(name, volume),
            )
            (made,) = (one for one in open_array(settings).list_snapshots(POOL) if one.name == name)
            return made.id

        return ArrayUnderTest(
            open=lambda: open_array(settings),
            pool=POOL,
            endpoints=(KVM1, KVM2),
            add_snapshot=add_snapshot,
            add_foreign=lambda name: write(
                settings, "INSERT INTO volume (pool, name, size) VALUES (?, ?, ?)", POOL.address, name, 1 << 30
            ),
            image=str(image),
            count_calls=lambda: CountingConnection.statements,
        )


class TestSimpleArray(StorageConformance, PolicyConformance):
    """Without CHAP, images and policies, and of a pool that holds nothing."""

    @pytest.fixture
    def array(self, settings: dict[str, Any]) -> ArrayUnderTest:
        settings |= {"chap_seed": None, "images": False, "policies": False, "enforces": (), "undelete_for": 0}
        return ArrayUnderTest(open=lambda: open_array(settings), pool=POOL, endpoints=(KVM1, KVM2))


class Hosts:
    """The targets of a simulation, for its hosts."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._array = open_array(settings)

    def serve(self, endpoint: Endpoint = KVM1) -> Target:
        array = self._array
        request = CreateVolume(POOL, f"v-{secrets.token_hex(4)}", 1 << 30, None, new_owner())
        volume = finish(array, array.create_async(request))
        path = finish(array, array.grant_access(GrantAccess(POOL, volume.id, endpoint)))
        return Target(volume.id, path, array.credentials(volume.id, path), volume.size)

    def grow(self, target: Target) -> int:
        request = ResizeVolume(POOL, target.volume, 2 * target.size)
        return finish(self._array, self._array.resize_async(request)).size

    def add_foreign_disk(self) -> str:
        target = self.serve()
        write(
            self._settings,
            "INSERT INTO attachment (host, vm, device, volume, endpoint, size, read_only)"
            " VALUES (?, 'db-01', 'vdz', ?, ?, ?, 0)",
            *(HOST.network_address, int(target.volume.removeprefix("vol-")), KVM1.initiator, target.size),
        )
        return target.path.iqn

    def add_foreign_vm(self, name: str) -> None:
        write(
            self._settings,
            "INSERT INTO vm (host, name, cpus, memory, running_cpus, running_memory) VALUES (?, ?, 2, 1024, 2, 1024)",
            *(HOST.network_address, name),
        )


@pytest.fixture
def hosts(settings: dict[str, Any]) -> Hosts:
    return Hosts(settings)


class TestHypervisor(HypervisorConformance):
    @pytest.fixture
    def hypervisor(self, settings: dict[str, Any], hosts: Hosts) -> HostUnderTest:
        return HostUnderTest(
            open=lambda: open_hypervisor(settings),
            host=HOST,
            vm="db-01",
            missing_vm="db-99",
            serve=hosts.serve,
            serve_closed=lambda: hosts.serve(KVM2),
            grow=hosts.grow,
            add_foreign=hosts.add_foreign_disk,
        )


class TestVms(VmConformance):
    @pytest.fixture
    def vm_host(self, settings: dict[str, Any], hosts: Hosts) -> VmHostUnderTest:
        hosts.serve()  # makes the file, which a second administrator then writes to
        return VmHostUnderTest(
            open=lambda: open_hypervisor(settings), host=HOST, serve=hosts.serve, add_foreign=hosts.add_foreign_vm
        )
