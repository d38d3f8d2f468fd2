"""The hypervisor protocol of `planner.sdk`, spoken to libvirt."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any
from xml.etree import ElementTree

import libvirt

from planner.sdk import (
    ActualAttachment,
    Attach,
    Attachment,
    Conflict,
    Credentials,
    Detach,
    Done,
    HostInfo,
    HostSpec,
    Missing,
    ProviderError,
    Rejected,
    Reply,
    Retryable,
    Settings,
    UpdateAttachment,
)
from providers.libvirt.chap import define_secret, forget_secret, secret_uuid
from providers.libvirt.connections import Connections
from providers.libvirt.definition import (
    ALIAS_PREFIX,
    Disk,
    bus_of,
    controller_xml,
    disk_xml,
    free_device,
    scsi_place,
)
from providers.libvirt.limits import to_parameters
from providers.libvirt.vm import Vm

DETACH_TIMEOUT = 20.0
DETACH_POLL = 0.05


class LibvirtHosts:
    """All hosts of one `provider "libvirt"` block; each host names its libvirtd by `uri`."""

    def __init__(self, settings: Settings) -> None:
        timeout = settings.get("detach_timeout")
        self._detach_timeout = DETACH_TIMEOUT if timeout is None else float(timeout)
        self._connections = Connections()
        self._vm_locks: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def inspect(self, host: HostSpec) -> HostInfo:
        with self._connections.to(_uri(host)) as connection:
            capabilities = ElementTree.fromstring(connection.getCapabilities())
            return HostInfo(
                identity=f"libvirt-{capabilities.findtext('host/uuid')}",
                product=f"libvirt {_version(connection.getLibVersion())}, {connection.getType()} "
                f"{_version(connection.getVersion())} on {connection.getHostname()}",
                enforces=frozenset({"ceiling", "burst"}),
            )

    def list_attachments(self, host: HostSpec) -> Iterable[ActualAttachment]:
        """Two calls for the domains, one for all sizes, and one for each definition."""
        attachments: list[ActualAttachment] = []
        with self._connections.to(_uri(host)) as connection:
            domains = {domain.UUIDString(): domain for domain in connection.listAllDomains()}
            sizes = _live_sizes(connection)
            for identity, domain in domains.items():
                try:
                    vm = Vm.read(domain)
                except libvirt.libvirtError as error:
                    if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                        continue  # it went while we looked
                    raise
                attachments += vm.attachments(sizes.get(identity, {}))
        return attachments

    def attach(self, request: Attach, credentials: Credentials | None) -> Reply[Attachment]:
        with self._vm_lock(request.host, request.vm), self._connections.to(_uri(request.host)) as connection:
            vm = Vm.find(connection, request.vm)
            alias = ALIAS_PREFIX + request.owner.intent
            ours = [disk for disk in vm.disks(request.path.iqn, request.path.lun) if disk.alias == alias]
            device = ours[0].device if ours else _choose_device(vm, request)
            if vm.flags(lacking=alias):
                try:
                    self._plug(connection, vm, request, device, credentials)
                except libvirt.libvirtError as error:
                    self._forget_unused_secret(connection, request.path.iqn, request.vm)
                    raise _explain_attach(request, device, error) or error from error
            return Done(Attachment(device, vm.live is not None))

    def update_attachment(self, request: UpdateAttachment) -> Reply[Attachment]:
        with self._vm_lock(request.host, request.vm), self._connections.to(_uri(request.host)) as connection:
            vm = Vm.find(connection, request.vm)
            iqn, lun = request.path.iqn, request.path.lun
            live = vm.live.find(iqn, lun) if vm.live else None
            stored = vm.stored.find(iqn, lun) if vm.stored else None
            disk = live or stored
            if disk is None:
                raise Missing(
                    f"The virtual machine {request.vm} does not have the disk", f"It has no disk from {iqn}, LUN {lun}."
                )
            if live is not None:
                _grow(vm.domain, live.device, request)
            for present, flag in (
                (live, libvirt.VIR_DOMAIN_AFFECT_LIVE),
                (stored, libvirt.VIR_DOMAIN_AFFECT_CONFIG),
            ):
                if present is not None:
                    figures = to_parameters(request.qos, present.iotune)
                    if any(present.iotune.get(name, 0) != value for name, value in figures.items()):
                        vm.domain.setBlockIoTune(present.device, figures, flag)
            return Done(Attachment(disk.device, live is not None))

    def detach(self, request: Detach) -> Reply[None]:
        iqn, lun = request.path.iqn, request.path.lun
        with self._vm_lock(request.host, request.vm), self._connections.to(_uri(request.host)) as connection:
            try:
                vm = Vm.read(connection.lookupByName(request.vm))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
            else:
                live = vm.live.find(iqn, lun) if vm.live else None
                if live is not None:
                    self._unplug(vm.domain, live, request)
                stored = vm.stored.find(iqn, lun) if vm.stored else None
                if stored is not None:
                    vm.domain.detachDeviceFlags(stored.xml, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
            self._forget_unused_secret(connection, iqn, request.vm)
        return Done(None)

    def poll(self, job: str) -> Reply[Any]:
        raise Rejected("There is no such job", f'This provider\'s calls end at once, so "{job}" is none of its own.')

    def close(self) -> None:
        self._connections.close()

    @staticmethod
    def _plug(connection: Any, vm: Vm, request: Attach, device: str, credentials: Credentials | None) -> None:
        """Give a VM a disk, in each of its definitions that does not have it."""
        secret = None
        if credentials is not None:
            is_stored = vm.stored is not None
            secret = define_secret(connection, request.path.iqn, request.vm, credentials, is_stored)
        place = None
        if bus_of(request) == "scsi":
            controller, absent, unit = scsi_place(vm.definitions)
            if absent:
                vm.domain.attachDeviceFlags(controller_xml(controller), vm.flags())
            place = (controller, unit)
        username = credentials.username if credentials else ""
        flags = vm.flags(lacking=ALIAS_PREFIX + request.owner.intent)
        vm.domain.attachDeviceFlags(disk_xml(request, device, secret, username, place), flags)

    def _unplug(self, domain: Any, disk: Disk, request: Detach) -> None:
        """
        Take a disk from a running guest, and wait until the guest has let go of it: QEMU stays logged in until then.

        libvirt only passes the request on, so its success says nothing. A guest may refuse, or not be able to answer.
        """
        try:
            domain.detachDeviceAlias(disk.alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_DEVICE_MISSING:
                return
            if "in the process of unplug" not in str(error):  # asked for earlier, and still waited for
                raise
        deadline = time.monotonic() + self._detach_timeout
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
            f"{request.vm} was asked to give up {disk.device} and has not within {self._detach_timeout:.0f} seconds. "
            + (
                "It is paused: resume it, and it will."
                if paused
                else "It may be booting, hung, or have no driver for hot-plugging. Apply again when it runs properly, "
                "or shut it down first."
            ),
        )

    @staticmethod
    def _forget_unused_secret(connection: Any, iqn: str, name: str) -> None:
        try:
            vm = Vm.read(connection.lookupByName(name))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
        else:
            if any(definition.uses_secret(secret_uuid(iqn, name)) for definition in vm.definitions):
                return
        forget_secret(connection, iqn, name)

    def _vm_lock(self, host: HostSpec, vm: str) -> threading.Lock:
        """Device names are chosen and then taken, so calls about one VM go one after another."""
        with self._lock:
            return self._vm_locks.setdefault((_uri(host), vm), threading.Lock())


def _choose_device(vm: Vm, request: Attach) -> str:
    for disk in vm.disks(request.path.iqn, request.path.lun):
        raise Conflict(
            f"The virtual machine {request.vm} has the volume already",
            f"It is its disk {disk.device}, attached by somebody else. Detach it there, or import it.",
        )
    taken = set().union(*(definition.devices() for definition in vm.definitions))
    if request.device is None:
        return free_device(bus_of(request), taken)
    if request.device in taken:
        raise Conflict(
            f"The device {request.device} of {request.vm} is taken",
            f"Free is {free_device(bus_of(request), taken)}; without `device` the first free one is used.",
        )
    return request.device


def _grow(domain: Any, device: str, request: UpdateAttachment) -> None:
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


def _explain_attach(request: Attach, device: str, error: Any) -> ProviderError | None:
    """What the failure of an attach means, where only QEMU's message tells; None where it is like that of any call."""
    message = error.get_error_message() or ""
    what = f"{request.path.iqn} at {request.path.portal}, for {device} of {request.vm}. libvirt said: {message}."
    if "already exists" in message:
        return Retryable(f"The device {device} of {request.vm} was taken in this moment", what)
    if "Failed to connect to LUN" in message or "iSCSI" in message:
        if "Connection refused" in message or "timed out" in message or "No route" in message:
            return Retryable("The hypervisor does not reach the target", what)
        return Rejected("The target refused the hypervisor", what)
    if "No more available PCI slots" in message:
        return Rejected(
            f"The virtual machine {request.vm} has no room for another disk",
            f'{what} Give it more pcie-root-port controllers, or use bus = "scsi", which needs only one.',
        )
    return None


def _live_sizes(connection: Any) -> dict[str, dict[str, int]]:
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


def _uri(host: HostSpec) -> str:
    uri: str = host.arguments["uri"]
    return uri


def _version(number: int) -> str:
    """libvirt writes 7.2.22 as 7002022."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
