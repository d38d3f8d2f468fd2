"""`access = "cluster"`: hosts of one cluster share a group, and each volume carries to which of them it was opened."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import (
    ActualVolume,
    CreateVolume,
    Done,
    Endpoint,
    GrantAccess,
    OutcomeUnknown,
    Owner,
    PoolSpec,
    Rejected,
    ResizeVolume,
    RevokeAccess,
    StorageProvider,
)
from tests.emulators.running import Element, open_array
from tests.unit.providers.solidfire.configuration import apply, plan, write

GIB = 1 << 30
POOL = PoolSpec("pool.san")
KVM1, KVM2, KVM3 = (
    Endpoint(f"kvm{number}", f"10.0.0.{number}", f"iqn.1993-08.org.debian:01:kvm{number}", "rack")
    for number in (1, 2, 3)
)
ELSEWHERE = replace(KVM3, cluster="row")


@pytest.fixture
def array(element: Element) -> StorageProvider:
    return open_array(element, access="cluster")


def made(array: StorageProvider, name: str = "db", **more: Any) -> ActualVolume:
    owner = Owner("lineage", f"volume.{name}", secrets.token_hex(8))
    reply = array.create_async(replace(CreateVolume(POOL, name, GIB, None, owner), **more))
    assert isinstance(reply, Done)
    return reply.value


def grant(array: StorageProvider, volume: ActualVolume, *endpoints: Endpoint) -> None:
    for endpoint in endpoints:
        array.grant_access(GrantAccess(POOL, volume.id, endpoint))


def revoke(array: StorageProvider, volume: ActualVolume, *endpoints: Endpoint) -> None:
    for endpoint in endpoints:
        array.revoke_access(RevokeAccess(POOL, volume.id, endpoint))


def groups(element: Element) -> list[Mapping[str, Any]]:
    listed: list[Mapping[str, Any]] = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    return listed


def stem(group: Mapping[str, Any]) -> str:
    """A group's name without the digits of its host."""
    return "-".join(group["name"].split("-")[:2])


def grants(array: StorageProvider) -> dict[str, tuple[str, ...]]:
    return {volume.name: volume.grants for volume in array.list_volumes(POOL)}


def names(*endpoints: Endpoint) -> tuple[str, ...]:
    return tuple(sorted(str(endpoint.initiator) for endpoint in endpoints))


def test_hosts_of_a_cluster_share_a_group_and_others_do_not(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    alone = Endpoint("kvm4", None, "iqn.1993-08.org.debian:01:kvm4")
    grant(array, volume, KVM1, KVM2, ELSEWHERE, alone)
    assert sorted((stem(group), tuple(group["initiators"])) for group in groups(element)) == [
        ("lunform-kvm4", names(alone)),
        ("lunform-rack", names(KVM1, KVM2)),
        ("lunform-row", names(ELSEWHERE)),
    ]
    assert grants(array) == {"db": names(KVM1, KVM2, ELSEWHERE, alone)}


def test_a_volume_is_granted_to_whom_it_was_opened_to_though_others_reach_it(array: StorageProvider) -> None:
    first, second = made(array, "first"), made(array, "second")
    grant(array, first, KVM1)
    grant(array, second, KVM2)
    assert grants(array) == {"first": names(KVM1), "second": names(KVM2)}


def test_a_host_that_goes_shuts_out_no_other_and_the_last_one_takes_the_group_along(
    element: Element, array: StorageProvider
) -> None:
    volume = made(array)
    grant(array, volume, KVM1, KVM2)
    revoke(array, volume, KVM1, KVM3)
    assert grants(array) == {"db": names(KVM2)}
    (group,) = groups(element)
    assert len(group["volumes"]) == 1
    revoke(array, volume, KVM2)
    assert (groups(element), element.call("ListInitiators")["initiators"]) == ([], [])
    assert grants(array) == {"db": ()}


def test_a_group_stays_while_another_volume_is_in_it(element: Element, array: StorageProvider) -> None:
    first, second = made(array, "first"), made(array, "second")
    grant(array, first, KVM1)
    grant(array, second, KVM1, KVM2)
    revoke(array, first, KVM1)
    (group,) = groups(element)
    assert group["initiators"] == list(names(KVM1, KVM2))
    assert grants(array) == {"first": (), "second": names(KVM1, KVM2)}


def test_grants_of_one_volume_at_the_same_time_are_all_kept(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    many = [Endpoint(f"n{key}", None, f"iqn.1993-08.org.debian:01:n{key}", "rack") for key in range(12)]
    with ThreadPoolExecutor(len(many)) as threads:
        list(threads.map(lambda endpoint: grant(array, volume, endpoint), many))
    assert grants(array) == {"db": names(*many)}
    with ThreadPoolExecutor(len(many)) as threads:
        list(threads.map(lambda endpoint: revoke(array, volume, endpoint), many[1:]))
    assert grants(array) == {"db": names(many[0])}


@pytest.mark.parametrize("effect", ["lost", "reset"])
@pytest.mark.parametrize(
    "method",
    [
        "ModifyVolume",
        "CreateInitiators",
        "AddInitiatorsToVolumeAccessGroup",
        "AddVolumesToVolumeAccessGroup",
        "CreateVolumeAccessGroup",
    ],
)
def test_a_grant_that_was_lost_on_its_way_shows_as_far_as_it_holds(
    element: Element, array: StorageProvider, method: str, effect: str
) -> None:
    volume, other = made(array), made(array, "other")
    if method != "CreateVolumeAccessGroup":
        grant(array, other, KVM2)
    element.fail(method, effect)
    with pytest.raises(OutcomeUnknown):
        grant(array, volume, KVM1)
    has_all = effect == "lost" and method in ("AddVolumesToVolumeAccessGroup", "CreateVolumeAccessGroup")
    assert grants(array)["db"] == (names(KVM1) if has_all else ())
    again = open_array(element, access="cluster")
    grant(again, volume, KVM1)
    assert grants(again)["db"] == names(KVM1)
    assert len(groups(element)) == 1


@pytest.mark.parametrize("effect", ["lost", "reset"])
@pytest.mark.parametrize("method", ["ModifyVolume", "RemoveVolumesFromVolumeAccessGroup", "DeleteVolumeAccessGroup"])
def test_a_revoke_that_was_lost_on_its_way_leaves_nothing_once_it_holds(
    element: Element, array: StorageProvider, method: str, effect: str
) -> None:
    volume, other = made(array), made(array, "other")
    grant(array, volume, KVM1)
    if method == "ModifyVolume":
        grant(array, volume, KVM2)
    if method == "RemoveVolumesFromVolumeAccessGroup":
        grant(array, other, KVM1)
    element.fail(method, effect)
    with pytest.raises(OutcomeUnknown):
        revoke(array, volume, KVM1)
    has_it = names(KVM1) if effect == "reset" else ()
    assert grants(array)["db"] == tuple(sorted((*has_it, *(names(KVM2) if method == "ModifyVolume" else ()))))
    if method == "DeleteVolumeAccessGroup" and effect == "lost":
        assert (groups(element), element.call("ListInitiators")["initiators"]) == ([], [])
    revoke(open_array(element, access="cluster"), volume, KVM1)
    assert KVM1.initiator not in grants(array)["db"]


def test_a_grant_that_never_held_comes_not_alive_with_that_of_another_host(
    element: Element, array: StorageProvider
) -> None:
    volume, other = made(array), made(array, "other")
    grant(array, other, KVM1, KVM2)
    element.fail("AddVolumesToVolumeAccessGroup", "reset")
    with pytest.raises(OutcomeUnknown):
        grant(array, volume, KVM1)
    grant(array, volume, KVM2)
    assert grants(array)["db"] == names(KVM2)


def test_marks_and_metadata_stay_with_a_volume(element: Element, array: StorageProvider) -> None:
    volume = made(array, metadata={"team": "films"})
    grant(array, volume, KVM1, KVM2)
    revoke(array, volume, KVM1)
    array.resize_async(ResizeVolume(POOL, volume.id, 2 * GIB))
    (row,) = element.call("ListVolumes")["volumes"]
    assert row["attributes"]["metadata"] == {"team": "films"}
    (listed,) = array.list_volumes(POOL)
    assert (listed.owner, listed.grants) == (volume.owner, names(KVM2))


def test_a_volume_does_not_carry_more_than_a_cluster_keeps(element: Element, array: StorageProvider) -> None:
    volume = made(array, metadata={"note": "x" * 850})
    with pytest.raises(Rejected, match="too many hosts"):
        grant(array, volume, *(replace(KVM1, initiator=f"iqn.1993-08.org.debian:01:n{key}") for key in range(9)))


def test_a_host_stays_in_its_group_until_that_is_empty(element: Element, array: StorageProvider) -> None:
    first, second = made(array, "first"), made(array, "second")
    grant(open_array(element), first, KVM1)
    grant(array, second, KVM1, KVM2)
    assert [(stem(group), len(group["volumes"])) for group in groups(element)] == [
        ("lunform-kvm1", 2),
        ("lunform-rack", 1),
    ]
    assert grants(array) == {"first": names(KVM1), "second": names(KVM1, KVM2)}
    revoke(array, first, KVM1)
    revoke(array, second, KVM1)
    grant(array, first, KVM1)
    assert [group["name"] for group in groups(element)] == ["lunform-rack"]


def test_hosts_of_the_same_name_share_no_group(element: Element) -> None:
    array = open_array(element)
    namesake = replace(KVM2, name=KVM1.name)
    first, second = made(array, "first"), made(array, "second")
    grant(array, first, KVM1)
    grant(array, second, namesake)
    assert grants(array) == {"first": names(KVM1), "second": names(namesake)}


def test_a_configuration_lets_hosts_in_and_out_one_by_one(element: Element, tmp_path: Path) -> None:
    array = open_array(element, access="cluster")
    of_hosts = [f"iqn.1993-08.org.debian:01:kvm{number}" for number in range(2)]
    for hosts in (("kvm[0]", "kvm[1]"), ("kvm[1]",), ("kvm[0]",), ()):
        write(tmp_path, element, 'access = "cluster"', {"a": hosts})
        apply(tmp_path)
        assert plan(tmp_path).is_empty
        assert grants(array) == {"volume-a": tuple(name for name in of_hosts if f"kvm[{name[-1]}]" in hosts)}
    assert groups(element) == []


def test_a_volume_that_others_take_out_of_the_group_is_put_back(element: Element, tmp_path: Path) -> None:
    write(tmp_path, element, 'access = "cluster"', {"a": ("kvm[0]", "kvm[1]")})
    apply(tmp_path)
    (group,) = groups(element)
    element.call(
        "RemoveVolumesFromVolumeAccessGroup",
        volumeAccessGroupID=group["volumeAccessGroupID"],
        volumes=group["volumes"],
    )
    apply(tmp_path)
    assert plan(tmp_path).is_empty
    assert groups(element) == [group]


@pytest.mark.parametrize("access", ["groups", "cluster"])
def test_a_group_does_not_go_while_another_volume_comes(element: Element, access: str) -> None:
    array = open_array(element, access=access)
    old, new = made(array, "old"), made(array, "new")
    grant(array, old, KVM1)
    # Were the group seen with its last volume before the other one is in, it would go after that.
    element.fail("AddVolumesToVolumeAccessGroup", "late", seconds=0.3)
    element.fail("DeleteVolumeAccessGroup", "late", seconds=1)
    with ThreadPoolExecutor(2) as threads:
        both = threads.submit(grant, array, new, KVM1), threads.submit(revoke, array, old, KVM1)
    for each in both:
        each.result()
    assert grants(array) == {"old": (), "new": names(KVM1)}
    assert len(groups(element)) == 1
