"""The provider "libvirt" passes the conformance suite, with a real libvirtd, a running guest, and LUNs of a tgtd."""

from __future__ import annotations

import secrets

import pytest

from planner.sdk import CreateVolume, Endpoint, GrantAccess, HostSpec, PoolSpec, ResizeVolume
from planner.sdk.conformance import HostUnderTest, HypervisorConformance, Target, finish, new_owner
from providers.libvirt import PROVIDER
from providers.tgt.provider import TgtArray
from tests.rigs.fixtures import Rig

pytestmark = pytest.mark.rig

SIZE = 16 << 20


class TestHypervisor(HypervisorConformance):
    @pytest.fixture
    def hypervisor(self, rig: Rig) -> HostUnderTest:
        array = TgtArray(rig.box.settings())
        pool = PoolSpec("pool.fast", {"directory": str(rig.pool_directory)})
        host = HostSpec("host.kvm", "kvm", rig.address, rig.initiator, {"uri": rig.uri})

        def serve(initiator: str = rig.initiator) -> Target:
            request = CreateVolume(pool, f"v-{secrets.token_hex(4)}", SIZE, None, new_owner())
            volume = finish(array, array.create_async(request))
            endpoint = Endpoint("kvm", rig.address, initiator)
            path = finish(array, array.grant_access(GrantAccess(pool, volume.id, endpoint)))
            return Target(volume.id, path, array.credentials(volume.id, path), SIZE)

        def grow(target: Target) -> int:
            return finish(array, array.resize_async(ResizeVolume(pool, target.volume, 2 * SIZE))).size

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

        open_hypervisor = PROVIDER.open_hypervisor
        assert open_hypervisor is not None
        return HostUnderTest(
            open=lambda: open_hypervisor({}),
            host=host,
            vm=rig.vm,
            missing_vm="db-99",
            serve=serve,
            serve_closed=lambda: serve("iqn.2026-01.test.lunform:somebody-else"),
            grow=grow,
            add_foreign=add_foreign,
        )
