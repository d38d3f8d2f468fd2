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
    ActualVm,
    Attach,
    Attachment,
    Conflict,
    CreateVm,
    Credentials,
    DeleteVm,
    Detach,
    Done,
    HostInfo,
    HostSpec,
    Missing,
    Rejected,
    Reply,
    SetPower,
    Settings,
    UpdateAttachment,
    UpdateVm,
)
from providers.libvirt.chap import define_secret, forget_secret, secret_uuid
from providers.libvirt.connections import Connections
from providers.libvirt.definition import (
    ALIAS_PREFIX,
    bus_of,
    controller_xml,
    disk_element,
    free_device,
    scsi_place,
)
from providers.libvirt.domain import Figures, add_boot_disk, set_figures, virt_type, vm_xml
from providers.libvirt.limits import differ, to_parameters
from providers.libvirt.live import grow, limit, live_sizes, unplug
from providers.libvirt.power import Shutdown, start
from providers.libvirt.refusals import explain_attach
from providers.libvirt.vm import Vm

DETACH_TIMEOUT = 20.0
SHUTDOWN_TIMEOUT = 60.0

_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)
"""With all that libvirt keeps beside a definition: each of them alone would have it refuse."""


class LibvirtHosts:
    """All hosts of one `provider "libvirt"` block; each host names its libvirtd by `uri`."""

    def __init__(self, settings: Settings) -> None:
        self._detach_timeout = _seconds(settings, "detach_timeout", DETACH_TIMEOUT)
        self._shutdown_timeout = _seconds(settings, "shutdown_timeout", SHUTDOWN_TIMEOUT)
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
                enforces=frozenset({"ceiling", "burst", "bandwidth"}),
            )

    def list_attachments(self, host: HostSpec) -> Iterable[ActualAttachment]:
        """One call for the domains, one for all sizes, and one for each definition."""
        with self._connections.to(_uri(host)) as connection:
            sizes = live_sizes(connection)
            return [
                attachment
                for vm in Vm.all(connection)
                for attachment in vm.attachments(sizes.get(vm.domain.UUIDString(), {}))
            ]

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
                    raise explain_attach(request, device, error) or error from error
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
                grow(vm.domain, live.device, request)
                limit(vm.domain, live.device, request)
            if stored is not None:
                figures = to_parameters(request.qos, stored.iotune)
                if differ(stored.iotune, figures):
                    vm.domain.setBlockIoTune(stored.device, figures, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
            return Done(Attachment(disk.device, live is not None))

    def detach(self, request: Detach) -> Reply[None]:
        iqn, lun = request.path.iqn, request.path.lun
        with self._vm_lock(request.host, request.vm), self._connections.to(_uri(request.host)) as connection:
            vm = Vm.look(connection, request.vm)
            if vm is not None:
                live = vm.live.find(iqn, lun) if vm.live else None
                if live is not None:
                    unplug(vm.domain, live, request, self._detach_timeout)
                stored = vm.stored.find(iqn, lun) if vm.stored else None
                if stored is not None:
                    vm.domain.detachDeviceFlags(stored.xml, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
            self._forget_unused_secret(connection, iqn, request.vm)
        return Done(None)

    def list_vms(self, host: HostSpec) -> Iterable[ActualVm]:
        """One call for the domains, and one for each definition."""
        with self._connections.to(_uri(host)) as connection:
            return [vm.actual() for vm in Vm.all(connection)]

    def create_vm(self, request: CreateVm) -> Reply[ActualVm]:
        with self._vm_lock(request.host, request.name), self._connections.to(_uri(request.host)) as connection:
            vm = Vm.look(connection, request.name)
            if vm is None:
                _check_ability(connection, request.host)
                try:
                    vm = Vm.read(connection.defineXML(vm_xml(request)))
                except libvirt.libvirtError:
                    vm = Vm.look(connection, request.name)  # made meanwhile, perhaps by a run that was killed
                    if vm is None:
                        raise
            actual = vm.actual()
            if actual.intent != request.owner.intent:
                raise Conflict(
                    f"The host has a virtual machine {request.name} already",
                    f"It is {actual.id}, and not this run's. Remove it, or give this one another name.",
                )
            return Done(actual)

    def update_vm(self, request: UpdateVm) -> Reply[ActualVm]:
        with self._vm_lock(request.host, request.name), self._connections.to(_uri(request.host)) as connection:
            vm = Vm.find(connection, request.name)
            figures = Figures(request.cpus, request.memory)
            return Done(vm.redefine(connection, lambda definition: set_figures(definition, figures)).actual())

    def set_power(self, request: SetPower) -> Reply[ActualVm]:
        uri = _uri(request.host)
        with self._vm_lock(request.host, request.name), self._connections.to(uri) as connection:
            vm = Vm.find(connection, request.name)
            if not request.on:
                return Shutdown(uri, vm.domain.UUIDString(), time.time() + self._shutdown_timeout).look(connection)
            if vm.live is None:
                start(vm)
            return Done(Vm.read(vm.domain).actual())

    def delete_vm(self, request: DeleteVm) -> Reply[None]:
        with self._vm_lock(request.host, request.name), self._connections.to(_uri(request.host)) as connection:
            vm = Vm.look(connection, request.name)
            if vm is None:
                return Done(None)
            if vm.actual().intent is None:
                raise Conflict(
                    f"The virtual machine {request.name} is not Lunform's",
                    "Ours was removed, and this one has its name since. It stays.",
                )
            if vm.live is not None:
                vm.domain.destroy()
            if vm.stored is not None:
                vm.domain.undefineFlags(_UNDEFINE)
            for iqn in {disk.iqn for definition in vm.definitions for disk in definition.disks()}:
                self._forget_unused_secret(connection, iqn, request.name)
        return Done(None)

    def poll(self, job: str) -> Reply[Any]:
        shutdown = Shutdown.of(job)
        with self._connections.to(shutdown.uri) as connection:
            return shutdown.look(connection)

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
        disk = disk_element(request, device, secret, username, place)
        xml = ElementTree.tostring(disk, encoding="unicode")
        if request.boot and flags & libvirt.VIR_DOMAIN_AFFECT_CONFIG:
            vm.redefine(connection, lambda definition: add_boot_disk(definition, disk))
            flags &= ~libvirt.VIR_DOMAIN_AFFECT_CONFIG
        if flags:
            vm.domain.attachDeviceFlags(xml, flags)

    @staticmethod
    def _forget_unused_secret(connection: Any, iqn: str, name: str) -> None:
        vm = Vm.look(connection, name)
        in_use = vm is not None and any(definition.uses_secret(secret_uuid(iqn, name)) for definition in vm.definitions)
        if not in_use:
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


def _check_ability(connection: Any, host: HostSpec) -> None:
    """
    Raises:
        Rejected: the host cannot have VMs of the kind that its block asks for.
    """
    wanted = virt_type(host)
    capabilities = ElementTree.fromstring(connection.getCapabilities())
    offered = [domain.get("type") for domain in capabilities.iterfind("guest/arch[@name='x86_64']/domain")]
    if wanted not in offered:
        raise Rejected(
            f'The host has no virtual machines of the type "{wanted}"',
            f"For x86_64 its libvirt offers {', '.join(map(str, offered)) or 'none'}. KVM needs the processor's "
            'virtualization and the KVM module; virt_type = "qemu" in the host block emulates, and is much slower.',
        )
    network = host.arguments.get("network")
    networks = sorted(found.name() for found in connection.listAllNetworks()) if network is not None else []
    if network is not None and network not in networks:
        raise Rejected(f"The host has no network {network}", f"It has {', '.join(networks) or 'none'}.")


def _seconds(settings: Settings, name: str, default: float) -> float:
    given = settings.get(name)
    return default if given is None else float(given)


def _uri(host: HostSpec) -> str:
    uri: str = host.arguments["uri"]
    return uri


def _version(number: int) -> str:
    """libvirt writes 7.2.22 as 7002022."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
