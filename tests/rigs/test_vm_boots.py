"""A VM that the provider makes starts from a LUN of its own, lives on it, and leaves nothing when it is deleted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from planner.sdk import (
    ActualVm,
    Attach,
    Attachment,
    Conflict,
    CreateVm,
    Credentials,
    DeleteVm,
    Detach,
    Endpoint,
    HostSpec,
    HypervisorProvider,
    Qos,
    Rejected,
    Reply,
    SetPower,
    UpdateAttachment,
    UpdateVm,
    VmHosts,
)
from planner.sdk.conformance import finish
from providers.libvirt.domain import HOT_PLUG_PORTS
from tests.rigs.conftest import MIB, SIZE, Array, new_owner, open_hosts
from tests.rigs.guest import GuestDisk, Shell, console, guest_image
from tests.rigs.libvirt_host import LibvirtHost

pytestmark = pytest.mark.rig

CEILING = Qos(0, 2000, 2000)


@dataclass
class Made:
    """One VM of the provider "libvirt", and the box that its disks are on."""

    host: LibvirtHost
    provider: HypervisorProvider
    array: Array
    name: str = "db-02"

    @property
    def maker(self) -> VmHosts:
        assert isinstance(self.provider, VmHosts)
        return self.provider

    @property
    def spec(self) -> HostSpec:
        arguments = {"uri": self.host.uri, "virt_type": "qemu", "network": None}
        return HostSpec("host.kvm", "kvm", "127.0.0.1", self.host.initiator, arguments)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("kvm", "127.0.0.1", self.host.initiator)

    def finish(self, reply: Reply[ActualVm]) -> ActualVm:
        return finish(self.provider, reply)

    def create(self, **arguments: str) -> ActualVm:
        spec = replace(self.spec, arguments={**self.spec.arguments, **arguments})
        return self.finish(self.maker.create_vm(CreateVm(spec, self.name, 1, 128 * MIB, new_owner())))

    def update(self, cpus: int, memory: int) -> ActualVm:
        return self.finish(self.maker.update_vm(UpdateVm(self.spec, self.name, cpus, memory)))

    def power(self, on: bool) -> ActualVm:
        return self.finish(self.maker.set_power(SetPower(self.spec, self.name, on)))

    def prepare(self, boot: bool, qos: Qos | None = None) -> tuple[Attach, Credentials]:
        """A volume that the host is let in to, and what it takes to attach it."""
        volume = self.array.create()
        path = self.array.grant(volume.id, self.endpoint)
        credentials = self.array.credentials(volume.id, path)
        owner = new_owner()
        attach = Attach(
            self.spec, self.name, volume.id, path, owner.intent, SIZE, None, None, False, qos, owner, boot=boot
        )
        if boot:
            write_image(attach, credentials)
        return attach, credentials

    def attach(self, request: Attach, credentials: Credentials) -> Attachment:
        return finish(self.provider, self.provider.attach(request, credentials))

    def limit(self, request: Attach, device: str, qos: Qos | None) -> None:
        update = UpdateAttachment(self.spec, self.name, device, request.serial, request.path, SIZE, qos)
        finish(self.provider, self.provider.update_attachment(update))
        (held,) = (disk.qos for disk in self.provider.list_attachments(self.spec) if disk.device == device)
        assert held == qos

    def detach(self, request: Attach, device: str) -> None:
        detach = Detach(self.spec, self.name, device, request.serial, request.path)
        finish(self.provider, self.provider.detach(detach))


def write_image(request: Attach, credentials: Credentials) -> None:
    """Put the guest's disk onto a LUN, over iSCSI, as an initiator that is let in."""
    target = (
        f"driver=iscsi,transport=tcp,portal={request.path.portal},target={request.path.iqn},lun={request.path.lun},"
        f"initiator-name={request.host.initiator},user={credentials.username},password-secret=chap"
    )
    secret = f"secret,id=chap,data={credentials.password}"
    argv = ["qemu-img", "convert", "-n", "--object", secret, "-f", "raw", "--target-image-opts"]
    subprocess.run([*argv, guest_image() / "disk.img", target], check=True, timeout=60)


@pytest.fixture
def made(array: Array, vm_host: LibvirtHost) -> Iterator[Made]:
    provider = open_hosts(detach_timeout=20)
    yield Made(vm_host, provider, array)
    provider.close()


@pytest.fixture
def booted(made: Made) -> Iterator[tuple[Made, Attach, Shell]]:
    """The VM, the request for its root disk, and its console."""
    made.create()
    request, credentials = made.prepare(boot=True, qos=CEILING)
    assert made.attach(request, credentials) == Attachment("vda", live=False)
    assert made.power(on=True).running
    with console(made.host, made.name) as shell:
        shell.wait_until_ready()
        yield made, request, shell


def test_vm_lives_on_its_root_lun_and_leaves_nothing(booted: tuple[Made, Attach, Shell]) -> None:
    made, root, shell = booted

    # Its firmware started it from the LUN, since the domain has no kernel, and what it writes there stays.
    assert "<kernel>" not in made.host.virsh("dumpxml", made.name)
    assert shell.disks() == {"vda": GuestDisk("vda", SIZE, root.serial)}
    assert "/dev/vda1 / vfat" in shell.run("cat /proc/mounts")
    shell.run("echo written by the guest > /note; sync")
    made.limit(root, "vda", None)

    # The other figures wait for that restart, which the guest itself makes possible when it is asked to end.
    changed = made.update(cpus=2, memory=160 * MIB)
    assert changed.needs_restart
    assert shell.run("nproc") == "1\n"
    memory = shell.memory()
    began = time.monotonic()
    assert not made.power(on=False).running
    assert time.monotonic() - began < 30, "it was not waited for in vain"
    assert made.power(on=True) == replace(changed, needs_restart=False)
    with console(made.host, made.name) as again:
        again.wait_until_ready()
        assert again.run("cat /note") == "written by the guest\n"
        assert again.run("nproc") == "2\n"
        assert again.memory() - memory == pytest.approx(32 * MIB, rel=0.1), "the kernel keeps a part of it"

    assert made.host.secrets() != []
    assert made.maker.delete_vm(DeleteVm(made.spec, made.name))
    assert made.name not in made.host.vms()
    assert made.host.secrets() == []
    made.detach(root, "vda")
    made.array.revoke(root.volume, made.endpoint)
    made.array.delete(root.volume)
    assert made.array.box.is_empty


def test_data_disk_is_plugged_into_the_running_vm_and_held_to_what_its_limits_become(
    booted: tuple[Made, Attach, Shell],
) -> None:
    made, _, shell = booted
    request, credentials = made.prepare(boot=False, qos=Qos(0, 200, 200))
    device = made.attach(request, credentials).device
    assert shell.wait_for_disk(device) == GuestDisk(device, SIZE, request.serial)

    for qos, size, expected in (
        (Qos(0, 200, 200), 4096, 200),
        (Qos(0, 400, 400), 4096, 400),
        (Qos(0, 0, 0, 4 * MIB), 64 << 10, 64),
    ):
        made.limit(request, device, qos)
        shell.make_requests(device, max(expected // 5, 8), size)  # QEMU gives a tenth of a second's worth for nothing
        assert measure_fairly(shell, device, expected, size) == pytest.approx(expected, rel=0.1)

    made.detach(request, device)
    assert shell.disks().keys() == {"vda"}
    assert "vda" in shell.run("cat /proc/mounts"), "the root disk stays"


def measure_fairly(shell: Shell, device: str, expected: int, size: int) -> float:
    """The requests a second that the guest gets; too few are measured again, since a busy machine can be the cause."""
    for _ in range(5):
        rate = shell.measure_iops(device, expected * 3 // 2, size)
        if rate > 0.9 * expected:
            break
    return rate


def test_vm_restarted_with_data_disks_still_starts_from_its_root_disk(booted: tuple[Made, Attach, Shell]) -> None:
    made, root, shell = booted
    for _ in range(2):
        request, credentials = made.prepare(boot=False)
        shell.wait_for_disk(made.attach(request, credentials).device)
    made.power(on=False)
    made.power(on=True)
    with console(made.host, made.name) as again:
        again.wait_until_ready()
        assert again.disks()["vda"].serial == root.serial
        assert again.disks().keys() == {"vda", "vdb", "vdc"}


def test_running_vm_has_room_for_as_many_disks_as_its_documentation_says(made: Made) -> None:
    made.create()
    root, credentials = made.prepare(boot=False)
    made.attach(replace(root, boot=True), credentials)
    made.power(on=True)
    for _ in range(HOT_PLUG_PORTS):
        assert made.attach(*made.prepare(boot=False)).live
    with pytest.raises(Rejected, match="no room for another disk"):
        made.attach(*made.prepare(boot=False))
    request, credentials = made.prepare(boot=False)
    assert made.attach(replace(request, bus="scsi"), credentials).live


def test_vm_without_a_root_disk_is_not_started(made: Made) -> None:
    made.create()
    request, credentials = made.prepare(boot=False)
    made.attach(request, credentials)
    with pytest.raises(Rejected, match="no disk to start from"):
        made.power(on=True)


def test_start_that_the_target_refuses_is_told(made: Made) -> None:
    made.create()
    request, credentials = made.prepare(boot=True)
    made.attach(request, credentials)
    made.array.revoke(request.volume, made.endpoint)
    with pytest.raises(Rejected, match="The target refused") as refusal:
        made.power(on=True)
    assert request.path.iqn in refusal.value.detail
    assert credentials.password not in refusal.value.detail
    made.array.grant(request.volume, made.endpoint)
    assert made.power(on=True).running


def test_network_that_the_host_has_not_is_told(made: Made) -> None:
    with pytest.raises(Rejected, match="no network lan"):
        made.create(network="lan")
    assert made.name not in made.host.vms()


def test_network_that_is_not_active_is_told(made: Made) -> None:
    definition = made.host.directory / "lan.xml"
    definition.write_text("<network><name>lan</name><forward mode='bridge'/><bridge name='br-lan'/></network>")
    made.host.virsh("net-define", str(definition))
    try:
        made.create(network="lan")
        made.attach(*made.prepare(boot=True))
        with pytest.raises(Rejected, match="network of db-02 is not active"):
            made.power(on=True)
    finally:
        made.host.virsh("net-undefine", "lan")


def test_vm_that_somebody_else_made_meanwhile_is_not_deleted(made: Made) -> None:
    vm = made.create()
    made.host.remove(made.name)
    definition = made.host.directory / "theirs.xml"
    definition.write_text(
        f"<domain type='qemu'><name>{made.name}</name><memory unit='MiB'>32</memory><os><type>hvm</type></os></domain>"
    )
    made.host.virsh("define", str(definition))
    with pytest.raises(Conflict, match="not Lunform's"):
        made.maker.delete_vm(DeleteVm(made.spec, made.name))
    (theirs,) = (found for found in made.maker.list_vms(made.spec) if found.name == made.name)
    assert (theirs.intent, theirs.id == vm.id) == (None, False)
