"""What needs no hypervisor: libvirt's own test driver has a host with one running domain, "test"."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from planner.sdk import AccessPath, Detach, Done, HostSpec, Missing, Rejected, Unreachable, UpdateAttachment
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
