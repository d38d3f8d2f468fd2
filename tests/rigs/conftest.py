"""The providers of the rigs, and requests to them with everything filled in that a test does not care about."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from planner.sdk import (
    AccessPath,
    ActualAttachment,
    ActualVolume,
    Attach,
    Attachment,
    CreateVolume,
    Credentials,
    DeleteVolume,
    Detach,
    Done,
    Endpoint,
    GrantAccess,
    HostSpec,
    HypervisorProvider,
    Owner,
    PoolSpec,
    Qos,
    Reply,
    ResizeVolume,
    RevokeAccess,
    UpdateAttachment,
    UpdateQos,
)
from providers import libvirt as libvirt_provider
from providers.tgt.link import Here
from providers.tgt.machine import LocalMachine, Machine
from providers.tgt.provider import TgtArray
from tests.rigs.fixtures import Rig
from tests.rigs.tgtd import Tgtd

T = TypeVar("T")

MIB = 1 << 20
SIZE = 64 * MIB

HOST1 = Endpoint("kvm1", "127.0.0.1", "iqn.2026-01.test.lunform:kvm1")
HOST2 = Endpoint("kvm2", "127.0.0.2", "iqn.2026-01.test.lunform:kvm2")


def done(reply: Reply[T]) -> T:
    assert isinstance(reply, Done)
    return reply.value


def new_owner() -> Owner:
    return Owner("f3b0c442-98fc-1c14-9afb-f4c8996fb924", "volume.db", secrets.token_hex(8))


@dataclass
class Array:
    """The provider "tgt" on the rig's box, with one pool."""

    box: Tgtd
    provider: TgtArray
    throttle: bool = True

    @property
    def pool(self) -> PoolSpec:
        return PoolSpec("pool.fast", {"directory": str(self.box.pool), "throttle": self.throttle})

    def on(self, machine: Machine) -> Array:
        """The same array, its box reached through `machine`."""
        return replace(self, provider=TgtArray(self.box.settings(), Here(machine)))

    def on_this_machine(self) -> Array:
        return self.on(LocalMachine())

    def request(self, size: int = SIZE, qos: Qos | None = None) -> CreateVolume:
        return CreateVolume(self.pool, "db-wal", size, qos, new_owner())

    def create(self, request: CreateVolume | None = None) -> ActualVolume:
        return done(self.provider.create_async(request or self.request()))

    def resize(self, volume: str, size: int) -> ActualVolume:
        return done(self.provider.resize_async(ResizeVolume(self.pool, volume, size)))

    def update_qos(self, volume: str, qos: Qos | None) -> ActualVolume:
        return done(self.provider.update_qos(UpdateQos(self.pool, volume, qos)))

    def grant(self, volume: str, endpoint: Endpoint = HOST1) -> AccessPath:
        return done(self.provider.grant_access(GrantAccess(self.pool, volume, endpoint)))

    def revoke(self, volume: str, endpoint: Endpoint = HOST1) -> None:
        done(self.provider.revoke_access(RevokeAccess(self.pool, volume, endpoint)))

    def delete(self, volume: str) -> None:
        done(self.provider.delete_async(DeleteVolume(self.pool, volume)))

    def volumes(self) -> list[ActualVolume]:
        return list(self.provider.list_volumes(self.pool))

    def monitor(self, volume: str) -> Path:
        """Socket of the volume's storage daemon."""
        return self.box.pool / f"{volume[-16:]}.qmp"

    def file(self, volume: str, suffix: str) -> Path:
        return self.box.pool / f"{volume.rpartition(':')[2]}{suffix}"

    def secret(self, volume: str) -> Credentials:
        """The volume's account, as the box remembers it, whether anybody was granted access or not."""
        record = json.loads(self.file(volume, ".json").read_text())
        return self.credentials(volume, AccessPath(self.box.portal, volume, 1, record["account"]))

    def credentials(self, volume: str, path: AccessPath) -> Credentials:
        credentials = self.provider.credentials(volume, path)
        assert credentials is not None
        return credentials


@dataclass
class Vm:
    """The provider "libvirt" on the rig's host, about the rig's guest."""

    rig: Rig
    provider: HypervisorProvider

    @property
    def host(self) -> HostSpec:
        return HostSpec("host.kvm", "kvm", self.rig.address, self.rig.initiator, {"uri": self.rig.uri})

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("kvm", self.rig.address, self.rig.initiator)

    def request(self, volume: ActualVolume, path: AccessPath, qos: Qos | None = None, bus: str | None = None) -> Attach:
        return Attach(
            host=self.host,
            vm=self.rig.vm,
            volume=volume.id,
            path=path,
            serial="lunform-db-wal",
            size=volume.size,
            device=None,
            bus=bus,
            read_only=False,
            qos=qos,
            owner=new_owner(),
        )

    def attach(self, request: Attach, credentials: Credentials) -> Attachment:
        return done(self.provider.attach(request, credentials))

    def update(self, request: Attach, size: int, qos: Qos | None = None) -> Attachment:
        device = self.disks()[0].device
        return done(
            self.provider.update_attachment(
                UpdateAttachment(self.host, request.vm, device, request.serial, request.path, size, qos)
            )
        )

    def detach(self, request: Attach, device: str) -> None:
        done(self.provider.detach(Detach(self.host, request.vm, device, request.serial, request.path)))

    def disks(self) -> list[ActualAttachment]:
        return list(self.provider.list_attachments(self.host))


@pytest.fixture
def array(box: Tgtd) -> Array:
    return Array(box, TgtArray(box.settings()))


def open_hosts(detach_timeout: float) -> HypervisorProvider:
    assert libvirt_provider.PROVIDER.open_hypervisor is not None
    return libvirt_provider.PROVIDER.open_hypervisor({"detach_timeout": detach_timeout})


@pytest.fixture
def vm(rig: Rig) -> Iterator[Vm]:
    provider = open_hosts(detach_timeout=1)
    yield Vm(rig, provider)
    provider.close()
