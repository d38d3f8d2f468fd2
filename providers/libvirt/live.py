"""
What is done to the disks of a running VM. libvirt's yes is no proof of any of it, so what QEMU and the guest made of it
is looked at.
"""

from __future__ import annotations

import time
from typing import Any

import libvirt

from planner.sdk import Detach, OutcomeUnknown, Rejected, Retryable, UpdateAttachment
from providers.libvirt.definition import Disk
from providers.libvirt.limits import differ, show, to_parameters
from providers.libvirt.vm import Vm

DETACH_POLL = 0.05


def live_sizes(connection: Any) -> dict[str, dict[str, int]]:
    """Bytes by domain's UUID and device, for all running VMs in one call."""
    sizes: dict[str, dict[str, int]] = {}
    flags = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
    for domain, figures in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_BLOCK, flags):
        sizes[domain.UUIDString()] = {
            figures[f"block.{n}.name"]: figures[f"block.{n}.capacity"]
            for n in range(figures.get("block.count", 0))
            if f"block.{n}.capacity" in figures
        }
    return sizes


def grow(domain: Any, device: str, request: UpdateAttachment) -> None:
    """Have the running VM see the size that the LUN has by now. Its guest is not disturbed where that is so already."""
    size = domain.blockInfo(device)[0]
    if size > request.size:  # QEMU would say yes and do nothing
        raise Rejected(
            "A disk cannot shrink", f"{device} of {request.vm} has {size} bytes, {request.size} were asked for."
        )
    if size < request.size:
        try:
            domain.blockResize(device, request.size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
        except libvirt.libvirtError as error:
            if "Cannot grow" not in str(error):
                raise
            raise Rejected(
                "The LUN is smaller than the disk shall be",
                f"{request.path.iqn} did not grow to {request.size} bytes, so {device} of {request.vm} cannot.",
            ) from error


def limit(domain: Any, device: str, request: UpdateAttachment) -> None:
    """
    Have the running VM's disk held to the limits, and make sure that it is: what QEMU has counts, not libvirt's yes.

    Raises:
        OutcomeUnknown: libvirt said yes, and QEMU has other figures.
    """
    present = _limits(domain, device)
    figures = to_parameters(request.qos, present)
    if differ(present, figures):
        domain.setBlockIoTune(device, figures, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        present = _limits(domain, device)
        if differ(present, figures):
            raise OutcomeUnknown(
                f"The limits of {device} of {request.vm} are not what was set",
                f"libvirt accepted {show(figures)}, and QEMU has {show(present)}.",
            )


def _limits(domain: Any, device: str) -> dict[str, int]:
    """What QEMU itself says; `<iotune>` is only what libvirt remembers."""
    figures = domain.blockIoTune(device, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    return {name: value for name, value in figures.items() if isinstance(value, int)}


def unplug(domain: Any, disk: Disk, request: Detach, timeout: float) -> None:
    """
    Take a disk from a running guest, and wait until the guest has let go of it: QEMU stays logged in until then.

    libvirt only passes the request on, so its success says nothing. A guest may refuse, or not be able to answer.

    Raises:
        Retryable: it has not within `timeout` seconds.
    """
    try:
        domain.detachDeviceAlias(disk.alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_DEVICE_MISSING:
            return
        if "in the process of unplug" not in str(error):  # asked for earlier, and still waited for
            raise
    deadline = time.monotonic() + timeout
    while True:
        try:
            vm = Vm.read(domain)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return
            raise
        if vm.live is None or vm.live.find(disk.iqn, disk.lun) is None:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(DETACH_POLL)
    paused = domain.state()[0] == libvirt.VIR_DOMAIN_PAUSED
    raise Retryable(
        "The guest does not let go of the disk",
        f"{request.vm} was asked to give up {disk.device} and has not within {timeout:.0f} seconds. "
        + (
            "It is paused: resume it, and it will."
            if paused
            else "It may be booting, hung, or have no driver for hot-plugging. Apply again when it runs properly, "
            "or shut it down first."
        ),
    )
