"""What the tests ask of the provider, and what they look for on the emulated cluster."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.sdk import ActualVolume, CreateVolume, Done, Endpoint, Owner, PoolSpec, Qos, StorageProvider
from tests.emulators.running import Element

GIB = 1 << 30
POOL = PoolSpec("pool.san")
KVM1 = Endpoint("kvm1", "10.0.0.11", "iqn.1993-08.org.debian:01:kvm1")
KVM2 = Endpoint("kvm2", "10.0.0.12", "iqn.1993-08.org.debian:01:kvm2")
FIGURES = Qos(500, 1000, 1500)


def request(name: str = "db", **more: Any) -> CreateVolume:
    owner = Owner("lineage", f"volume.{name}", secrets.token_hex(8))
    return replace(CreateVolume(POOL, name, GIB, FIGURES, owner), **more)


def made(array: StorageProvider, name: str = "db", **more: Any) -> ActualVolume:
    reply = array.create_async(request(name, **more))
    assert isinstance(reply, Done)
    return reply.value


def number(volume: ActualVolume) -> int:
    return int(volume.id.rpartition(":")[2])


def there(element: Element) -> list[Mapping[str, Any]]:
    volumes: list[Mapping[str, Any]] = element.call("ListVolumes")["volumes"]
    return volumes


def groups(element: Element) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    return found


def sent(element: Element, method: str) -> list[Mapping[str, Any]]:
    """The parameters of all calls of a method."""
    return [parameters for called, parameters in element.order()["log"] if called == method]


def made_by_others(element: Element, name: str, **more: Any) -> int:
    """The number of a volume that somebody else has made."""
    given = {"name": name, "accountID": element.account("x"), "totalSize": GIB, "enable512e": True}
    return int(element.call("CreateVolume", **(given | more))["volumeID"])
