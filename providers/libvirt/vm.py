"""A domain with its definitions, and what both together say of its disks."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import libvirt

from planner.sdk import ActualAttachment, Missing
from providers.libvirt.definition import Definition, Disk


@dataclass(frozen=True, slots=True)
class Vm:
    """A domain with its definitions: `live` while it runs, `stored` unless it is transient."""

    domain: Any
    live: Definition | None
    stored: Definition | None

    @staticmethod
    def find(connection: Any, name: str) -> Vm:
        """
        Raises:
            Missing: the host has no such domain.
        """
        try:
            return Vm.read(connection.lookupByName(name))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
        names = sorted(domain.name() for domain in connection.listAllDomains())
        near = difflib.get_close_matches(name, names, n=1)
        hint = f'Did you mean "{near[0]}"?' if near else f"It has {', '.join(names[:10]) or 'none'}."
        raise Missing(
            f"There is no virtual machine {name}", f"The host {connection.getHostname()} has no such domain. {hint}"
        )

    @staticmethod
    def read(domain: Any) -> Vm:
        live = Definition.parse(domain.XMLDesc(0)) if domain.isActive() else None
        stored = Definition.parse(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)) if domain.isPersistent() else None
        return Vm(domain, live, stored)

    @property
    def definitions(self) -> tuple[Definition, ...]:
        return tuple(definition for definition in (self.live, self.stored) if definition is not None)

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
