"""
What a domain's XML says of its disks, and what the XML of a new one is.

A domain has up to two definitions: the live one of the running VM, and the stored one that it starts from next time.
They can differ, so whatever is read or changed is read or changed in each.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from planner.sdk import Attach, Qos
from providers.libvirt.limits import read_iotune, to_qos, write_iotune

ALIAS_PREFIX = "ua-lunform-"
"""libvirt keeps aliases that begin with "ua-" as they are given; ours end with the intent of the attach."""

DEFAULT_BUS = "virtio"
_DEVICE_PREFIXES = {"virtio": "vd", "scsi": "sd"}


@dataclass(frozen=True, slots=True)
class Disk:
    """An iSCSI disk of a domain, as one of its definitions has it. `element` is the whole `<disk>`."""

    device: str
    iqn: str
    lun: int
    serial: str | None
    alias: str
    read_only: bool
    element: Element

    @property
    def intent(self) -> str | None:
        return self.alias.removeprefix(ALIAS_PREFIX) if self.alias.startswith(ALIAS_PREFIX) else None

    @property
    def qos(self) -> Qos | None:
        return to_qos(self.iotune)

    @property
    def iotune(self) -> dict[str, int]:
        return read_iotune(self.element)

    @property
    def xml(self) -> str:
        return ElementTree.tostring(self.element, encoding="unicode")


@dataclass(frozen=True, slots=True)
class Definition:
    """One of a domain's definitions."""

    element: Element

    @staticmethod
    def parse(xml: str) -> Definition:
        return Definition(ElementTree.fromstring(xml))

    def disks(self) -> Iterator[Disk]:
        """Those that come from an iSCSI target."""
        for element in self.element.iterfind("devices/disk[@type='network']"):
            source = element.find("source[@protocol='iscsi']")
            if source is None:
                continue
            iqn, _, lun = source.get("name", "").partition("/")
            yield Disk(
                device=_attribute(element, "target", "dev"),
                iqn=iqn,
                lun=int(lun or 0),
                serial=element.findtext("serial"),
                alias=_attribute(element, "alias", "name"),
                read_only=element.find("readonly") is not None,
                element=element,
            )

    def find(self, iqn: str, lun: int) -> Disk | None:
        return next((disk for disk in self.disks() if (disk.iqn, disk.lun) == (iqn, lun)), None)

    def devices(self) -> set[str]:
        """All device names that are taken, by disks of any kind."""
        return {_attribute(element, "target", "dev") for element in self.element.iterfind("devices/disk")}

    def scsi_controllers(self) -> dict[int, str]:
        """Models by index."""
        controllers = self.element.iterfind("devices/controller[@type='scsi']")
        return {int(element.get("index", "0")): element.get("model", "") for element in controllers}

    def scsi_units(self, controller: int) -> set[int]:
        """The places at a SCSI controller that are taken."""
        addresses = self.element.iterfind(f"devices/disk/address[@type='drive'][@controller='{controller}']")
        return {int(address.get("unit", "0")) for address in addresses}

    def uses_secret(self, uuid: str) -> bool:
        return any(secret.get("uuid") == uuid for secret in self.element.iter("secret"))


def bus_of(request: Attach) -> str:
    """The bus asked for; a name such as "sdb" asks for one as well."""
    if request.bus is not None:
        return request.bus
    return "scsi" if request.device is not None and request.device.startswith("sd") else DEFAULT_BUS


def free_device(bus: str, taken: Iterable[str]) -> str:
    """The first free name: vda, ..., vdz, vdaa, ..."""
    taken = set(taken)
    lengths = itertools.count(1)
    names = ("".join(letters) for n in lengths for letters in itertools.product(string.ascii_lowercase, repeat=n))
    prefix = _DEVICE_PREFIXES.get(bus, "sd")
    return next(name for suffix in names if (name := prefix + suffix) not in taken)


def scsi_place(definitions: Iterable[Definition]) -> tuple[int, bool, int]:
    """
    Where a new SCSI disk goes, in all definitions alike.

    libvirt's own choice of a controller would be an emulated LSI chip; guests have no hot-plug and no speed with it.

    Returns:
        index of the virtio-scsi controller, whether it has to be added first, and a free unit at it.
    """
    definitions = list(definitions)
    controllers: dict[int, set[str]] = {}
    for definition in definitions:
        for index, model in definition.scsi_controllers().items():
            controllers.setdefault(index, set()).add(model)
    common = [index for index, models in sorted(controllers.items()) if models == {"virtio-scsi"}]
    in_all = [index for index in common if all(index in definition.scsi_controllers() for definition in definitions)]
    if not in_all:
        return max(controllers, default=-1) + 1, True, 0
    taken = set().union(*(definition.scsi_units(in_all[0]) for definition in definitions))
    return in_all[0], False, next(unit for unit in itertools.count() if unit not in taken)


def controller_xml(index: int) -> str:
    return f"<controller type='scsi' model='virtio-scsi' index='{index}'/>"


def disk_element(
    request: Attach, device: str, secret: str | None = None, username: str = "", scsi: tuple[int, int] | None = None
) -> Element:
    """
    The `<disk>` of an attach.

    Args:
        secret: UUID of the libvirt secret with the CHAP password of `username`, where the target asks for one.
        scsi: index of the controller and unit at it, for the bus "scsi".
    """
    disk = Element("disk", type="network", device="disk")
    # The host keeps no cache of its own: what the guest has flushed is on the array.
    SubElement(disk, "driver", name="qemu", type="raw", cache="none")
    source = SubElement(disk, "source", protocol="iscsi", name=f"{request.path.iqn}/{request.path.lun}")
    address, _, port = request.path.portal.rpartition(":")
    SubElement(source, "host", name=address.strip("[]"), port=port)
    if request.host.initiator is not None:
        SubElement(SubElement(source, "initiator"), "iqn", name=request.host.initiator)
    if secret is not None:
        SubElement(SubElement(source, "auth", username=username), "secret", type="iscsi", uuid=secret)
    SubElement(disk, "target", dev=device, bus=bus_of(request))
    write_iotune(disk, request.qos)
    if request.read_only:
        SubElement(disk, "readonly")
    if request.shareable:
        SubElement(disk, "shareable")
    SubElement(disk, "serial").text = request.serial
    SubElement(disk, "alias", name=ALIAS_PREFIX + request.owner.intent)
    if scsi is not None:
        controller, unit = scsi
        SubElement(disk, "address", type="drive", controller=str(controller), bus="0", target="0", unit=str(unit))
    return disk


def _attribute(element: Element, path: str, name: str) -> str:
    child = element.find(path)
    return child.get(name, "") if child is not None else ""
