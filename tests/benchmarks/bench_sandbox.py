"""
What the sandbox costs: it stands in for an array when Lunform itself is measured, so it must not be what is measured.

    python tests/benchmarks/bench_sandbox.py [volumes]

CPU time counts all threads of the process; 10,000 volumes unless another number is given.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # run as a script, from anywhere

from planner.sdk import Attach, CreateVolume, Endpoint, GrantAccess, HostSpec, Owner, PoolSpec, Qos
from planner.sdk.conformance import finish
from providers.sandbox import PROVIDER

POOL = PoolSpec("pool.fast", {"size": "1PiB", "iops": 10**9})
KVM = Endpoint("kvm", "10.0.0.11", "iqn.1993-08.org.debian:01:kvm")
HOST = HostSpec("host.kvm", "kvm", KVM.address, KVM.initiator, {})
DISKS_PER_VM = 20


@contextmanager
def measured(what: str, count: int) -> Iterator[None]:
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(f"{what:64} {wall:8.3f} s {1000 * cpu / count:9.3f} ms CPU each {count / wall:10,.0f} /s")


@contextmanager
def sandbox(**settings: Any) -> Iterator[tuple[Any, Any]]:
    assert PROVIDER.open_storage and PROVIDER.open_hypervisor
    with tempfile.TemporaryDirectory() as directory:
        given = {"path": f"{directory}/sandbox.db", "chap_seed": "seed", **settings}
        array, hypervisor = PROVIDER.open_storage(given), PROVIDER.open_hypervisor(given)
        yield array, hypervisor
        array.close()
        hypervisor.close()


def creation(number: int) -> CreateVolume:
    owner = Owner("lineage", f"volume.v[{number}]", f"{number:016x}")
    return CreateVolume(POOL, f"v{number}", 1 << 30, Qos(500, 1000, 1500), owner)


def making(array: Any, hypervisor: Any) -> Callable[[int], None]:
    """A call that makes volume `number`, lets the host in and attaches it."""

    def make(number: int) -> None:
        request = creation(number)
        volume = finish(array, array.create_async(request))
        path = finish(array, array.grant_access(GrantAccess(POOL, volume.id, KVM)))
        vm, serial = f"vm{number // DISKS_PER_VM}", f"{number:020x}"
        attach = Attach(HOST, vm, volume.id, path, serial, 1 << 30, None, None, False, None, request.owner)
        finish(hypervisor, hypervisor.attach(attach, array.credentials(volume.id, path)))

    return make


def main(volumes: int) -> None:
    with measured("import providers.sandbox, in a new process", 1):
        subprocess.run([sys.executable, "-c", "import providers.sandbox"], check=True, cwd=Path(__file__).parents[2])

    with sandbox() as (array, hypervisor):
        make = making(array, hypervisor)
        with measured(f"create, grant, attach {volumes:,} volumes, 1 thread", volumes):
            for number in range(volumes):
                make(number)
        with measured(f"the same requests again: all {volumes:,} are there", volumes):
            for number in range(volumes):
                make(number)
        with measured(f"list_volumes of {volumes:,}", volumes):
            assert len(list(array.list_volumes(POOL))) == volumes
        with measured(f"list_attachments of {volumes:,}", volumes):
            assert len(list(hypervisor.list_attachments(HOST))) == volumes
        with measured("pool_status", 1000):
            for _ in range(1000):
                array.pool_status(POOL)

    with (
        sandbox() as (array, hypervisor),
        ThreadPoolExecutor(8) as threads,
        measured(f"create, grant, attach {volumes:,} volumes, 8 threads", volumes),
    ):
        list(threads.map(making(array, hypervisor), range(volumes)))

    few = max(1, volumes // 50)
    with (
        sandbox(latency=5) as (array, hypervisor),
        ThreadPoolExecutor(64) as threads,
        measured(f"{few:,} volumes, 5 ms latency, 64 threads", few),
    ):
        list(threads.map(making(array, hypervisor), range(few)))

    with (
        sandbox(async_after=1) as (array, _),
        measured(f"create {volumes:,} volumes, each done 1 ms after it was asked for", volumes),
    ):
        for number in range(volumes):
            array.create_async(creation(number))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
