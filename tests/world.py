"""A small world for the engine's tests: an array and two hosts of the sandbox, and step graphs that change it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress, parse_instance
from planner.sdk import (
    ActualAttachment,
    ActualVolume,
    HostSpec,
    HypervisorProvider,
    PoolSpec,
    StorageProvider,
)
from planner.state.model import Attributes, Run
from planner.steps.graph import Step, StepGraph, Verb
from providers.sandbox import PROVIDER

ARRAY, HYPERVISOR = ProviderAddress("sandbox", "array"), ProviderAddress("sandbox", "hosts")
POOL = "pool.fast"
HOSTS = ('host.kvm["kvm1"]', 'host.kvm["kvm2"]')
VOLUME = parse_instance('volume.db["wal"]')
OFFERING = parse_instance("disk_offering.media")
GIB = 1 << 30
FIGURES = {"min_iops": 500, "max_iops": 1000, "burst_iops": 1500}
MORE = {"min_iops": 600, "max_iops": 2000, "burst_iops": 2500}
LIMITS = {"min_iops": 0, "max_iops": 1000, "burst_iops": 1500}
SEED = "a seed of CHAP secrets"


class World:
    """The simulated array and hosts in one file; a `planner.sdk.provider.Providers` too."""

    def __init__(self, path: Path, **settings: Any) -> None:
        given = {"path": str(path), "chap_seed": SEED} | settings
        assert PROVIDER.open_storage is not None
        assert PROVIDER.open_hypervisor is not None
        self.array: StorageProvider = PROVIDER.open_storage(given)
        self.hosts: HypervisorProvider = PROVIDER.open_hypervisor(given)
        self.limits: dict[ProviderAddress, int] = {}

    def limit(self, address: ProviderAddress) -> int | None:
        return self.limits.get(address)

    def storage(self, address: ProviderAddress) -> StorageProvider:
        assert address == ARRAY
        return self.array

    def hypervisor(self, address: ProviderAddress) -> HypervisorProvider:
        assert address == HYPERVISOR
        return self.hosts

    def volumes(self) -> list[ActualVolume]:
        return list(self.array.list_volumes(PoolSpec(POOL)))

    def disks(self) -> dict[str, list[ActualAttachment]]:
        """By host."""
        return {host: list(self.hosts.list_attachments(host_spec(host))) for host in HOSTS}


class Steps:
    """Builds a step graph, as `planner.steps.builder` does from a plan; each step waits for the one before it."""

    def __init__(self, address: InstanceAddress = VOLUME) -> None:
        self.address = address
        self._steps: list[Step] = []

    def add(
        self,
        verb: Verb,
        provider: ProviderAddress | None,
        arguments: Mapping[str, Any],
        records: Attributes | None = None,
    ) -> Steps:
        number = len(self._steps)
        of_this = [step.id for step in self._steps if step.address == self.address]
        step = Step(
            id=number,
            verb=verb,
            address=self.address,
            provider=provider,
            intent=secrets.token_hex(8),
            arguments=arguments,
            records=records or {},
            requires=tuple(of_this[-1:]),
            dependencies=(OFFERING,),
        )
        self._steps.append(step)
        return self

    def of(self, address: InstanceAddress) -> Steps:
        """The steps that follow are of that instance."""
        self.address = address
        return self

    def create(self, name: str = "db-wal", **records: Any) -> Steps:
        wanted = {"name": name, "size": GIB, "qos": FIGURES, "thin": True, "metadata": {"team": "media"}}
        return self.add(Verb.CREATE, ARRAY, _pool() | wanted, {"offering": str(OFFERING)} | records)

    def grant(self, host: str = HOSTS[0]) -> Steps:
        return self.add(Verb.GRANT, ARRAY, _pool() | _endpoint(host))

    def attach(self, host: str = HOSTS[0], vm: str = "db-01", read_only: bool = False) -> Steps:
        wanted = {"vm": vm, "device": None, "bus": None, "read_only": read_only, "size": GIB, "qos": LIMITS}
        return self.add(Verb.ATTACH, HYPERVISOR, _host(host) | wanted | {"storage_provider": str(ARRAY)})

    def resize(self, size: int = 2 * GIB) -> Steps:
        return self.add(Verb.RESIZE, ARRAY, _pool() | {"size": size})

    def update_qos(self, qos: Mapping[str, int] | None = MORE, policy: str | None = None) -> Steps:
        return self.add(Verb.UPDATE_QOS, ARRAY, _pool() | {"qos": qos, "policy": policy})

    def update_attachment(self, host: str = HOSTS[0], vm: str = "db-01", size: int = 2 * GIB) -> Steps:
        return self.add(Verb.UPDATE_ATTACHMENT, HYPERVISOR, _host(host) | {"vm": vm, "size": size, "qos": None})

    def detach(self, host: str = HOSTS[0], vm: str = "db-01") -> Steps:
        return self.add(Verb.DETACH, HYPERVISOR, _host(host) | {"vm": vm})

    def revoke(self, host: str = HOSTS[0]) -> Steps:
        return self.add(Verb.REVOKE, ARRAY, _pool() | _endpoint(host))

    def delete(self) -> Steps:
        return self.add(Verb.DELETE, ARRAY, _pool() | {"purge": False})

    def record(self, **records: Any) -> Steps:
        return self.add(Verb.RECORD, ARRAY, {}, records)

    def forget(self) -> Steps:
        return self.add(Verb.FORGET, None, {})

    def graph(self) -> StepGraph:
        return StepGraph(tuple(self._steps))


class Instead:
    """A provider with some of its methods replaced; a replacement gets the original first."""

    def __init__(self, provider: Any, **methods: Callable[..., Any]) -> None:
        self._provider = provider
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        original = getattr(self._provider, name)
        if name not in self._methods:
            return original
        return lambda *arguments: self._methods[name](original, *arguments)


def new_run(id: str | None = None) -> Run:
    return Run(id or secrets.token_hex(8), "apply", "2026-01-01T00:00:00Z", "somebody@somewhere:1")


def host_spec(host: str) -> HostSpec:
    name = host.split('"')[1]
    return HostSpec(host, name, f"10.0.0.{name[-1]}", f"iqn.1993-08.org.debian:01:{name}")


def names(steps: Sequence[Step]) -> list[str]:
    return [step.verb.value for step in steps]


def _pool() -> dict[str, Any]:
    return {"pool": POOL, "pool_arguments": {}}


def _endpoint(host: str) -> dict[str, Any]:
    spec = host_spec(host)
    endpoint = {"name": spec.name, "address": spec.network_address, "initiator": spec.initiator}
    return {"host": host, "endpoint": endpoint}


def _host(host: str) -> dict[str, Any]:
    spec = host_spec(host)
    return {
        "host": host,
        "host_spec": {
            "name": spec.name,
            "network_address": spec.network_address,
            "initiator": spec.initiator,
            "arguments": dict(spec.arguments),
        },
    }
