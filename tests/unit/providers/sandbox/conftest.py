"""A simulated site: an array, a host, and the few calls that most tests make of them."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import (
    AccessPath,
    ActualVm,
    ActualVolume,
    Attach,
    Attachment,
    CreateVm,
    CreateVolume,
    Credentials,
    DeleteVm,
    DeleteVolume,
    Detach,
    Endpoint,
    GrantAccess,
    HostSpec,
    Owner,
    PoolSpec,
    Qos,
    RevokeAccess,
    SetPower,
    UpdateVm,
    VmHosts,
)
from planner.sdk.conformance import finish
from providers.sandbox import PROVIDER

GIB = 1 << 30


class Site:
    """Both providers on one file. Values, not replies, are answered."""

    pool = PoolSpec("pool.fast", {})
    kvm1 = Endpoint("kvm1", "10.0.0.11", "iqn.1993-08.org.debian:01:kvm1")
    kvm2 = Endpoint("kvm2", "10.0.0.12", "iqn.1993-08.org.debian:01:kvm2")

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        assert PROVIDER.open_storage and PROVIDER.open_hypervisor
        self.path = path
        self.array = PROVIDER.open_storage({"path": str(path), **settings})
        self.hypervisor = PROVIDER.open_hypervisor({"path": str(path), **settings})
        assert isinstance(self.hypervisor, VmHosts)
        self.vm_hosts: VmHosts = self.hypervisor

    def create(
        self,
        name: str = "v",
        size: int = GIB,
        qos: Qos | None = None,
        pool: PoolSpec | None = None,
        address: str = "volume.v",
        intent: str | None = None,
        source: str | None = None,
        policy: str | None = None,
    ) -> ActualVolume:
        owner = Owner("lineage", address, intent or secrets.token_hex(8))
        request = CreateVolume(pool or self.pool, name, size, qos, owner, source=source, policy=policy)
        return finish(self.array, self.array.create_async(request))

    def grant(self, volume: str, endpoint: Endpoint = kvm1) -> AccessPath:
        return finish(self.array, self.array.grant_access(GrantAccess(self.pool, volume, endpoint)))

    def revoke(self, volume: str, endpoint: Endpoint = kvm1) -> None:
        finish(self.array, self.array.revoke_access(RevokeAccess(self.pool, volume, endpoint)))

    def delete(self, volume: str) -> None:
        finish(self.array, self.array.delete_async(DeleteVolume(self.pool, volume)))

    def host(self, endpoint: Endpoint = kvm1, **arguments: Any) -> HostSpec:
        return HostSpec(f"host.{endpoint.name}", endpoint.name, endpoint.address, endpoint.initiator, arguments)

    def attach(
        self,
        path: AccessPath,
        credentials: Credentials | None = None,
        host: HostSpec | None = None,
        vm: str = "db-01",
        device: str | None = None,
        bus: str | None = None,
        serial: str = "s1",
        qos: Qos | None = None,
        read_only: bool = False,
        shareable: bool = False,
        boot: bool = False,
    ) -> Attachment:
        owner = Owner("lineage", "volume.v", secrets.token_hex(8))
        request = Attach(
            *(host or self.host(), vm, "any", path, serial, GIB, device, bus),
            read_only=read_only,
            qos=qos,
            owner=owner,
            shareable=shareable,
            boot=boot,
        )
        return finish(self.hypervisor, self.hypervisor.attach(request, credentials))

    def detach(self, path: AccessPath, vm: str = "db-01", device: str = "vda", serial: str = "s1") -> None:
        finish(self.hypervisor, self.hypervisor.detach(Detach(self.host(), vm, device, serial, path)))

    def create_vm(
        self,
        name: str = "web",
        cpus: int = 2,
        memory: int = GIB,
        host: HostSpec | None = None,
        address: str = "vm.web",
        intent: str | None = None,
    ) -> ActualVm:
        owner = Owner("lineage", address, intent or secrets.token_hex(8))
        request = CreateVm(host or self.host(), name, cpus, memory, owner)
        return finish(self.hypervisor, self.vm_hosts.create_vm(request))

    def update_vm(self, cpus: int, memory: int, name: str = "web", host: HostSpec | None = None) -> ActualVm:
        return finish(self.hypervisor, self.vm_hosts.update_vm(UpdateVm(host or self.host(), name, cpus, memory)))

    def set_power(self, on: bool, name: str = "web", host: HostSpec | None = None) -> ActualVm:
        return finish(self.hypervisor, self.vm_hosts.set_power(SetPower(host or self.host(), name, on)))

    def delete_vm(self, name: str = "web", host: HostSpec | None = None) -> None:
        finish(self.hypervisor, self.vm_hosts.delete_vm(DeleteVm(host or self.host(), name)))

    def vms(self, host: HostSpec | None = None) -> dict[str, ActualVm]:
        return {vm.name: vm for vm in self.vm_hosts.list_vms(host or self.host())}

    def names(self, pool: PoolSpec | None = None) -> list[str]:
        return [volume.name for volume in self.array.list_volumes(pool or self.pool)]

    def write(self, statement: str, *values: object) -> None:
        """What a second administrator does to the array."""
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(statement, values)
        connection.close()


@pytest.fixture
def open_site(tmp_path: Path) -> Callable[..., Site]:
    """Opens the test's one simulation; each call as another process would, with the settings given."""
    return lambda **settings: Site(tmp_path / "sandbox.db", settings)


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()
