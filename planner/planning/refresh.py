"""
Reads what is really there: one bulk read for each pool and each host, all of them at once. The number of calls does
not grow with the number of volumes.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from planner.addresses import ProviderAddress
from planner.diagnostics import Diagnostics, SourceRange
from planner.errors import LunformError
from planner.events import Observer, RefreshFinished, RefreshStarted
from planner.sdk.errors import ProviderError, Unreachable
from planner.sdk.hypervisor import ActualAttachment, ActualVm, HostInfo, HostSpec, VmHosts
from planner.sdk.provider import Providers
from planner.sdk.storage import (
    ActualSnapshot,
    ActualVolume,
    ArrayInfo,
    DeletedVolume,
    DeletedVolumes,
    PoolSpec,
    PoolStatus,
    Snapshots,
)

T = TypeVar("T")
PARALLELISM = 10
"""Calls at once where the user does not say."""


@dataclass(frozen=True, slots=True)
class PoolTarget:
    """
    A pool to read.

    Attributes:
        list_volumes: only where volumes are recorded on it.
        list_snapshots: only where data sources read them.
        expected: ids of volumes that are recorded on it. What is deleted is listed where one of them is not there.
    """

    provider: ProviderAddress
    spec: PoolSpec
    list_volumes: bool
    range: SourceRange | None = None
    expected: frozenset[str] = frozenset()
    list_snapshots: bool = False


@dataclass(frozen=True, slots=True)
class HostTarget:
    """
    A host to read.

    Attributes:
        list_attachments: only where volumes are recorded as attached to it.
        inspect: ask what it can hold; only where volumes are to be placed.
    """

    provider: ProviderAddress
    spec: HostSpec
    list_attachments: bool
    list_vms: bool = False
    range: SourceRange | None = None
    inspect: bool = True


@dataclass(frozen=True, slots=True)
class PoolReading:
    """
    Attributes:
        volumes: by the array's id; None when they were not listed.
        asked: as in `Candidate`.
        deleted: what can be restored, by the array's id; None when it was not listed.
        snapshots: None when they were not listed, or the array has none.
    """

    array: ArrayInfo
    status: PoolStatus
    volumes: Mapping[str, ActualVolume] | None
    asked: bool = True
    deleted: Mapping[str, DeletedVolume] | None = None
    snapshots: tuple[ActualSnapshot, ...] | None = None


@dataclass(frozen=True, slots=True)
class HostReading:
    """
    Attributes:
        info: None when it was not asked for.
        attachments: by VM and serial number; None when they were not listed.
        makes_vms: VMs can be made there.
        vms: by id; None when they were not listed.
    """

    info: HostInfo | None
    attachments: Mapping[tuple[str, str | None], ActualAttachment] | None
    makes_vms: bool = False
    vms: Mapping[str, ActualVm] | None = None


@dataclass(frozen=True, slots=True)
class Actual:
    """What was read, by the pool's and the host's address."""

    pools: Mapping[str, PoolReading] = field(default_factory=dict)
    hosts: Mapping[str, HostReading] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """One read of a pool or host; `range` is where that is declared, as far as it is known."""

    provider: ProviderAddress
    call: Callable[[], T]
    range: SourceRange | None = None


def refresh(
    pools: Sequence[PoolTarget],
    hosts: Sequence[HostTarget],
    providers: Providers,
    observer: Observer,
    parallelism: int = PARALLELISM,
) -> tuple[Actual, Diagnostics]:
    """
    Read all pools and hosts. One that cannot be read is an error that names its endpoint; the others are read all the
    same, so that one run tells of all of them.

    Args:
        parallelism: pools and hosts that are read at once.
    """
    diagnostics = Diagnostics()
    observer(RefreshStarted(len(pools), len(hosts)))
    arrays = {
        provider: _once(partial(_inspect_array, provider, providers)) for provider in {pool.provider for pool in pools}
    }
    reads: dict[str, Read[PoolReading | HostReading]] = {
        pool.spec.address: Read(pool.provider, partial(_read_pool, pool, providers, arrays[pool.provider]), pool.range)
        for pool in pools
    }
    reads |= {
        host.spec.address: Read(host.provider, partial(_read_host, host, providers), host.range) for host in hosts
    }
    found = read_at_once(reads, providers, diagnostics, parallelism)
    actual = Actual(
        {address: reading for address, reading in found.items() if isinstance(reading, PoolReading)},
        {address: reading for address, reading in found.items() if isinstance(reading, HostReading)},
    )
    observer(
        RefreshFinished(
            sum(len(reading.volumes or ()) for reading in actual.pools.values()),
            sum(len(reading.attachments or ()) for reading in actual.hosts.values()),
        )
    )
    return actual, diagnostics


def read_at_once(
    reads: Mapping[str, Read[T]], providers: Providers, diagnostics: Diagnostics, parallelism: int = PARALLELISM
) -> dict[str, T]:
    """
    Make several reads at once, each named by the address of the pool or host that it is about: `parallelism` of them,
    and of each provider no more than it bears. One that fails is an error with that address, and is left out of the
    answer.
    """
    found: dict[str, T] = {}
    answers: dict[str, Future[T]] = {address: Future() for address in reads}
    by_provider: dict[ProviderAddress, list[str]] = defaultdict(list)
    for address, read in reads.items():
        by_provider[read.provider].append(address)

    def go_along(lane: Sequence[str]) -> None:
        for address in lane:
            try:
                answers[address].set_result(reads[address].call())
            except BaseException as error:
                answers[address].set_exception(error)

    with ThreadPoolExecutor(max_workers=parallelism, thread_name_prefix="refresh") as threads:
        for provider, addresses in by_provider.items():
            # One lane for each read that the provider bears, so that no thread waits for its turn.
            lanes = min(len(addresses), providers.limit(provider) or len(addresses))
            for number in range(lanes):
                threads.submit(go_along, addresses[number::lanes])
    for address, answer in answers.items():
        try:
            found[address] = answer.result()
        except ProviderError as error:
            diagnostics.error(
                "Provider cannot be reached" if isinstance(error, Unreachable) else "Provider cannot be read",
                " ".join(part for part in (f"{error}", error.detail) if part),
                reads[address].range,
                address=address,
            )
        except LunformError:
            raise
        except Exception as error:  # a provider is another's code; its message may hold anything, also a secret
            diagnostics.error(
                "Provider failed",
                f"Reading {address} ended with {type(error).__name__}. This is a bug of its provider.",
                reads[address].range,
                address=address,
            )
    return found


def _once(call: Callable[[], T]) -> Callable[[], T]:
    """The same answer, or the same error, for all threads that ask: the first of them makes the call."""
    lock, answer = threading.Lock(), Future[T]()

    def ask() -> T:
        with lock:
            if not answer.done():
                try:
                    answer.set_result(call())
                except BaseException as error:
                    answer.set_exception(error)
        return answer.result()

    return ask


def _inspect_array(provider: ProviderAddress, providers: Providers) -> ArrayInfo:
    return providers.storage(provider).inspect()


def _read_pool(target: PoolTarget, providers: Providers, inspect: Callable[[], ArrayInfo]) -> PoolReading:
    array, storage = inspect(), providers.storage(target.provider)
    volumes = None
    if target.list_volumes:
        volumes = {volume.id: volume for volume in storage.list_volumes(target.spec)}
    deleted = None
    if target.expected - (volumes or {}).keys() and isinstance(storage, DeletedVolumes):
        deleted = {one.volume.id: one for one in storage.list_deleted(target.spec)}
    snapshots = None
    if target.list_snapshots and isinstance(storage, Snapshots):
        snapshots = tuple(storage.list_snapshots(target.spec))
    return PoolReading(array, storage.pool_status(target.spec), volumes, deleted=deleted, snapshots=snapshots)


def _read_host(target: HostTarget, providers: Providers) -> HostReading:
    hypervisor = providers.hypervisor(target.provider)
    attachments = None
    if target.list_attachments:
        attachments = {(disk.vm, disk.serial): disk for disk in hypervisor.list_attachments(target.spec)}
    makes_vms, vms = isinstance(hypervisor, VmHosts), None
    if target.list_vms and isinstance(hypervisor, VmHosts):
        vms = {vm.id: vm for vm in hypervisor.list_vms(target.spec)}
    info = hypervisor.inspect(target.spec) if target.inspect else None
    return HostReading(info, attachments, makes_vms, vms)
