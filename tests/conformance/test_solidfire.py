"""The Element provider passes the suite of all providers, on an emulated cluster, in all ways of letting hosts in."""

from __future__ import annotations

import pytest

from planner.sdk import Endpoint, PoolSpec
from planner.sdk.conformance import (
    ArrayUnderTest,
    CopyConformance,
    DeletedConformance,
    PolicyConformance,
    StorageConformance,
)
from tests.emulators.running import Element, open_array

GIB = 1 << 30
ENDPOINTS = (
    Endpoint("kvm1", "10.0.0.11", "iqn.1993-08.org.debian:01:kvm1", "rack"),
    Endpoint("kvm2", "10.0.0.12", "iqn.1993-08.org.debian:01:kvm2", "rack"),
)


def under_test(element: Element, **settings: object) -> ArrayUnderTest:
    def add_foreign(name: str) -> None:
        element.call("CreateVolume", name=name, accountID=element.account("somebody"), totalSize=GIB, enable512e=True)

    def add_snapshot(volume: str, name: str) -> str:
        return str(element.call("CreateSnapshot", volumeID=int(volume.split(":")[1]), name=name)["snapshotID"])

    element.order(set={"clone_seconds": 0.2})
    return ArrayUnderTest(
        open=lambda: open_array(element, **settings),
        add_snapshot=add_snapshot,
        pool=PoolSpec("pool.san"),
        endpoints=ENDPOINTS,
        add_foreign=add_foreign,
        count_calls=lambda: sum(element.calls().values()),
    )


class TestGroups(StorageConformance, PolicyConformance, CopyConformance, DeletedConformance):
    @pytest.fixture
    def array(self, element: Element) -> ArrayUnderTest:
        return under_test(element)


class TestClusterGroups(StorageConformance):
    @pytest.fixture
    def array(self, element: Element) -> ArrayUnderTest:
        return under_test(element, access="cluster")


class TestChap(StorageConformance, DeletedConformance):
    @pytest.fixture
    def array(self, element: Element) -> ArrayUnderTest:
        return under_test(element, access="chap")
