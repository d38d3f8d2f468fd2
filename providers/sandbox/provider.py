"""The protocols of `planner.sdk`, and the way that every call goes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from planner.sdk import (
    AccessPath,
    ActualAttachment,
    ActualSnapshot,
    ActualVm,
    ActualVolume,
    ArrayInfo,
    ArrayLimits,
    Attach,
    Attachment,
    CreateVm,
    CreateVolume,
    Credentials,
    DeletedVolume,
    DeleteVm,
    DeleteVolume,
    Detach,
    GrantAccess,
    HostInfo,
    HostSpec,
    Missing,
    PoolSpec,
    PoolStatus,
    Qos,
    QosPolicy,
    Rejected,
    Reply,
    ResizeVolume,
    RestoreVolume,
    RevokeAccess,
    SetPower,
    UpdateAttachment,
    UpdatePolicy,
    UpdateQos,
    UpdateVm,
    format_size,
)
from providers.sandbox import array, hypervisor, jobs, policies, pools, vms
from providers.sandbox.database import Database
from providers.sandbox.definition import SandboxSettings, pool_enforces
from providers.sandbox.faults import Faults, Subject, failure, kill_switch

T = TypeVar("T")

_PRODUCT = "Lunform sandbox 1"


class Simulation:
    """
    The way that every call goes, whichever protocol it belongs to.

    It takes its time, half of it on the way there and what is left on the way back; between them it may be killed,
    meets the fault rules, lets what is due happen, does its own work, may be killed again, and may lose its answer.
    """

    def __init__(self, settings: SandboxSettings) -> None:
        self.settings = settings
        self.database = Database(settings.path)
        self._faults = Faults(self.database, settings.faults)
        self._kill = kill_switch()

    def read(self, verb: str, subject: Subject, query: Callable[[sqlite3.Connection], T]) -> T:
        with self._call(verb, subject), self.database.reading() as connection:
            if jobs.has_due(connection):
                self.database.write(lambda writer: jobs.settle(writer, self.database.identity))
            return query(connection)

    def change(
        self,
        verb: str,
        subject: Subject,
        request: jobs.Change,
        check: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Reply[Any]:
        """Carry out or queue `request`, if `check`, in the same transaction, does not raise."""

        def work(connection: sqlite3.Connection) -> Reply[Any]:
            identity = self.database.identity
            jobs.settle(connection, identity)
            if check is not None:
                check(connection)
            return jobs.change(connection, identity, request, self.settings.async_after)

        with self._call(verb, subject):
            return self.database.write(work)

    def poll(self, job: str) -> Reply[Any]:
        return self.read("poll", None, lambda connection: jobs.poll(connection, job))

    @contextmanager
    def _call(self, verb: str, subject: Subject) -> Iterator[None]:
        answered_at = time.monotonic() + self.settings.latency
        try:
            if self._kill:
                self._kill.reach(verb, "before")
            fault = self._faults.claim(verb, subject)
            if fault is not None and fault.effect != "lose":
                raise failure(fault, self.database.path)
            yield
            if self._kill:
                self._kill.reach(verb, "after")
            if fault is not None:
                raise failure(fault, self.database.path)
        finally:
            if self.settings.latency:
                time.sleep(max(0.0, answered_at - time.monotonic()))


class SandboxArray:
    """The array's side: a `StorageProvider`, `QosPolicies`, `Snapshots` and `DeletedVolumes` of `planner.sdk`."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._simulation = Simulation(settings)

    def inspect(self) -> ArrayInfo:
        optional = {
            "chap": self._settings.chap_seed,
            "image": self._settings.images,
            "qos_policy": self._settings.policies,
            "undelete": self._settings.undelete_for,
            "clone": self._settings.copies,
            "snapshot": self._settings.copies,
        }
        return ArrayInfo(
            identity=self._simulation.read("inspect", None, lambda _: self._identity),
            product=_PRODUCT,
            supports=frozenset({"resize", "update_qos", "acl"} | {name for name, has in optional.items() if has}),
            limits=ArrayLimits(
                min_size=self._settings.size_granularity,
                size_granularity=self._settings.size_granularity,
                min_iops=self._settings.iops_range,
                max_iops=self._settings.iops_range,
                burst_iops=self._settings.iops_range,
                name_length=array.NAME_LENGTH,
            ),
        )

    def pool_status(self, pool: PoolSpec) -> PoolStatus:
        status = self._simulation.read("pool_status", pool, lambda connection: pools.status(connection, pool))
        return replace(status, enforces=pool_enforces(self._settings, pool))

    def list_volumes(self, pool: PoolSpec) -> Iterable[ActualVolume]:
        return self._simulation.read(
            "list_volumes", pool, lambda connection: list(array.list_volumes(connection, self._identity, pool))
        )

    def create_async(self, request: CreateVolume) -> Reply[ActualVolume]:
        def check(_: sqlite3.Connection) -> None:
            self._check(request.size, request.qos)
            self._check_policy(request.policy)
            if request.source is not None and not self._settings.images:
                raise Rejected("The array makes no volumes from images", 'Provider "sandbox" has `images` = false.')
            if request.clone_of is not None and not self._settings.copies:
                raise Rejected("The array copies no volumes", 'Provider "sandbox" has `copies` = false.')

        return self._simulation.change("create_async", request, request, check)

    def resize_async(self, request: ResizeVolume) -> Reply[ActualVolume]:
        return self._simulation.change("resize_async", request, request, lambda _: self._check(request.size, None))

    def update_qos(self, request: UpdateQos) -> Reply[ActualVolume]:
        def check(_: sqlite3.Connection) -> None:
            self._check(None, request.qos)
            self._check_policy(request.policy)

        return self._simulation.change("update_qos", request, request, check)

    def list_policies(self) -> Iterable[QosPolicy]:
        return self._simulation.read("list_policies", None, lambda connection: list(policies.list_policies(connection)))

    def update_policy(self, request: UpdatePolicy) -> Reply[QosPolicy]:
        return self._simulation.change("update_policy", request, request, lambda _: self._check(None, request.qos))

    def delete_async(self, request: DeleteVolume) -> Reply[str | None]:
        return self._simulation.change("delete_async", request, array.Delete(request, self._settings.undelete_for))

    def list_snapshots(self, pool: PoolSpec) -> Iterable[ActualSnapshot]:
        return self._simulation.read(
            "list_snapshots", pool, lambda connection: list(array.list_snapshots(connection, pool))
        )

    def list_deleted(self, pool: PoolSpec) -> Iterable[DeletedVolume]:
        return self._simulation.read(
            "list_deleted", pool, lambda connection: list(array.list_deleted(connection, self._identity, pool))
        )

    def restore_async(self, request: RestoreVolume) -> Reply[ActualVolume]:
        return self._simulation.change("restore_async", request, request)

    def grant_access(self, request: GrantAccess) -> Reply[AccessPath]:
        seed = self._settings.chap_seed
        digest = array.chap_digest(array.chap_secret(seed, self._identity, request.volume)) if seed else None
        return self._simulation.change("grant_access", request, array.Grant(request, digest))

    def revoke_access(self, request: RevokeAccess) -> Reply[None]:
        return self._simulation.change("revoke_access", request, request)

    def credentials(self, volume: str, path: AccessPath) -> Credentials | None:
        username, seed = path.chap_username, self._settings.chap_seed
        if username is None:
            return None
        if seed is None:
            raise Rejected(
                "The CHAP secret is not to be had", 'Give provider "sandbox" the `chap_seed` that it was granted with.'
            )
        if not self._simulation.read("credentials", volume, lambda connection: array.exists(connection, volume)):
            raise Missing("The volume is gone", f"The array has no volume {volume}.")
        return Credentials(username, array.chap_secret(seed, self._identity, volume))

    def poll(self, job: str) -> Reply[Any]:
        return self._simulation.poll(job)

    def close(self) -> None:
        self._simulation.database.close()

    @property
    def _identity(self) -> str:
        return self._simulation.database.identity

    def _check(self, size: int | None, qos: Qos | None) -> None:
        """Raises Rejected for figures that the array does not take."""
        granularity, limits = self._settings.size_granularity, self._settings.iops_range
        if size is not None and (size < granularity or size % granularity):
            raise Rejected(
                "The size is not allowed",
                f"{size} bytes are no multiple of {format_size(granularity)}.",
            )
        if qos is None:
            return
        figures = (qos.min_iops, qos.max_iops, qos.burst_iops)
        given = [figure for figure in figures if figure]  # 0 is no guarantee and no limit
        if given != sorted(given) or min(*figures, qos.max_bandwidth) < 0:
            raise Rejected("The IOPS figures are in disorder", f"{figures} must grow from floor to ceiling to burst.")
        if limits and given and not (limits[0] <= qos.min_iops and given[-1] <= limits[1]):
            raise Rejected("The IOPS figures are out of range", f"{figures} must lie in {limits[0]} to {limits[1]}.")

    def _check_policy(self, policy: str | None) -> None:
        if policy is not None and not self._settings.policies:
            raise Rejected("The array has no QoS policies", 'Provider "sandbox" has them with `policies` = true.')


class SandboxHypervisor:
    """The hosts' side: a `planner.sdk.HypervisorProvider`, and `planner.sdk.VmHosts`."""

    def __init__(self, settings: SandboxSettings) -> None:
        self._settings = settings
        self._simulation = Simulation(settings)

    def inspect(self, host: HostSpec) -> HostInfo:
        identity = self._simulation.read("inspect", host, lambda _: vms.host_name(host))
        return HostInfo(identity, _PRODUCT, self._settings.host_enforces)

    def list_attachments(self, host: HostSpec) -> Iterable[ActualAttachment]:
        return self._simulation.read(
            "list_attachments",
            host,
            lambda connection: list(hypervisor.list_attachments(connection, self._identity, host)),
        )

    def attach(self, request: Attach, credentials: Credentials | None) -> Reply[Attachment]:
        def check(connection: sqlite3.Connection) -> None:
            self._check(request.qos)
            hypervisor.check_login(connection, self._identity, request.path, credentials)

        return self._simulation.change("attach", request, request, check)

    def update_attachment(self, request: UpdateAttachment) -> Reply[Attachment]:
        return self._simulation.change("update_attachment", request, request, lambda _: self._check(request.qos))

    def detach(self, request: Detach) -> Reply[None]:
        return self._simulation.change("detach", request, request)

    def list_vms(self, host: HostSpec) -> Iterable[ActualVm]:
        return self._simulation.read("list_vms", host, lambda connection: list(vms.list_vms(connection, host)))

    def create_vm(self, request: CreateVm) -> Reply[ActualVm]:
        return self._simulation.change("create_vm", request, request)

    def update_vm(self, request: UpdateVm) -> Reply[ActualVm]:
        return self._simulation.change("update_vm", request, request)

    def set_power(self, request: SetPower) -> Reply[ActualVm]:
        return self._simulation.change("set_power", request, request)

    def delete_vm(self, request: DeleteVm) -> Reply[None]:
        return self._simulation.change("delete_vm", request, request)

    def poll(self, job: str) -> Reply[Any]:
        return self._simulation.poll(job)

    def close(self) -> None:
        self._simulation.database.close()

    @property
    def _identity(self) -> str:
        return self._simulation.database.identity

    def _check(self, qos: Qos | None) -> None:
        """Raises Rejected for figures that the host cannot hold."""
        if qos is None:
            return
        asked = {"ceiling": qos.max_iops, "burst": qos.burst_iops > qos.max_iops, "bandwidth": qos.max_bandwidth}
        for name, figure in asked.items():
            if figure and name not in self._settings.host_enforces:
                raise Rejected(f"The host holds no {name}", f"It was asked to keep {qos}.")
