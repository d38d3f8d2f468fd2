"""What else may happen on a hypervisor host: VMs without a guest or without a definition, and a host that goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from planner.sdk import Conflict, OutcomeUnknown, Qos, Retryable, Unreachable
from tests.rigs.conftest import SIZE, Array, Vm, open_hosts
from tests.rigs.fixtures import Rig
from tests.rigs.libvirt_host import LibvirtHost, running_libvirt_host

pytestmark = pytest.mark.rig

# No operating system, so nobody answers when a device is to be unplugged.
_EMPTY_VM = """
<domain type='qemu'>
  <name>empty</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='pci' model='pcie-root'/>
    <controller type='pci' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>
    <controller type='pci' model='pcie-root-port'/><controller type='pci' model='pcie-root-port'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def create_empty_vm(host: LibvirtHost) -> None:
    """A transient VM: it is gone for good when it stops."""
    definition = host.directory / "empty.xml"
    definition.write_text(_EMPTY_VM)
    host.virsh("create", str(definition))


@pytest.fixture
def empty_vm(vm: Vm) -> Iterator[Vm]:
    create_empty_vm(vm.rig.host)
    yield replace(vm, rig=replace(vm.rig, vm="empty"))
    vm.rig.host.virsh("destroy", "empty")


def test_transient_vm_gets_and_loses_a_disk_and_its_host_stores_no_secret(array: Array, empty_vm: Vm) -> None:
    volume = array.create()
    path = array.grant(volume.id, empty_vm.endpoint)
    request = empty_vm.request(volume, path, Qos(0, 100, 100), bus="scsi")
    attachment = empty_vm.attach(request, array.credentials(volume.id, path))
    assert (attachment.device, attachment.live) == ("sda", True)
    (disk,) = empty_vm.disks()
    assert (disk.size, disk.qos, disk.live) == (SIZE, Qos(0, 100, 100), True)
    (secret,) = empty_vm.rig.host.secrets()
    assert "ephemeral='yes'" in empty_vm.rig.host.virsh("secret-dumpxml", secret)

    empty_vm.update(request, SIZE, Qos(0, 200, 200))
    empty_vm.detach(request, "sda")
    assert empty_vm.disks() == []
    assert empty_vm.rig.host.secrets() == []


def test_vm_that_is_gone_leaves_no_secret(array: Array, vm: Vm) -> None:
    create_empty_vm(vm.rig.host)
    empty_vm = replace(vm, rig=replace(vm.rig, vm="empty"))
    volume = array.create()
    path = array.grant(volume.id, vm.endpoint)
    request = empty_vm.request(volume, path)
    device = empty_vm.attach(request, array.credentials(volume.id, path)).device
    vm.rig.host.virsh("destroy", "empty")
    assert vm.rig.host.secrets() != []
    empty_vm.detach(request, device)
    assert vm.rig.host.secrets() == []


def test_vm_without_a_guest_does_not_let_go_of_a_virtio_disk(array: Array, empty_vm: Vm) -> None:
    volume = array.create()
    path = array.grant(volume.id, empty_vm.endpoint)
    request = empty_vm.request(volume, path)
    device = empty_vm.attach(request, array.credentials(volume.id, path)).device
    for _ in range(2):
        with pytest.raises(Retryable, match="does not let go") as refusal:
            empty_vm.detach(request, device)
        assert "shut it down" in refusal.value.detail


def test_volume_that_somebody_else_attached_is_a_conflict(array: Array, vm: Vm) -> None:
    volume = array.create()
    path = array.grant(volume.id, vm.endpoint)
    credentials = array.credentials(volume.id, path)
    vm.attach(vm.request(volume, path), credentials)
    with pytest.raises(Conflict, match="has the volume already"):
        vm.attach(vm.request(volume, path), credentials)
    assert len(vm.disks()) == 1


def test_scsi_disks_share_one_controller(array: Array, empty_vm: Vm) -> None:
    devices = []
    for _ in range(3):
        volume = array.create()
        path = array.grant(volume.id, empty_vm.endpoint)
        request = empty_vm.request(volume, path, bus="scsi")
        devices.append(empty_vm.attach(request, array.credentials(volume.id, path)).device)
    assert devices == ["sda", "sdb", "sdc"]
    assert empty_vm.rig.host.virsh("dumpxml", "empty").count("model='virtio-scsi'") == 1


def test_host_that_goes_and_comes_back(array: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()

    def sleep(seconds: float) -> None:
        waiting.set()
        time.sleep(seconds)

    monkeypatch.setattr("providers.libvirt.live.time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    with running_libvirt_host(tmp_path) as host:
        create_empty_vm(host)
        provider = open_hosts(detach_timeout=60)
        rig = Rig(
            portal=array.box.portal,
            control_port=array.box.control_port,
            chap_key="",
            pool_directory=array.box.pool,
            uri=host.uri,
            initiator=host.initiator,
            address="127.0.0.1",
            vm="empty",
            box=array.box,
            host=host,
            guest=None,  # type: ignore[arg-type]
        )
        vm = Vm(rig, provider)
        volume = array.create()
        path = array.grant(volume.id, vm.endpoint)
        request = vm.request(volume, path)
        device = vm.attach(request, array.credentials(volume.id, path)).device

        with ThreadPoolExecutor() as threads:
            detach = threads.submit(vm.detach, request, device)
            assert waiting.wait(20), "for the guest, which never answers"
            host.stop()
            with pytest.raises(OutcomeUnknown, match="broke during a call"):
                detach.result()
        with pytest.raises(Unreachable) as refusal:
            vm.disks()
        assert host.uri in str(refusal.value)

        host.start()
        assert vm.disks() == []
        provider.close()
