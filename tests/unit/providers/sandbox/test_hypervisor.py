from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import Conflict, Credentials, HostSpec, Missing, Qos, Rejected, UpdateAttachment
from providers.sandbox import PROVIDER

GIB = 1 << 30


def served(site: Any, name: str = "v") -> Any:
    """The access path of a new volume."""
    return site.grant(site.create(name).id)


def disks(site: Any) -> list[tuple[str, str]]:
    return [(disk.vm, disk.device) for disk in site.hypervisor.list_attachments(site.host())]


# who is let in


def test_a_host_that_was_not_let_in_gets_nothing(site: Any) -> None:
    path = served(site)
    with pytest.raises(Rejected):
        site.attach(path, host=site.host(site.kvm2))
    with pytest.raises(Rejected):
        site.attach(dataclasses.replace(path, lun=1))
    site.attach(path)


def test_a_revoked_host_is_not_let_in_again(site: Any) -> None:
    volume = site.create()
    path = site.grant(volume.id)
    site.revoke(volume.id)
    with pytest.raises(Rejected):
        site.attach(path)


def test_another_arrays_target_of_the_same_number_is_not_taken_for_ours(site: Any, tmp_path: Path) -> None:
    assert PROVIDER.open_storage
    other = type(site)(tmp_path / "other.db", {})
    theirs, ours = served(other), served(site)
    assert theirs.iqn.endswith(":vol-1") and ours.iqn.endswith(":vol-1")
    with pytest.raises(Rejected):
        site.attach(theirs)


def test_chap_account_is_asked_for(open_site: Callable[..., Any]) -> None:
    site = open_site(chap_seed="seed")
    volume = site.create()
    path = site.grant(volume.id)
    right = site.array.credentials(volume.id, path)
    for wrong in (None, Credentials(right.username, "x"), Credentials("x", right.password)):
        with pytest.raises(Rejected) as caught:
            site.attach(path, wrong)
        assert right.password not in caught.value.detail
    site.attach(path, right)


def test_each_volume_and_each_array_has_a_secret_of_its_own(open_site: Callable[..., Any], tmp_path: Path) -> None:
    site = open_site(chap_seed="seed")
    other = type(site)(tmp_path / "other.db", {"chap_seed": "seed"})
    passwords = []
    for at, name in ((site, "a"), (site, "b"), (other, "a")):
        volume = at.create(name)
        passwords.append(at.array.credentials(volume.id, at.grant(volume.id)).password)
    assert len(set(passwords)) == 3
    assert all(12 <= len(password) <= 16 for password in passwords)


def test_a_new_seed_counts_once_access_is_granted_anew(open_site: Callable[..., Any]) -> None:
    volume = open_site(chap_seed="old").create()
    path = open_site(chap_seed="old").grant(volume.id)
    site = open_site(chap_seed="new")
    with pytest.raises(Rejected):
        site.attach(path, site.array.credentials(volume.id, path))
    site.grant(volume.id)
    site.attach(path, site.array.credentials(volume.id, path))


def test_no_secret_is_in_the_file(open_site: Callable[..., Any], tmp_path: Path) -> None:
    site = open_site(chap_seed="the seed of all secrets", async_after=1)
    volume = site.create()
    path = site.grant(volume.id)
    account = site.array.credentials(volume.id, path)
    site.attach(path, account)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert path.iqn.rpartition(":")[2].encode() in stored
    assert b"the seed of all secrets" not in stored
    assert account.password.encode() not in stored


def test_credentials_of_a_deleted_volume_are_missing(open_site: Callable[..., Any]) -> None:
    site = open_site(chap_seed="seed")
    volume = site.create()
    path = site.grant(volume.id)
    site.revoke(volume.id)
    site.delete(volume.id)
    with pytest.raises(Missing):
        site.array.credentials(volume.id, path)


def test_credentials_without_the_seed_are_rejected(open_site: Callable[..., Any]) -> None:
    site = open_site(chap_seed="seed")
    volume = site.create()
    path = site.grant(volume.id)
    with pytest.raises(Rejected):
        open_site().array.credentials(volume.id, path)


# devices and VMs


@pytest.mark.parametrize(
    ("bus", "device", "given"),
    [
        (None, None, "vdb"),
        ("virtio", None, "vdb"),
        ("scsi", None, "sda"),
        (None, "vdz", "vdz"),
        (None, "sdq", "sdq"),
        ("scsi", "sdaa", "sdaa"),
    ],
)
def test_device_is_the_one_asked_for_or_the_buss_first_free(
    site: Any, bus: str | None, device: str | None, given: str
) -> None:
    site.attach(served(site, "first"), device="vda")
    assert site.attach(served(site), bus=bus, device=device).device == given


@pytest.mark.parametrize(
    ("bus", "device"), [("virtio", "sda"), ("scsi", "vda"), (None, "vd"), (None, "vd1"), (None, "xvda"), ("ide", None)]
)
def test_device_that_the_bus_has_not_is_rejected(site: Any, bus: str | None, device: str | None) -> None:
    with pytest.raises(Rejected):
        site.attach(served(site), bus=bus, device=device)
    assert disks(site) == []


def test_taken_device_is_a_conflict_in_the_same_vm_only(site: Any) -> None:
    site.attach(served(site, "a"), device="vda")
    with pytest.raises(Conflict):
        site.attach(served(site, "b"), device="vda")
    site.attach(served(site, "c"), vm="db-02", device="vda")
    assert disks(site) == [("db-01", "vda"), ("db-02", "vda")]


def test_the_twenty_seventh_disk_has_two_letters(site: Any) -> None:
    devices = [site.attach(served(site, f"v{number}"), serial=f"s{number}").device for number in range(27)]
    assert devices[25:] == ["vdz", "vdaa"]


def test_a_disk_is_attached_to_a_vm_once(site: Any) -> None:
    path = served(site)
    site.attach(path)
    with pytest.raises(Conflict):
        site.attach(path, serial="s2")


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ({}, {}, False),
        ({"shareable": True}, {}, False),
        ({}, {"shareable": True}, False),
        ({}, {"read_only": True}, False),
        ({"shareable": True}, {"shareable": True}, True),
        ({"read_only": True}, {"read_only": True}, True),
        ({"shareable": True}, {"read_only": True}, True),
    ],
)
def test_vms_have_a_disk_together_when_each_shares_it_or_only_reads(
    site: Any, first: dict[str, bool], second: dict[str, bool], shared: bool
) -> None:
    volume = site.create()
    path = site.grant(volume.id)
    site.grant(volume.id, site.kvm2)
    site.attach(path, **first)
    for host, vm in ((site.kvm1, "db-02"), (site.kvm2, "db-01")):
        if shared:
            site.attach(path, host=site.host(host), vm=vm, **second)
        else:
            with pytest.raises(Conflict, match="another"):
                site.attach(path, host=site.host(host), vm=vm, **second)
    assert len(disks(site)) == (2 if shared else 1)


def test_one_vm_that_keeps_a_disk_to_itself_keeps_out_a_third(site: Any) -> None:
    path = served(site)
    site.attach(path, vm="db-01", shareable=True)
    site.write("UPDATE attachment SET shareable = 0")  # as by an administrator's own means
    with pytest.raises(Conflict):
        site.attach(path, vm="db-02", shareable=True)


def test_a_disk_goes_to_another_vm_once_it_is_detached(site: Any) -> None:
    path = served(site)
    site.attach(path)
    site.detach(path)
    site.attach(path, vm="db-02")
    assert disks(site) == [("db-02", "vda")]


def test_only_named_vms_are_there_where_they_are_named(site: Any) -> None:
    path = served(site)
    with pytest.raises(Missing):
        site.attach(path, host=site.host(vms=("db-02",)))
    site.attach(path, host=site.host(vms=("db-01", "db-02")))


def test_serial_number_that_a_guest_would_cut_is_rejected(site: Any) -> None:
    path = served(site)
    with pytest.raises(Rejected):
        site.attach(path, serial="s" * 21)
    site.attach(path, serial="s" * 20)


def test_hosts_are_told_apart_by_their_machine_and_not_by_their_block(site: Any) -> None:
    site.attach(served(site))
    renamed = HostSpec("module.a.host.x", "x", site.kvm1.address, site.kvm1.initiator, {})
    assert len(list(site.hypervisor.list_attachments(renamed))) == 1
    assert list(site.hypervisor.list_attachments(site.host(site.kvm2))) == []
    assert site.hypervisor.inspect(renamed).identity == site.hypervisor.inspect(site.host()).identity


# size and limits


def test_a_vm_sees_no_more_than_the_array_has(site: Any) -> None:
    path = served(site)
    site.attach(path)
    with pytest.raises(Rejected):
        site.hypervisor.update_attachment(UpdateAttachment(site.host(), "db-01", "vda", "s1", path, 2 * GIB, None))


@pytest.mark.parametrize(
    ("enforces", "qos", "taken"),
    [
        ((), None, True),
        ((), Qos(0, 100, 100), False),
        (("ceiling",), Qos(0, 100, 100), True),
        (("ceiling",), Qos(0, 100, 200), False),
        (("ceiling", "burst"), Qos(0, 100, 200), True),
        (("ceiling", "burst"), Qos(0, 0, 0, 100), False),
        (("bandwidth",), Qos(0, 0, 0, 100), True),
        (("bandwidth",), Qos(0, 100, 100, 100), False),
    ],
)
def test_a_host_takes_only_the_limits_that_it_holds(
    open_site: Callable[..., Any], enforces: tuple[str, ...], qos: Qos | None, taken: bool
) -> None:
    site = open_site(host_enforces=enforces)
    assert site.hypervisor.inspect(site.host()).enforces == set(enforces)
    path = served(site)
    if taken:
        site.attach(path, qos=qos)
    else:
        with pytest.raises(Rejected):
            site.attach(path, qos=qos)


def test_bandwidth_is_listed_and_may_be_the_only_limit(site: Any) -> None:
    path = served(site)
    site.attach(path, qos=Qos(0, 100, 200, 300))
    for qos in (Qos(0, 0, 0, 400), Qos(0, 100, 100), None):
        update = UpdateAttachment(site.host(), "db-01", "vda", "s1", path, GIB, qos)
        site.hypervisor.update_attachment(update)
        (disk,) = site.hypervisor.list_attachments(site.host())
        assert disk.qos == qos
