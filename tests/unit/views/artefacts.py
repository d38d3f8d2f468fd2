"""Artefacts built by hand, as the stages before the views would make them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from planner.addresses import ProviderAddress, parse_instance
from planner.placement.model import Assignment, Enforcement, Rejection
from planner.planning.plan import Action, Change, Drift, OutputChange, Plan
from planner.resources.catalog import RESOURCE_TYPES
from planner.state.model import OutputValue, RecordedObject
from planner.steps.builder import StepBuilder
from planner.units import parse_size
from planner.values.marks import UNKNOWN

KVM1, KVM2 = 'host.kvm["kvm1"]', 'host.kvm["kvm2"]'
EAST, WEST = "pool.east-ssd", "pool.west-ssd"
GIVEN_BY_THE_ARRAY = ("id", "iqn", "portal", "lun", "serial")
STORAGE = Enforcement("storage", "storage", "storage")


def expected(path: Path, text: str) -> str:
    """The text that is kept beside the test. With UPDATE_EXPECTED set, what it is now is kept from now on."""
    if os.environ.get("UPDATE_EXPECTED"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return path.read_text()


def disk(host: str, vm: str, device: Any = UNKNOWN, **more: Any) -> dict[str, Any]:
    fixed = {"bus": "virtio", "read_only": False, "serial": UNKNOWN, "qos": None}
    return {"host": host, "vm": vm, "device": device, **fixed, **more}


def wanted(
    name: str, pool: str = EAST, size: str = "200GiB", disks: Sequence[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """A volume as it is planned to be, made anew."""
    hosts = sorted({disk["host"] for disk in disks})
    return {
        "offering": "disk_offering.media",
        "zone": None,
        "on_destroy": "delete",
        "metadata": None,
        **dict.fromkeys(GIVEN_BY_THE_ARRAY, UNKNOWN),
        "min_iops": 5000,
        "max_iops": 10000,
        "burst_iops": 15000,
        "max_bandwidth": None,
        "provisioning": "thin",
        "size": size,
        "pool": pool,
        "name": name,
        "access": {host: endpoint(host) for host in hosts},
        "attachments": tuple({"size": parse_size(size), **disk} for disk in disks),
    } | more


def existing(
    name: str, pool: str = EAST, size: str = "200GiB", disks: Sequence[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """The same volume as it is recorded once it is made."""
    given = {"id": f"vol-{name}", "iqn": f"iqn.2010-01.com.example:{name}", "portal": "10.0.9.1:3260", "lun": 0}
    settled = [{**d, "device": "vdb" if d["device"] is UNKNOWN else d["device"], "serial": "a1b2"} for d in disks]
    return wanted(name, pool, size, settled, **given, serial="a1b2") | more


def endpoint(host: str) -> dict[str, Any]:
    name = host.split('"')[1]
    return {"address": f"10.0.0.1{name[-1]}", "initiator": f"iqn.1993-08.org.debian:01:{name}"}


def assigned(
    pool: str = EAST,
    held: Enforcement = STORAGE,
    reason: str = "most IOPS left of 2 pools that fit",
    rejections: Sequence[Rejection] = (),
) -> Assignment:
    return Assignment(pool, held, reason, tuple(rejections))


def change(
    address: str,
    action: Action,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    provider: str | None = None,
    drift: Sequence[tuple[str, Any, Any]] = (),
    **more: Any,
) -> Change:
    instance = parse_instance(address)
    return Change(
        instance,
        action,
        before,
        after,
        provider=ProviderAddress(provider) if provider else None,
        drift=tuple(Drift(*item) for item in drift),
        holds_data=instance.type == "volume",
        **more,
    )


def recorded(type: str, id: str, /, **given: Any) -> dict[str, Any]:
    """The attributes of something that is only recorded: all of its type's, and what is given."""
    schema = RESOURCE_TYPES[type]
    return {
        **{argument.name: argument.default for argument in schema.arguments},
        **{block.type: None for block in schema.blocks},
        **given,
        "id": id,
    }


def plan(*changes: Change, outputs: Mapping[str, OutputChange] | None = None, operation: str = "apply") -> Plan:
    """A plan of these changes, with the steps that they take."""
    numbers = iter(range(1, 10_000))
    known = {
        EAST: {"id": EAST, "directory": "/srv/east"},
        WEST: {"id": WEST, "directory": "/srv/west"},
        **{host: {"id": host, **endpoint(host), "uri": "qemu:///system"} for host in (KVM1, KVM2)},
    }
    providers = {
        **dict.fromkeys((EAST, WEST), ProviderAddress("solidfire", "east")),
        **dict.fromkeys((KVM1, KVM2), ProviderAddress("libvirt")),
    }
    steps = StepBuilder(known, providers, lambda: f"{next(numbers):016x}")
    made = steps.add_all(changes, {})
    return Plan(
        operation=operation,
        lineage="6d1f",
        serial=7,
        created="2026-03-01T12:00:00Z",
        changes=tuple(
            Change(**{name: getattr(c, name) for name in Change.__slots__} | {"steps": made.get(c.address, ())})
            for c in sorted(changes, key=lambda c: c.address)
        ),
        outputs=outputs or {},
        steps=steps.finish(),
        variables={"size": "200GiB"},
    )


def output(before: Any, after: Any, sensitive: bool = False) -> OutputChange:
    """None for "there is none"."""
    return OutputChange(
        None if before is None else OutputValue(before, sensitive),
        None if after is None else OutputValue(after, sensitive),
    )


def object(address: str, provider: str | None = None, **attributes: Any) -> RecordedObject:
    return RecordedObject(parse_instance(address), ProviderAddress(provider) if provider else None, attributes)
