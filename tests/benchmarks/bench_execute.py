"""
What the engine adds to the time of the provider's calls. Run by hand: `python -m tests.benchmarks.bench_execute`.

Prints, for a provider in memory: microseconds of engine per step, with the state in SQLite; and the time of a run with
slow calls over that of an ideal schedule.
"""

from __future__ import annotations

import itertools
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress
from planner.execution.executor import execute
from planner.sdk import (
    AccessPath,
    ActualVolume,
    Attach,
    Attachment,
    CreateVolume,
    Credentials,
    Done,
    GrantAccess,
)
from planner.state.model import Run
from planner.state.sqlite import open_sqlite
from planner.steps.graph import Step, StepGraph, Verb

PROVIDER = ProviderAddress("fast")
FIGURES = {"min_iops": 100, "max_iops": 1000, "burst_iops": 2000}
POOL = {"pool": "pool.fast", "pool_arguments": {"name": "fast"}}
HOST = {
    "host": "host.kvm",
    "host_spec": {"name": "kvm", "network_address": "10.0.0.1", "initiator": "iqn.kvm", "arguments": {}},
}
ENDPOINT = {"name": "kvm", "address": "10.0.0.1", "initiator": "iqn.kvm"}


class Fast:
    """Array and hypervisor that answer at once, or after `latency` seconds, and remember nothing."""

    def __init__(self, latency: float = 0.0) -> None:
        self._latency = latency
        self._ids = itertools.count()

    def storage(self, address: ProviderAddress) -> Any:
        return self

    hypervisor = storage

    def limit(self, address: ProviderAddress) -> int | None:
        return None

    def _wait(self) -> None:
        if self._latency:
            time.sleep(self._latency)

    def create_async(self, request: CreateVolume) -> Done[ActualVolume]:
        self._wait()
        volume = f"vol-{next(self._ids)}"
        return Done(ActualVolume(volume, request.name, request.size, request.qos, volume, "a:1", 0, request.owner))

    def grant_access(self, request: GrantAccess) -> Done[AccessPath]:
        self._wait()
        return Done(AccessPath("a:1", request.volume, 0))

    def credentials(self, volume: str, path: AccessPath) -> Credentials | None:
        return None

    def attach(self, request: Attach, credentials: Credentials | None) -> Done[Attachment]:
        self._wait()
        return Done(Attachment("vdb", True))


def volumes(number: int, verbs: Sequence[Verb]) -> StepGraph:
    """A chain of `verbs` for each of `number` volumes."""
    steps: list[Step] = []
    arguments: dict[Verb, dict[str, Any]] = {
        Verb.CREATE: POOL | {"name": "db", "size": 1 << 30, "qos": FIGURES, "thin": True, "metadata": {}},
        Verb.GRANT: POOL | {"host": "host.kvm", "endpoint": ENDPOINT},
        Verb.ATTACH: HOST
        | {
            "vm": "db-01",
            "device": None,
            "bus": None,
            "read_only": False,
            "size": 1 << 30,
            "qos": None,
            "storage_provider": "fast",
        },
    }
    for volume in range(number):
        address = InstanceAddress("volume", "db", volume)
        for place, verb in enumerate(verbs):
            step = len(steps)
            requires = (step - 1,) if place else ()
            steps.append(Step(step, verb, address, PROVIDER, f"{step:016x}", arguments[verb], {}, requires))
    return StepGraph(tuple(steps))


def seconds(graph: StepGraph, parallelism: int, latency: float = 0.0) -> float:
    """Wall clock of one run into a new state file."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_sqlite(Path(folder) / "bench.state")
        with store.lock("apply"):
            run = Run("run", "apply", "2026-01-01T00:00:00Z", "bench")
            before = time.perf_counter()
            result = execute(run, graph, {}, Fast(latency), store, parallelism=parallelism)
            took = time.perf_counter() - before
    if len(result.done) != len(graph.steps):
        sys.exit(f"{len(result.failed)} steps failed: {result.failed[:1]}")
    return took


def main() -> None:
    chain = (Verb.CREATE, Verb.GRANT, Verb.ATTACH)
    for number, verbs in ((3000, chain[:1]), (1000, chain), (10_000, chain)):
        graph = volumes(number, verbs)
        took = min(seconds(graph, 10) for _ in range(3))
        print(
            f"{len(graph.steps):6} steps without latency: {took:6.2f} s, {took / len(graph.steps) * 1e6:5.1f} us a step"
        )
    for number, verbs, parallelism, latency in ((10_000, chain[:1], 64, 0.05), (3000, chain, 64, 0.05)):
        graph = volumes(number, verbs)
        ideal = math.ceil(len(graph.steps) / parallelism) * latency
        took = seconds(graph, parallelism, latency)
        shape = f"{number} volumes x {len(verbs)} calls of {latency * 1000:.0f} ms, {parallelism} at once"
        print(f"{shape}: {took:6.2f} s, {took / ideal:.3f} of the ideal {ideal:.2f} s")


if __name__ == "__main__":
    main()
