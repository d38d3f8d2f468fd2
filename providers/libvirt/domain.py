"""
The XML of a whole domain: what a VM that Lunform makes consists of, its figures, and whose it is.

Its maker stands in the domain's metadata, so a killed run's VM is found by its intent, and nobody else's is taken for
ours. The memory that was asked for stands there as well: QEMU has whole MiB, and what is reported has to be what was
asked for, or every plan would change it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from planner.sdk import CreateVm, HostSpec, Owner

VIRT_TYPES = ("kvm", "qemu")
"""Processors of the host's own kind, or emulated ones."""

HOT_PLUG_PORTS = 16
"""Disks and the like that a VM takes while it runs: on q35 each needs a root port, and those cannot be added then."""

_NAMESPACE = "urn:lunform:vm"
_MARK = f"{{{_NAMESPACE}}}vm"
_KIB, _MIB = 1 << 10, 1 << 20

ElementTree.register_namespace("lunform", _NAMESPACE)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a compute offering gives a VM. `memory` is in bytes, as it was asked for."""

    cpus: int
    memory: int

    @property
    def mebibytes(self) -> int:
        """What the VM has, in QEMU's unit: at least what was asked for."""
        return -(-self.memory // _MIB)

    def same_machine(self, other: Figures) -> bool:
        """Whether a VM with the others' is the same to its guest."""
        return (self.cpus, self.mebibytes) == (other.cpus, other.mebibytes)


def virt_type(host: HostSpec) -> str:
    return host.arguments.get("virt_type") or VIRT_TYPES[0]


def vm_xml(request: CreateVm) -> str:
    """A domain without disks, as `CreateVm` asks for it."""
    domain = Element("domain", type=virt_type(request.host))
    SubElement(domain, "name").text = request.name
    owner = request.owner
    SubElement(SubElement(domain, "metadata"), _MARK, lineage=owner.lineage, address=owner.address, intent=owner.intent)
    SubElement(SubElement(domain, "os"), "type", arch="x86_64", machine="q35").text = "hvm"
    features = SubElement(domain, "features")
    SubElement(features, "acpi")  # hears a shutdown, and of disks that come and go
    SubElement(features, "apic")
    SubElement(domain, "cpu", mode="maximum")  # all that the host has, or that can be emulated
    _add_devices(SubElement(domain, "devices"), request.host.arguments.get("network"))
    set_figures(domain, Figures(request.cpus, request.memory))
    return ElementTree.tostring(domain, encoding="unicode")


def _add_devices(devices: Element, network: str | None) -> None:
    """A console, a virtio-scsi controller, entropy, perhaps a network card: nothing to start from yet."""
    SubElement(devices, "controller", type="usb", model="none")
    SubElement(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    SubElement(SubElement(devices, "rng", model="virtio"), "backend", model="random").text = "/dev/urandom"
    if network is not None:
        interface = SubElement(devices, "interface", type="network")
        SubElement(interface, "source", network=network)
        SubElement(interface, "model", type="virtio")
    SubElement(SubElement(devices, "serial", type="pty"), "target", port="0")
    SubElement(SubElement(devices, "console", type="pty"), "target", type="serial", port="0")
    SubElement(devices, "memballoon", model="none")  # a VM has what its offering says, all the time
    own = 3 if network is None else 4  # SCSI controller, entropy, root disk, network card
    SubElement(devices, "controller", type="pci", model="pcie-root")
    for _ in range(HOT_PLUG_PORTS + own):
        SubElement(devices, "controller", type="pci", model="pcie-root-port")


def set_figures(domain: Element, figures: Figures) -> None:
    """Have a definition say these."""
    for tag in ("vcpu", "memory", "currentMemory"):
        for element in domain.findall(tag):
            domain.remove(element)
    SubElement(domain, "vcpu").text = str(figures.cpus)
    SubElement(domain, "memory", unit="MiB").text = str(figures.mebibytes)
    mark = _mark(domain)
    if mark is not None:
        mark.set("memory", str(figures.memory))


def read_figures(domain: Element) -> Figures:
    """Of a definition as libvirt writes it, with its memory in KiB."""
    vcpu, memory = _child(domain, "vcpu"), _child(domain, "memory")
    present = Figures(cpus=int(vcpu.get("current") or vcpu.text or 0), memory=int(memory.text or 0) * _KIB)
    mark = _mark(domain)
    asked = Figures(present.cpus, int(mark.get("memory", 0)) if mark is not None else 0)
    return asked if asked.same_machine(present) else present


def read_owner(domain: Element) -> Owner | None:
    """As the create that made it gave it; None for a domain that is not Lunform's."""
    mark = _mark(domain)
    return None if mark is None else Owner(*(mark.get(name, "") for name in ("lineage", "address", "intent")))


def _mark(domain: Element) -> Element | None:
    return domain.find(f"metadata/{_MARK}")


def add_boot_disk(domain: Element, disk: Element) -> None:
    """
    Have a stored definition start from a disk, and from nothing else.

    libvirt puts `<boot dev="hd"/>` into a definition that names no device to start from, takes no order of devices
    beside it, and would start from whatever disk the firmware finds first: so both are changed at once.
    """
    system = _child(domain, "os")
    for element in system.findall("boot"):
        system.remove(element)
    SubElement(disk, "boot", order="1")
    _child(domain, "devices").append(disk)


def lacks_boot_disk(domain: Element) -> bool:
    """Whether it is a VM of ours that names nothing to start from: it would only sit in its firmware."""
    return read_owner(domain) is not None and domain.find("devices/*/boot") is None


def _child(element: Element, path: str) -> Element:
    child = element.find(path)
    assert child is not None, f"libvirt always writes {path}"
    return child
