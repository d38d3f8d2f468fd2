"""The storage protocol of `planner.sdk`, spoken to an Element cluster: see the package's docstring for what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from planner.sdk import (
    AccessPath,
    AccessRefusal,
    ActualSnapshot,
    ActualVolume,
    ArrayInfo,
    CloneOf,
    Conflict,
    CreateVolume,
    Credentials,
    DeletedVolume,
    DeleteVolume,
    Done,
    Endpoint,
    GrantAccess,
    Missing,
    OutcomeUnknown,
    Pending,
    PoolSpec,
    PoolStatus,
    ProviderError,
    Qos,
    QosPolicy,
    Rejected,
    Reply,
    ResizeVolume,
    RestoreVolume,
    RevokeAccess,
    UpdatePolicy,
    UpdateQos,
    WantedAccess,
)
from providers.solidfire import policies as policy_rules
from providers.solidfire.accounts import Account, Accounts
from providers.solidfire.clones import CloneFailed, Clones
from providers.solidfire.cluster import MIB, Cluster
from providers.solidfire.groups import Group, Groups
from providers.solidfire.policies import Policies, Policy
from providers.solidfire.rules import refused_by_chap, refused_by_groups
from providers.solidfire.settings import SolidFireSettings
from providers.solidfire.volumes import LUN, NAME, PURGE, Volume, Volumes, figures, marks, missing, whole
from providers.solidfire.wire import ApiError, Wire

T = TypeVar("T")

ENFORCED = frozenset({"floor", "ceiling", "burst"})

_POLL_AFTER = 0.5
"""Seconds. A clone of little data is done within some."""


class SolidFireArray:
    """A `StorageProvider`, `QosPolicies`, `Snapshots`, `DeletedVolumes` and `AccessRules` of `planner.sdk`."""

    def __init__(self, settings: SolidFireSettings) -> None:
        self._settings = settings
        self._wire = Wire(settings)
        self._cluster = Cluster(self._wire)
        self._volumes = Volumes(self._wire)
        self._policies = Policies(self._wire)
        self._clones = Clones(self._wire)
        self._accounts = Accounts(self._wire)
        self._groups = Groups(
            self._wire,
            self._volumes,
            by_cluster=settings.access == "cluster",
            foreign_groups=settings.foreign_groups,
        )
        self._creating: dict[str, threading.Lock] = {}
        """By intent: equal requests look and make one after the other, or the cluster would make two volumes."""
        self._made: dict[int, Volume] = {}
        """What this process has made and not let anybody in to yet: its first grant need not read it again."""
        self._opening: dict[int, threading.Lock] = {}
        """By volume: who changes whom it is open to has read that just before."""

    # Reading

    def inspect(self) -> ArrayInfo:
        identity = self._cluster.identity()
        optional = {"chap": self._settings.by_chap, "qos_policy": self._has_policies()}
        return ArrayInfo(
            identity=identity.uuid,
            product=f"Element {identity.version} ({identity.name})",
            supports=frozenset({"resize", "update_qos", "clone", "snapshot", "undelete"})
            | {name for name, has in optional.items() if has}
            | (frozenset() if self._settings.by_chap else {"acl"}),
            limits=self._cluster.limits(),
            default_qos=self._cluster.default_qos(),
        )

    def pool_status(self, pool: PoolSpec) -> PoolStatus:
        room = self._cluster.room()
        return PoolStatus(
            capacity=room.provisionable,
            used=room.provisioned,
            capacity_iops=room.max_iops,
            # A deleted volume keeps its bytes, but nobody reads or writes it.
            floors=sum(volume.qos.min_iops for volume in self._volumes.all() if not volume.is_deleted),
            enforces=ENFORCED,
            identity=self._cluster.identity().uuid,
        )

    def list_volumes(self, pool: PoolSpec) -> Iterable[ActualVolume]:
        there = [volume for volume in self._volumes.all() if not volume.is_deleted or volume.is_half_purged]
        around = self._surroundings(there, anew=True)
        return [self._actual(volume, around) for volume in there]

    def list_snapshots(self, pool: PoolSpec) -> Iterable[ActualSnapshot]:
        cluster = self._cluster.identity().uuid
        for row in self._clones.snapshots():
            yield ActualSnapshot(
                id=str(row["snapshotID"]),
                volume=f"{cluster}:{row['volumeID']}",
                name=row["name"],
                size=row["totalSize"],
                created=row["createTime"],
            )

    def list_policies(self) -> Iterable[QosPolicy]:
        named: dict[str, QosPolicy] = {}
        for policy in self._policies.all():
            named.setdefault(policy.name, QosPolicy(policy.name, policy.qos))
        return list(named.values())

    # Making and changing

    def create_async(self, request: CreateVolume) -> Reply[ActualVolume]:
        self._check(request.name, request.size, request.qos)
        if request.source is not None:
            raise Rejected("The array makes no volumes from images", f"It was asked for one with {request.source}.")
        if request.clone_of is not None:
            return self._clone(request, request.clone_of)
        attributes = marks(request.owner, request.metadata)
        with (
            self._creating.setdefault(request.owner.intent, threading.Lock()),
            self._policies.first(request.policy),
        ):
            policy = None if request.policy is None else self._policies.find(request.policy, request.qos)
            volume = self._made_before(request) or self._create(request, policy, attributes)
            try:
                if request.policy is not None and volume.policy is None:
                    volume = self._put_under(volume.number, self._policies.hold(request.policy, request.qos))
                return Done(self._shown(volume))
            except ProviderError as error:
                # Whatever this was, something has happened: the volume is there, and is to be found.
                raise OutcomeUnknown(str(error), error.detail) from error

    def _made_before(self, request: CreateVolume) -> Volume | None:
        there = self._volumes.named(request.name)
        if len(there) == 1 and there[0].owner is not None and there[0].owner.intent == request.owner.intent:
            return there[0]
        if there:
            raise _name_taken(request.name, there)
        return None

    def _create(self, request: CreateVolume, policy: int | None, attributes: Mapping[str, Any]) -> Volume:
        made = self._in_an_account(
            lambda account: self._volumes.create(request.name, account, request.size, request.qos, policy, attributes)
        )
        self._made[made.number] = made
        return made

    def _clone(self, request: CreateVolume, of: CloneOf) -> Reply[ActualVolume]:
        source, snapshot = self._number(of.volume), self._snapshot(of)
        attributes = marks(request.owner, request.metadata, (request.qos, request.policy))
        with self._creating.setdefault(request.owner.intent, threading.Lock()):
            there = self._made_before(request)
            if there is not None:
                return Done(self._shown(there)) if there.becoming is None else _pending(there.number, None)
            number, handle = self._in_an_account(
                lambda account: self._clones.begin(source, snapshot, request.name, account, request.size, attributes)
            )
            return _pending(number, handle)

    def _snapshot(self, of: CloneOf) -> int | None:
        """The number of a snapshot of that volume: a cluster does not say that it is of another one."""
        if of.snapshot is None:
            return None
        for row in self._clones.snapshots(self._number(of.volume)):
            if str(row["snapshotID"]) == of.snapshot:
                return int(row["snapshotID"])
        raise Rejected("The snapshot is gone", f"Volume {of.volume} has no snapshot {of.snapshot}. Plan again.")

    def _in_an_account(self, make: Callable[[int], T]) -> T:
        most = self._cluster.limit("volumesPerAccountCountMax")
        for _ in range(2):
            account = self._accounts.with_room(self._settings.account, most)
            try:
                return make(account)
            except ApiError as error:
                if error.name != "xExceededLimit" or "PerAccount" not in error.detail:
                    raise
                self._accounts.is_full(account)
        raise Rejected("The accounts are full", "Others use them up at this moment. Apply again.")

    def resize_async(self, request: ResizeVolume) -> Reply[ActualVolume]:
        self._check(None, request.size, None)
        return Done(self._shown(self._volumes.modify(self._number(request.volume), totalSize=request.size)))

    def update_qos(self, request: UpdateQos) -> Reply[ActualVolume]:
        self._check(None, None, request.qos)
        number = self._number(request.volume)
        if request.policy is not None:
            with self._policies.first(request.policy):
                policy = self._policies.find(request.policy, request.qos)
                if policy is None:
                    self._volumes.modify(number, qos=figures(request.qos))
                    policy = self._policies.hold(request.policy, request.qos)
            changed = self._put_under(number, policy)
        else:
            # A volume always has figures: to have none asked for is to have the cluster's own.
            changed = self._volumes.modify(number, qos=figures(request.qos or self._cluster.default_qos()))
        return Done(self._shown(changed))

    def update_policy(self, request: UpdatePolicy) -> Reply[QosPolicy]:
        self._check(None, None, request.qos)
        policy = self._policies.update(request.name, request.qos)
        return Done(QosPolicy(policy.name, policy.qos))

    def delete_async(self, request: DeleteVolume) -> Reply[str | None]:
        number = self._number(request.volume)
        self._made.pop(number, None)
        found = self._volumes.find(number)
        if found is None:
            raise missing(number)
        if not found.is_deleted:
            sessions = self._volumes.sessions(number)
            if sessions:
                raise Rejected(
                    "The volume is in use",
                    f"{', '.join(sessions)} {'is' if len(sessions) == 1 else 'are'} logged in to it. Detach it first.",
                )
            kept = {name: value for name, value in found.attributes.items() if name != PURGE}
            attributes = kept | ({PURGE: True} if request.purge else {})
            if attributes != found.attributes:
                self._volumes.modify(number, attributes=attributes)
        deleted = found if found.is_deleted else self._volumes.delete(number)
        if request.purge or found.is_half_purged:
            self._volumes.purge(number)
            return Done(None)
        return Done(deleted.purge_time)

    def list_deleted(self, pool: PoolSpec) -> Iterable[DeletedVolume]:
        gone = [volume for volume in self._volumes.deleted() if not volume.is_half_purged]
        around = self._surroundings(gone)
        return [DeletedVolume(replace(self._actual(one, around), grants=()), one.purge_time) for one in gone]

    def restore_async(self, request: RestoreVolume) -> Reply[ActualVolume]:
        number = self._number(request.volume)
        found = self._volumes.find(number)
        if found is None or found.is_half_purged:
            raise missing(number)
        if found.is_deleted:
            if others := self._volumes.named(found.name):
                raise _name_taken(found.name, others)
            self._volumes.restore(number)
        return Done(self._shown(self._volumes.get(number)))

    # Access

    def grant_access(self, request: GrantAccess) -> Reply[AccessPath]:
        number = self._number(request.volume)
        with self._opening.setdefault(number, threading.Lock()):
            volume = self._made.pop(number, None) or self._volumes.get(number)
            if not self._settings.by_chap:
                self._groups.admit(volume, request.endpoint)
                return Done(self._path(volume, None))
            account = self._accounts.of_host(self._settings.account, request.endpoint)
            if volume.account != account.number:
                holder = self._accounts.of([volume.account]).get(volume.account)
                if holder is not None and holder.endpoint is not None:
                    raise Rejected(
                        "The volume is open to another host",
                        f"By CHAP one host at a time reaches a volume, and {holder.endpoint} does. Use access ="
                        ' "groups" in provider "solidfire" for volumes that hosts share.',
                    )
                self._volumes.modify(number, accountID=account.number)
            return Done(self._path(volume, account.username))

    def revoke_access(self, request: RevokeAccess) -> Reply[None]:
        number = self._number(request.volume)
        with self._opening.setdefault(number, threading.Lock()):
            self._made.pop(number, None)
            if not self._settings.by_chap:
                self._groups.dismiss(number, request.endpoint)
                return Done(None)
            volume = self._volumes.get(number)
            holder = self._accounts.of([volume.account]).get(volume.account)
            if holder is not None and holder.endpoint in _names(request.endpoint):
                most = self._cluster.limit("volumesPerAccountCountMax")
                self._volumes.modify(number, accountID=self._accounts.with_room(self._settings.account, most))
        return Done(None)

    def refused_access(self, pool: PoolSpec, wanted: Sequence[WantedAccess]) -> Sequence[AccessRefusal]:
        if self._settings.by_chap:
            return list(refused_by_chap(wanted))
        return list(refused_by_groups(wanted, self._number, self._groups, self._cluster))

    def credentials(self, volume: str, path: AccessPath) -> Credentials | None:
        self._number(volume)
        return None if path.chap_username is None else self._accounts.credentials(path.chap_username)

    def poll(self, job: str) -> Reply[ActualVolume]:
        number, handle = _clone_of(job)
        found = self._volumes.find(number)
        there = None if found is None or found.is_deleted else found
        if there is not None and there.becoming is None:
            return Done(self._shown(there))  # somebody else has seen to it
        try:
            if not self._clones.is_done(number, there, handle):
                return _pending(number, handle)
        except CloneFailed:
            if there is not None:  # it never was anybody's
                self._volumes.delete(number)
                self._volumes.purge(number)
            raise
        if there is None:
            raise missing(number)
        return Done(self._shown(self._completed(there)))

    def _completed(self, clone: Volume) -> Volume:
        """By one call it gets its figures, and loses the mark that it lacks them."""
        qos, policy = clone.becoming or (None, None)
        if policy is None:
            own = figures(qos or self._cluster.default_qos())
            return self._volumes.modify(clone.number, qos=own, attributes=whole(clone))
        number = self._policies.hold(policy, qos)
        return self._volumes.modify(
            clone.number, qosPolicyID=number, associateWithQoSPolicy=True, attributes=whole(clone)
        )

    def close(self) -> None:
        self._wire.close()

    # Pieces

    def _put_under(self, volume: int, policy: int) -> Volume:
        return self._volumes.modify(volume, qosPolicyID=policy, associateWithQoSPolicy=True)

    def _has_policies(self) -> bool:
        return int(self._wire.version().partition(".")[0]) >= policy_rules.SINCE

    def _number(self, volume: str) -> int:
        """The number of a volume; ids are `cluster:number`, so that no other cluster's volume is taken for it."""
        cluster, _, number = volume.rpartition(":")
        if not number.isdecimal():
            raise Missing("There is no such volume", f'"{volume}" is no id of a volume on an Element cluster.')
        self._cluster.refuse_other(cluster, f"Volume {number}")
        return int(number)

    def _check(self, name: str | None, size: int | None, qos: Qos | None) -> None:
        """
        Hold what is asked for against the limits that the cluster tells, since it does not say which one it refused.

        Raises:
            Rejected: with the figure.
        """
        limits = self._cluster.limits()
        if name is not None and limits.name_length is not None and len(name) > limits.name_length:
            raise Rejected("The name is too long", f'"{name}" has more than {limits.name_length} characters.')
        if name is not None and not NAME.fullmatch(name):
            raise Rejected("The name is not allowed", f'"{name}" may have letters, digits, and dashes between them.')
        if size is not None:
            least, most = limits.min_size or 0, limits.max_size or size
            if size % MIB or not least <= size <= most:
                raise Rejected("The size is not allowed", f"{size} bytes are no whole MiB within {least} to {most}.")
        if qos is None:
            return
        asked = {"min_iops": qos.min_iops, "max_iops": qos.max_iops, "burst_iops": qos.burst_iops}
        for figure, span in (
            ("min_iops", limits.min_iops),
            ("max_iops", limits.max_iops),
            ("burst_iops", limits.burst_iops),
        ):
            if span is not None and not span[0] <= asked[figure] <= span[1]:
                raise Rejected(
                    "The figures are out of range", f"{figure} = {asked[figure]} is not in {span[0]} to {span[1]}."
                )
        if not qos.min_iops <= qos.max_iops <= qos.burst_iops:
            raise Rejected("The figures are in disorder", f"{asked} must grow from floor to ceiling to burst.")
        if qos.max_bandwidth:
            raise Rejected("The array holds no bandwidth", f"It was asked for {qos.max_bandwidth} bytes per second.")

    def _shown(self, volume: Volume) -> ActualVolume:
        return self._actual(volume, self._surroundings([volume]))

    def _surroundings(self, volumes: Sequence[Volume], *, anew: bool = False) -> _Surroundings:
        """
        What volumes refer to by number, read as far as any of them does.

        Args:
            anew: policies are read again, whose names others may have changed.
        """
        numbers = {volume.policy for volume in volumes if volume.policy is not None}
        if anew and numbers:
            self._policies.all()
        policies = {number: self._policies.of(number) for number in numbers}
        return _Surroundings(
            groups=self._groups.all() if any(volume.groups for volume in volumes) else {},
            policies=policies,
            accounts=self._accounts.of({volume.account for volume in volumes}) if self._settings.by_chap else {},
        )

    def _actual(self, volume: Volume, around: _Surroundings) -> ActualVolume:
        account = around.accounts.get(volume.account)
        holder = account if account is not None and account.endpoint is not None else None
        by_groups = {
            name for group in volume.groups if group in around.groups for name in around.groups[group].granted(volume)
        }
        policy = around.policies.get(volume.policy) if volume.policy is not None else None
        return ActualVolume(
            id=f"{self._cluster.identity().uuid}:{volume.number}",
            name=volume.name,
            size=volume.size,
            qos=volume.qos,
            iqn=volume.iqn,
            portal=self._cluster.identity().portal,
            lun=LUN,
            owner=volume.owner,
            grants=tuple(sorted(by_groups | ({holder.endpoint} if holder and holder.endpoint else set()))),
            chap_username=holder.username if holder else None,
            policy=policy.name if policy else None,
            job=None if volume.becoming is None else _pending(volume.number, None).job,
        )

    def _path(self, volume: Volume, chap_username: str | None) -> AccessPath:
        return AccessPath(self._cluster.identity().portal, volume.iqn, LUN, chap_username)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a list of volumes refers to, by number."""

    groups: Mapping[int, Group]
    policies: Mapping[int, Policy | None]
    accounts: Mapping[int, Account]


def _pending(clone: int, handle: int | None) -> Pending:
    """The handle is None where the answer that had it was lost."""
    return Pending(f"clone:{clone}:{'' if handle is None else handle}", _POLL_AFTER)


def _clone_of(job: str) -> tuple[int, int | None]:
    """
    Raises:
        Missing: the text is no job.
    """
    match job.split(":"):
        case ["clone", number, handle] if number.isdecimal():
            return int(number), int(handle) if handle.isdecimal() else None
    raise Missing("There is no such job", f"Nothing is being worked on under {job!r}.")


def _name_taken(name: str, others: Sequence[Volume]) -> Conflict:
    numbers = ", ".join(str(other.number) for other in others)
    return Conflict(
        "The name is taken",
        f'The cluster has a volume "{name}" ({numbers}), which is not this one alone. Give the volume another name, or'
        " import that one.",
    )


def _names(endpoint: Endpoint) -> tuple[str | None, ...]:
    return endpoint.initiator, endpoint.address
