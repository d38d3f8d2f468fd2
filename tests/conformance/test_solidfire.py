"""The Element provider passes the suite of all providers, on an emulated cluster, in both ways of letting hosts in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from planner.sdk import Endpoint, PoolSpec, StorageProvider
from planner.sdk.conformance import ArrayUnderTest, PolicyConformance, StorageConformance
from providers.solidfire import PROVIDER
from tests.emulators.running import PASSWORD, USER, Element, running_element

GIB = 1 << 30
ENDPOINTS = (
    Endpoint("kvm1", "10.0.0.11", "iqn.1993-08.org.debian:01:kvm1"),
    Endpoint("kvm2", "10.0.0.12", "iqn.1993-08.org.debian:01:kvm2"),
)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Element]:
    with running_element(tmp_path_factory.mktemp("element")) as element:
        yield element


def open_array(element: Element, **settings: object) -> StorageProvider:
    given = {argument.name: argument.default for argument in PROVIDER.settings} | settings
    own = {"endpoint": element.endpoint, "username": USER, "password": PASSWORD, "ca_file": str(element.certificate)}
    assert PROVIDER.open_storage is not None
    return PROVIDER.open_storage(given | own)


def under_test(element: Element, **settings: object) -> ArrayUnderTest:
    def add_foreign(name: str) -> None:
        element.call("CreateVolume", name=name, accountID=element.account("somebody"), totalSize=GIB, enable512e=True)

    return ArrayUnderTest(
        open=lambda: open_array(element, **settings),
        pool=PoolSpec("pool.san"),
        endpoints=ENDPOINTS,
        add_foreign=add_foreign,
        count_calls=lambda: sum(element.calls().values()),
    )


class TestGroups(StorageConformance, PolicyConformance):
    @pytest.fixture
    def array(self, running: Element) -> ArrayUnderTest:
        running.clear()
        return under_test(running)


class TestChap(StorageConformance):
    @pytest.fixture
    def array(self, running: Element) -> ArrayUnderTest:
        running.clear()
        return under_test(running, access="chap")
