"""
Recorded x actual -> current: what an object is now, and what was changed outside since the last apply.

A volume's record holds, besides its arguments and attributes, what was done for each host and VM:

    policy       name of the array's QoS policy that its figures come from; None where they are its own
    access       {host: {"portal", "iqn", "lun", "chap_username", "address", "initiator"}}
    attachments  ({"host", "vm", "device", "bus", "read_only", "serial", "intent", "qos", "size"}, ...)

`qos` is what the hypervisor holds: {"max_iops", "burst_iops", "max_bandwidth"} as far as it does, or None; `size` is in
bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from planner.planning.figures import figure_attributes, limits_of
from planner.planning.plan import Drift
from planner.planning.refresh import Actual
from planner.resources.vm import VM, VOLUME_TYPES
from planner.resources.volume import FIGURE_NAMES
from planner.sdk.hypervisor import ActualAttachment
from planner.sdk.storage import ActualVolume
from planner.state.model import Attributes, RecordedObject
from planner.units import format_size, parse_size


@dataclass(frozen=True, slots=True)
class Current:
    """
    Attributes:
        attributes: None when the object is gone.
        live: by host and VM of each disk that was read, whether the VM runs. It is no part of the record: a VM that is
            started or stopped changes nothing of ours.
    """

    attributes: Attributes | None
    drift: tuple[Drift, ...] = ()
    live: Mapping[tuple[str, str], bool] = field(default_factory=dict)


def current(object: RecordedObject, actual: Actual) -> Current:
    """The object as it is now. What was not read is taken as recorded."""
    if object.address.type == VM.name:
        return _vm(object.attributes, actual)
    if object.address.type not in VOLUME_TYPES:
        return Current(object.attributes)
    reading = actual.pools.get(object.attributes["pool"])
    if reading is None or reading.volumes is None:
        return _volume(object.attributes, None, frozenset(), actual)
    volume = reading.volumes.get(object.attributes["id"])
    if volume is None:
        return Current(None, (Drift("", "exists", "gone"),))
    asked_none = all(object.attributes.get(name) is None for name in FIGURE_NAMES)
    if asked_none and volume.qos == reading.array.default_qos:
        volume = replace(volume, qos=None)  # what its array gives where nobody asks is nobody's wish
    return _volume(object.attributes, volume, reading.status.enforces, actual)


def _volume(recorded: Attributes, volume: ActualVolume | None, enforces: frozenset[str], actual: Actual) -> Current:
    """`volume` is None where its pool was not listed."""
    drift: list[Drift] = []
    now: dict[str, Any] = dict(recorded)

    def see(name: str, value: Any) -> None:
        if value != recorded.get(name):
            drift.append(Drift(name, recorded.get(name), value))
            now[name] = value

    def learn(name: str, value: Any) -> None:
        """See what the array may tell later than it makes the volume, or not at all."""
        if value is not None and recorded.get(name) is not None:
            see(name, value)
        elif value is not None:
            now[name] = value

    if volume is not None:
        see("size", format_size(volume.size))
        for name, value in figure_attributes(volume.qos).items():
            # An array that does not hold bandwidths does not tell of them either.
            if name != "max_bandwidth" or value is not None or "bandwidth" in enforces:
                see(name, value)
        if recorded.get("policy") is not None:
            see("policy", volume.policy)
        for name in ("iqn", "portal", "lun"):
            learn(name, getattr(volume, name))
        now["access"] = _access(recorded.get("access", {}), volume, drift)
    live: dict[tuple[str, str], bool] = {}
    now["attachments"] = _attachments(recorded.get("attachments", ()), parse_size(now["size"]), actual, drift, live)
    return Current(now, tuple(drift), live)


def _vm(recorded: Attributes, actual: Actual) -> Current:
    reading = actual.hosts.get(recorded["host"])
    if reading is None or reading.vms is None:
        return Current(recorded)
    vm = reading.vms.get(recorded["id"])
    if vm is None:
        return Current(None, (Drift("", "exists", "gone"),))
    found = {"name": vm.name, "cpus": vm.cpus, "memory": format_size(vm.memory)}
    if recorded.get("power") is not None:
        found["power"] = "on" if vm.running else "off"
    drift = tuple(Drift(name, recorded[name], value) for name, value in found.items() if recorded[name] != value)
    return Current({**recorded, **found}, drift)


def _access(recorded: Mapping[str, Any], volume: ActualVolume, drift: list[Drift]) -> dict[str, Any]:
    there = {}
    for host, path in recorded.items():
        if {path.get("initiator"), path.get("address")} & set(volume.grants):
            there[host] = path
        else:
            drift.append(Drift(f"access of {host}", "granted", "revoked"))
    return there


def _attachments(
    recorded: Any, size: int, actual: Actual, drift: list[Drift], live: dict[tuple[str, str], bool]
) -> tuple[Any, ...]:
    there = []
    for attachment in recorded:
        reading = actual.hosts.get(attachment["host"])
        if reading is None or reading.attachments is None:
            there.append(attachment)
            continue
        disk = reading.attachments.get((attachment["vm"], attachment["serial"]))
        if disk is None:
            drift.append(Drift(f"disk of {attachment['vm']}", attachment["device"], "detached"))
        else:
            there.append(_attachment(attachment, disk, size, drift))
            live[attachment["host"], attachment["vm"]] = disk.live
    return tuple(there)


def _attachment(recorded: Attributes, disk: ActualAttachment, size: int, drift: list[Drift]) -> Attributes:
    now = dict(recorded, device=disk.device)
    if disk.device != recorded["device"]:
        drift.append(Drift(f"disk of {recorded['vm']}", recorded["device"], disk.device))
    held = limits_of(disk.qos)
    if held != recorded.get("qos"):
        drift.append(Drift(f"limits of {recorded['vm']}'s {disk.device}", recorded.get("qos"), held))
        now["qos"] = held
    # A guest that sees the wrong size is told again; a guest that is down sees the right one when it starts.
    now["size"] = size if disk.size is None else disk.size
    if disk.size is not None and disk.size != recorded["size"]:
        seen = f"size that {recorded['vm']} sees"
        drift.append(Drift(seen, format_size(recorded["size"]), format_size(disk.size)))
    return now


def held(attributes: Attributes) -> tuple[int, int]:
    """(bytes, floor) that a volume takes from its pool."""
    return parse_size(attributes["size"]), attributes.get("min_iops") or 0
