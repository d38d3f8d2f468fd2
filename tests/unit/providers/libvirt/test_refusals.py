from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from planner.sdk import AccessPath, Attach, HostSpec, Owner, Rejected, Retryable

if TYPE_CHECKING:
    from providers.libvirt.vm import Vm

pytest.importorskip("libvirt")

REQUEST = Attach(
    host=HostSpec("host.kvm", "kvm", None, None, {"uri": "qemu:///system"}),
    vm="db-01",
    volume="vol-1",
    path=AccessPath("192.0.2.10:3260", "iqn.2026-01.lunform:db-1", 1),
    serial="db",
    size=1 << 30,
    device=None,
    bus=None,
    read_only=False,
    qos=None,
    owner=Owner("lineage", "volume.db", "00000000000000a1"),
)

# What QEMU 7.2 says.
LOGIN = "iSCSI: Failed to connect to LUN : Failed to log in to target. Status: Authorization failure(514)"
REFUSED = "iSCSI: Failed to connect to LUN : iscsi_connect: Failed to connect: Connection refused(111)"
NO_KVM = "process exited while connecting to monitor: Could not access KVM kernel module: No such file or directory"


def error(message: str) -> Any:
    return SimpleNamespace(get_error_message=lambda: message)


def vm(virt_type: str) -> Vm:
    from providers.libvirt.definition import Definition
    from providers.libvirt.vm import Vm

    return Vm(SimpleNamespace(name=lambda: "db-01"), None, Definition.parse(f"<domain type='{virt_type}'/>"))


@pytest.mark.parametrize(
    ("message", "kind", "summary"),
    [
        (LOGIN, Rejected, "The target refused the hypervisor"),
        (REFUSED, Retryable, "The hypervisor does not reach the target"),
        ("No more available PCI slots", Rejected, "The virtual machine db-01 has no room for another disk"),
        ("target vdb already exists", Retryable, "The device vdb of db-01 was taken in this moment"),
    ],
)
def test_attach_is_explained(message: str, kind: type[Exception], summary: str) -> None:
    from providers.libvirt.refusals import explain_attach

    explained = explain_attach(REQUEST, "vdb", error(message))
    assert (type(explained), str(explained)) == (kind, summary)
    assert explained is not None
    assert message in explained.detail


@pytest.mark.parametrize(
    ("message", "kind", "summary", "advice"),
    [
        (LOGIN, Rejected, "The target refused the hypervisor", "db-01"),
        (REFUSED, Retryable, "The hypervisor does not reach the target", "db-01"),
        (NO_KVM, Rejected, "The host cannot run virtual machines with KVM", 'virt_type = "qemu"'),
        ("network 'lan' is not active", Rejected, "The network of db-01 is not active", "virsh net-start"),
    ],
)
def test_start_is_explained(message: str, kind: type[Exception], summary: str, advice: str) -> None:
    from providers.libvirt.refusals import explain_start

    explained = explain_start(vm("kvm"), error(message))
    assert (type(explained), str(explained)) == (kind, summary)
    assert explained is not None
    assert message in explained.detail
    assert advice in explained.detail


def test_what_is_not_known_is_left_to_the_error_code() -> None:
    from providers.libvirt.refusals import explain_attach, explain_start

    assert explain_attach(REQUEST, "vdb", error("out of memory")) is None
    assert explain_start(vm("kvm"), error("out of memory")) is None
    assert explain_start(vm("qemu"), error(NO_KVM)) is None
