from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from planner.sdk import AccessPath, Attach, HostSpec, Owner, Qos
from providers.libvirt.definition import Definition, bus_of, disk_element, free_device, scsi_place

DOMAIN = Definition.parse(
    """
<domain>
  <devices>
    <disk type='file' device='disk'>
      <source file='/var/lib/libvirt/images/db-01.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='iscsi' name='iqn.2026-01.lunform:db-wal-4f1c9a0e77b2d385/1'>
        <host name='192.0.2.10' port='3260'/>
        <auth username='lunform-3abc'><secret type='iscsi' uuid='b2d3'/></auth>
      </source>
      <target dev='vdb' bus='virtio'/>
      <iotune><total_iops_sec>100</total_iops_sec></iotune>
      <readonly/>
      <serial>wal</serial>
      <alias name='ua-lunform-4f1c9a0e77b2d385'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='iscsi' name='iqn.2026-01.test:by-hand'/><target dev='sdc' bus='scsi'/>
      <alias name='scsi0-0-0-2'/><address type='drive' controller='0' bus='0' target='0' unit='2'/>
    </disk>
    <disk type='network' device='disk'><source protocol='rbd' name='rbd/x'/><target dev='vdd' bus='virtio'/></disk>
    <controller type='scsi' index='0' model='virtio-scsi'/>
  </devices>
</domain>
"""
)
BARE = Definition.parse("<domain><devices/></domain>")
LSI = Definition.parse("<domain><devices><controller type='scsi' index='0' model='lsilogic'/></devices></domain>")

REQUEST = Attach(
    host=HostSpec("host.kvm", "kvm", "192.0.2.11", "iqn.2026-01.test:kvm1", {"uri": "qemu:///system"}),
    vm="db-01",
    volume="iqn.2026-01.lunform:db-1",
    path=AccessPath("192.0.2.10:3260", "iqn.2026-01.lunform:db-1", 1, "lunform-3abc"),
    serial="db",
    size=1 << 30,
    device=None,
    bus=None,
    read_only=False,
    qos=None,
    owner=Owner("lineage", "volume.db", "00000000000000a1"),
)


def test_only_iscsi_disks_are_disks() -> None:
    ours, foreign = DOMAIN.disks()
    assert (ours.device, ours.iqn, ours.lun) == ("vdb", "iqn.2026-01.lunform:db-wal-4f1c9a0e77b2d385", 1)
    assert (ours.serial, ours.intent, ours.qos, ours.read_only) == ("wal", "4f1c9a0e77b2d385", Qos(0, 100, 100), True)
    assert (foreign.device, foreign.iqn, foreign.lun) == ("sdc", "iqn.2026-01.test:by-hand", 0)
    assert (foreign.serial, foreign.intent, foreign.qos, foreign.read_only) == (None, None, None, False)


def test_devices_of_all_kinds_are_taken() -> None:
    assert DOMAIN.devices() == {"vda", "vdb", "sdc", "vdd"}


def test_secret_in_use_is_seen() -> None:
    assert DOMAIN.uses_secret("b2d3")
    assert not DOMAIN.uses_secret("b2d4")


@pytest.mark.parametrize(
    ("bus", "taken", "device"),
    [
        ("virtio", set(), "vda"),
        ("virtio", {"vda", "vdc", "sdb"}, "vdb"),
        ("scsi", {"vda"}, "sda"),
        ("virtio", {f"vd{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"}, "vdaa"),
    ],
)
def test_first_free_device_is_found(bus: str, taken: set[str], device: str) -> None:
    assert free_device(bus, taken) == device


@pytest.mark.parametrize(
    ("device", "bus", "expected"),
    [(None, None, "virtio"), ("sdb", None, "scsi"), ("vdb", None, "virtio"), ("vdb", "scsi", "scsi")],
)
def test_bus_is_the_one_asked_for(device: str | None, bus: str | None, expected: str) -> None:
    assert bus_of(replace(REQUEST, device=device, bus=bus)) == expected


@pytest.mark.parametrize(
    ("definitions", "place"),
    [
        ([BARE], (0, True, 0)),
        ([LSI], (1, True, 0)),
        ([DOMAIN], (0, False, 0)),
        ([DOMAIN, BARE], (1, True, 0)),
    ],
)
def test_scsi_disks_go_to_a_virtio_controller(definitions: list[Definition], place: tuple[int, bool, int]) -> None:
    assert scsi_place(definitions) == place


def test_units_at_a_controller_are_taken_once() -> None:
    definition = Definition.parse(
        "<domain><devices><controller type='scsi' index='0' model='virtio-scsi'/>"
        "<disk><address type='drive' controller='0' unit='0'/></disk>"
        "<disk><address type='drive' controller='1' unit='1'/></disk>"
        "<disk><address type='drive' controller='0' unit='2'/></disk></devices></domain>"
    )
    assert scsi_place([definition]) == (0, False, 1)


def test_disk_says_all_that_was_asked_for() -> None:
    request = replace(REQUEST, qos=Qos(10, 100, 500, 1 << 20), read_only=True, shareable=True)
    disk = disk_element(request, "sdb", "b2d3", "lunform-3abc", (0, 3))
    expected = ElementTree.fromstring(
        """
<disk type="network" device="disk">
  <driver name="qemu" type="raw" cache="none" />
  <source protocol="iscsi" name="iqn.2026-01.lunform:db-1/1">
    <host name="192.0.2.10" port="3260" />
    <initiator><iqn name="iqn.2026-01.test:kvm1" /></initiator>
    <auth username="lunform-3abc"><secret type="iscsi" uuid="b2d3" /></auth>
  </source>
  <target dev="sdb" bus="virtio" />
  <iotune>
    <total_iops_sec>100</total_iops_sec>
    <total_iops_sec_max>500</total_iops_sec_max>
    <total_iops_sec_max_length>60</total_iops_sec_max_length>
    <total_bytes_sec>1048576</total_bytes_sec>
  </iotune>
  <readonly />
  <shareable />
  <serial>db</serial>
  <alias name="ua-lunform-00000000000000a1" />
  <address type="drive" controller="0" bus="0" target="0" unit="3" />
</disk>
"""
    )
    assert ElementTree.canonicalize(ElementTree.tostring(disk), strip_text=True) == ElementTree.canonicalize(
        ElementTree.tostring(expected), strip_text=True
    )


def test_disk_without_secret_name_and_limits_has_none_of_them() -> None:
    host = replace(REQUEST.host, initiator=None)
    disk = disk_element(replace(REQUEST, host=host), "vdb")
    assert {child.tag for child in disk} == {"driver", "source", "target", "serial", "alias"}
    assert [child.tag for child in disk.iterfind("source/*")] == ["host"]


def test_portal_may_be_an_ipv6_address() -> None:
    path = replace(REQUEST.path, portal="[2001:db8::10]:3260")
    disk = disk_element(replace(REQUEST, path=path), "vdb")
    host = disk.find("source/host")
    assert host is not None
    assert (host.get("name"), host.get("port")) == ("2001:db8::10", "3260")
