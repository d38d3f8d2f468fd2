"""
Traps of the Element API that other clients have walked into: a test for each, named after what must not happen. The
emulated cluster behaves as the API's documents say, and so do the faults.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest

from planner.sdk import (
    Conflict,
    DeleteVolume,
    Done,
    GrantAccess,
    Missing,
    OutcomeUnknown,
    Qos,
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
from providers.solidfire.volumes import ATTRIBUTES_LENGTH
from tests.emulators.running import PASSWORD, Element, open_array
from tests.unit.providers.solidfire.asking import FIGURES, GIB, KVM1, KVM2, POOL, made, number, request, sent, there

# 1. Identity is the number, ownership is an attribute


def test_a_volume_of_another_cluster_is_not_taken_for_this_ones(array: StorageProvider) -> None:
    volume = made(array)
    elsewhere = f"00000000-0000-0000-0000-000000000000:{number(volume)}"
    with pytest.raises(Rejected, match="another cluster"):
        array.delete_async(DeleteVolume(POOL, elsewhere))
    assert [listed.id for listed in array.list_volumes(POOL)] == [volume.id]


def test_attributes_do_not_outgrow_what_a_cluster_keeps(element: Element, array: StorageProvider) -> None:
    with pytest.raises(Rejected, match="metadata"):
        array.create_async(request(metadata={"note": "x" * 1000}))
    assert there(element) == []


def test_a_volume_with_all_the_attributes_that_it_may_have_can_be_purged(
    element: Element, array: StorageProvider
) -> None:
    wanted = request()
    marks = len(json.dumps({"lunform": asdict(wanted.owner), "metadata": {"note": ""}}, separators=(",", ":")))
    array.create_async(replace(wanted, metadata={"note": "x" * (ATTRIBUTES_LENGTH - marks)}))
    array.delete_async(DeleteVolume(POOL, next(iter(array.list_volumes(POOL))).id, purge=True))
    assert there(element) == []


# 2. Create: look, create, look again


@pytest.mark.parametrize(("effect", "left"), [("lost", 1), ("reset", 0)])
def test_a_lost_answer_to_a_create_makes_no_twin(
    element: Element, array: StorageProvider, effect: str, left: int
) -> None:
    wanted = request()
    element.fail("CreateVolume", effect)
    with pytest.raises(OutcomeUnknown):
        array.create_async(wanted)
    assert len(there(element)) == left
    reply = array.create_async(wanted)
    assert isinstance(reply, Done)
    assert reply.value.owner == wanted.owner
    assert len(there(element)) == 1


def test_a_foreign_volume_of_the_same_name_is_not_taken_and_not_doubled(
    element: Element, array: StorageProvider
) -> None:
    element.call("CreateVolume", name="db", accountID=element.account("x"), totalSize=GIB, enable512e=True)
    with pytest.raises(Conflict, match="name"):
        array.create_async(request())
    assert len(there(element)) == 1


def test_a_lost_answer_to_a_group_makes_no_twin(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    element.fail("CreateVolumeAccessGroup", "lost")
    with pytest.raises(OutcomeUnknown):
        array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    (group,) = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    assert (group["initiators"], group["volumes"]) == ([KVM1.initiator], [number(volume)])


def test_a_lost_answer_to_a_policy_makes_no_twin(element: Element, array: StorageProvider) -> None:
    element.fail("CreateQoSPolicy", "lost")
    wanted = request(policy="media")
    with pytest.raises(OutcomeUnknown):
        array.create_async(wanted)
    array.create_async(wanted)
    (policy,) = element.call("ListQoSPolicies")["qosPolicies"]
    assert len(policy["volumeIDs"]) == 1


def test_a_policy_is_made_only_for_a_volume_that_is_there(element: Element, array: StorageProvider) -> None:
    """A policy carries no mark: without a volume under it, or to come under it, nobody would know whose it is."""
    element.fail("CreateVolume", "reset")
    with pytest.raises(OutcomeUnknown):
        array.create_async(request(policy="media"))
    gone = made(array)
    array.delete_async(DeleteVolume(POOL, gone.id))
    with pytest.raises(Missing):
        array.update_qos(UpdateQos(POOL, gone.id, FIGURES, "media"))
    own = made(array, "own")
    element.fail("ModifyVolume", "reset")
    with pytest.raises(OutcomeUnknown):
        array.update_qos(UpdateQos(POOL, own.id, Qos(600, 700, 800), "media"))
    assert element.call("ListQoSPolicies")["qosPolicies"] == []


def test_only_the_first_volume_of_a_policy_costs_more_calls(element: Element, array: StorageProvider) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: made(array, f"v{n}", policy="media"), range(16)))
    assert [element.calls()[name] for name in ("CreateVolume", "CreateQoSPolicy", "ModifyVolume")] == [16, 1, 1]
    assert {volume.policy for volume in array.list_volumes(POOL)} == {"media"}


def test_a_create_that_got_half_way_is_in_doubt_and_not_undone(element: Element, array: StorageProvider) -> None:
    wanted = request(policy="media")
    element.fail("CreateQoSPolicy", "error", name="xExceededLimit")
    with pytest.raises(OutcomeUnknown):
        array.create_async(wanted)
    (listed,) = array.list_volumes(POOL)
    assert (listed.owner, listed.qos, listed.policy) == (wanted.owner, FIGURES, None)
    reply = array.create_async(wanted)
    assert isinstance(reply, Done)
    assert (reply.value.id, reply.value.policy) == (listed.id, "media")


# 3. What may be repeated is said for each method


@pytest.mark.usefixtures("waits")
def test_a_read_is_asked_again_and_a_change_is_not(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    element.fail("ListVolumes", "reset", times=2)
    assert [listed.id for listed in array.list_volumes(POOL)] == [volume.id]
    element.fail("ModifyVolume", "reset")
    with pytest.raises(OutcomeUnknown):
        array.resize_async(ResizeVolume(POOL, volume.id, 2 * GIB))
    assert len(sent(element, "ModifyVolume")) == 0


def test_an_error_that_passes_is_tried_again(element: Element, array: StorageProvider) -> None:
    element.fail("CreateVolume", "error", name="xDBVersionMismatch")
    with pytest.raises(Retryable):
        array.create_async(request())


def test_what_is_so_already_is_no_error(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    element.fail("AddVolumesToVolumeAccessGroup", "error", name="xAlreadyInVolumeAccessGroup")
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    element.fail("RemoveVolumesFromVolumeAccessGroup", "error", name="xNotInVolumeAccessGroup")
    array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))


# 4. Fetch by volumeIDs, and page


def test_the_next_volume_is_not_taken_for_a_missing_one(element: Element, array: StorageProvider) -> None:
    gone, next_one = made(array, "gone"), made(array, "next")
    array.delete_async(DeleteVolume(POOL, gone.id, purge=True))
    for call in (
        lambda: array.resize_async(ResizeVolume(POOL, gone.id, 2 * GIB)),
        lambda: array.delete_async(DeleteVolume(POOL, gone.id)),
        lambda: array.grant_access(GrantAccess(POOL, gone.id, KVM1)),
    ):
        with pytest.raises(Missing):
            call()
    assert list(array.list_volumes(POOL)) == [next_one]


def test_pages_lose_and_double_no_volume(
    element: Element, array: StorageProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.solidfire.volumes.PAGE", 3)
    names = [f"v{key}" for key in range(7)]
    for name in names:
        made(array, name)
    array.delete_async(DeleteVolume(POOL, next(v.id for v in array.list_volumes(POOL) if v.name == "v3"), purge=True))
    assert [volume.name for volume in array.list_volumes(POOL)] == [name for name in names if name != "v3"]


# 7. QoS is three integers, always all sent


def test_figures_are_never_sent_in_part(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    array.update_qos(UpdateQos(POOL, volume.id, Qos(500, 2000, 1 << 12)))
    made(array, "under", policy="media")
    assert isinstance(array, QosPolicies)
    array.update_policy(UpdatePolicy("media", Qos(600, 700, 800)))
    methods = ("CreateVolume", "ModifyVolume", "CreateQoSPolicy", "ModifyQoSPolicy")
    figures = [call["qos"] for method in methods for call in sent(element, method) if "qos" in call]
    assert len(figures) == 5  # the first volume under a policy is made before it, with figures of its own
    assert all(sorted(qos) == ["burstIOPS", "maxIOPS", "minIOPS"] for qos in figures)


def test_ranges_are_the_clusters_and_not_constants(element: Element) -> None:
    before = element.call("GetLimits")["volumeMinIOPSMax"]
    element.order(set={"limits": {"volumeMinIOPSMax": 400}})
    try:
        with pytest.raises(Rejected, match="out of range"):
            open_array(element).create_async(request())
    finally:
        element.order(set={"limits": {"volumeMinIOPSMax": before}})
    assert there(element) == []


# 8. Admission by IOPS is ours


def test_floors_of_foreign_volumes_count(element: Element, array: StorageProvider) -> None:
    qos = {"minIOPS": 700, "maxIOPS": 800, "burstIOPS": 900}
    account = element.account("x")
    element.call("CreateVolume", name="theirs", accountID=account, totalSize=GIB, enable512e=True, qos=qos)
    made(array)
    assert array.pool_status(POOL).floors == 700 + FIGURES.min_iops


# 9. Room is what the cluster would still provision


def test_a_deleted_volume_keeps_its_room_until_it_is_purged(element: Element, array: StorageProvider) -> None:
    before = array.pool_status(POOL).used
    volume = made(array)
    array.delete_async(DeleteVolume(POOL, volume.id))
    assert array.pool_status(POOL).used == before + GIB
    element.order(advance=8 * 3600 + 1)
    assert array.pool_status(POOL).used == before


def test_a_cluster_that_takes_no_volumes_has_no_room(element: Element, array: StorageProvider) -> None:
    element.order(set={"fullness": "stage4Critical"})
    try:
        status = array.pool_status(POOL)
    finally:
        element.order(set={"fullness": "stage1Happy"})
    assert status.capacity == status.used


# 13. A grant is a wished membership


def test_an_initiator_in_a_foreign_group_is_told_and_not_moved(element: Element, array: StorageProvider) -> None:
    theirs = element.call("CreateVolumeAccessGroup", name="theirs", initiators=[KVM1.initiator])
    volume = made(array)
    with pytest.raises(Rejected, match="group of others"):
        array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    (group,) = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    assert group == theirs["volumeAccessGroup"]


def test_a_foreign_group_that_may_be_used_stays_theirs(element: Element) -> None:
    account = element.account("x")
    mine = element.call("CreateVolume", name="m", accountID=account, totalSize=GIB, enable512e=True)["volumeID"]
    element.call("CreateVolumeAccessGroup", name="theirs", initiators=[KVM1.initiator], volumes=[mine])
    array = open_array(element, foreign_groups=True)
    volume = made(array)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
    (group,) = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    assert (group["initiators"], group["volumes"]) == ([KVM1.initiator], [mine])


def test_lists_of_a_group_are_never_replaced(element: Element, array: StorageProvider) -> None:
    first, second = made(array, "first"), made(array, "second")
    for volume in (first, second):
        for endpoint in (KVM1, KVM2):
            array.grant_access(GrantAccess(POOL, volume.id, endpoint))
            array.revoke_access(RevokeAccess(POOL, volume.id, endpoint))
    assert "ModifyVolumeAccessGroup" not in element.calls()
    assert element.call("ListVolumeAccessGroups")["volumeAccessGroups"] == []
    assert element.call("ListInitiators")["initiators"] == []
    assert all("deleteOrphanInitiators" in call for call in sent(element, "DeleteVolumeAccessGroup"))


def test_the_last_revoke_is_one_call_or_leaves_the_host_let_in(element: Element, array: StorageProvider) -> None:
    """What is looked up after a lost answer is whether the host is let in: then nothing else may be left to do."""
    volume = made(array)
    for effect, grants in (("reset", (KVM1.initiator,)), ("lost", ())):
        array.grant_access(GrantAccess(POOL, volume.id, KVM1))
        element.fail("DeleteVolumeAccessGroup", effect)
        with pytest.raises(OutcomeUnknown):
            array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
        assert next(iter(array.list_volumes(POOL))).grants == grants
    assert element.call("ListVolumeAccessGroups")["volumeAccessGroups"] == []
    assert element.call("ListInitiators")["initiators"] == []


def test_a_first_grant_makes_no_group_that_lets_nobody_in(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    element.fail("CreateInitiators", "lost")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            array.grant_access(GrantAccess(POOL, volume.id, KVM1))
        assert element.call("ListVolumeAccessGroups")["volumeAccessGroups"] == []
        element.fail("CreateVolumeAccessGroup", "reset")
    element.order(forget=True)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    assert len(element.call("ListInitiators")["initiators"]) == 1


def test_a_group_does_not_go_while_a_volume_is_put_into_it(element: Element, array: StorageProvider) -> None:
    leaves, comes = made(array, "leaves"), made(array, "comes")
    array.grant_access(GrantAccess(POOL, leaves.id, KVM1))
    element.order(forget=True)
    element.fail("DeleteVolumeAccessGroup", "late", seconds=0.3)
    with ThreadPoolExecutor() as threads:
        going = threads.submit(array.revoke_access, RevokeAccess(POOL, leaves.id, KVM1))
        while "ListInitiators" not in element.calls():
            assert not going.done()
        array.grant_access(GrantAccess(POOL, comes.id, KVM1))
        going.result()
    assert {volume.id: volume.grants for volume in array.list_volumes(POOL)} == {
        leaves.id: (),
        comes.id: (KVM1.initiator,),
    }


def test_what_others_put_into_a_group_is_not_deleted_with_it(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    (group,) = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    number = group["volumeAccessGroupID"]
    element.call("AddInitiatorsToVolumeAccessGroup", volumeAccessGroupID=number, initiators=[KVM2.initiator])
    array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
    assert element.call("ListVolumeAccessGroups")["volumeAccessGroups"] == []
    assert [row["initiatorName"] for row in element.call("ListInitiators")["initiators"]] == [KVM2.initiator]


def test_an_initiator_that_was_there_before_stays(element: Element, array: StorageProvider) -> None:
    element.call("CreateInitiators", initiators=[{"name": KVM1.initiator}])
    volume = made(array)
    array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
    (left,) = element.call("ListInitiators")["initiators"]
    assert (left["initiatorName"], left["volumeAccessGroups"]) == (KVM1.initiator, [])


def test_a_group_that_goes_meanwhile_is_made_again(element: Element, array: StorageProvider) -> None:
    first, second = made(array, "first"), made(array, "second")
    array.grant_access(GrantAccess(POOL, first.id, KVM1))
    (group,) = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    element.call("DeleteVolumeAccessGroup", volumeAccessGroupID=group["volumeAccessGroupID"])
    array.grant_access(GrantAccess(POOL, second.id, KVM1))
    listed = {volume.id: volume.grants for volume in array.list_volumes(POOL)}
    assert listed[second.id] == (KVM1.initiator,)


@pytest.mark.parametrize("access", ["groups", "chap"])
@pytest.mark.parametrize(
    "names", [("a", "a"), ("kvm_1", "kvm-1"), ("k" * 64 + "1", "k" * 64 + "2")], ids=["alike", "but-for-a-dash", "long"]
)
def test_hosts_that_are_called_alike_are_not_let_in_to_each_others_volumes(
    element: Element, access: str, names: tuple[str, str]
) -> None:
    array = open_array(element, access=access)
    grants = {}
    for name, endpoint in zip(names, (KVM1, KVM2), strict=True):
        volume = made(array, f"of-{endpoint.name}")
        grants[volume.id] = (endpoint.initiator,)
        array.grant_access(GrantAccess(POOL, volume.id, replace(endpoint, name=name)))
    assert {volume.id: volume.grants for volume in array.list_volumes(POOL)} == grants


def test_a_host_under_a_new_initiator_name_leaves_the_old_one_shut_out(
    element: Element, array: StorageProvider
) -> None:
    renamed = replace(KVM1, initiator=KVM2.initiator)
    volumes = made(array, "first"), made(array, "second")
    for volume in volumes:
        array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    for volume in volumes:
        array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
        array.grant_access(GrantAccess(POOL, volume.id, renamed))
    assert [volume.grants for volume in array.list_volumes(POOL)] == [(KVM2.initiator,)] * 2


# 15. Deletion is a declared policy


def test_a_delete_can_be_undone_for_eight_hours_and_a_purge_cannot(element: Element, array: StorageProvider) -> None:
    kept, purged = made(array, "kept"), made(array, "purged")
    array.delete_async(DeleteVolume(POOL, kept.id))
    array.delete_async(DeleteVolume(POOL, purged.id, purge=True))
    assert [(row["name"], row["status"]) for row in there(element)] == [("kept", "deleted")]
    array.delete_async(DeleteVolume(POOL, kept.id, purge=True))
    assert there(element) == []


@pytest.mark.parametrize("again", [True, False], ids=["purge", "delete"])
@pytest.mark.parametrize("fault", [("DeleteVolume", "lost"), ("PurgeDeletedVolume", "reset")], ids=lambda it: it[0])
def test_a_purge_that_got_half_way_is_seen_and_finished(
    element: Element, array: StorageProvider, fault: tuple[str, str], again: bool
) -> None:
    volume = made(array)
    element.fail(*fault)
    with pytest.raises(OutcomeUnknown):
        array.delete_async(DeleteVolume(POOL, volume.id, purge=True))
    assert list(array.list_volumes(POOL)) == [volume]
    array.delete_async(DeleteVolume(POOL, volume.id, purge=again))
    assert there(element) == []


def test_a_purge_that_did_not_begin_can_become_a_delete(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    element.fail("DeleteVolume", "reset")
    with pytest.raises(OutcomeUnknown):
        array.delete_async(DeleteVolume(POOL, volume.id, purge=True))
    array.delete_async(DeleteVolume(POOL, volume.id))
    assert list(array.list_volumes(POOL)) == []
    assert [row["status"] for row in there(element)] == ["deleted"]


def test_a_volume_in_use_is_not_deleted(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    session = {"volumeID": number(volume), "initiatorName": KVM1.initiator}
    element.order(set={"sessions": [session]})
    with pytest.raises(Rejected, match="in use"):
        array.delete_async(DeleteVolume(POOL, volume.id))
    element.order(set={"sessions": []})
    array.delete_async(DeleteVolume(POOL, volume.id))


# 21. Secrets


def test_a_password_is_in_no_message(element: Element) -> None:
    array = open_array(element, password="wrong-password")
    with pytest.raises(Rejected, match="let the user in") as caught:
        array.inspect()
    assert "wrong-password" not in f"{caught.value}{caught.value.detail}{array!r}{vars(array)}"


def test_a_chap_secret_is_in_no_answer_but_its_own(element: Element) -> None:
    array = open_array(element, access="chap")
    volume = made(array)
    reply = array.grant_access(GrantAccess(POOL, volume.id, KVM1))
    assert isinstance(reply, Done)
    credentials = array.credentials(volume.id, reply.value)
    assert credentials is not None
    shown = (reply, *array.list_volumes(POOL), credentials, vars(array))
    assert not any(credentials.password in str(each) for each in shown)


# The transport


@pytest.mark.usefixtures("waits")
def test_a_cluster_that_is_not_there_is_unreachable(element: Element) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        open_array(element, endpoint="https://localhost:1", connect_timeout=2).inspect()


def test_a_certificate_is_checked_unless_it_is_said_otherwise(
    element: Element, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(Rejected, match="certificate"):
        open_array(element, ca_file=None).inspect()


def test_an_unknown_version_is_told(element: Element) -> None:
    with pytest.raises(Rejected, match="API version"):
        open_array(element, api_version="99.0").inspect()


def test_the_newest_version_that_both_know_is_spoken(element: Element) -> None:
    assert "12.3" in open_array(element).inspect().product
    assert "qos_policy" not in open_array(element, api_version="9.0").inspect().supports


@pytest.mark.parametrize("endpoint", ["http://san", "https://admin:secret@san", "https://san/json-rpc/8.0"])
def test_an_endpoint_is_an_address_and_nothing_else(element: Element, endpoint: str) -> None:
    with pytest.raises(Rejected) as caught:
        open_array(element, endpoint=endpoint)
    assert PASSWORD not in caught.value.detail
    assert "secret" not in caught.value.detail
