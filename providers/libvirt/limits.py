"""
IOPS figures as libvirt's block tuning has them (virDomainSetBlockIoTune, `<iotune>`).

    ceiling   total_iops_sec
    burst     total_iops_sec_max, for at most BURST_SECONDS at a stretch

QEMU's bucket drains at the ceiling, so a disk that has rested may do the burst for BURST_SECONDS, and what it did above
the ceiling has to be rested for again. A floor it cannot hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element, SubElement

from planner.sdk import Qos

BURST_SECONDS = 60
"""As long as a SolidFire volume with full credit may burst; QEMU's own default is one second."""

_CEILING, _BURST, _LENGTH = "total_iops_sec", "total_iops_sec_max", "total_iops_sec_max_length"


def to_parameters(qos: Qos | None, present: Mapping[str, int]) -> dict[str, int]:
    """
    What to set so that the disk has exactly these figures.

    All three are always given: QEMU refuses a length without a burst and a burst without a ceiling, so clearing one of
    them alone is an error. Figures for reads or writes alone exclude the total, so those that are present are cleared.

    Args:
        present: what the disk's `<iotune>` has now.
    """
    if qos is None:
        figures = {_CEILING: 0, _BURST: 0, _LENGTH: 0}
    elif qos.burst_iops > qos.max_iops:
        figures = {_CEILING: qos.max_iops, _BURST: qos.burst_iops, _LENGTH: BURST_SECONDS}
    else:
        figures = {_CEILING: qos.max_iops, _BURST: 0, _LENGTH: 0}
    return figures | {name: 0 for name in present if "_iops_sec" in name and name not in figures}


def to_qos(present: Mapping[str, int]) -> Qos | None:
    """The figures that a disk has; None without a ceiling."""
    ceiling = present.get(_CEILING, 0)
    return Qos(0, ceiling, max(ceiling, present.get(_BURST, 0))) if ceiling else None


def read_iotune(disk: Element) -> dict[str, int]:
    """The numbers in a disk's `<iotune>`, by name."""
    texts = ((figure.tag, figure.text or "") for figure in disk.iterfind("iotune/*"))
    return {name: int(text) for name, text in texts if text.isdecimal()}  # not the name of a throttle group


def write_iotune(disk: Element, qos: Qos | None) -> None:
    figures = {name: value for name, value in to_parameters(qos, {}).items() if value}
    if figures:
        iotune = SubElement(disk, "iotune")
        for name, value in figures.items():
            SubElement(iotune, name).text = str(value)
