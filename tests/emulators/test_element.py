"""
The emulated cluster, asked by NetApp's own client: it checks the type of all that it is answered, so that what it takes
for an answer of a cluster has the shape of one.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.emulators.running import PASSWORD, USER, Element

# NetApp's client does not verify a cluster that is named by its address.
pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")

MIB = 1 << 20
GB = 10**9


@pytest.fixture(scope="session")
def client(element_process: Element) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logging.basicConfig", lambda **_: None)  # it would write every secret to the terminal
        from solidfire.factory import ElementFactory

    return ElementFactory.create("127.0.0.1", USER, PASSWORD, port=element_process.port, print_ascii_art=False)


@pytest.fixture
def sdk(client: Any, element: Element) -> Any:
    """NetApp's client of an empty cluster."""
    return client


@pytest.fixture
def account(sdk: Any, request: pytest.FixtureRequest) -> int:
    number: int = sdk.add_account(request.node.name[:64]).account_id
    return number


@pytest.fixture
def refused(sdk: Any) -> Callable[..., str]:
    """The error's name that a call is refused with."""
    from solidfire.common import ApiServerError

    def refused(call: Callable[..., Any], *arguments: Any, **named: Any) -> str:
        with pytest.raises(ApiServerError) as caught:
            call(*arguments, **named)
        return str(caught.value.error_name)

    return refused


def figures(minimum: int, maximum: int, burst: int) -> Any:
    from solidfire.models import QoS

    return QoS(min_iops=minimum, max_iops=maximum, burst_iops=burst)


def told(qos: Any) -> tuple[int, int, int]:
    return qos.min_iops, qos.max_iops, qos.burst_iops


def new_volume(sdk: Any, account: int, name: str = "db", **more: Any) -> Any:
    given = {"total_size": GB, "enable512e": True, **more}
    return sdk.create_volume(name=name, account_id=account, **given).volume


def by_hand(element: Element, method: str, parameters: Any = None, path: str = "/json-rpc/12.3", **more: Any) -> Any:
    body = {"method": method, "params": parameters or {}, **more}
    return requests.post(
        element.endpoint + path,
        data=json.dumps(body),
        auth=(USER, PASSWORD),
        verify=str(element.certificate),
        timeout=30,
    )


# The cluster


def test_the_cluster_says_what_it_is(sdk: Any) -> None:
    info, version = sdk.get_cluster_info().cluster_info, sdk.get_cluster_version_info()
    assert len(info.unique_id) == 4
    assert info.svip == "127.0.0.1"
    assert version.cluster_apiversion == "12.3"
    assert sdk.get_cluster_full_threshold().fullness == "stage1Happy"
    limits = sdk.get_limits()
    assert (limits.volume_min_iopsmin, limits.volume_burst_iopsmax, limits.volume_count_max) == (50, 200000, 4000)


def test_room_is_what_volumes_leave_until_they_are_purged(sdk: Any, account: int) -> None:
    def provisioned() -> int:
        space: int = sdk.get_cluster_capacity().cluster_capacity.provisioned_space
        return space

    before = provisioned()
    volume = new_volume(sdk, account)
    assert provisioned() == before + volume.total_size
    sdk.delete_volume(volume.volume_id)
    assert provisioned() == before + volume.total_size
    sdk.purge_deleted_volume(volume.volume_id)
    assert provisioned() == before


# Accounts


def test_an_account_has_two_secrets_of_its_own(sdk: Any, account: int) -> None:
    found = sdk.get_account_by_id(account).account
    secrets = found.initiator_secret.secret, found.target_secret.secret
    assert len(set(secrets)) == 2
    assert all(12 <= len(secret) <= 16 for secret in secrets)
    assert found.status == "active"
    assert sdk.get_account_by_name(found.username).account.account_id == account


def test_an_account_is_found_by_its_name_or_not_at_all(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    name = sdk.get_account_by_id(account).account.username
    assert refused(sdk.add_account, name) == "xDuplicateUsername"
    assert refused(sdk.get_account_by_name, "nobody") == "xUnknownAccount"
    assert refused(sdk.get_account_by_id, 10**6) == "xUnknownAccount"


def test_a_secret_is_twelve_to_sixteen_characters(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    for length in (11, 17):
        assert refused(sdk.add_account, "short", initiator_secret="x" * length)
        assert refused(sdk.modify_account, account, target_secret="x" * length)
    kept = sdk.modify_account(account, initiator_secret="twelve-chars", attributes={"a": "1"}).account
    assert (kept.initiator_secret.secret, kept.attributes) == ("twelve-chars", {"a": "1"})


def test_a_locked_account_ends_its_sessions(element: Element, sdk: Any, account: int) -> None:
    volume = new_volume(sdk, account).volume_id
    element.order(set={"sessions": [{"volumeID": volume}, {"volumeID": volume + 1}]})
    sdk.modify_account(account, status="locked")
    assert element.call("ListISCSISessions")["sessions"] == [{"volumeID": volume + 1}]


def test_an_account_goes_when_its_volumes_are_purged(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    volume = new_volume(sdk, account)
    assert sdk.get_account_by_id(account).account.volumes == [volume.volume_id]
    sdk.delete_volume(volume.volume_id)
    assert refused(sdk.remove_account, account)
    sdk.purge_deleted_volume(volume.volume_id)
    sdk.remove_account(account)
    assert account not in [each.account_id for each in sdk.list_accounts().accounts]


# Volumes


@pytest.mark.parametrize(
    ("asked", "given"), [(GB, 1_000_341_504), (5 * GB, 5_000_658_944), (10**12, 1_000_000_716_800)]
)
def test_a_size_is_rounded_up_to_a_mebibyte(sdk: Any, account: int, asked: int, given: int) -> None:
    assert new_volume(sdk, account, total_size=asked).total_size == given


def test_a_volume_has_its_names(sdk: Any, account: int) -> None:
    volume = new_volume(sdk, account, "DB-Wal", attributes={"owner": "x"})
    unique = sdk.get_cluster_info().cluster_info.unique_id
    number, code = volume.volume_id, unique.encode().hex()
    assert volume.iqn == f"iqn.2010-01.com.solidfire:{unique}.db-wal.{number}"
    assert volume.scsi_naadevice_id == f"6f47acc100000000{code}{number:08x}"
    assert volume.scsi_euidevice_id == f"{code}{number:08x}f47acc0100000000"
    assert volume.attributes == {"owner": "x"}
    assert volume.status == "active"


def test_names_are_not_unique(sdk: Any, account: int) -> None:
    numbers = {new_volume(sdk, account, "twin").volume_id for _ in range(2)}
    found = sdk.list_volumes(volume_name="twin", accounts=[account]).volumes
    assert {volume.volume_id for volume in found} == numbers


def test_a_start_that_is_missing_gives_the_next_higher(sdk: Any, account: int) -> None:
    first, second = new_volume(sdk, account), new_volume(sdk, account)
    sdk.delete_volume(first.volume_id)
    sdk.purge_deleted_volume(first.volume_id)
    (found,) = sdk.list_volumes(start_volume_id=first.volume_id, limit=1).volumes
    assert found.volume_id == second.volume_id
    assert sdk.list_volumes(volume_ids=[first.volume_id]).volumes == []


def test_a_volume_grows_and_never_shrinks(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    volume = new_volume(sdk, account)
    grown = sdk.modify_volume(volume.volume_id, total_size=2 * GB).volume
    assert grown.total_size == 2_000_683_008
    assert refused(sdk.modify_volume, volume.volume_id, total_size=GB) == "xVolumeShrinkProhibited"


def test_attributes_are_replaced_whole_and_are_short(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    volume = new_volume(sdk, account, attributes={"a": "1", "b": "2"})
    assert sdk.modify_volume(volume.volume_id, attributes={"b": "3"}).volume.attributes == {"b": "3"}
    assert refused(sdk.modify_volume, volume.volume_id, attributes={"long": "x" * 1000})


def test_a_deleted_volume_can_be_restored_until_it_is_purged(
    element: Element, sdk: Any, account: int, refused: Callable[..., str]
) -> None:
    volume = new_volume(sdk, account).volume_id
    gone = sdk.delete_volume(volume).volume
    assert (gone.status, bool(gone.delete_time), bool(gone.purge_time)) == ("deleted", True, True)
    assert [each.status for each in sdk.list_volumes(volume_ids=[volume]).volumes] == ["deleted"]
    assert volume not in [each.volume_id for each in sdk.list_active_volumes().volumes]
    assert refused(sdk.delete_volume, volume) == "xVolumeIDDoesNotExist"
    sdk.restore_deleted_volume(volume)
    assert sdk.list_volumes(volume_ids=[volume]).volumes[0].status == "active"
    assert refused(sdk.purge_deleted_volume, volume)
    sdk.delete_volume(volume)
    element.order(advance=8 * 3600 - 60)
    assert sdk.list_volumes(volume_ids=[volume]).volumes
    element.order(advance=120)
    assert sdk.list_volumes(volume_ids=[volume]).volumes == []
    assert refused(sdk.restore_deleted_volume, volume) == "xVolumeIDDoesNotExist"


def test_sessions_end_with_the_volume(element: Element, sdk: Any, account: int) -> None:
    deleted, locked = new_volume(sdk, account).volume_id, new_volume(sdk, account).volume_id
    element.order(set={"sessions": [{"volumeID": deleted}, {"volumeID": locked}]})
    sdk.delete_volume(deleted)
    assert element.call("ListISCSISessions")["sessions"] == [{"volumeID": locked}]
    sdk.modify_volume(locked, access="locked")
    assert element.call("ListISCSISessions")["sessions"] == []


@pytest.mark.parametrize("by", ["volume_ids", "account_ids", "volume_access_group_ids"])
def test_many_volumes_go_by_one_call(sdk: Any, account: int, by: str) -> None:
    numbers = [new_volume(sdk, account).volume_id for _ in range(3)]
    before = new_volume(sdk, account).volume_id
    group = sdk.create_volume_access_group("all", volumes=[*numbers, before]).volume_access_group_id
    sdk.delete_volume(before)
    chosen = {"volume_ids": numbers, "account_ids": [account], "volume_access_group_ids": [group]}[by]
    deleted = sdk.delete_volumes(**{by: chosen}).volumes
    assert {volume.status for volume in deleted} == {"deleted"}
    assert len(deleted) == 3
    sdk.purge_deleted_volumes(**{by: chosen})
    assert sdk.list_volumes(volume_ids=numbers).volumes == []


def test_a_call_is_about_five_hundred_volumes_at_most(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    too_many = list(range(1, 502))
    for call in (sdk.delete_volumes, sdk.purge_deleted_volumes, sdk.modify_volumes):
        assert refused(call, volume_ids=too_many) == "xExceededLimit"
    assert refused(sdk.delete_volumes, volume_ids=[1], account_ids=[account]) == "xInvalidParameter"
    assert refused(sdk.delete_volumes) == "xInvalidParameter"


def test_many_volumes_change_all_or_none(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    small, large = new_volume(sdk, account), new_volume(sdk, account, total_size=3 * GB)
    both = [small.volume_id, large.volume_id]
    assert refused(sdk.modify_volumes, both, total_size=2 * GB) == "xVolumeShrinkProhibited"
    assert sdk.list_volumes(volume_ids=both).volumes[0].total_size == small.total_size
    changed = sdk.modify_volumes(both, total_size=4 * GB).volumes
    assert {volume.total_size for volume in changed} == {4_000_317_440}


def test_a_new_volume_can_take_its_time(element: Element, sdk: Any, account: int) -> None:
    element.order(set={"create_seconds": 3600})
    volume = new_volume(sdk, account)
    assert volume.status == "init"
    assert volume.volume_id not in [each.volume_id for each in sdk.list_active_volumes().volumes]
    element.order(advance=3601)
    assert sdk.list_volumes(volume_ids=[volume.volume_id]).volumes[0].status == "active"


def test_old_versions_leave_objects_out_of_answers(element: Element, sdk: Any) -> None:
    element.order(set={"brief": True})
    made = sdk.add_account("brief")
    volume = sdk.create_volume("db", made.account_id, GB, True)
    assert (made.account, volume.volume) == (None, None)
    assert sdk.modify_volume(volume.volume_id, total_size=2 * GB).volume is None
    group = sdk.create_volume_access_group("brief")
    assert group.volume_access_group is None
    element.order(restore=True)
    assert sdk.modify_volume(volume.volume_id, total_size=3 * GB).volume.volume_id == volume.volume_id


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "x" * 65}, {"name": "under_score"}, {"total_size": MIB}, {"total_size": 10**15}],
)
def test_what_no_cluster_takes_is_refused(
    sdk: Any, account: int, refused: Callable[..., str], wrong: dict[str, Any]
) -> None:
    given = {"name": "db", "account_id": account, "total_size": GB, "enable512e": True, **wrong}
    assert refused(sdk.create_volume, **given)


def test_limits_can_be_set(element: Element, sdk: Any, account: int, refused: Callable[..., str]) -> None:
    before = sdk.get_limits().volumes_per_account_count_max
    element.order(set={"limits": {"volumesPerAccountCountMax": 1}})
    assert sdk.get_limits().volumes_per_account_count_max == 1
    new_volume(sdk, account)
    given = {"name": "db", "account_id": account, "total_size": GB, "enable512e": True}
    assert refused(sdk.create_volume, **given) == "xExceededLimit"
    element.order(restore=True)
    assert sdk.get_limits().volumes_per_account_count_max == before


def test_there_is_a_most_of_everything(element: Element, sdk: Any, account: int, refused: Callable[..., str]) -> None:
    from solidfire.models import CreateInitiator

    def some_initiators() -> Any:
        return sdk.create_initiators([CreateInitiator(name=f"iqn.1993-08.org.debian:01:{key}") for key in range(2)])

    for limit, call in (
        ("accountCountMax", lambda: sdk.add_account("one-more")),
        ("volumeCountMax", lambda: [new_volume(sdk, account) for _ in range(2)]),
        ("qosPolicyCountMax", lambda: [sdk.create_qos_policy("media", figures(100, 200, 300)) for _ in range(2)]),
        ("initiatorCountMax", some_initiators),
    ):
        element.order(set={"limits": {limit: 1}})
        assert refused(call) == "xExceededLimit", limit


def test_what_excludes_each_other_is_refused(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    policy = sdk.create_qos_policy("media", figures(100, 200, 300)).qos_policy.qos_policy_id
    both = {"qos": figures(100, 200, 300), "qos_policy_id": policy}
    volume = new_volume(sdk, account).volume_id
    assert refused(sdk.modify_volume, volume, **both) == "xInvalidParameter"
    assert refused(sdk.create_volume, "db", account, GB, True, **both) == "xInvalidParameter"
    assert refused(sdk.list_volumes, volume_ids=[volume], start_volume_id=1) == "xInvalidParameter"


def test_a_name_and_its_sectors_are_a_volumes_for_ever(element: Element, sdk: Any, account: int) -> None:
    volume = new_volume(sdk, account)
    given = {"volumeID": volume.volume_id, "name": "other", "enable512e": False}
    answer = by_hand(element, "ModifyVolume", given).json()
    assert answer["unusedParameters"] == ["enable512e", "name"]
    assert (answer["result"]["volume"]["name"], answer["result"]["volume"]["enable512e"]) == ("db", True)


def test_volumes_are_listed_by_account_and_by_state(sdk: Any, account: int) -> None:
    other = sdk.add_account("other").account_id
    kept, deleted = new_volume(sdk, account).volume_id, new_volume(sdk, account).volume_id
    theirs = new_volume(sdk, other).volume_id
    sdk.delete_volume(deleted)

    def numbers(answer: Any) -> list[int]:
        return [volume.volume_id for volume in answer.volumes]

    assert numbers(sdk.list_volumes_for_account(account)) == [kept, deleted]
    assert numbers(sdk.list_active_volumes()) == [kept, theirs]
    assert numbers(sdk.list_deleted_volumes()) == [deleted]
    assert numbers(sdk.list_volumes(volume_status="deleted")) == [deleted]
    assert numbers(sdk.list_volumes(start_volume_id=deleted, limit=1)) == [deleted]


def test_names_of_errors_that_no_source_settles_can_be_set(
    element: Element, sdk: Any, account: int, refused: Callable[..., str]
) -> None:
    volume = new_volume(sdk, account).volume_id
    calls: dict[str, Callable[[], str]] = {
        "qos out of range": lambda: refused(sdk.modify_volume, volume, qos=figures(1, 2, 3)),
        "bad name": lambda: refused(sdk.create_volume, "under_score", account, GB, True),
        "account has volumes": lambda: refused(sdk.remove_account, account),
        "purge of an active volume": lambda: refused(sdk.purge_deleted_volume, volume),
        "no such group": lambda: refused(sdk.delete_volume_access_group, 10**6),
    }
    for what, call in calls.items():
        element.order(set={"names": {what: "xOther"}})
        assert call() == "xOther", what
    element.order(set={"names": {"second delete": "xOther", "no room": "xFull"}, "fullness": "stage4Critical"})
    sdk.delete_volume(volume)
    assert refused(sdk.delete_volume, volume) == "xOther"
    assert refused(sdk.create_volume, "db", account, GB, True) == "xFull"


def test_the_cluster_takes_no_more_than_it_would_ever_provision(
    element: Element, sdk: Any, account: int, refused: Callable[..., str]
) -> None:
    element.order(set={"raw_bytes": GB})
    new_volume(sdk, account, total_size=4 * GB)
    assert sdk.get_cluster_capacity().cluster_capacity.max_over_provisionable_space == 5 * GB
    assert refused(sdk.create_volume, "db", account, 2 * GB, True) == "xExceededLimit"


def test_no_sum_of_floors_is_too_large(element: Element, sdk: Any, account: int) -> None:
    element.order(set={"max_iops": 1000})
    floors = [new_volume(sdk, account, qos=figures(900, 1000, 1000)).qos.min_iops for _ in range(3)]
    assert sum(floors) > sdk.get_cluster_capacity().cluster_capacity.max_iops


# Quality of service


def test_a_volume_has_its_own_figures_or_the_default(sdk: Any, account: int) -> None:
    assert told(new_volume(sdk, account).qos) == (50, 15000, 15000)
    volume = new_volume(sdk, account, qos=figures(5000, 10000, 15000))
    assert told(volume.qos) == (5000, 10000, 15000)
    assert (volume.qos.burst_time, volume.qos.curve["4096"]) == (60, 100)
    assert told(sdk.modify_volume(volume.volume_id, qos=figures(100, 200, 300)).volume.qos) == (100, 200, 300)


def test_the_default_is_the_clusters_and_can_be_changed(element: Element, sdk: Any, account: int) -> None:
    before = new_volume(sdk, account)
    element.order(set={"default_qos": {"minIOPS": 100, "maxIOPS": 200, "burstIOPS": 300}})
    assert told(sdk.get_default_qos()) == (100, 200, 300)
    assert told(new_volume(sdk, account).qos) == (100, 200, 300)
    assert told(sdk.list_volumes(volume_ids=[before.volume_id]).volumes[0].qos) == (50, 15000, 15000)


@pytest.mark.parametrize(("merges", "then"), [(True, (100, 900, 1000)), (False, (50, 900, 15000))])
def test_a_part_of_the_figures_is_merged_or_not(
    element: Element, sdk: Any, account: int, merges: bool, then: tuple[int, int, int]
) -> None:
    """No source settles it for volumes; for policies they are merged."""
    from solidfire.models import QoS

    element.order(set={"merges_qos": merges})
    volume = new_volume(sdk, account, qos=figures(100, 200, 1000)).volume_id
    assert told(sdk.modify_volume(volume, qos=QoS(max_iops=900)).volume.qos) == then
    policy = sdk.create_qos_policy("media", figures(100, 200, 1000)).qos_policy.qos_policy_id
    assert told(sdk.modify_qos_policy(policy, qos=QoS(max_iops=900)).qos_policy.qos) == (100, 900, 1000)


@pytest.mark.parametrize("wrong", [(49, 200, 300), (100, 200, 200_001), (300, 200, 400), (100, 300, 200)])
def test_figures_out_of_order_or_range_are_refused(
    sdk: Any, account: int, refused: Callable[..., str], wrong: tuple[int, int, int]
) -> None:
    volume = new_volume(sdk, account)
    assert refused(sdk.modify_volume, volume.volume_id, qos=figures(*wrong))


def test_a_policy_changes_all_its_volumes_at_once(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    policy = sdk.create_qos_policy("media", figures(5000, 10000, 15000)).qos_policy.qos_policy_id
    under = [new_volume(sdk, account, qos_policy_id=policy).volume_id for _ in range(3)]
    sdk.modify_qos_policy(policy, qos=figures(100, 200, 300))
    volumes = sdk.list_volumes(volume_ids=under).volumes
    assert {told(volume.qos) for volume in volumes} == {(100, 200, 300)}
    sdk.modify_volume(under[0], qos=figures(200, 300, 400))
    assert sdk.get_qos_policy(policy).qos_policy.volume_ids == under[1:], "figures of its own end the association"
    sdk.modify_volume(under[1], associate_with_qos_policy=False)
    assert sdk.get_qos_policy(policy).qos_policy.volume_ids == under[2:]
    sdk.delete_qos_policy(policy)
    assert told(sdk.list_volumes(volume_ids=under[2:]).volumes[0].qos) == (100, 200, 300)
    assert refused(sdk.get_qos_policy, policy) == "xQoSPolicyDoesNotExist"


# Access


def test_a_group_opens_volumes_to_initiators(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    volume = new_volume(sdk, account).volume_id
    names = ["iqn.1993-08.org.debian:01:kvm1", "iqn.1993-08.org.debian:01:kvm2"]
    made = sdk.create_volume_access_group("hosts", initiators=names[:1], volumes=[volume]).volume_access_group
    group = made.volume_access_group_id
    assert (made.initiators, made.volumes) == (names[:1], [volume])
    assert sdk.list_volumes(volume_ids=[volume]).volumes[0].volume_access_groups == [group]
    both = sdk.add_initiators_to_volume_access_group(group, names[1:]).volume_access_group
    assert both.initiators == names
    again = sdk.add_volumes_to_volume_access_group
    assert refused(again, group, [volume]) == "xAlreadyInVolumeAccessGroup"
    sdk.remove_volumes_from_volume_access_group(group, [volume])
    remove = sdk.remove_volumes_from_volume_access_group
    assert refused(remove, group, [volume]) == "xNotInVolumeAccessGroup"
    sdk.delete_volume_access_group(group)
    assert refused(again, group, [volume]) == "xVolumeAccessGroupIDDoesNotExist"


def test_an_initiator_is_in_one_group_only(sdk: Any, refused: Callable[..., str]) -> None:
    name = "iqn.1993-08.org.debian:01:alone"
    sdk.create_volume_access_group("first", initiators=[name])
    other = sdk.create_volume_access_group("second").volume_access_group_id
    assert refused(sdk.add_initiators_to_volume_access_group, other, [name]) == "xExceededLimit"


def test_groups_and_their_members_are_limited(
    element: Element, sdk: Any, account: int, refused: Callable[..., str]
) -> None:
    names = [f"iqn.1993-08.org.debian:01:kvm{key}" for key in range(2)]
    volumes = [new_volume(sdk, account).volume_id for _ in range(2)]
    one = {"initiatorsPerVolumeAccessGroupCountMax": 1, "volumesPerVolumeAccessGroupCountMax": 1}
    element.order(set={"limits": {**one, "volumeAccessGroupsPerVolumeCountMax": 1}})
    assert refused(sdk.create_volume_access_group, "all", initiators=names) == "xExceededLimit"
    assert refused(sdk.create_volume_access_group, "all", volumes=volumes) == "xExceededLimit"
    assert sdk.list_initiators().initiators == [], "what is refused leaves nothing behind"
    assert sdk.list_volume_access_groups().volume_access_groups == []
    sdk.create_volume_access_group("first", volumes=volumes[:1])
    other = sdk.create_volume_access_group("second").volume_access_group_id
    assert refused(sdk.add_volumes_to_volume_access_group, other, volumes[:1]) == "xExceededLimit"
    element.order(set={"limits": {"volumeAccessGroupCountMax": 2}})
    assert refused(sdk.create_volume_access_group, "third") == "xExceededLimit"


def test_lists_that_are_given_to_a_group_replace_its_own(sdk: Any, account: int) -> None:
    first, second = new_volume(sdk, account).volume_id, new_volume(sdk, account).volume_id
    name = "iqn.1993-08.org.debian:01:kvm"
    group = sdk.create_volume_access_group("hosts", initiators=[name], volumes=[first]).volume_access_group_id
    changed = sdk.modify_volume_access_group(group, volumes=[second]).volume_access_group
    assert (changed.volumes, changed.initiators) == ([second], [name])


@pytest.mark.parametrize(
    ("said", "by_default", "left"), [(True, False, 0), (False, True, 1), (None, True, 0), (None, False, 1)]
)
def test_initiators_go_with_their_group_or_stay(
    element: Element, sdk: Any, said: bool | None, by_default: bool, left: int
) -> None:
    element.order(set={"drops_orphans": by_default})
    name, more = "iqn.1993-08.org.debian:01:kvm", {} if said is None else {"delete_orphan_initiators": said}
    for leave in (
        lambda group: sdk.delete_volume_access_group(group, **more),
        lambda group: sdk.modify_volume_access_group(group, initiators=[], **more),
        lambda group: by_hand(
            element,
            "RemoveInitiatorsFromVolumeAccessGroup",
            {"volumeAccessGroupID": group, "initiators": [name]}
            | ({} if said is None else {"deleteOrphanInitiators": said}),
        ),
    ):
        leave(sdk.create_volume_access_group("hosts", initiators=[name]).volume_access_group_id)
        assert len(sdk.list_initiators().initiators) == left


def test_an_initiator_is_taken_out_of_its_group_by_none(element: Element, sdk: Any) -> None:
    group = sdk.create_volume_access_group("hosts", initiators=["iqn.1993-08.org.debian:01:kvm"]).volume_access_group_id
    (initiator,) = sdk.list_initiators().initiators
    taken = {"initiatorID": initiator.initiator_id, "volumeAccessGroupID": None}
    element.call("ModifyInitiators", initiators=[taken])
    assert sdk.list_initiators().initiators[0].volume_access_groups == []
    element.call("ModifyInitiators", initiators=[{**taken, "volumeAccessGroupID": group, "alias": "kvm"}])
    (found,) = sdk.list_initiators().initiators
    assert (found.volume_access_groups, found.alias) == ([group], "kvm")


@pytest.mark.parametrize("wrong", ["kvm", "iqn.1993-08.org.debian:01:KVM", "iqn.93.org:x", "x" * 225])
def test_a_name_that_is_no_initiators_is_refused(sdk: Any, refused: Callable[..., str], wrong: str) -> None:
    assert refused(sdk.create_volume_access_group, "hosts", initiators=[wrong]) == "xInvalidParameter"


def test_initiators_are_made_all_or_none(sdk: Any, refused: Callable[..., str]) -> None:
    from solidfire.models import CreateInitiator

    wanted = [CreateInitiator(name=f"iqn.1993-08.org.debian:01:{key}") for key in ("a", "b")]
    wanted[1].volume_access_group_id = 10**6
    assert refused(sdk.create_initiators, wanted) == "xVolumeAccessGroupIDDoesNotExist"
    assert sdk.list_initiators().initiators == []


def test_initiators_are_objects_of_their_own(sdk: Any, refused: Callable[..., str]) -> None:
    from solidfire.models import CreateInitiator

    wanted = CreateInitiator(name="iqn.1993-08.org.debian:01:own", alias="kvm")
    (made,) = sdk.create_initiators([wanted]).initiators
    assert (made.initiator_name, made.alias, made.volume_access_groups) == (wanted.name, "kvm", [])
    assert refused(sdk.create_initiators, [wanted]) == "xInitiatorExists"
    sdk.delete_initiators([made.initiator_id])
    assert refused(sdk.delete_initiators, [made.initiator_id]) == "xInitiatorDoesNotExist"


def test_a_deleted_volume_leaves_its_group_and_comes_back_with_it(sdk: Any, account: int) -> None:
    volume = new_volume(sdk, account).volume_id
    group = sdk.create_volume_access_group("keeps", volumes=[volume]).volume_access_group_id

    def members() -> tuple[list[int], list[int]]:
        (found,) = sdk.list_volume_access_groups(volume_access_groups=[group]).volume_access_groups
        return found.volumes, found.deleted_volumes

    sdk.delete_volume(volume)
    assert members() == ([], [volume])
    sdk.restore_deleted_volume(volume)
    assert members() == ([volume], [])


# Work that goes on


def test_a_clone_is_known_at_once_and_ready_later(element: Element, sdk: Any, account: int) -> None:
    element.order(set={"clone_seconds": 3600})
    source = new_volume(sdk, account, qos=figures(100, 200, 300), attributes={"owner": "x"})
    clone = sdk.clone_volume(source.volume_id, "copy")
    assert clone.volume.status == "init"
    assert told(clone.volume.qos) == (100, 200, 300)
    assert clone.volume.attributes == {"owner": "x"}
    assert sdk.get_async_result(clone.async_handle)["status"] == "running"
    element.order(advance=3601, set={"clone_seconds": 0.2})
    kept = sdk.get_async_result(clone.async_handle, keep_result=True)
    assert (kept["status"], kept["result"]["volumeID"]) == ("complete", clone.volume_id)
    assert sdk.list_volumes(volume_ids=[clone.volume_id]).volumes[0].status == "active"


def test_a_result_is_read_once(element: Element, sdk: Any, account: int, refused: Callable[..., str]) -> None:
    clone = sdk.clone_volume(new_volume(sdk, account).volume_id, "copy")
    element.order(advance=60)
    assert clone.async_handle in [each.async_result_id for each in sdk.list_async_results().async_handles]
    assert sdk.get_async_result(clone.async_handle, keep_result=True)["status"] == "complete"
    assert sdk.get_async_result(clone.async_handle)["status"] == "complete"
    assert refused(sdk.get_async_result, clone.async_handle) == "xAsyncHandleDoesNotExist"


@pytest.mark.parametrize(("limit", "name"), [("Volume", "xMaxClonesPerVolume"), ("Node", "xMaxClonesPerNode")])
def test_clones_beyond_the_limits_are_queued_or_refused(
    element: Element, sdk: Any, account: int, refused: Callable[..., str], limit: str, name: str
) -> None:
    """The documents say queued; drivers know names of errors."""
    element.order(set={"clone_seconds": 3600, "limits": {f"cloneJobsPer{limit}Max": 1}})
    source = new_volume(sdk, account).volume_id
    handles = [sdk.clone_volume(source, "copy").async_handle for _ in range(3)]

    def ended() -> list[bool]:
        return [sdk.get_async_result(handle, keep_result=True)["status"] == "complete" for handle in handles]

    element.order(advance=3601)
    assert ended() == [True, False, False]
    element.order(advance=3600)
    assert ended() == [True, True, False]
    element.order(set={"queues_clones": False})
    assert refused(sdk.clone_volume, source, "copy") == f"{name}Exceeded"


def test_an_error_of_a_job_is_in_a_good_answer(element: Element, sdk: Any, account: int) -> None:
    element.order(set={"clone_error": "xSliceNotRegistered"})
    clone = sdk.clone_volume(new_volume(sdk, account).volume_id, "copy")
    element.order(advance=60)
    (listed,) = (each for each in sdk.list_async_results().async_handles if each.async_result_id == clone.async_handle)
    assert (listed.completed, listed.success) == (True, False)
    told = sdk.get_async_result(clone.async_handle)
    assert (told["status"], told["error"]["name"], "result" in told) == ("complete", "xSliceNotRegistered", False)
    assert sdk.list_volumes(volume_ids=[clone.volume_id]).volumes == []


def test_a_clone_is_in_no_group(sdk: Any, account: int) -> None:
    source = new_volume(sdk, account).volume_id
    sdk.create_volume_access_group("hosts", volumes=[source])
    assert sdk.clone_volume(source, "copy").volume.volume_access_groups == []


def test_snapshots_are_listed_by_their_volume(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    volume = new_volume(sdk, account)
    made = sdk.create_snapshot(volume.volume_id, name="before").snapshot
    (found,) = sdk.list_snapshots(volume_id=volume.volume_id).snapshots
    assert (found.snapshot_id, found.name, found.total_size) == (made.snapshot_id, "before", volume.total_size)
    sdk.delete_snapshot(made.snapshot_id)
    assert refused(sdk.delete_snapshot, made.snapshot_id) == "xSnapshotIDDoesNotExist"


def test_snapshots_stay_until_their_volume_is_purged(sdk: Any, account: int) -> None:
    volume = new_volume(sdk, account).volume_id
    snapshot = sdk.create_snapshot(volume, name="before").snapshot_id
    sdk.delete_volume(volume)
    assert [each.snapshot_id for each in sdk.list_snapshots(volume_id=volume).snapshots] == [snapshot]
    sdk.purge_deleted_volume(volume)
    assert sdk.list_snapshots(volume_id=volume).snapshots == []


def test_a_volume_has_so_many_snapshots_at_most(
    element: Element, sdk: Any, account: int, refused: Callable[..., str]
) -> None:
    element.order(set={"limits": {"snapshotsPerVolumeMax": 1}})
    volume = new_volume(sdk, account).volume_id
    sdk.create_snapshot(volume)
    assert refused(sdk.create_snapshot, volume) == "xMaxSnapshotsPerVolumeExceeded"


# The transport


@pytest.mark.parametrize("path", ["/json-rpc/8.0", "/json-rpc/8.0/", "/json-rpc/12.3"])
def test_both_spellings_and_old_versions_are_served(element: Element, path: str) -> None:
    answer = by_hand(element, "GetAPI", path=path)
    assert answer.json()["result"]["currentVersion"] == "12.3"
    assert answer.json()["id"] is None


def test_an_unknown_version_is_not_found(element: Element) -> None:
    assert by_hand(element, "GetAPI", path="/json-rpc/99.0").status_code == 404


@pytest.mark.parametrize("kind", ["application/json-rpc", "application/json", "json-rpc", None])
def test_any_content_type_is_taken(element: Element, kind: str | None) -> None:
    answer = requests.post(
        f"{element.endpoint}/json-rpc/12.3",
        data=json.dumps({"method": "GetVolumeCount"}),  # parameters may be left out
        headers={"Content-Type": kind} if kind else {},
        auth=(USER, PASSWORD),
        verify=str(element.certificate),
        timeout=30,
    )
    assert answer.json() == {"id": None, "result": {"count": 0}}


def test_calls_go_one_by_one_and_parameters_by_name(element: Element) -> None:
    positional = by_hand(element, "GetVolumeCount", [1]).json()
    batch = requests.post(
        f"{element.endpoint}/json-rpc/12.3",
        json=[{"method": "GetVolumeCount"}],
        auth=(USER, PASSWORD),
        verify=str(element.certificate),
        timeout=30,
    ).json()
    assert positional["error"]["code"] == batch["error"]["code"] == 500


def test_versions_can_be_others_and_be_numbers(element: Element) -> None:
    element.order(set={"versions": [8.0, 9.0]})
    told = by_hand(element, "GetAPI", path="/json-rpc/8.0").json()["result"]
    assert (told["currentVersion"], told["supportedVersions"]) == (9.0, [8.0, 9.0])
    assert "CreateVolume" in told["9.0"]
    assert by_hand(element, "GetAPI").status_code == 404


def test_a_wrong_password_is_answered_in_html(element: Element) -> None:
    url, body = f"{element.endpoint}/json-rpc/12.3", json.dumps({"method": "GetAPI"})
    wrong = {"Authorization": "Basic " + base64.b64encode(b"admin:wrong").decode()}
    answer = requests.post(url, data=body, headers=wrong, verify=str(element.certificate), timeout=30)
    assert answer.status_code == 401
    assert answer.text.startswith("<html>")


def test_an_error_comes_with_a_good_status(element: Element) -> None:
    answer = by_hand(element, "DeleteVolume", {"volumeID": 10**6}, id="mine")
    assert answer.status_code == 200
    error = answer.json()["error"]
    assert (answer.json()["id"], error["code"], error["name"]) == ("mine", 500, "xVolumeIDDoesNotExist")


@pytest.mark.parametrize(
    ("method", "parameters", "name"),
    [
        ("NoSuchMethod", {}, "xUnknownAPIMethod"),
        ("DeleteVolume", {}, "xMissingParameter"),
        ("DeleteVolume", {"volumeID": "7"}, "xInvalidParameterType"),
        ("DeleteVolume", {"volumeID": True}, "xInvalidParameterType"),
    ],
)
def test_a_mistake_has_its_name(element: Element, method: str, parameters: dict[str, Any], name: str) -> None:
    assert by_hand(element, method, parameters).json()["error"]["name"] == name


def test_a_misspelt_parameter_is_only_told(element: Element) -> None:
    answer = by_hand(element, "ListVolumes", {"volumeIds": [1]}).json()
    assert answer["unusedParameters"] == ["volumeIds"]
    assert "volumes" in answer["result"]
    assert element.order()["unused"] == [["ListVolumes", ["volumeIds"]]]


# Faults


def test_a_lost_answer_has_had_its_effect_and_a_reset_has_not(element: Element, account: int) -> None:
    given = {"accountID": account, "totalSize": GB, "enable512e": True}
    for effect, made in (("lost", 1), ("reset", 0)):
        element.fail("CreateVolume", effect)
        with pytest.raises(requests.ConnectionError):
            by_hand(element, "CreateVolume", {"name": effect, **given})
        found = by_hand(element, "ListVolumes", {"volumeName": effect, "accounts": [account]}).json()
        assert len(found["result"]["volumes"]) == made


def test_an_error_can_be_ordered(element: Element) -> None:
    element.fail("GetLimits", "error", name="xDBVersionMismatch")
    assert by_hand(element, "GetLimits").json()["error"]["name"] == "xDBVersionMismatch"
    assert "result" in by_hand(element, "GetLimits").json()
    assert element.calls() == {"GetLimits": 2}


def test_a_call_can_be_late_or_be_answered_by_something_else(element: Element, account: int) -> None:
    given = {"name": "late", "accountID": account, "totalSize": GB, "enable512e": True}
    element.fail("CreateVolume", "late", seconds=0.3)
    began = time.monotonic()
    assert "result" in by_hand(element, "CreateVolume", given).json()
    assert time.monotonic() - began >= 0.3
    element.fail("CreateVolume", "status", status=503)
    answer = by_hand(element, "CreateVolume", given)
    assert (answer.status_code, answer.text[:6]) == (503, "<html>")
    assert len(element.call("ListVolumes")["volumes"]) == 1


def test_the_certificate_is_its_own(element: Element, tmp_path: Path) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{element.endpoint}/emulator", verify=True, timeout=30)
