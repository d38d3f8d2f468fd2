"""
What an array does for Lunform.

Every call may be repeated with the same request and then gives the same end state. Sizes are bytes, IOPS are whole
numbers per second, rates are bytes per second. A call that takes long answers `Pending` and is asked again by `poll`.

What a call makes is listed, with its owner, from its answer on, `Pending` too: by that a killed run's work is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The call has had its effect; `value` is what it gave."""

    value: T


@dataclass(frozen=True, slots=True)
class Pending:
    """
    The system works on it.

    Attributes:
        job: what `poll` needs to ask again, in another process too; plain text.
        poll_after: seconds to wait before asking.
    """

    job: str
    poll_after: float


Reply = Done[T] | Pending


@dataclass(frozen=True, slots=True)
class Owner:
    """
    Whose an object is, and which call made it. Written onto the object wherever the system has room.

    Attributes:
        lineage: the state that records it.
        address: the resource instance: `volume.db["wal"]`.
        intent: 16 hexadecimal digits, new for each create or attach; a lost answer is looked up by it.
    """

    lineage: str
    address: str
    intent: str


@dataclass(frozen=True, slots=True)
class Qos:
    """
    What a volume or a disk may do. 0 stands for no guarantee in `min_iops`, and for no limit in the others.

    Attributes:
        min_iops, max_iops, burst_iops: I/O operations per second: guaranteed, sustained, and for a short while.
        max_bandwidth: bytes per second.
    """

    min_iops: int
    max_iops: int
    burst_iops: int
    max_bandwidth: int = 0


@dataclass(frozen=True, slots=True)
class ArrayLimits:
    """
    What the array itself refuses to pass; None where it has no limit that it tells.

    Attributes:
        min_size, max_size: bytes, and whole granules.
        size_granularity: bytes; the array takes whole granules only.
        min_iops, max_iops, burst_iops: the least and the most of each figure.
    """

    min_size: int | None = None
    max_size: int | None = None
    size_granularity: int = 1
    min_iops: tuple[int, int] | None = None
    max_iops: tuple[int, int] | None = None
    burst_iops: tuple[int, int] | None = None
    name_length: int | None = None

    def rounded(self, size: int) -> int:
        """The size of a volume that is to have at least `size` bytes."""
        return -(-size // self.size_granularity) * self.size_granularity


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """
    Attributes:
        identity: the same for the same array, whatever address it is reached by.
        product: name and version, for people.
        supports: abilities: "resize", "chap", "acl" (several endpoints at a volume, each let in by itself),
            "update_qos", "qos_policy" (see `QosPolicies`), "image" (a volume made from one), "clone" (a copy made of
            another), "snapshot" (copies of snapshots, too: see `Snapshots`), "undelete" (see `DeletedVolumes`).
        default_qos: what a volume has that was asked for none; None where it then has none.
    """

    identity: str
    product: str
    supports: frozenset[str]
    limits: ArrayLimits = ArrayLimits()
    default_qos: Qos | None = None


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """A pool as declared: `arguments` are those that the provider itself declares for its pools."""

    address: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """
    What the array reports of a pool now, foreign volumes included. None where it has no such figure.

    Attributes:
        capacity, used: bytes; `used` is what volumes may grow to, not what is written. A deleted volume counts while
            it can be restored.
        capacity_iops: the IOPS that the pool can hold as floors.
        floors: the sum of the floors of all its volumes; a deleted one has none.
        enforces: which of "floor", "ceiling", "burst", "bandwidth" the array itself holds for each volume of the pool.
        identity: the array's own name of the pool, where blocks with other arguments may mean the same pool, or blocks
            with equal ones another; None where equal arguments are the same pool.
    """

    capacity: int | None
    used: int
    capacity_iops: int | None
    floors: int
    enforces: frozenset[str] = frozenset()
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    A host as the storage sees it. `name` is for people and for naming groups on the array; `cluster` is the one that
    the host is in now, None where its block names none or is gone.
    """

    name: str
    address: str | None
    initiator: str | None
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class ActualVolume:
    """
    A volume as the array has it.

    Attributes:
        id: the array's own name for it, unique for ever; all later calls use it.
        iqn, portal, lun: where it is served; `iqn` may be None until it is granted.
        owner: None for a volume that is not marked as Lunform's.
        grants: names by which endpoints are let in: initiator names, or addresses where the array knows no names.
        chap_username: the account of its access paths: a grant whose answer was lost is made up from the listing.
        policy: name of the policy that its figures come from.
        job: what still works on making it, for `poll`; None for a volume that is whole.
    """

    id: str
    name: str
    size: int
    qos: Qos | None
    iqn: str | None
    portal: str | None
    lun: int | None
    owner: Owner | None
    grants: tuple[str, ...] = ()
    chap_username: str | None = None
    policy: str | None = None
    job: str | None = None


@dataclass(frozen=True, slots=True)
class CloneOf:
    """
    What a volume begins as a copy of.

    Attributes:
        volume: the array's id of it.
        snapshot: the array's id of the snapshot of that volume; None for the volume as it is now.
    """

    volume: str
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class CreateVolume:
    """
    Attributes:
        source: the image that the volume begins with, as the array finds it; None for an empty volume. Only where the
            array supports "image". A create is not answered before the image is in.
        policy: the policy that it gets its figures from, which has `qos`, and is made with it where there is none of
            that name; only where the array supports "qos_policy".
        clone_of: only where the array supports "clone", and without `source`. A create is not answered before all of
            it is copied.
    """

    pool: PoolSpec
    name: str
    size: int
    qos: Qos | None
    owner: Owner
    thin: bool = True
    metadata: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    policy: str | None = None
    clone_of: CloneOf | None = None


@dataclass(frozen=True, slots=True)
class ResizeVolume:
    """Growing only: a provider refuses a size below the present one."""

    pool: PoolSpec
    volume: str
    size: int


@dataclass(frozen=True, slots=True)
class UpdateQos:
    """`policy` as in `CreateVolume`; None takes the volume out of the policy that it is in."""

    pool: PoolSpec
    volume: str
    qos: Qos | None
    policy: str | None = None


@dataclass(frozen=True, slots=True)
class QosPolicy:
    """Figures under a name, which many volumes of an array share."""

    name: str
    qos: Qos


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """Give a policy, and with it all volumes under it, these figures."""

    name: str
    qos: Qos


@dataclass(frozen=True, slots=True)
class DeleteVolume:
    """`purge` where the array could restore the volume, and shall not."""

    pool: PoolSpec
    volume: str
    purge: bool = False


@dataclass(frozen=True, slots=True)
class DeletedVolume:
    """
    A volume that was deleted and can be restored.

    Attributes:
        volume: as it will be when it is restored, without grants.
        until: as in the answer to its delete.
    """

    volume: ActualVolume
    until: str


@dataclass(frozen=True, slots=True)
class RestoreVolume:
    pool: PoolSpec
    volume: str


@dataclass(frozen=True, slots=True)
class GrantAccess:
    pool: PoolSpec
    volume: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class RevokeAccess:
    pool: PoolSpec
    volume: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class WantedAccess:
    """
    Who reaches a volume once a plan is applied.

    Attributes:
        address: the resource instance.
        volume: the array's id of it; None for one that is yet to be made.
        endpoints: all of them; none where the volume goes.
        opened: those of them that the plan lets in.
    """

    address: str
    volume: str | None
    endpoints: tuple[Endpoint, ...]
    opened: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class AccessRefusal:
    """
    Attributes:
        address: of a `WantedAccess`.
        endpoint: the one of `opened` that would not be let in; None where it is no single one.
        detail: what, why, and what to do, in whole sentences.
    """

    address: str
    endpoint: Endpoint | None
    detail: str


@dataclass(frozen=True, slots=True)
class AccessPath:
    """
    How one endpoint reaches a volume.

    Attributes:
        portal: `address:port`.
        chap_username: None where the target asks for no CHAP; the secret is got by `credentials`, never stored.
    """

    portal: str
    iqn: str
    lun: int
    chap_username: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """A CHAP account, in memory only."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(username={self.username!r}, password=...)"


class StorageProvider(Protocol):
    """
    One array. All methods may raise any `planner.sdk.errors.ProviderError`, and may be called from several threads.
    """

    def inspect(self) -> ArrayInfo: ...

    def pool_status(self, pool: PoolSpec) -> PoolStatus:
        """Raises Missing when the array has no such pool."""
        ...

    def list_volumes(self, pool: PoolSpec) -> Iterable[ActualVolume]:
        """All volumes of the pool, foreign ones too, in a number of calls that does not grow with each volume."""
        ...

    def create_async(self, request: CreateVolume) -> Reply[ActualVolume]:
        """
        Make a volume. A volume that already carries the request's intent is answered, not made again.

        Raises Conflict when the name is taken by a volume with another intent and the array's names are unique, and
        when the policy has other figures; Rejected when what it is made from is not there, or is larger than it.
        """
        ...

    def resize_async(self, request: ResizeVolume) -> Reply[ActualVolume]: ...

    def update_qos(self, request: UpdateQos) -> Reply[ActualVolume]:
        """Raises Conflict when the policy has other figures."""
        ...

    def delete_async(self, request: DeleteVolume) -> Reply[str | None]:
        """
        Delete a volume. Answers until when the array can restore it, ISO 8601 in UTC, or None when it is gone for good.

        Raises Missing when it is gone for good already, Rejected while it is in use.
        """
        ...

    def grant_access(self, request: GrantAccess) -> Reply[AccessPath]: ...

    def revoke_access(self, request: RevokeAccess) -> Reply[None]:
        """Done also when the endpoint had no access. Raises Missing when the volume is gone."""
        ...

    def credentials(self, volume: str, path: AccessPath) -> Credentials | None:
        """The CHAP account for `path`, or None where the target asks for none."""
        ...

    def poll(self, job: str) -> Reply[Any]:
        """
        Where a pending call stands; its value is what the call itself would have given, and so are its errors.

        Raises Missing also when the job is not known any more: what became of it is then to be looked up.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class QosPolicies(Protocol):
    """What a storage provider does besides, when its array supports "qos_policy"."""

    def list_policies(self) -> Iterable[QosPolicy]: ...

    def update_policy(self, request: UpdatePolicy) -> Reply[QosPolicy]:
        """Raises Missing when there is no such policy."""
        ...


@dataclass(frozen=True, slots=True)
class ActualSnapshot:
    """
    Attributes:
        id: the array's own name for it.
        volume: the array's id of the volume that it is of.
        size: bytes that the volume had.
        created: ISO 8601 in UTC.
    """

    id: str
    volume: str
    name: str
    size: int
    created: str


@runtime_checkable
class Snapshots(Protocol):
    """What a storage provider does besides, when its array supports "snapshot"."""

    def list_snapshots(self, pool: PoolSpec) -> Iterable[ActualSnapshot]:
        """All snapshots of all volumes of the pool, in a number of calls that does not grow with them."""
        ...


@runtime_checkable
class DeletedVolumes(Protocol):
    """What a storage provider does besides, when its array supports "undelete"."""

    def list_deleted(self, pool: PoolSpec) -> Iterable[DeletedVolume]:
        """Those of the pool that are deleted and can be restored; they are not in `list_volumes`."""
        ...

    def restore_async(self, request: RestoreVolume) -> Reply[ActualVolume]:
        """
        Take back a delete: the volume is as it was, with its data. One that is not deleted is answered as it is.

        Raises Missing when it is gone for good, Conflict when another volume has its name meanwhile and the array's
        names are unique.
        """
        ...


@runtime_checkable
class AccessRules(Protocol):
    """What a storage provider does besides, when its array has rules of access that a plan can break."""

    def refused_access(self, pool: PoolSpec, wanted: Sequence[WantedAccess]) -> Sequence[AccessRefusal]:
        """
        What of it the array would refuse; one refusal will do for many volumes that meet the same. Only reads, by a
        number of calls that does not grow with `wanted`.

        Args:
            wanted: all volumes of the pool that the plan changes. The others stay as the array has them.
        """
        ...
