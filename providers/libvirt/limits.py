"""
Limits as libvirt's block tuning has them (virDomainSetBlockIoTune, `<iotune>`).

    ceiling     total_iops_sec
    burst       total_iops_sec_max, for at most BURST_SECONDS at a stretch
    bandwidth   total_bytes_sec

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
_BANDWIDTH, _BANDWIDTH_BURST, _BANDWIDTH_LENGTH = "total_bytes_sec", "total_bytes_sec_max", "total_bytes_sec_max_length"
_KINDS = ("_iops_sec", "_bytes_sec")


def to_parameters(qos: Qos | None, present: Mapping[str, int]) -> dict[str, int]:
    """
    What to set so that the disk has exactly these figures.

    All six are always given: QEMU refuses a length without a burst and a burst without a ceiling, so clearing one of
    them alone is an error. Figures for reads or writes alone exclude the total, and `size_iops_sec` has a large request
    count as several, so those that are present are cleared.

    Args:
        present: what the disk's `<iotune>` has now.
    """
    qos = qos or Qos(0, 0, 0)
    bursts = qos.burst_iops > qos.max_iops > 0
    figures = {
        _CEILING: qos.max_iops,
        _BURST: qos.burst_iops if bursts else 0,
        _LENGTH: BURST_SECONDS if bursts else 0,
        _BANDWIDTH: qos.max_bandwidth,
        _BANDWIDTH_BURST: 0,
        _BANDWIDTH_LENGTH: 0,
    }
    others = (name for name in present if any(kind in name for kind in _KINDS) and name not in figures)
    return figures | dict.fromkeys(others, 0)


def to_qos(present: Mapping[str, int]) -> Qos | None:
    """The figures that a disk has; None without a ceiling and a bandwidth."""
    ceiling, bandwidth = present.get(_CEILING, 0), present.get(_BANDWIDTH, 0)
    burst = max(ceiling, present.get(_BURST, 0)) if ceiling else 0
    return Qos(0, ceiling, burst, bandwidth) if ceiling or bandwidth else None


def differ(present: Mapping[str, int], figures: Mapping[str, int]) -> bool:
    """Whether a disk that has `present` is yet to be given the figures of `to_parameters`."""
    return any(present.get(name, 0) != value for name, value in figures.items())


def show(figures: Mapping[str, int]) -> str:
    """Those that limit something, for people."""
    return ", ".join(f"{name} {value}" for name, value in sorted(figures.items()) if value) or "no limits"


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
