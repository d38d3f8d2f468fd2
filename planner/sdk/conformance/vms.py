"""What every hypervisor provider keeps that can make VMs: `planner.sdk.hypervisor.VmHosts`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest

from planner.sdk.conformance.hypervisor import Target
from planner.sdk.conformance.replies import answers_of_equal_calls, finish, new_owner
from planner.sdk.errors import Conflict, Missing
from planner.sdk.hypervisor import (
    ActualAttachment,
    ActualVm,
    Attach,
    Attachment,
    CreateVm,
    DeleteVm,
    Detach,
    HostSpec,
    HypervisorProvider,
    SetPower,
    UpdateAttachment,
    UpdateVm,
    VmHosts,
)
from planner.sdk.storage import Done, Qos, Reply

T = TypeVar("T")

_QOS = Qos(0, 400, 800)
_OTHER_QOS = Qos(0, 500, 500)


@dataclass(slots=True)
class VmHostUnderTest:
    """
    A hypervisor host for `VmConformance`.

    Attributes:
        open: a provider for the host, which is a `VmHosts` too. Each call gives a new one, as another process would
            have. What it makes has room for 2 disks; its deadline for a shutdown is best a short one.
        serve: makes a new volume and lets the host in.
        serve_boot: the same, of a volume that a VM can start from; None where any will do.
        add_foreign: makes a VM of that name by other means than the provider.
        cpus, other_cpus, memory, other_memory: figures of VMs; memory in bytes.
        qos, other_qos: limits that the hypervisor shall hold; None for one that holds none. Their floors are 0.
        deadline: seconds that a pending call may take.
    """

    open: Callable[[], HypervisorProvider]
    host: HostSpec
    serve: Callable[[], Target]
    serve_boot: Callable[[], Target] | None = None
    add_foreign: Callable[[str], None] | None = None
    cpus: int = 1
    other_cpus: int = 2
    memory: int = 64 << 20
    other_memory: int = 96 << 20
    qos: Qos | None = _QOS
    other_qos: Qos | None = _OTHER_QOS
    deadline: float = 60.0
    provider: HypervisorProvider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = self.open()

    @property
    def maker(self) -> VmHosts:
        """The provider, by what it does with VMs."""
        return _maker(self.provider)

    def finish(self, reply: Reply[T]) -> T:
        return finish(self.provider, reply, self.deadline)

    # VMs

    def request(self) -> CreateVm:
        """A request for a VM with a new name and intent."""
        owner = new_owner("vm.db")
        return CreateVm(self.host, f"vm-{secrets.token_hex(4)}", self.cpus, self.memory, owner)

    def create(self, request: CreateVm | None = None) -> ActualVm:
        return self.finish(self.maker.create_vm(request or self.request()))

    def update(self, name: str, cpus: int, memory: int) -> ActualVm:
        return self.finish(self.maker.update_vm(UpdateVm(self.host, name, cpus, memory)))

    def power(self, name: str, on: bool) -> ActualVm:
        return self.finish(self.maker.set_power(SetPower(self.host, name, on)))

    def delete(self, name: str) -> None:
        self.finish(self.maker.delete_vm(DeleteVm(self.host, name)))

    def vms(self) -> dict[str, ActualVm]:
        """What another process reads of the host, by name."""
        other = self.open()
        try:
            listed = list(_maker(other).list_vms(self.host))
        finally:
            other.close()
        by_name = {vm.name: vm for vm in listed}
        assert len(by_name) == len(listed)
        return by_name

    def create_started(self) -> tuple[ActualVm, Attach]:
        """A VM that runs, and the request that gave it the disk that it started from."""
        vm = self.create()
        target = self.boot_target()
        request = self.attach_request(vm.name, target, boot=True)
        self.attach(request, target)
        return self.power(vm.name, on=True), request

    # disks

    def boot_target(self) -> Target:
        return (self.serve_boot or self.serve)()

    def attach_request(self, vm: str, target: Target, boot: bool = False, qos: Qos | None = None) -> Attach:
        """A request to attach a target, with a new intent and serial number."""
        owner = new_owner()
        return Attach(
            host=self.host,
            vm=vm,
            volume=target.volume,
            path=target.path,
            serial=owner.intent,
            size=target.size,
            device=None,
            bus=None,
            read_only=False,
            qos=qos,
            owner=owner,
            boot=boot,
        )

    def attach(self, request: Attach, target: Target) -> Attachment:
        return self.finish(self.provider.attach(request, target.credentials))

    def detach(self, request: Attach, device: str) -> None:
        self.finish(self.provider.detach(Detach(request.host, request.vm, device, request.serial, request.path)))

    def disks(self, vm: str) -> list[ActualAttachment]:
        """What another process reads of a VM's disks."""
        other = self.open()
        try:
            return [disk for disk in other.list_attachments(self.host) if disk.vm == vm]
        finally:
            other.close()


def _maker(provider: HypervisorProvider) -> VmHosts:
    assert isinstance(provider, VmHosts)
    return provider


class VmConformance:
    """What every `VmHosts` keeps. A subclass gives the fixture `vm_host`."""

    @pytest.fixture
    def vm_host(self) -> VmHostUnderTest:
        raise NotImplementedError("a subclass of VmConformance gives the fixture `vm_host`")

    # create

    def test_create_gives_a_vm_that_is_off_and_has_no_disk(self, vm_host: VmHostUnderTest) -> None:
        request = vm_host.request()
        vm = vm_host.create(request)
        assert vm == ActualVm(vm.id, request.name, vm_host.cpus, vm_host.memory, False, request.owner, False)
        assert vm.id
        assert vm_host.vms()[vm.name] == vm
        assert vm_host.disks(vm.name) == []

    def test_create_repeated_answers_the_same_vm(self, vm_host: VmHostUnderTest) -> None:
        request = vm_host.request()
        vm = vm_host.create(request)
        before = vm_host.vms()
        assert vm_host.create(request) == vm
        other = vm_host.open()
        assert finish(other, _maker(other).create_vm(request), vm_host.deadline) == vm
        assert vm_host.vms() == before

    def test_create_repeated_leaves_a_running_vm_alone(self, vm_host: VmHostUnderTest) -> None:
        request = vm_host.request()
        vm_host.create(request)
        target = vm_host.boot_target()
        vm_host.attach(vm_host.attach_request(request.name, target, boot=True), target)
        vm = vm_host.power(request.name, on=True)
        disks = vm_host.disks(vm.name)
        assert vm_host.create(request) == vm
        assert vm_host.vms()[vm.name] == vm
        assert vm_host.disks(vm.name) == disks

    def test_create_under_a_taken_name_is_a_conflict(self, vm_host: VmHostUnderTest) -> None:
        vm = vm_host.create()
        before = vm_host.vms()
        with pytest.raises(Conflict):
            vm_host.create(replace(vm_host.request(), name=vm.name))
        assert vm_host.vms() == before

    def test_foreign_vm_is_listed_without_an_intent_and_keeps_its_name(self, vm_host: VmHostUnderTest) -> None:
        if vm_host.add_foreign is None:
            pytest.skip("no way to make a foreign VM is given")
        request = vm_host.request()
        vm_host.add_foreign(request.name)
        foreign = vm_host.vms()[request.name]
        assert foreign.owner is None
        with pytest.raises(Conflict):
            vm_host.create(request)
        assert vm_host.vms()[request.name] == foreign

    def test_name_may_be_used_again_and_the_id_is_another(self, vm_host: VmHostUnderTest) -> None:
        request = vm_host.request()
        first = vm_host.create(request)
        vm_host.delete(request.name)
        second = vm_host.create(replace(request, owner=new_owner("vm.db")))
        assert second.name == first.name
        assert second.id != first.id

    # update

    def test_update_of_a_vm_that_is_off_is_all_there_is_to_do(self, vm_host: VmHostUnderTest) -> None:
        vm = vm_host.create()
        changed = replace(vm, cpus=vm_host.other_cpus, memory=vm_host.other_memory)
        for _ in range(2):
            assert vm_host.update(vm.name, vm_host.other_cpus, vm_host.other_memory) == changed
            assert vm_host.vms()[vm.name] == changed

    def test_update_of_a_running_vm_takes_effect_at_its_next_start(self, vm_host: VmHostUnderTest) -> None:
        vm, _ = vm_host.create_started()
        changed = replace(vm, cpus=vm_host.other_cpus, memory=vm_host.other_memory)
        for _ in range(2):
            assert vm_host.update(vm.name, changed.cpus, changed.memory) == replace(changed, needs_restart=True)
            assert vm_host.vms()[vm.name] == replace(changed, needs_restart=True)
        assert vm_host.power(vm.name, on=False) == replace(changed, running=False)
        assert vm_host.power(vm.name, on=True) == changed
        assert vm_host.vms()[vm.name] == changed

    def test_update_taken_back_needs_no_restart(self, vm_host: VmHostUnderTest) -> None:
        vm, _ = vm_host.create_started()
        vm_host.update(vm.name, vm_host.other_cpus, vm_host.other_memory)
        assert vm_host.update(vm.name, vm.cpus, vm.memory) == vm
        assert vm_host.vms()[vm.name] == vm

    def test_update_keeps_the_disks(self, vm_host: VmHostUnderTest) -> None:
        vm, _ = vm_host.create_started()
        before = vm_host.disks(vm.name)
        vm_host.update(vm.name, vm_host.other_cpus, vm_host.other_memory)
        assert vm_host.disks(vm.name) == before
        vm_host.power(vm.name, on=False)
        vm_host.power(vm.name, on=True)
        assert vm_host.disks(vm.name) == before

    def test_calls_about_a_missing_vm_raise_missing(self, vm_host: VmHostUnderTest) -> None:
        name = vm_host.request().name
        with pytest.raises(Missing):
            vm_host.update(name, vm_host.cpus, vm_host.memory)
        for on in (True, False):
            with pytest.raises(Missing):
                vm_host.power(name, on)

    # power

    def test_power_repeated_is_done(self, vm_host: VmHostUnderTest) -> None:
        vm, _ = vm_host.create_started()
        assert vm.running
        for on in (True, False, False, True, True):
            assert vm_host.power(vm.name, on) == replace(vm, running=on)
            assert vm_host.vms()[vm.name] == replace(vm, running=on)

    def test_power_of_one_vm_is_not_another_ones(self, vm_host: VmHostUnderTest) -> None:
        vm, other = vm_host.create_started()[0], vm_host.create()
        assert vm_host.vms()[other.name] == other
        vm_host.power(vm.name, on=False)
        assert vm_host.vms()[other.name] == other

    # delete

    def test_delete_takes_the_vm_away(self, vm_host: VmHostUnderTest) -> None:
        vm, other = vm_host.create(), vm_host.create()
        for _ in range(2):
            vm_host.delete(vm.name)
            assert vm.name not in vm_host.vms()
        assert vm_host.vms()[other.name] == other

    def test_delete_of_a_running_vm_switches_it_off(self, vm_host: VmHostUnderTest) -> None:
        vm, _ = vm_host.create_started()
        vm_host.delete(vm.name)
        assert vm.name not in vm_host.vms()
        assert vm_host.disks(vm.name) == []

    def test_delete_of_what_never_was_is_done(self, vm_host: VmHostUnderTest) -> None:
        before = vm_host.vms()
        vm_host.delete(vm_host.request().name)
        assert vm_host.vms() == before

    # disks

    def test_boot_disk_of_a_vm_that_is_off_is_there_when_it_starts(self, vm_host: VmHostUnderTest) -> None:
        vm = vm_host.create()
        target = vm_host.boot_target()
        request = vm_host.attach_request(vm.name, target, boot=True, qos=vm_host.qos)
        attachment = vm_host.attach(request, target)
        assert not attachment.live
        assert vm_host.attach(request, target) == attachment
        (stored,) = vm_host.disks(vm.name)
        assert (stored.device, stored.intent, stored.serial) == (
            attachment.device,
            request.owner.intent,
            request.serial,
        )
        assert (stored.live, stored.size, stored.qos) == (False, None, vm_host.qos)

        vm_host.power(vm.name, on=True)
        assert vm_host.disks(vm.name) == [replace(stored, live=True, size=target.size)]
        assert vm_host.attach(request, target) == replace(attachment, live=True)

    def test_data_disk_joins_the_boot_disk_of_a_running_vm(self, vm_host: VmHostUnderTest) -> None:
        vm, boot = vm_host.create_started()
        target = vm_host.serve()
        request = vm_host.attach_request(vm.name, target)
        attachment = vm_host.attach(request, target)
        assert attachment.live
        disks = {disk.intent: disk for disk in vm_host.disks(vm.name)}
        assert disks.keys() == {boot.owner.intent, request.owner.intent}
        assert len({disk.device for disk in disks.values()}) == 2
        assert disks[request.owner.intent].size == target.size

    def test_limits_of_a_vm_that_is_off_hold_from_its_next_start(self, vm_host: VmHostUnderTest) -> None:
        if vm_host.qos is None or vm_host.other_qos is None:
            pytest.skip("the hypervisor holds no limits")
        vm = vm_host.create()
        target = vm_host.boot_target()
        request = vm_host.attach_request(vm.name, target, boot=True, qos=vm_host.qos)
        device = vm_host.attach(request, target).device
        for qos in (vm_host.other_qos, None, vm_host.other_qos):
            update = UpdateAttachment(vm_host.host, vm.name, device, request.serial, request.path, target.size, qos=qos)
            assert vm_host.finish(vm_host.provider.update_attachment(update)) == Attachment(device, live=False)
            assert [disk.qos for disk in vm_host.disks(vm.name)] == [qos]
        vm_host.power(vm.name, on=True)
        assert [(disk.live, disk.qos) for disk in vm_host.disks(vm.name)] == [(True, vm_host.other_qos)]

    def test_shareable_volume_goes_to_two_vms(self, vm_host: VmHostUnderTest) -> None:
        target = vm_host.serve()
        requests = []
        for _ in range(2):
            vm, _ = vm_host.create_started()
            requests.append(replace(vm_host.attach_request(vm.name, target), shareable=True))
            assert vm_host.attach(requests[-1], target).live
        for request in requests:
            (disk,) = (disk for disk in vm_host.disks(request.vm) if disk.intent == request.owner.intent)
            assert (disk.iqn, disk.lun, disk.live) == (target.path.iqn, target.path.lun, True)

    def test_detach_from_a_vm_that_is_off(self, vm_host: VmHostUnderTest) -> None:
        vm, request = vm_host.create_started()
        (disk,) = vm_host.disks(vm.name)
        vm_host.power(vm.name, on=False)
        for _ in range(2):
            vm_host.detach(request, disk.device)
            assert vm_host.disks(vm.name) == []

    def test_detach_from_a_vm_that_was_deleted_is_done(self, vm_host: VmHostUnderTest) -> None:
        vm, request = vm_host.create_started()
        (disk,) = vm_host.disks(vm.name)
        vm_host.delete(vm.name)
        vm_host.detach(request, disk.device)
        assert vm_host.disks(vm.name) == []

    # jobs and threads

    def test_a_pending_call_is_finished_by_another_process(self, vm_host: VmHostUnderTest) -> None:
        request = vm_host.request()
        reply = vm_host.maker.create_vm(request)
        if isinstance(reply, Done):
            pytest.skip("the hypervisor is done at once")
        vm_host.provider.close()  # the process that asked is gone; suppose that nobody knows the job
        assert vm_host.vms()[request.name].owner == request.owner, "a VM in the making is listed"
        other = vm_host.open()
        vm: ActualVm = finish(other, reply, vm_host.deadline)
        assert vm_host.vms()[request.name] == vm

    def test_a_pending_shutdown_is_finished_by_another_process(self, vm_host: VmHostUnderTest) -> None:
        vm, _ = vm_host.create_started()
        reply = vm_host.maker.set_power(SetPower(vm_host.host, vm.name, on=False))
        if isinstance(reply, Done):
            pytest.skip("the hypervisor is done at once")
        vm_host.provider.close()  # the process that asked is gone
        assert finish(vm_host.open(), reply, vm_host.deadline) == replace(vm, running=False)
        assert vm_host.vms()[vm.name] == replace(vm, running=False)

    def test_threads_share_a_provider(self, vm_host: VmHostUnderTest) -> None:
        requests = [vm_host.request() for _ in range(4)]
        with ThreadPoolExecutor(4) as threads:
            made = list(threads.map(vm_host.create, requests))
        listed = vm_host.vms()
        assert [listed[request.name] for request in requests] == made
        assert len({vm.id for vm in made}) == 4

    def test_threads_with_the_same_request_make_one_vm(self, vm_host: VmHostUnderTest) -> None:
        request = vm_host.request()
        made = answers_of_equal_calls(lambda: vm_host.create(request), threads=4)
        assert {vm.id for vm in made} == {vm_host.vms()[request.name].id}
