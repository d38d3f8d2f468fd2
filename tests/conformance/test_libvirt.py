"""The provider "libvirt" passes the conformance suite, with a real libvirtd, a running guest, and LUNs of a tgtd."""

from __future__ import annotations

import secrets

import pytest

from planner.sdk import (
    CreateVolume,
    Endpoint,
    GrantAccess,
    HostSpec,
    HypervisorProvider,
    PoolSpec,
    Qos,
    ResizeVolume,
)
from planner.sdk.conformance import (
    HostUnderTest,
    HypervisorConformance,
    Target,
    VmConformance,
    VmHostUnderTest,
    finish,
    new_owner,
)
from providers.libvirt import PROVIDER
from providers.tgt.provider import TgtArray
from tests.rigs.fixtures import Rig
from tests.rigs.libvirt_host import LibvirtHost
from tests.rigs.tgtd import Tgtd

pytestmark = pytest.mark.rig

SIZE = 16 << 20
ADDRESS = "127.0.0.1"


class Box:
    """A pool of a tgtd, whose volumes are served to a host."""

    def __init__(self, box: Tgtd, initiator: str) -> None:
        self._array = TgtArray(box.settings())
        self._pool = PoolSpec("pool.fast", {"directory": str(box.pool)})
        self._initiator = initiator

    def serve(self) -> Target:
        return self._serve(self._initiator)

    def serve_closed(self) -> Target:
        return self._serve("iqn.2026-01.test.lunform:somebody-else")

    def grow(self, target: Target) -> int:
        request = ResizeVolume(self._pool, target.volume, 2 * SIZE)
        return finish(self._array, self._array.resize_async(request)).size

    def _serve(self, initiator: str) -> Target:
        request = CreateVolume(self._pool, f"v-{secrets.token_hex(4)}", SIZE, None, new_owner())
        volume = finish(self._array, self._array.create_async(request))
        grant = GrantAccess(self._pool, volume.id, Endpoint("kvm", ADDRESS, initiator))
        path = finish(self._array, self._array.grant_access(grant))
        return Target(volume.id, path, self._array.credentials(volume.id, path), SIZE)


def open_hosts(shutdown_timeout: float = 60) -> HypervisorProvider:
    assert PROVIDER.open_hypervisor is not None
    return PROVIDER.open_hypervisor({"shutdown_timeout": shutdown_timeout})


class TestHypervisor(HypervisorConformance):
    @pytest.fixture
    def hypervisor(self, rig: Rig) -> HostUnderTest:
        box = Box(rig.box, rig.initiator)

        def add_foreign() -> str:
            rig.box.adm("target", "new", "--tid", "1", "--targetname", "iqn.2026-01.test:by-hand")
            path = rig.pool_directory / "by-hand.img"
            path.write_bytes(bytes(SIZE))
            rig.box.adm("logicalunit", "new", "--tid", "1", "--lun", "1", "--backing-store", str(path))
            rig.box.adm("target", "bind", "--tid", "1", "--initiator-address", "ALL")
            address, port = rig.portal.split(":")
            disk = rig.host.directory / "by-hand.xml"
            disk.write_text(
                "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
                "<source protocol='iscsi' name='iqn.2026-01.test:by-hand/1'>"
                f"<host name='{address}' port='{port}'/></source><target dev='vdz' bus='virtio'/></disk>"
            )
            rig.host.virsh("attach-device", rig.vm, str(disk), "--live")
            return "iqn.2026-01.test:by-hand"

        return HostUnderTest(
            open=open_hosts,
            host=HostSpec("host.kvm", "kvm", rig.address, rig.initiator, {"uri": rig.uri}),
            vm=rig.vm,
            missing_vm="db-99",
            serve=box.serve,
            serve_closed=box.serve_closed,
            grow=box.grow,
            add_foreign=add_foreign,
            qos=Qos(0, 400, 800, 8 << 20),
            other_qos=Qos(0, 0, 0, 9 << 20),
        )


class TestVms(VmConformance):
    """The VMs have nothing on their disks to start, so they sit in their firmware, which never shuts down."""

    @pytest.fixture
    def vm_host(self, box: Tgtd, vm_host: LibvirtHost) -> VmHostUnderTest:
        def add_foreign(name: str) -> None:
            definition = vm_host.directory / "foreign.xml"
            definition.write_text(
                f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>"
                "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
            )
            vm_host.virsh("define", str(definition))

        return VmHostUnderTest(
            open=lambda: open_hosts(shutdown_timeout=0.1),
            host=HostSpec("host.kvm", "kvm", ADDRESS, vm_host.initiator, {"uri": vm_host.uri, "virt_type": "qemu"}),
            serve=Box(box, vm_host.initiator).serve,
            add_foreign=add_foreign,
            memory=(64 << 20) + 1,  # which no VM of QEMU's has
        )
