from __future__ import annotations

from xml.etree import ElementTree

import pytest

from planner.sdk import Qos
from providers.libvirt.limits import differ, read_iotune, show, to_parameters, to_qos, write_iotune

NONE = {
    "total_iops_sec": 0,
    "total_iops_sec_max": 0,
    "total_iops_sec_max_length": 0,
    "total_bytes_sec": 0,
    "total_bytes_sec_max": 0,
    "total_bytes_sec_max_length": 0,
}


@pytest.mark.parametrize(
    ("qos", "present", "parameters"),
    [
        (Qos(50, 100, 100), {}, NONE | {"total_iops_sec": 100}),
        (
            Qos(0, 100, 500),
            {},
            NONE | {"total_iops_sec": 100, "total_iops_sec_max": 500, "total_iops_sec_max_length": 60},
        ),
        (Qos(0, 100, 100, 2000), {}, NONE | {"total_iops_sec": 100, "total_bytes_sec": 2000}),
        (Qos(0, 0, 0, 2000), {}, NONE | {"total_bytes_sec": 2000}),
        (Qos(0, 0, 500, 2000), {}, NONE | {"total_bytes_sec": 2000}),  # QEMU refuses a burst without a ceiling
        (None, {"total_iops_sec": 100, "total_iops_sec_max": 500}, NONE),
        (None, {"total_bytes_sec": 2000, "total_bytes_sec_max": 3000, "total_bytes_sec_max_length": 5}, NONE),
        (
            Qos(0, 100, 100),
            {"read_iops_sec": 70, "read_iops_sec_max": 90, "write_bytes_sec": 1000, "size_iops_sec": 4096},
            NONE
            | {"total_iops_sec": 100}
            | {"read_iops_sec": 0, "read_iops_sec_max": 0, "write_bytes_sec": 0, "size_iops_sec": 0},
        ),
    ],
)
def test_all_figures_are_set_together(qos: Qos | None, present: dict[str, int], parameters: dict[str, int]) -> None:
    assert to_parameters(qos, present) == parameters


@pytest.mark.parametrize(
    "qos", [None, Qos(0, 100, 100), Qos(0, 100, 500), Qos(0, 100, 500, 1 << 20), Qos(0, 0, 0, 1 << 20)]
)
def test_figures_survive_the_way_through_xml(qos: Qos | None) -> None:
    disk = ElementTree.Element("disk")
    write_iotune(disk, qos)
    assert to_qos(read_iotune(disk)) == qos
    assert (disk.find("iotune") is None) == (qos is None)


def test_name_of_a_throttle_group_is_no_figure() -> None:
    disk = ElementTree.fromstring(
        "<disk><iotune><total_iops_sec>5</total_iops_sec><group_name>fast</group_name></iotune></disk>"
    )
    assert read_iotune(disk) == {"total_iops_sec": 5}


def test_figures_that_are_missing_are_none() -> None:
    assert not differ({}, NONE)
    assert not differ({"total_iops_sec": 5, "size_iops_sec": 7}, NONE | {"total_iops_sec": 5})
    assert differ({"total_iops_sec": 5}, NONE)
    assert differ({}, NONE | {"total_bytes_sec": 5})


def test_figures_are_shown_by_their_names() -> None:
    assert show(NONE) == "no limits"
    assert show(NONE | {"total_iops_sec": 5, "total_bytes_sec": 9}) == "total_bytes_sec 9, total_iops_sec 5"
