"""
Reads what is really there: one bulk read for each pool and each host, all of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from planner.addresses import ProviderAddress
from planner.diagnostics import Diagnostics, SourceRange
from planner.errors import LunformError
from planner.events import Observer, RefreshFinished, RefreshStarted
from planner.sdk.errors import ProviderError, Unreachable
from planner.sdk.hypervisor import ActualAttachment, ActualVm, HostInfo, HostSpec, VmHosts
from planner.sdk.provider import Providers
from planner.sdk.storage import ActualVolume, ArrayInfo, PoolSpec, PoolStatus

T = TypeVar("T")
_READS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class PoolTarget:
    """A pool to read. `list_volumes` only where volumes are recorded on it."""

    provider: ProviderAddress
    spec: PoolSpec
    list_volumes: bool
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class HostTarget:
    provider: ProviderAddress
    spec: HostSpec
    list_attachments: bool
    list_vms: bool = False
    range: SourceRange | None = None


@dataclass(frozen=True, slots=True)
class PoolReading:
    """`volumes` by the array's id; None when they were not listed."""

    array: ArrayInfo
    status: PoolStatus
    volumes: Mapping[str, ActualVolume] | None


@dataclass(frozen=True, slots=True)
class HostReading:
    """
    Attributes:
        attachments: by VM and serial number; None when they were not listed.
        makes_vms: VMs can be made there.
        vms: by id; None when they were not listed.
    """

    info: HostInfo
    attachments: Mapping[tuple[str, str | None], ActualAttachment] | None
    makes_vms: bool = False
    vms: Mapping[str, ActualVm] | None = None


@dataclass(frozen=True, slots=True)
class Actual:
    """What was read, by the pool's and the host's address."""

    pools: Mapping[str, PoolReading] = field(default_factory=dict)
    hosts: Mapping[str, HostReading] = field(default_factory=dict)


def refresh(
    pools: Sequence[PoolTarget], hosts: Sequence[HostTarget], providers: Providers, observer: Observer
) -> tuple[Actual, Diagnostics]:
    """
    Read all pools and hosts. One that cannot be read is an error that names its endpoint; the others are read all the
    same, so that one run tells of all of them.
    """
    diagnostics = Diagnostics()
    observer(RefreshStarted(len(pools), len(hosts)))
    with ThreadPoolExecutor(max_workers=_READS_AT_ONCE, thread_name_prefix="refresh") as threads:
        pool_reads = {target.spec.address: threads.submit(_read_pool, target, providers) for target in pools}
        host_reads = {target.spec.address: threads.submit(_read_host, target, providers) for target in hosts}
        ranges = {pool.spec.address: pool.range for pool in pools} | {host.spec.address: host.range for host in hosts}

        def settled(address: str, result: Callable[[], T]) -> T | None:
            try:
                return result()
            except ProviderError as error:
                diagnostics.error(
                    "Provider cannot be reached" if isinstance(error, Unreachable) else "Provider cannot be read",
                    " ".join(part for part in (f"{error}", error.detail) if part),
                    ranges[address],
                    address=address,
                )
                return None
            except LunformError:
                raise
            except Exception as error:  # a provider is another's code; its message may hold anything, also a secret
                diagnostics.error(
                    "Provider failed",
                    f"Reading {address} ended with {type(error).__name__}. This is a bug of its provider.",
                    ranges[address],
                    address=address,
                )
                return None

        read_pools = {address: settled(address, read.result) for address, read in pool_reads.items()}
        read_hosts = {address: settled(address, read.result) for address, read in host_reads.items()}
    actual = Actual(
        {address: reading for address, reading in read_pools.items() if reading is not None},
        {address: reading for address, reading in read_hosts.items() if reading is not None},
    )
    observer(
        RefreshFinished(
            sum(len(reading.volumes or ()) for reading in actual.pools.values()),
            sum(len(reading.attachments or ()) for reading in actual.hosts.values()),
        )
    )
    return actual, diagnostics


def _read_pool(target: PoolTarget, providers: Providers) -> PoolReading:
    storage = providers.storage(target.provider)
    volumes = None
    if target.list_volumes:
        volumes = {volume.id: volume for volume in storage.list_volumes(target.spec)}
    return PoolReading(storage.inspect(), storage.pool_status(target.spec), volumes)


def _read_host(target: HostTarget, providers: Providers) -> HostReading:
    hypervisor = providers.hypervisor(target.provider)
    attachments = None
    if target.list_attachments:
        attachments = {(disk.vm, disk.serial): disk for disk in hypervisor.list_attachments(target.spec)}
    makes_vms, vms = isinstance(hypervisor, VmHosts), None
    if target.list_vms and isinstance(hypervisor, VmHosts):
        vms = {vm.id: vm for vm in hypervisor.list_vms(target.spec)}
    return HostReading(hypervisor.inspect(target.spec), attachments, makes_vms, vms)
