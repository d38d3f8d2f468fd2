from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from planner.sdk import Conflict, Missing, Qos, Rejected, ResizeVolume, UpdateAttachment

GIB = 1 << 30


def served(site: Any, name: str = "root") -> Any:
    """The access path of a new volume."""
    return site.grant(site.create(name).id)


def disks(site: Any, vm: str = "web") -> list[Any]:
    return [disk for disk in site.hypervisor.list_attachments(site.host()) if disk.vm == vm]


@pytest.fixture
def started(site: Any) -> Any:
    """A site whose one VM, "web", runs from the volume "root"."""
    site.create_vm()
    site.attach(served(site), vm="web", boot=True)
    site.set_power(True)
    return site


# names


def test_vms_made_elsewhere_are_those_that_the_host_names(site: Any) -> None:
    host = site.host(vms=("db-01", "db-02"))
    made = site.create_vm("web", host=host)
    listed = site.vms(host)
    assert listed["web"] == made
    assert {name: (vm.running, vm.intent) for name, vm in listed.items()} == {
        "web": (False, made.intent),
        "db-01": (True, None),
        "db-02": (True, None),
    }
    assert len({vm.id for vm in listed.values()}) == 3


def test_names_of_a_host_are_taken_whoever_made_them(site: Any) -> None:
    host = site.host(vms=("db-01",))
    site.create_vm("web", host=host)
    for name in ("web", "db-01"):
        with pytest.raises(Conflict):
            site.create_vm(name, host=host)
    site.create_vm("web", host=site.host(site.kvm2))


def test_a_vm_that_was_made_may_be_named_by_the_host_too(site: Any) -> None:
    made = site.create_vm("web")
    host = site.host(vms=("web",))
    assert list(site.vms(host).values()) == [made]
    site.delete_vm("web", host)
    assert [vm.intent for vm in site.vms(host).values()] == [None]


def test_vms_made_elsewhere_are_not_changed(site: Any) -> None:
    host = site.host(vms=("db-01",))
    for call in (
        lambda: site.update_vm(1, GIB, "db-01", host),
        lambda: site.set_power(False, "db-01", host),
        lambda: site.delete_vm("db-01", host),
    ):
        with pytest.raises(Rejected, match="elsewhere"):
            call()
    assert "db-01" in site.vms(host)


def test_disks_go_to_vms_of_both_kinds(site: Any) -> None:
    host = site.host(vms=("db-01",))
    site.create_vm("web", host=host)
    path = served(site)
    assert not site.attach(path, host=host, vm="web", shareable=True).live
    assert site.attach(path, host=host, vm="db-01", shareable=True).live
    with pytest.raises(Missing):
        site.attach(path, host=host, vm="db-02", shareable=True)


def test_a_vm_of_a_second_administrator_is_foreign(site: Any) -> None:
    site.create()
    site.write("INSERT INTO vm (host, name, cpus, memory) VALUES ('10.0.0.11', 'theirs', 2, 1024)")
    (vm,) = site.vms().values()
    assert (vm.name, vm.cpus, vm.memory, vm.running, vm.intent) == ("theirs", 2, 1024, False, None)


def test_ids_are_never_given_twice(site: Any) -> None:
    first = site.create_vm()
    site.delete_vm()
    assert site.create_vm().id != first.id


# figures


@pytest.mark.parametrize(("cpus", "memory"), [(0, GIB), (2, 0), (-1, GIB)])
def test_a_vm_without_cpus_or_memory_is_rejected(site: Any, cpus: int, memory: int) -> None:
    with pytest.raises(Rejected):
        site.create_vm(cpus=cpus, memory=memory)
    vm = site.create_vm()
    with pytest.raises(Rejected):
        site.update_vm(cpus, memory)
    assert site.vms() == {"web": vm}


def test_new_figures_wait_for_the_next_start(started: Any) -> None:
    vm = started.update_vm(4, 2 * GIB)
    assert (vm.cpus, vm.memory, vm.running, vm.needs_restart) == (4, 2 * GIB, True, True)
    assert started.set_power(True).needs_restart, "it runs already, and is not started anew"
    assert not started.set_power(False).needs_restart
    assert not started.set_power(True).needs_restart


# power and disks


def test_a_vm_without_a_boot_disk_does_not_start(site: Any) -> None:
    site.create_vm()
    site.attach(served(site, "data"), vm="web")
    with pytest.raises(Rejected, match="nothing to start from"):
        site.set_power(True)
    assert not site.vms()["web"].running
    site.attach(served(site, "root"), vm="web", serial="s2", boot=True)
    assert site.set_power(True).running


def test_another_hosts_disk_starts_nothing(site: Any) -> None:
    site.create_vm()
    volume = site.create("root")
    site.attach(site.grant(volume.id, site.kvm2), host=site.host(site.kvm2), vm="web", boot=True)
    with pytest.raises(Rejected):
        site.set_power(True)


def test_a_vm_boots_from_one_disk(site: Any) -> None:
    site.create_vm()
    site.attach(served(site, "root"), vm="web", boot=True)
    with pytest.raises(Conflict):
        site.attach(served(site, "other"), vm="web", serial="s2", boot=True)
    assert len(disks(site)) == 1


def test_disks_of_a_vm_that_is_off_have_no_size_and_may_be_changed(site: Any) -> None:
    site.create_vm()
    path = served(site)
    given = site.attach(path, vm="web", boot=True)
    assert [(disk.live, disk.size) for disk in disks(site)] == [(False, None)]
    update = UpdateAttachment(site.host(), "web", given.device, "s1", path, GIB, Qos(0, 100, 200))
    assert site.hypervisor.update_attachment(update).value == given
    assert [(disk.live, disk.qos) for disk in disks(site)] == [(False, Qos(0, 100, 200))]
    site.set_power(True)
    assert [(disk.live, disk.size, disk.qos) for disk in disks(site)] == [(True, GIB, Qos(0, 100, 200))]
    assert site.hypervisor.update_attachment(update).value == dataclasses.replace(given, live=True)


def test_a_start_shows_the_vm_what_its_volume_has_grown_to(started: Any) -> None:
    started.array.resize_async(ResizeVolume(started.pool, "vol-1", 3 * GIB))
    assert [disk.size for disk in disks(started)] == [GIB]
    started.set_power(False)
    started.set_power(True)
    assert [disk.size for disk in disks(started)] == [3 * GIB]


def test_a_disk_attached_while_the_vm_runs_is_live(started: Any) -> None:
    assert started.attach(served(started, "data"), vm="web", serial="s2").live
    assert [disk.live for disk in disks(started)] == [True, True]


def test_deleting_a_vm_takes_its_disks_off_and_leaves_the_volumes(started: Any) -> None:
    path = started.grant("vol-1")
    started.attach(served(started, "other"), vm="db-01")
    started.delete_vm()
    assert (started.vms(), disks(started), len(disks(started, "db-01"))) == ({}, [], 1)
    assert started.names() == ["root", "other"]
    started.detach(path, vm="web")
    started.revoke("vol-1")
    started.delete("vol-1")


def test_a_vm_that_a_second_administrator_deletes_lets_its_disks_go(started: Any) -> None:
    started.write("DELETE FROM vm WHERE name = 'web'")
    assert disks(started) == []


def test_hosts_are_told_apart_by_their_machine_and_not_by_their_block(site: Any) -> None:
    vm = site.create_vm()
    renamed = dataclasses.replace(site.host(), address="module.a.host.x", name="x")
    assert site.vms(renamed) == {"web": vm}
    assert site.vms(site.host(site.kvm2)) == {}


def test_calls_take_their_time_where_changes_do(open_site: Callable[..., Any]) -> None:
    site = open_site(async_after=1)
    vm = site.create_vm()
    site.attach(served(site), vm="web", boot=True)
    assert site.set_power(True) == dataclasses.replace(vm, running=True)
    assert site.update_vm(3, GIB) == dataclasses.replace(vm, cpus=3, running=True, needs_restart=True)
    site.delete_vm()
    assert site.vms() == {}
