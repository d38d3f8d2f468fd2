"""What needs no hypervisor: libvirt's own test driver has a host with one running domain, "test"."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from planner.sdk import (
    AccessPath,
    ActualVm,
    Conflict,
    CreateVm,
    DeleteVm,
    Detach,
    Done,
    HostSpec,
    Missing,
    OutcomeUnknown,
    Owner,
    Qos,
    Rejected,
    SetPower,
    Unreachable,
    UpdateAttachment,
    UpdateVm,
)
from providers.libvirt import PROVIDER

if TYPE_CHECKING:
    from providers.libvirt.provider import LibvirtHosts

PATH = AccessPath("192.0.2.10:3260", "iqn.2026-01.lunform:db-1", 1)


def host(uri: str = "test:///default") -> HostSpec:
    return HostSpec("host.kvm", "kvm", "192.0.2.11", None, {"uri": uri})


@pytest.fixture
def hosts() -> LibvirtHosts:
    pytest.importorskip("libvirt")
    from providers.libvirt.provider import LibvirtHosts

    return LibvirtHosts({})


def update(vm: str) -> UpdateAttachment:
    return UpdateAttachment(host(), vm, "vda", "db", PATH, 1 << 30, None)


@pytest.mark.parametrize(("name", "hint"), [("tests", 'Did you mean "test"?'), ("db-01", "It has test.")])
def test_missing_vm_is_told_with_what_there_is(hosts: LibvirtHosts, name: str, hint: str) -> None:
    with pytest.raises(Missing, match=name) as refusal:
        hosts.update_attachment(update(name))
    assert hint in refusal.value.detail


def test_missing_disk_is_told(hosts: LibvirtHosts) -> None:
    with pytest.raises(Missing, match="does not have the disk"):
        hosts.update_attachment(update("test"))


def test_disk_that_is_not_there_is_detached(hosts: LibvirtHosts) -> None:
    assert hosts.detach(Detach(host(), "test", "vda", "db", PATH)) == Done(None)


def test_changed_ceiling_that_a_running_vm_did_not_get_is_not_reported_as_done() -> None:
    """apache/cloudstack#13192. libvirt is made to say yes and do nothing, which no real one does when asked to."""
    pytest.importorskip("libvirt")
    from providers.libvirt.live import limit

    class Deaf:
        def blockIoTune(self, _device: str, _flags: int) -> dict[str, int | str]:
            return {"total_iops_sec": 200, "group_name": "drive-virtio-disk0"}

        def setBlockIoTune(self, _device: str, _figures: dict[str, int], _flags: int) -> None: ...

    with pytest.raises(OutcomeUnknown) as refusal:
        limit(Deaf(), "vda", replace(update("test"), qos=Qos(0, 400, 400)))
    assert "accepted total_iops_sec 400" in refusal.value.detail
    assert "QEMU has total_iops_sec 200" in refusal.value.detail
    limit(Deaf(), "vda", replace(update("test"), qos=Qos(0, 200, 200)))


def test_foreign_vm_is_listed_and_stays(hosts: LibvirtHosts) -> None:
    (vm,) = hosts.list_vms(host())
    assert vm == ActualVm(vm.id, "test", 2, 8 << 30, True, None, False)
    with pytest.raises(Conflict, match="not Lunform's"):
        hosts.delete_vm(DeleteVm(host(), "test"))
    assert list(hosts.list_vms(host())) == [vm]


@pytest.mark.parametrize("name", ["test", "db-01"])
def test_vm_is_not_made_where_it_cannot_be(hosts: LibvirtHosts, name: str) -> None:
    with pytest.raises((Conflict, Rejected)) as refusal:
        hosts.create_vm(CreateVm(host(), name, 1, 1 << 30, Owner("lineage", "vm.db", "00000000000000a1")))
    taken = "The host has a virtual machine test already"
    assert str(refusal.value) == (taken if name == "test" else 'The host has no virtual machines of the type "kvm"')


def test_calls_about_a_missing_vm_say_so(hosts: LibvirtHosts) -> None:
    with pytest.raises(Missing, match="db-01"):
        hosts.set_power(SetPower(host(), "db-01", on=True))
    with pytest.raises(Missing, match="db-01"):
        hosts.update_vm(UpdateVm(host(), "db-01", 1, 1 << 30))
    assert hosts.delete_vm(DeleteVm(host(), "db-01")) == Done(None)


@pytest.mark.parametrize("job", ["no-such-job", "[]", '{"uri": "test:///default"}', '"text"', ""])
def test_text_that_is_no_job_is_refused(hosts: LibvirtHosts, job: str) -> None:
    with pytest.raises(Rejected, match="no such job"):
        hosts.poll(job)


def test_host_that_does_not_answer_is_unreachable_and_prints_nothing(
    hosts: LibvirtHosts, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = "qemu+unix:///system?socket=/nowhere/libvirt-sock"
    for call in (hosts.inspect, hosts.list_attachments):
        with pytest.raises(Unreachable, match="/nowhere/libvirt-sock") as refusal:
            call(host(uri))
        assert f"virsh -c '{uri}'" in refusal.value.detail
    assert capfd.readouterr() == ("", "")


def test_connection_is_kept_and_made_again_after_a_close(hosts: LibvirtHosts) -> None:
    with hosts._connections.to("test:///default") as first, hosts._connections.to("test:///default") as second:
        assert first is second
    hosts.close()
    with hosts._connections.to("test:///default") as third:
        assert third is not first
        assert third.isAlive()


def test_missing_library_is_told_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    assert PROVIDER.open_hypervisor is not None
    with pytest.raises(Rejected, match="libvirt-python") as refusal:
        PROVIDER.open_hypervisor({})
    assert "lunform[libvirt]" in refusal.value.detail
