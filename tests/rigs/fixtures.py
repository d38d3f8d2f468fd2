"""
The rigs as fixtures, for tests in any folder.

Daemons and guests are started when a test first asks for them and live as long as the test run; what a test left on
them is cleared away after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rigs.guest import Guest
from tests.rigs.libvirt_host import LibvirtHost, running_libvirt_host
from tests.rigs.postgres import Postgres, running_postgres
from tests.rigs.process import require
from tests.rigs.servers import Bucket, running_http_state, running_moto
from tests.rigs.tgtd import CHAP_KEY, Tgtd, running_tgtd


@pytest.fixture(scope="session")
def tgtd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tgtd]:
    with running_tgtd(tmp_path_factory.mktemp("tgtd")) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    require("pg_lsclusters", "setpriv", module="psycopg")
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def libvirt_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LibvirtHost]:
    with running_libvirt_host(tmp_path_factory.mktemp("kvm")) as host:
        yield host


@pytest.fixture(scope="session")
def guest(libvirt_host: LibvirtHost) -> Iterator[Guest]:
    """A running guest without disks."""
    guest = Guest(libvirt_host, "db-01")
    guest.start()
    yield guest
    guest.stop()


@pytest.fixture
def vm_host(libvirt_host: LibvirtHost) -> Iterator[LibvirtHost]:
    """A hypervisor host for VMs that the test makes."""
    before = libvirt_host.vms()
    yield libvirt_host
    for name in libvirt_host.vms() - before:
        libvirt_host.remove(name)
    libvirt_host.forget_secrets()


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with running_moto(tmp_path_factory.mktemp("moto")) as bucket:
        yield bucket


@pytest.fixture(scope="session")
def http_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server with Terraform's http protocol."""
    with running_http_state(tmp_path_factory.mktemp("http_state")) as port:
        yield port


@dataclass(frozen=True, slots=True)
class Rig:
    """
    A storage box and a hypervisor host with a running guest: all that a configuration with tgt and libvirt names.

    Attributes:
        portal, control_port, chap_key: of the provider "tgt".
        pool_directory: of its pool.
        uri, initiator, address: of the host.
        vm: the guest's name.
    """

    portal: str
    control_port: int
    chap_key: str
    pool_directory: Path
    uri: str
    initiator: str
    address: str
    vm: str
    box: Tgtd
    host: LibvirtHost
    guest: Guest


@pytest.fixture
def box(tgtd: Tgtd) -> Iterator[Tgtd]:
    """A storage box without volumes."""
    yield tgtd
    tgtd.clear()


@pytest.fixture
def rig(box: Tgtd, libvirt_host: LibvirtHost, guest: Guest) -> Iterator[Rig]:
    yield Rig(
        portal=box.portal,
        control_port=box.control_port,
        chap_key=CHAP_KEY,
        pool_directory=box.pool,
        uri=libvirt_host.uri,
        initiator=libvirt_host.initiator,
        address="127.0.0.1",
        vm=guest.name,
        box=box,
        host=libvirt_host,
        guest=guest,
    )
    libvirt_host.clear(guest.name)
