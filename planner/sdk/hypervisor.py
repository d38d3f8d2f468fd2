"""
What a hypervisor host does for Lunform. The same rules hold as for arrays: see `planner.sdk.storage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from planner.sdk.storage import AccessPath, Credentials, Owner, Qos, Reply


@dataclass(frozen=True, slots=True)
class HostSpec:
    """A host as declared: `arguments` are those that the provider itself declares for its hosts."""

    address: str
    name: str
    network_address: str | None
    initiator: str | None
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HostInfo:
    """`identity` is the same for the same host; `enforces` which of "ceiling", "burst" it can hold per disk."""

    identity: str
    product: str
    enforces: frozenset[str]


@dataclass(frozen=True, slots=True)
class Attach:
    """
    Attributes:
        volume: the array's id of the volume.
        serial: what the guest sees as the disk's serial number; at most 20 characters.
        device: "vda", ...; None lets the provider take the first free one.
        bus: "virtio", "scsi"; None for the provider's default.
        qos: what is left for the hypervisor to hold; None when the array holds all of it.
    """

    host: HostSpec
    vm: str
    volume: str
    path: AccessPath
    serial: str
    size: int
    device: str | None
    bus: str | None
    read_only: bool
    qos: Qos | None
    owner: Owner


@dataclass(frozen=True, slots=True)
class Attachment:
    """
    What an attach gave.

    Attributes:
        device: the target device that it got.
        live: the running VM has it now; otherwise it has it from its next start on.
    """

    device: str
    live: bool


@dataclass(frozen=True, slots=True)
class ActualAttachment:
    """
    A disk of a VM as the hypervisor has it, for the disks that come from an iSCSI target.

    Attributes:
        intent: the intent of the attach that made it, or None for a foreign disk.
        size: bytes as the running VM sees it; None where the VM is not running.
        qos: the ceiling and burst that the hypervisor holds (its floor is 0); None when it holds none.
    """

    vm: str
    device: str
    iqn: str
    lun: int
    serial: str | None
    intent: str | None
    size: int | None
    qos: Qos | None
    read_only: bool
    live: bool


@dataclass(frozen=True, slots=True)
class UpdateAttachment:
    """Make a disk's size and limits in a VM what they shall be, at once where the VM runs."""

    host: HostSpec
    vm: str
    device: str
    serial: str
    path: AccessPath
    size: int
    qos: Qos | None


@dataclass(frozen=True, slots=True)
class Detach:
    """`path` and `serial` identify the disk: a device name may have been given to another since."""

    host: HostSpec
    vm: str
    device: str
    serial: str
    path: AccessPath


class HypervisorProvider(Protocol):
    """Hosts of one kind. All methods may raise any `planner.sdk.errors.ProviderError`, from several threads."""

    def inspect(self, host: HostSpec) -> HostInfo: ...

    def list_attachments(self, host: HostSpec) -> Iterable[ActualAttachment]:
        """All iSCSI disks of all VMs of the host."""
        ...

    def attach(self, request: Attach, credentials: Credentials | None) -> Reply[Attachment]:
        """
        Give a VM the disk. A disk that already carries the request's intent is answered, not attached again.

        Raises Missing when there is no such VM, Conflict when the device is taken, Rejected when the target refuses.
        """
        ...

    def update_attachment(self, request: UpdateAttachment) -> Reply[Attachment]: ...

    def detach(self, request: Detach) -> Reply[None]:
        """
        Take the disk away, also from the VM's stored definition.

        Done also when the disk was not there, or the VM is gone.

        Raises Retryable when the guest does not let go within the provider's deadline.
        """
        ...

    def poll(self, job: str) -> Reply[Any]:
        """As `planner.sdk.storage.StorageProvider.poll`."""
        ...

    def close(self) -> None: ...
