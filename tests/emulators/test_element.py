"""
The emulated cluster, asked by NetApp's own client: it checks the type of all that it is answered, so that what it takes
for an answer of a cluster has the shape of one.
"""

from __future__ import annotations

import base64
import json
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


def test_many_volumes_go_by_one_call(sdk: Any, account: int) -> None:
    numbers = [new_volume(sdk, account).volume_id for _ in range(3)]
    sdk.delete_volumes(volume_ids=numbers)
    sdk.purge_deleted_volumes(volume_ids=numbers)
    assert sdk.list_volumes(volume_ids=numbers).volumes == []


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
    new_volume(sdk, account)
    given = {"name": "db", "account_id": account, "total_size": GB, "enable512e": True}
    assert refused(sdk.create_volume, **given) == "xExceededLimit"
    element.order(set={"limits": {"volumesPerAccountCountMax": before}})


# Quality of service


def test_a_volume_has_its_own_figures_or_the_default(sdk: Any, account: int) -> None:
    assert told(new_volume(sdk, account).qos) == (50, 15000, 15000)
    volume = new_volume(sdk, account, qos=figures(5000, 10000, 15000))
    assert told(volume.qos) == (5000, 10000, 15000)
    assert (volume.qos.burst_time, volume.qos.curve["4096"]) == (60, 100)
    assert told(sdk.modify_volume(volume.volume_id, qos=figures(100, 200, 300)).volume.qos) == (100, 200, 300)


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


def test_a_volume_has_two_clone_jobs_at_most(
    element: Element, sdk: Any, account: int, refused: Callable[..., str]
) -> None:
    element.order(set={"clone_seconds": 3600})
    source = new_volume(sdk, account).volume_id
    for _ in range(2):
        sdk.clone_volume(source, "copy")
    assert refused(sdk.clone_volume, source, "copy") == "xMaxClonesPerVolumeExceeded"
    element.order(advance=3601, set={"clone_seconds": 0.2})


def test_snapshots_are_listed_by_their_volume(sdk: Any, account: int, refused: Callable[..., str]) -> None:
    volume = new_volume(sdk, account)
    made = sdk.create_snapshot(volume.volume_id, name="before").snapshot
    (found,) = sdk.list_snapshots(volume_id=volume.volume_id).snapshots
    assert (found.snapshot_id, found.name, found.total_size) == (made.snapshot_id, "before", volume.total_size)
    sdk.delete_snapshot(made.snapshot_id)
    assert refused(sdk.delete_snapshot, made.snapshot_id) == "xSnapshotIDDoesNotExist"


# The transport


@pytest.mark.parametrize("path", ["/json-rpc/8.0", "/json-rpc/8.0/", "/json-rpc/12.3"])
def test_both_spellings_and_old_versions_are_served(element: Element, path: str) -> None:
    answer = by_hand(element, "GetAPI", path=path)
    assert answer.json()["result"]["currentVersion"] == "12.3"
    assert answer.json()["id"] is None


def test_an_unknown_version_is_not_found(element: Element) -> None:
    assert by_hand(element, "GetAPI", path="/json-rpc/99.0").status_code == 404


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


def test_the_certificate_is_its_own(element: Element, tmp_path: Path) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{element.endpoint}/emulator", verify=True, timeout=30)
