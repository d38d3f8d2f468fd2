"""A domain with its definitions, and what both together say of its disks."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import libvirt

from planner.sdk import ActualAttachment, ActualVm, Missing
from providers.libvirt.definition import Definition, Disk
from providers.libvirt.domain import read_figures, read_owner


@dataclass(frozen=True, slots=True)
class Vm:
    """A domain with its definitions: `live` while it runs, `stored` unless it is transient."""

    domain: Any
    live: Definition | None
    stored: Definition | None

    @staticmethod
    def look(connection: Any, name: str) -> Vm | None:
        """The domain of that name, if the host has one."""
        try:
            return Vm.read(connection.lookupByName(name))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
        return None

    @staticmethod
    def find(connection: Any, name: str) -> Vm:
        """
        Raises:
            Missing: the host has no such domain.
        """
        vm = Vm.look(connection, name)
        if vm is not None:
            return vm
        names = sorted(domain.name() for domain in connection.listAllDomains())
        near = difflib.get_close_matches(name, names, n=1)
        hint = f'Did you mean "{near[0]}"?' if near else f"It has {', '.join(names[:10]) or 'none'}."
        raise Missing(
            f"There is no virtual machine {name}", f"The host {connection.getHostname()} has no such domain. {hint}"
        )

    @staticmethod
    def all(connection: Any) -> Iterator[Vm]:
        """All of the host: one call for the domains, and one for each definition."""
        for domain in connection.listAllDomains():
            try:
                yield Vm.read(domain)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:  # it went while we looked
                    raise

    @staticmethod
    def read(domain: Any) -> Vm:
        live = Definition.parse(domain.XMLDesc(0)) if domain.isActive() else None
        stored = Definition.parse(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)) if domain.isPersistent() else None
        return Vm(domain, live, stored)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        return tuple(definition for definition in (self.live, self.stored) if definition is not None)

    def redefine(self, connection: Any, change: Callable[[Element], None]) -> Vm:
        """Change the stored definition, and nothing else: what runs goes on as it is."""
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE  # with what passwords it may hold
        definition = ElementTree.fromstring(self.domain.XMLDesc(flags))
        change(definition)
        return Vm.read(connection.defineXML(ElementTree.tostring(definition, encoding="unicode")))

    def actual(self) -> ActualVm:
        definition = (self.stored or self.definitions[0]).element
        figures = read_figures(definition)
        return ActualVm(
            id=self.domain.UUIDString(),
            name=self.domain.name(),
            cpus=figures.cpus,
            memory=figures.memory,
            running=self.live is not None,
            owner=read_owner(definition),
            needs_restart=self.live is not None and not read_figures(self.live.element).same_machine(figures),
        )

    def disks(self, iqn: str, lun: int) -> list[Disk]:
        """The disk of that LUN in each definition that has it."""
        return [disk for definition in self.definitions if (disk := definition.find(iqn, lun)) is not None]

    def flags(self, lacking: str = "") -> int:
        """libvirt's flags for the definitions, or for those without a disk of the alias `lacking`."""

        def concerned(definition: Definition | None) -> bool:
            return definition is not None and all(disk.alias != lacking for disk in definition.disks())

        return (libvirt.VIR_DOMAIN_AFFECT_LIVE if concerned(self.live) else 0) | (
            libvirt.VIR_DOMAIN_AFFECT_CONFIG if concerned(self.stored) else 0
        )

    def attachments(self, sizes: dict[str, int]) -> list[ActualAttachment]:
        """One for each disk; what the running VM has goes before what it will have."""
        found: dict[tuple[str, int], ActualAttachment] = {}
        for definition in self.definitions:
            live = definition is self.live
            for disk in definition.disks():
                attachment = ActualAttachment(
                    vm=self.domain.name(),
                    device=disk.device,
                    iqn=disk.iqn,
                    lun=disk.lun,
                    serial=disk.serial,
                    intent=disk.intent,
                    size=sizes.get(disk.device) if live else None,
                    qos=disk.qos,
                    read_only=disk.read_only,
                    live=live,
                )
                found.setdefault((disk.iqn, disk.lun), attachment)
        return list(found.values())
