"""
Traps in making, repeating and reading: a test for each, named after what must not happen. The numbers are those of the
list in `test_traps.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from planner.sdk import (
    Conflict,
    DeleteVolume,
    Done,
    GrantAccess,
    Missing,
    OutcomeUnknown,
    QosPolicies,
    Rejected,
    ResizeVolume,
    Retryable,
    RevokeAccess,
    StorageProvider,
    Unreachable,
    UpdatePolicy,
    UpdateQos,
)
from providers.solidfire.groups import Groups
from tests.emulators.running import Element, open_array
from tests.unit.providers.solidfire.asking import (
    FIGURES,
    GIB,
    KVM1,
    KVM2,
    POOL,
    groups,
    made,
    made_by_others,
    number,
    request,
    sent,
    there,
)

PASSING = (
    "xDBVersionMismatch",
    "xDBConnectionLoss",
    "xDBOperationTimeout",
    "xDBSessionExpired",
    "xMaxSnapshotsPerNodeExceeded",
    "xNotPrimary",
    "xNotReadyForIO",
    "xSliceNotRegistered",
)
"""Names of errors that other clients try again."""


# 1. Identity is the number, ownership is an attribute


def test_what_is_made_says_whose_it_is(element: Element, array: StorageProvider) -> None:
    volume = made(array, metadata={"team": "films"})
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    (row,), (group,) = there(element), groups(element)
    (initiator,) = element.call("ListInitiators")["initiators"]
    accounts = [row for row in element.call("ListAccounts")["accounts"] if row["username"] != "x"]
    assert volume.owner is not None
    assert row["attributes"]["lunform"] == {
        "lineage": "lineage",
        "address": "volume.db",
        "intent": volume.owner.intent,
    }
    for made_besides in (group, initiator, *accounts):
        assert "lunform" in made_besides["attributes"]
    assert len(accounts) == 1


def test_a_volume_is_known_by_its_number_whatever_its_name_and_its_marks(
    element: Element, array: StorageProvider
) -> None:
    volume = made(array)
    element.call("ModifyVolume", volumeID=number(volume), attributes={"lunform": "not a mark", "else": 1})
    made_by_others(element, "db")
    (found,) = (listed for listed in array.list_volumes(POOL) if listed.id == volume.id)
    assert found.owner is None
    reply = array.resize_async(ResizeVolume(POOL, volume.id, 2 * GIB))
    assert isinstance(reply, Done)
    assert (reply.value.id, reply.value.size) == (volume.id, 2 * GIB)


@pytest.mark.parametrize("name", ["x" * 65, "under_score", "dot.ted", "-db", "db-", ""])
def test_a_name_that_no_cluster_takes_is_not_sent(element: Element, array: StorageProvider, name: str) -> None:
    with pytest.raises(Rejected, match="name"):
        array.create_async(request(name))
    assert "CreateVolume" not in element.calls()


@pytest.mark.parametrize("names", [("kvm.a", "kvm-a"), ("x" * 60 + "a", "x" * 60 + "b"), ("kvm", "kvm")])
@pytest.mark.parametrize("access", ["groups", "chap"])
def test_hosts_whose_names_come_out_alike_do_not_share(element: Element, access: str, names: tuple[str, str]) -> None:
    array = open_array(element, access=access)
    hosts = [replace(host, name=name) for host, name in zip((KVM1, KVM2), names, strict=True)]
    volumes = [made(array, name) for name in ("first", "second")]
    for volume, host in zip(volumes, hosts, strict=True):
        array.grant_access(GrantAccess(POOL, volume.id, host))
    grants = {listed.id: listed.grants for listed in array.list_volumes(POOL)}
    assert [grants[volume.id] for volume in volumes] == [(KVM1.initiator,), (KVM2.initiator,)]
    named = [group["name"] for group in groups(element)]
    named += [account["username"] for account in element.call("ListAccounts")["accounts"]]
    assert all(len(name) <= 64 for name in named)


# 2. Create: look, create, look again


def test_twins_stop_a_create(element: Element, array: StorageProvider) -> None:
    wanted = request()
    array.create_async(wanted)
    (row,) = there(element)
    twin = made_by_others(element, "db", attributes=row["attributes"])
    with pytest.raises(Conflict) as caught:
        array.create_async(wanted)
    assert str(row["volumeID"]) in caught.value.detail
    assert str(twin) in caught.value.detail
    assert len(there(element)) == 2


def test_of_two_policies_of_one_name_the_older_counts_for_everybody(element: Element) -> None:
    figures = {"minIOPS": 500, "maxIOPS": 1000, "burstIOPS": 1500}
    for _ in range(2):
        element.call("CreateQoSPolicy", name="media", qos=figures)
    for name in ("first", "second"):
        assert made(open_array(element), name, policy="media").policy == "media"
    under = {
        policy["qosPolicyID"]: len(policy["volumeIDs"]) for policy in element.call("ListQoSPolicies")["qosPolicies"]
    }
    assert [under[number] for number in sorted(under)] == [2, 0]


def test_an_answer_that_comes_too_late_makes_no_twin(element: Element) -> None:
    array, wanted = open_array(element, timeout=0.2), request()
    array.inspect()
    element.account("lunform")
    element.fail("CreateVolume", "late", seconds=0.5)
    with pytest.raises(OutcomeUnknown, match="lost"):
        array.create_async(wanted)
    deadline = time.monotonic() + 30
    while not there(element):
        assert time.monotonic() < deadline
    reply = open_array(element).create_async(wanted)
    assert isinstance(reply, Done)
    assert reply.value.owner == wanted.owner
    assert len(there(element)) == 1


@pytest.mark.parametrize("method", ["AddAccount", "CreateVolume", "CreateQoSPolicy"])
@pytest.mark.parametrize("effect", ["lost", "reset", "status"])
def test_nothing_is_made_by_a_second_call_without_a_look(
    element: Element, array: StorageProvider, method: str, effect: str
) -> None:
    """The fault is over after one call: a second one would succeed."""
    element.fail(method, effect, status=503)
    with pytest.raises(OutcomeUnknown):
        array.create_async(request(policy="media"))


@pytest.mark.parametrize("method", ["CreateVolumeAccessGroup", "CreateInitiators", "AddVolumesToVolumeAccessGroup"])
@pytest.mark.parametrize("effect", ["lost", "reset"])
def test_a_grant_that_broke_off_is_finished_and_makes_no_twin(
    element: Element, array: StorageProvider, method: str, effect: str
) -> None:
    volume = made(array)
    there_already = [made(array, "other")] if method == "AddVolumesToVolumeAccessGroup" else []
    for other in there_already:
        array.grant_access(GrantAccess(POOL, other.id, KVM1))
    element.fail(method, effect)
    with pytest.raises(OutcomeUnknown):
        array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    (group,) = groups(element)
    assert group["initiators"] == [KVM1.initiator]
    assert set(group["volumes"]) == {number(volume), *map(number, there_already)}
    assert len(element.call("ListInitiators")["initiators"]) == 1


# 3. What may be repeated is said for each method


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_error_of_a_read_is_tried_again(
    element: Element, array: StorageProvider, waits: list[float], name: str
) -> None:
    volume = made(array)
    element.fail("ListVolumes", "error", name=name, times=2)
    assert [listed.id for listed in array.list_volumes(POOL)] == [volume.id]
    assert waits == [0.5, 1.0]


@pytest.mark.parametrize("effect", ["reset", "lost", "error", "status"])
def test_no_read_is_tried_for_ever(element: Element, array: StorageProvider, waits: list[float], effect: str) -> None:
    array.inspect()
    element.fail("ListVolumes", effect, times=99, status=503)
    with pytest.raises((Unreachable, Retryable)):
        array.list_volumes(POOL)
    assert waits == [0.5, 1.0, 2.0], "each wait is longer, and there is a last one"


def test_an_error_that_nobody_has_heard_of_is_told_and_not_tried_again(
    element: Element, array: StorageProvider, waits: list[float]
) -> None:
    element.fail("ListVolumes", "error", name="xNobodyHasHeardOf", message="The moon is full.")
    with pytest.raises(Rejected, match="xNobodyHasHeardOf") as caught:
        array.list_volumes(POOL)
    assert caught.value.detail == "The moon is full."
    assert waits == []


def test_an_account_that_others_make_at_the_same_moment_is_taken(element: Element, array: StorageProvider) -> None:
    account = element.account("lunform")
    element.fail("GetAccountByName", "error", name="xUnknownAccount")
    made(array)
    assert [row["accountID"] for row in there(element)] == [account]


def test_an_initiator_that_others_make_at_the_same_moment_is_taken(
    element: Element, array: StorageProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = made(array)
    look = Groups._number_of

    def look_just_before(groups: Groups, initiator: str) -> int | None:
        found = look(groups, initiator)
        if found is None:
            element.call("CreateInitiators", initiators=[{"name": initiator}])
        return found

    monkeypatch.setattr(Groups, "_number_of", look_just_before)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    (group,) = groups(element)
    assert (group["initiators"], group["volumes"]) == ([KVM1.initiator], [number(volume)])


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("RemoveVolumesFromVolumeAccessGroup", "xVolumeAccessGroupIDDoesNotExist"),
        ("DeleteVolumeAccessGroup", "xVolumeAccessGroupIDDoesNotExist"),
        ("DeleteInitiators", "xInitiatorDoesNotExist"),
    ],
)
def test_what_others_take_away_at_the_same_moment_is_away(
    element: Element, array: StorageProvider, method: str, name: str
) -> None:
    volume = made(array)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    element.fail(method, "error", name=name)
    assert array.revoke_access(RevokeAccess(POOL, volume.id, KVM1)) == Done(None)


def test_a_volume_that_others_delete_at_the_same_moment_is_missing(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    element.fail("DeleteVolume", "error", name="xVolumeIDDoesNotExist")
    with pytest.raises(Missing):
        array.delete_async(DeleteVolume(POOL, volume.id))


def test_a_volume_that_others_purge_at_the_same_moment_is_purged(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    element.fail("PurgeDeletedVolume", "error", name="xVolumeIDDoesNotExist")
    assert array.delete_async(DeleteVolume(POOL, volume.id, purge=True)) == Done(None)


@pytest.mark.parametrize("spelling", ["xVolumeAccessGroupIDDoesNotExist", "xVolumeAccessGroupIdDoesNotExist"])
def test_the_spelling_of_a_name_makes_no_difference(element: Element, array: StorageProvider, spelling: str) -> None:
    element.order(set={"names": {"no such group": spelling}})
    first, second = made(array, "first"), made(array, "second")
    array.grant_access(GrantAccess(POOL, first.id, KVM1))
    element.call("DeleteVolumeAccessGroup", volumeAccessGroupID=groups(element)[0]["volumeAccessGroupID"])
    array.grant_access(GrantAccess(POOL, second.id, KVM1))
    assert [group["volumes"] for group in groups(element)] == [[number(second)]]


def test_a_group_that_never_stays_ends_the_grant(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    array.grant_access(GrantAccess(POOL, made(array, "other").id, KVM1))
    element.fail("AddVolumesToVolumeAccessGroup", "error", name="xVolumeAccessGroupIDDoesNotExist", times=99)
    with pytest.raises(Conflict, match="does not stay"):
        array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    assert len(sent(element, "AddVolumesToVolumeAccessGroup")) == 3


# 4. Fetch by volumeIDs, and page


def test_a_deleted_volume_is_not_taken_for_a_live_one(element: Element, array: StorageProvider) -> None:
    deleted = made(array)
    array.delete_async(DeleteVolume(POOL, deleted.id))
    assert list(array.list_volumes(POOL)) == []
    new = made(array)
    assert new.id != deleted.id
    assert sorted(row["status"] for row in there(element)) == ["active", "deleted"]


def test_a_deleted_volume_is_not_changed(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    array.delete_async(DeleteVolume(POOL, volume.id))
    calls: tuple[Callable[[], object], ...] = (
        lambda: array.resize_async(ResizeVolume(POOL, volume.id, 2 * GIB)),
        lambda: array.update_qos(UpdateQos(POOL, volume.id, FIGURES)),
        lambda: array.update_qos(UpdateQos(POOL, volume.id, FIGURES, "media")),
        lambda: array.grant_access(GrantAccess(POOL, volume.id, KVM1)),
        lambda: array.revoke_access(RevokeAccess(POOL, volume.id, KVM1)),
    )
    for call in calls:
        with pytest.raises(Missing):
            call()
    assert groups(element) == element.call("ListQoSPolicies")["qosPolicies"] == []


def test_no_single_volume_is_asked_for_by_a_start(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    array.resize_async(ResizeVolume(POOL, volume.id, 2 * GIB))
    array.delete_async(DeleteVolume(POOL, volume.id))
    list(array.list_volumes(POOL))
    asked = sent(element, "ListVolumes")
    assert {"volumeIDs": [number(volume)]} in asked
    assert all(call["startVolumeID"] == 1 for call in asked if "startVolumeID" in call)
    assert not any(call.get("limit") == 1 for call in asked)


# What answers look like


def test_no_parameter_is_misspelt(element: Element) -> None:
    """A cluster does not refuse one that it does not know: it leaves it unused."""
    for access in ("groups", "chap"):
        array = open_array(element, access=access)
        volume = made(array, access, policy=access, metadata={"a": "b"})
        array.inspect()
        array.pool_status(POOL)
        assert isinstance(array, QosPolicies)
        array.update_policy(UpdatePolicy(access, replace(FIGURES, max_iops=1200)))
        array.update_qos(UpdateQos(POOL, volume.id, FIGURES))
        array.resize_async(ResizeVolume(POOL, volume.id, 2 * GIB))
        reply = array.grant_access(GrantAccess(POOL, volume.id, KVM1))
        assert isinstance(reply, Done)
        array.credentials(volume.id, reply.value)
        array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
        array.delete_async(DeleteVolume(POOL, volume.id, purge=True))
    told = element.order()
    assert {"CreateVolume", "ModifyVolume", "DeleteVolume", "PurgeDeletedVolume"} <= told["calls"].keys()
    assert told["unused"] == []


@pytest.mark.parametrize("access", ["groups", "chap"])
def test_old_versions_that_answer_numbers_alone_are_understood(element: Element, access: str) -> None:
    element.order(set={"brief": True})
    array = open_array(element, access=access)
    volume = made(array)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    array.update_qos(UpdateQos(POOL, volume.id, replace(FIGURES, max_iops=1200)))
    reply = array.resize_async(ResizeVolume(POOL, volume.id, 2 * GIB))
    assert isinstance(reply, Done)
    assert (reply.value.size, reply.value.qos) == (2 * GIB, replace(FIGURES, max_iops=1200))
    assert reply.value.grants == (KVM1.initiator,)


@pytest.mark.parametrize(
    ("versions", "spoken"),
    [
        (["8.0", "9.0", "12.3"], "12.3"),
        ([8.0, 9.0, 11.0], "11.0"),
        (["8.0", "12.9"], "8.0"),
        (["7.0", "8.0", "9.6"], "9.6"),
    ],
)
def test_versions_may_be_texts_or_numbers_and_newer_than_is_known(
    element: Element, versions: list[object], spoken: str
) -> None:
    element.order(set={"versions": versions})
    array = open_array(element)
    assert spoken in array.inspect().product
    assert ("qos_policy" in array.inspect().supports) == (float(spoken) >= 10)


@pytest.mark.parametrize(("status", "says"), [(500, "was lost"), (503, "was lost"), (302, "something else")])
def test_an_answer_that_is_no_clusters_is_not_taken_for_a_refusal(
    element: Element, array: StorageProvider, status: int, says: str
) -> None:
    element.fail("CreateVolume", "status", status=status)
    with pytest.raises(OutcomeUnknown, match=says):
        array.create_async(request())
