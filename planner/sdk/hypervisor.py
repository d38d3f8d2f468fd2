"""
What a hypervisor host does for Lunform. The same rules hold as for arrays: see `planner.sdk.storage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

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
    """
    Attributes:
        identity: the same for the same host.
        enforces: which of "ceiling", "burst", "bandwidth" it can hold for each disk.
    """

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
        shareable: other VMs may have it at the same time.
        boot: the VM starts from it.
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
    shareable: bool = False
    boot: bool = False


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
        qos: what the hypervisor holds (its floor is 0); None when it holds nothing.
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


@dataclass(frozen=True, slots=True)
class CreateVm:
    """A VM that is off and has no disk yet. `memory` is in bytes."""

    host: HostSpec
    name: str
    cpus: int
    memory: int
    owner: Owner


@dataclass(frozen=True, slots=True)
class UpdateVm:
    """Give a VM other figures. One that runs has them from its next start on."""

    host: HostSpec
    name: str
    cpus: int
    memory: int


@dataclass(frozen=True, slots=True)
class SetPower:
    """
    Start a VM, or end it: the guest is asked to shut down, and one that has not within the provider's deadline is
    switched off.
    """

    host: HostSpec
    name: str
    on: bool


@dataclass(frozen=True, slots=True)
class DeleteVm:
    """Only the VM: its disks' volumes stay. One that runs is switched off."""

    host: HostSpec
    name: str


@dataclass(frozen=True, slots=True)
class ActualVm:
    """
    A VM as its host has it.

    Attributes:
        id: the host's own name for it, unique for ever.
        cpus, memory: as its next start will have them; `memory` in bytes.
        owner: as the create that made it gave it; None for a VM that is not marked as Lunform's.
        needs_restart: it runs with other figures than these.
    """

    id: str
    name: str
    cpus: int
    memory: int
    running: bool
    owner: Owner | None
    needs_restart: bool = False

    @property
    def intent(self) -> str | None:
        return None if self.owner is None else self.owner.intent


@runtime_checkable
class VmHosts(Protocol):
    """What a hypervisor provider does besides, when it can make VMs. The rules are those of `HypervisorProvider`."""

    def list_vms(self, host: HostSpec) -> Iterable[ActualVm]:
        """All VMs of the host, foreign ones too."""
        ...

    def create_vm(self, request: CreateVm) -> Reply[ActualVm]:
        """
        Define a VM. One that already carries the request's intent is answered, not made again.

        Raises Conflict when another VM has the name.
        """
        ...

    def update_vm(self, request: UpdateVm) -> Reply[ActualVm]: ...

    def set_power(self, request: SetPower) -> Reply[ActualVm]: ...

    def delete_vm(self, request: DeleteVm) -> Reply[None]:
        """Done also when it is gone."""
        ...
