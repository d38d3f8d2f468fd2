"""What every `HypervisorProvider` keeps."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

from planner.sdk.conformance.replies import answers_of_equal_calls, finish, new_owner
from planner.sdk.errors import Conflict, Missing, Rejected
from planner.sdk.hypervisor import (
    ActualAttachment,
    Attach,
    Attachment,
    Detach,
    HostSpec,
    HypervisorProvider,
    UpdateAttachment,
)
from planner.sdk.storage import AccessPath, Credentials, Done, Qos, Reply

T = TypeVar("T")

_QOS = Qos(0, 400, 800)
_OTHER_QOS = Qos(0, 500, 500)


@dataclass(frozen=True, slots=True)
class Target:
    """A volume that is served to the host under test: `size` bytes by `path`, with the account that it asks for."""

    volume: str
    path: AccessPath
    credentials: Credentials | None
    size: int


@dataclass(slots=True)
class HostUnderTest:
    """
    A hypervisor host for `HypervisorConformance`.

    Attributes:
        open: a provider for the host. Each call gives a new one, as another process would have.
        vm: runs on the host, has room for 4 more disks, and lets them go when asked.
        missing_vm: a name that no VM of the host has; None for a host that takes any.
        serve: makes a new volume and lets the host in.
        serve_closed: makes a new volume that does not let the host in; None where that cannot be had.
        grow: makes a served volume larger on the array, and answers its new size.
        add_foreign: gives the VM an iSCSI disk by other means than the provider, and answers its IQN.
        qos, other_qos: limits that the hypervisor shall hold; None for one that holds none. Their floors are 0.
        device, other_device: two free device names of the default bus.
        deadline: seconds that a pending call may take.
    """

    open: Callable[[], HypervisorProvider]
    host: HostSpec
    vm: str
    serve: Callable[[], Target]
    missing_vm: str | None = None
    serve_closed: Callable[[], Target] | None = None
    grow: Callable[[Target], int] | None = None
    add_foreign: Callable[[], str] | None = None
    qos: Qos | None = _QOS
    other_qos: Qos | None = _OTHER_QOS
    device: str = "vdx"
    other_device: str = "vdy"
    deadline: float = 60.0
    provider: HypervisorProvider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = self.open()

    def finish(self, reply: Reply[T]) -> T:
        return finish(self.provider, reply, self.deadline)

    def request(self, target: Target) -> Attach:
        """A request to attach a target, with a new intent and serial number."""
        owner = new_owner()
        return Attach(
            host=self.host,
            vm=self.vm,
            volume=target.volume,
            path=target.path,
            serial=owner.intent,
            size=target.size,
            device=None,
            bus=None,
            read_only=False,
            qos=None,
            owner=owner,
        )

    def attach(self, request: Attach, target: Target) -> Attachment:
        return self.finish(self.provider.attach(request, target.credentials))

    def detach(self, request: Attach, device: str) -> None:
        self.finish(self.provider.detach(Detach(request.host, request.vm, device, request.serial, request.path)))

    def update(self, request: Attach, device: str, size: int, qos: Qos | None) -> Attachment:
        return self.finish(
            self.provider.update_attachment(
                UpdateAttachment(request.host, request.vm, device, request.serial, request.path, size, qos)
            )
        )

    def disks(self) -> list[ActualAttachment]:
        """What another process reads of the host."""
        other = self.open()
        try:
            return list(other.list_attachments(self.host))
        finally:
            other.close()

    def disk(self, request: Attach) -> ActualAttachment:
        """The one disk that carries the request's intent."""
        (disk,) = (disk for disk in self.disks() if disk.intent == request.owner.intent)
        return disk

    def is_attached(self, request: Attach) -> bool:
        return any((disk.iqn, disk.lun) == (request.path.iqn, request.path.lun) for disk in self.disks())


class HypervisorConformance:
    """What every `HypervisorProvider` keeps. A subclass gives the fixture `hypervisor`."""

    @pytest.fixture
    def hypervisor(self) -> HostUnderTest:
        raise NotImplementedError("a subclass of HypervisorConformance gives the fixture `hypervisor`")

    def test_identity_is_the_same_for_everybody(self, hypervisor: HostUnderTest) -> None:
        identity = hypervisor.provider.inspect(hypervisor.host).identity
        assert identity
        assert hypervisor.open().inspect(hypervisor.host).identity == identity

    def test_abilities_are_said_in_known_words(self, hypervisor: HostUnderTest) -> None:
        assert hypervisor.provider.inspect(hypervisor.host).enforces <= {"ceiling", "burst", "bandwidth"}

    # attach

    @pytest.mark.parametrize("read_only", [False, True])
    def test_attach_gives_the_disk_that_was_asked_for(self, hypervisor: HostUnderTest, read_only: bool) -> None:
        target = hypervisor.serve()
        request = replace(hypervisor.request(target), read_only=read_only)
        attachment = hypervisor.attach(request, target)
        disk = hypervisor.disk(request)
        assert (disk.vm, disk.device, disk.live) == (request.vm, attachment.device, attachment.live)
        assert (disk.iqn, disk.lun, disk.serial) == (target.path.iqn, target.path.lun, request.serial)
        assert disk.size == (target.size if disk.live else None)
        assert (disk.qos, disk.read_only) == (None, read_only)

    def test_attach_repeated_answers_the_same_disk(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        request = hypervisor.request(target)
        first = hypervisor.attach(request, target)
        before = hypervisor.disks()
        assert hypervisor.attach(request, target) == first
        other = hypervisor.open()
        assert finish(other, other.attach(request, target.credentials), hypervisor.deadline) == first
        assert hypervisor.disks() == before

    def test_attach_takes_the_device_that_was_asked_for(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        request = replace(hypervisor.request(target), device=hypervisor.device)
        assert hypervisor.attach(request, target).device == hypervisor.device
        assert hypervisor.disk(request).device == hypervisor.device

    def test_attach_to_a_taken_device_is_a_conflict(self, hypervisor: HostUnderTest) -> None:
        first, second = hypervisor.serve(), hypervisor.serve()
        holder = replace(hypervisor.request(first), device=hypervisor.device)
        hypervisor.attach(holder, first)
        before = hypervisor.disks()
        with pytest.raises(Conflict):
            hypervisor.attach(replace(hypervisor.request(second), device=hypervisor.device), second)
        assert hypervisor.disks() == before

    def test_attach_finds_free_devices(self, hypervisor: HostUnderTest) -> None:
        devices = []
        for _ in range(3):
            target = hypervisor.serve()
            devices.append(hypervisor.attach(hypervisor.request(target), target).device)
        assert len(set(devices)) == 3

    def test_attach_to_a_missing_vm_raises_missing(self, hypervisor: HostUnderTest) -> None:
        if hypervisor.missing_vm is None:
            pytest.skip("the host takes any name for a VM's")
        target = hypervisor.serve()
        request = replace(hypervisor.request(target), vm=hypervisor.missing_vm)
        with pytest.raises(Missing):
            hypervisor.attach(request, target)
        assert not hypervisor.is_attached(request)

    def test_attach_without_access_is_rejected(self, hypervisor: HostUnderTest) -> None:
        if hypervisor.serve_closed is None:
            pytest.skip("no way to make a volume that refuses the host is given")
        target = hypervisor.serve_closed()
        request = hypervisor.request(target)
        with pytest.raises(Rejected):
            hypervisor.attach(request, target)
        assert not hypervisor.is_attached(request)

    def test_attach_with_a_wrong_secret_is_rejected_and_tells_no_secret(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        if target.credentials is None:
            pytest.skip("the target asks for no CHAP")
        request = hypervisor.request(target)
        wrong = Credentials(target.credentials.username, "wrong-secret-1")
        with pytest.raises(Rejected) as caught:
            hypervisor.finish(hypervisor.provider.attach(request, wrong))
        told = f"{caught.value!r} {caught.value} {caught.value.detail}"
        assert wrong.password not in told
        assert target.credentials.password not in told
        assert not hypervisor.is_attached(request)

    def test_secrets_show_nowhere(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        if target.credentials is None:
            pytest.skip("the target asks for no CHAP")
        request = hypervisor.request(target)
        attachment = hypervisor.attach(request, target)
        shown = [hypervisor.provider, target.credentials, attachment, *hypervisor.disks()]
        assert all(target.credentials.password not in text for thing in shown for text in (repr(thing), str(thing)))

    # quality of service and size

    def test_qos_is_read_back_as_it_was_set(self, hypervisor: HostUnderTest) -> None:
        if hypervisor.qos is None or hypervisor.other_qos is None:
            pytest.skip("the hypervisor holds no limits")
        target = hypervisor.serve()
        request = replace(hypervisor.request(target), qos=hypervisor.qos)
        attachment = hypervisor.attach(request, target)
        assert hypervisor.disk(request).qos == hypervisor.qos
        for qos in (hypervisor.other_qos, hypervisor.qos, hypervisor.qos, None, None):
            assert hypervisor.update(request, attachment.device, target.size, qos) == attachment
            assert hypervisor.disk(request).qos == qos

    def test_floor_is_not_the_hypervisors(self, hypervisor: HostUnderTest) -> None:
        if hypervisor.qos is None:
            pytest.skip("the hypervisor holds no limits")
        target = hypervisor.serve()
        request = replace(hypervisor.request(target), qos=replace(hypervisor.qos, min_iops=hypervisor.qos.max_iops))
        hypervisor.attach(request, target)
        assert hypervisor.disk(request).qos == replace(hypervisor.qos, min_iops=0)

    def test_growth_reaches_the_vm(self, hypervisor: HostUnderTest) -> None:
        if hypervisor.grow is None:
            pytest.skip("no way to grow a volume is given")
        target = hypervisor.serve()
        request = replace(hypervisor.request(target), qos=hypervisor.qos)
        attachment = hypervisor.attach(request, target)
        size = hypervisor.grow(target)
        for _ in range(2):
            hypervisor.update(request, attachment.device, size, hypervisor.qos)
            disk = hypervisor.disk(request)
            assert disk.size == (size if disk.live else None)
            assert disk.qos == hypervisor.qos

    def test_update_of_a_missing_disk_raises_missing(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        request = hypervisor.request(target)
        with pytest.raises(Missing):
            hypervisor.update(request, hypervisor.device, target.size, hypervisor.qos)

    # detach

    def test_detach_takes_the_disk_away(self, hypervisor: HostUnderTest) -> None:
        target, other = hypervisor.serve(), hypervisor.serve()
        request, kept = hypervisor.request(target), hypervisor.request(other)
        device = hypervisor.attach(request, target).device
        hypervisor.attach(kept, other)
        for _ in range(2):
            hypervisor.detach(request, device)
            assert not hypervisor.is_attached(request)
        assert hypervisor.is_attached(kept)

    def test_detach_of_what_was_never_attached_is_done(self, hypervisor: HostUnderTest) -> None:
        before = hypervisor.disks()
        hypervisor.detach(hypervisor.request(hypervisor.serve()), hypervisor.device)
        assert hypervisor.disks() == before

    def test_detach_from_a_missing_vm_is_done(self, hypervisor: HostUnderTest) -> None:
        if hypervisor.missing_vm is None:
            pytest.skip("the host takes any name for a VM's")
        request = replace(hypervisor.request(hypervisor.serve()), vm=hypervisor.missing_vm)
        hypervisor.detach(request, hypervisor.device)

    def test_detach_spares_the_disk_that_has_the_device_since(self, hypervisor: HostUnderTest) -> None:
        first, second = hypervisor.serve(), hypervisor.serve()
        gone = replace(hypervisor.request(first), device=hypervisor.device)
        hypervisor.attach(gone, first)
        hypervisor.detach(gone, hypervisor.device)
        heir = replace(hypervisor.request(second), device=hypervisor.device)
        hypervisor.attach(heir, second)
        hypervisor.detach(gone, hypervisor.device)
        assert hypervisor.disk(heir).device == hypervisor.device

    def test_detach_finds_the_disk_at_another_device(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        request = replace(hypervisor.request(target), device=hypervisor.device)
        hypervisor.attach(request, target)
        hypervisor.detach(request, hypervisor.other_device)
        assert not hypervisor.is_attached(request)

    def test_a_detached_volume_can_be_attached_anew(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        first = hypervisor.request(target)
        hypervisor.detach(first, hypervisor.attach(first, target).device)
        second = hypervisor.request(target)
        hypervisor.attach(second, target)
        assert hypervisor.disk(second).serial == second.serial

    # reading, jobs and threads

    def test_list_has_foreign_disks_without_an_intent(self, hypervisor: HostUnderTest) -> None:
        if hypervisor.add_foreign is None:
            pytest.skip("no way to attach a foreign disk is given")
        target = hypervisor.serve()
        own = hypervisor.request(target)
        hypervisor.attach(own, target)
        iqn = hypervisor.add_foreign()
        (foreign,) = (disk for disk in hypervisor.disks() if disk.iqn == iqn)
        assert foreign.intent is None
        assert hypervisor.is_attached(own)

    def test_a_pending_call_is_finished_by_another_process(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        request = hypervisor.request(target)
        reply = hypervisor.provider.attach(request, target.credentials)
        if isinstance(reply, Done):
            pytest.skip("the hypervisor is done at once")
        hypervisor.provider.close()  # the process that asked is gone; suppose that nobody knows the job
        other = hypervisor.open()
        intents = [disk.intent for disk in other.list_attachments(hypervisor.host)]
        assert request.owner.intent in intents, "a disk that is being attached is listed"
        attachment: Attachment = finish(other, reply, hypervisor.deadline)
        assert hypervisor.disk(request).device == attachment.device

    def test_threads_share_a_provider(self, hypervisor: HostUnderTest) -> None:
        targets = [hypervisor.serve() for _ in range(4)]
        requests = [hypervisor.request(target) for target in targets]
        with ThreadPoolExecutor(4) as threads:
            attachments = list(threads.map(hypervisor.attach, requests, targets))
        assert len({attachment.device for attachment in attachments}) == 4
        assert [hypervisor.disk(request).iqn for request in requests] == [target.path.iqn for target in targets]

    def test_threads_with_the_same_request_attach_one_disk(self, hypervisor: HostUnderTest) -> None:
        target = hypervisor.serve()
        request = hypervisor.request(target)
        made = answers_of_equal_calls(lambda: hypervisor.attach(request, target), threads=4)
        assert len({attachment.device for attachment in made}) == 1
        assert sum(disk.iqn == target.path.iqn for disk in hypervisor.disks()) == 1
