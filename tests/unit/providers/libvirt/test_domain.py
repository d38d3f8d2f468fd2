from __future__ import annotations

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from planner.sdk import CreateVm, HostSpec, Owner
from providers.libvirt.domain import (
    HOT_PLUG_PORTS,
    Figures,
    add_boot_disk,
    lacks_boot_disk,
    read_figures,
    read_owner,
    set_figures,
    vm_xml,
)

MIB = 1 << 20
OWNER = Owner("f3b0c442", 'vm.db["a"]', "00000000000000a1")

# As libvirt writes it: memory in KiB, and something to start from where nothing was given.
FOREIGN = """
<domain type='kvm'>
  <name>theirs</name>
  <metadata><app:info xmlns:app='http://example.com/app'>kept</app:info></metadata>
  <memory unit='KiB'>131072</memory>
  <currentMemory unit='KiB'>65536</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/></os>
  <devices/>
</domain>
"""


def request(memory: int = 64 * MIB, **arguments: str) -> CreateVm:
    host = HostSpec("host.kvm", "kvm", None, None, {"uri": "qemu:///system", **arguments})
    return CreateVm(host, "db-01", 2, memory, OWNER)


def made(memory: int = 64 * MIB, **arguments: str) -> Element:
    return as_libvirt_writes_it(ElementTree.fromstring(vm_xml(request(memory, **arguments))))


def as_libvirt_writes_it(domain: Element) -> Element:
    """Memory is in KiB when it is read back."""
    memory = domain.find("memory")
    assert memory is not None
    assert memory.get("unit") == "MiB"
    memory.text = str(int(memory.text or 0) * 1024)
    memory.set("unit", "KiB")
    return domain


def test_new_vm_has_what_its_host_block_says_and_no_disk() -> None:
    domain = made()
    assert domain.get("type") == "kvm"
    assert domain.find("devices/disk") is None
    assert domain.find("devices/interface") is None
    assert made(virt_type="qemu").get("type") == "qemu"
    source = made(network="lan").find("devices/interface[@type='network']/source")
    assert source is not None
    assert source.get("network") == "lan"


@pytest.mark.parametrize(("arguments", "own"), [({}, 3), ({"network": "lan"}, 4)])
def test_devices_of_the_vm_itself_take_no_port_from_its_disks(arguments: dict[str, str], own: int) -> None:
    ports = made(**arguments).findall("devices/controller[@model='pcie-root-port']")
    assert len(ports) == HOT_PLUG_PORTS + own


def test_maker_stands_in_the_metadata() -> None:
    assert read_owner(made()) == OWNER
    assert read_owner(ElementTree.fromstring(FOREIGN)) is None


@pytest.mark.parametrize("memory", [64 * MIB, 64 * MIB + 1, 1_000_000_000])
def test_memory_is_told_as_it_was_asked_for_and_never_less_is_given(memory: int) -> None:
    domain = made(memory)
    assert read_figures(domain) == Figures(2, memory)
    given = int(domain.findtext("memory") or 0) * 1024
    assert memory <= given < memory + MIB


def test_memory_that_somebody_changed_is_told_as_it_is() -> None:
    domain = made(64 * MIB + 1)
    memory = domain.find("memory")
    assert memory is not None
    memory.text = str(80 * 1024)
    assert read_figures(domain) == Figures(2, 80 * MIB)


def test_processors_are_those_that_it_starts_with() -> None:
    assert read_figures(ElementTree.fromstring(FOREIGN)) == Figures(2, 128 * MIB)


def test_new_figures_replace_the_old_and_nothing_else() -> None:
    domain = ElementTree.fromstring(FOREIGN)
    set_figures(domain, Figures(8, 256 * MIB))
    assert read_figures(as_libvirt_writes_it(domain)) == Figures(8, 256 * MIB)
    assert domain.find("currentMemory") is None, "libvirt makes it the whole memory then"
    assert domain.findtext("metadata/{http://example.com/app}info") == "kept"


@pytest.mark.parametrize(
    ("figures", "other", "same"),
    [
        (Figures(1, 64 * MIB), Figures(1, 64 * MIB - 1), True),
        (Figures(1, 64 * MIB), Figures(1, 64 * MIB + 1), False),
        (Figures(1, 64 * MIB), Figures(2, 64 * MIB), False),
    ],
)
def test_machines_are_the_same_when_their_guests_see_no_difference(
    figures: Figures, other: Figures, same: bool
) -> None:
    assert figures.same_machine(other) == same


def test_boot_disk_is_all_that_a_vm_starts_from() -> None:
    domain = ElementTree.fromstring(FOREIGN)
    add_boot_disk(domain, Element("disk"))
    assert domain.find("os/boot") is None
    (boot,) = domain.iterfind("devices/disk/boot")
    assert boot.get("order") == "1"


def test_vm_of_ours_without_a_boot_disk_is_seen() -> None:
    domain = made()
    ElementTree.SubElement(domain.find("os"), "boot", dev="hd")  # type: ignore[arg-type]
    assert lacks_boot_disk(domain)
    add_boot_disk(domain, Element("disk"))
    assert not lacks_boot_disk(domain)
    assert not lacks_boot_disk(ElementTree.fromstring(FOREIGN))
