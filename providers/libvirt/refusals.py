"""
What the failure of an attach or a start means, where libvirt's error codes do not tell it.

libvirt passes on what QEMU said as an internal error, so here, and only here, messages are read. One that is not known
is left to `connections`, which goes by the code.
"""

from __future__ import annotations

from typing import Any

from planner.sdk import Attach, ProviderError, Rejected, Retryable
from providers.libvirt.vm import Vm


def explain_attach(request: Attach, device: str, error: Any) -> ProviderError | None:
    message = error.get_error_message() or ""
    what = f"{request.path.iqn} at {request.path.portal}, for {device} of {request.vm}. libvirt said: {message}."
    if "already exists" in message:
        return Retryable(f"The device {device} of {request.vm} was taken in this moment", what)
    if "No more available PCI slots" in message:
        return Rejected(
            f"The virtual machine {request.vm} has no room for another disk",
            f'{what} Give it more pcie-root-port controllers, or use bus = "scsi", which needs only one.',
        )
    return _explain_login(message, what)


def explain_start(vm: Vm, error: Any) -> ProviderError | None:
    name = vm.domain.name()
    message = error.get_error_message() or ""
    what = f"{name} did not start. libvirt said: {message}."
    if "is not active" in message and "network" in message:
        return Rejected(f"The network of {name} is not active", f"{what} `virsh net-start` starts it.")
    if "kvm" in message.lower() and vm.stored is not None and vm.stored.element.get("type") == "kvm":
        return Rejected(
            "The host cannot run virtual machines with KVM",
            f'{what} Have it load its KVM module, or give the host block virt_type = "qemu": what is made from then on '
            "is emulated, and much slower.",
        )
    return _explain_login(message, what)


def _explain_login(message: str, what: str) -> ProviderError | None:
    """What QEMU says of a target that it cannot log in to."""
    if "Failed to connect to LUN" not in message and "iSCSI" not in message:
        return None
    if "Connection refused" in message or "timed out" in message or "No route" in message:
        return Retryable("The hypervisor does not reach the target", what)
    return Rejected("The target refused the hypervisor", what)
