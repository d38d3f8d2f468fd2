"""
Traps in letting hosts in, and in keeping secrets: a test for each, named after what must not happen. The numbers are
those of the list in `test_traps.py`.
"""

from __future__ import annotations

import base64
import http.client
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from planner.sdk import (
    AccessPath,
    Conflict,
    DeleteVolume,
    Done,
    Endpoint,
    GrantAccess,
    ProviderError,
    Rejected,
    RevokeAccess,
    StorageProvider,
)
from tests.emulators.running import PASSWORD, USER, Element, open_array
from tests.secrecy.evidence import search
from tests.unit.providers.solidfire.asking import (
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


def granted(array: StorageProvider, volume: str, endpoint: Endpoint = KVM1) -> AccessPath:
    reply = array.grant_access(GrantAccess(POOL, volume, endpoint))
    assert isinstance(reply, Done)
    return reply.value


def account_secrets(element: Element) -> dict[str, str]:
    """All CHAP secrets of the cluster, by what they are."""
    return {
        f"{field} of {account['username']}": account[field]
        for account in element.call("ListAccounts")["accounts"]
        for field in ("initiatorSecret", "targetSecret")
    }


# 12. Equal things at the same moment


def test_many_grants_at_once_make_one_group(element: Element, array: StorageProvider) -> None:
    volumes = [made(array, f"v{key}") for key in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda volume: granted(array, volume.id), volumes))
    (group,) = groups(element)
    assert sorted(group["volumes"]) == [number(volume) for volume in volumes]
    assert len(element.call("ListInitiators")["initiators"]) == 1


def test_many_creates_at_once_make_one_account(element: Element, array: StorageProvider) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: made(array, f"v{key}"), range(8)))
    assert [account["username"] for account in element.call("ListAccounts")["accounts"]] == ["lunform"]
    assert len(sent(element, "AddAccount")) == 1


def test_equal_creates_at_once_make_one_volume(element: Element, array: StorageProvider) -> None:
    wanted = request()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: array.create_async(wanted), range(8)))
    assert len({reply.value.id for reply in replies if isinstance(reply, Done)}) == 1
    assert len(there(element)) == 1


def test_an_account_is_never_filled_beyond_its_limit(element: Element) -> None:
    element.order(set={"limits": {"volumesPerAccountCountMax": 2}})
    array = open_array(element)
    for key in range(3):
        made(array, f"v{key}")
    accounts = {account["accountID"]: account["username"] for account in element.call("ListAccounts")["accounts"]}
    assert [accounts[row["accountID"]] for row in there(element)] == ["lunform", "lunform", "lunform-2"]
    assert len(sent(element, "CreateVolume")) == 3, "none was refused"


def test_an_account_that_others_fill_meanwhile_is_left_for_the_next(element: Element) -> None:
    element.order(set={"limits": {"volumesPerAccountCountMax": 3}})
    array = open_array(element)
    made(array, "first")
    account = element.account("lunform")
    for name in ("theirs", "theirs-too"):
        made_by_others(element, name, accountID=account)
    made(array, "second")
    assert [row["accountID"] == account for row in there(element)] == [True, True, True, False]


# 13. A grant is a wished membership


@pytest.mark.parametrize("access", ["groups", "chap"])
def test_a_grant_says_all_that_a_host_needs(element: Element, access: str) -> None:
    array = open_array(element, access=access)
    volume = made(array)
    path = granted(array, volume.id)
    assert (path.portal, path.lun) == ("127.0.0.1:3260", 0)
    assert path.iqn == there(element)[0]["iqn"] == f"iqn.2010-01.com.solidfire:emul.db.{number(volume)}"
    assert (path.chap_username is None) == (access == "groups")


def test_each_host_has_a_group_of_its_own(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    for endpoint in (KVM1, KVM2):
        granted(array, volume.id, endpoint)
    array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
    ((listed),) = array.list_volumes(POOL)
    assert listed.grants == (KVM2.initiator,)
    (group,) = groups(element)
    assert group["name"].startswith("lunform-kvm2")
    assert group["initiators"] == [KVM2.initiator]


def test_a_host_without_an_initiator_name_is_told(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    with pytest.raises(Rejected, match="no initiator name"):
        granted(array, volume.id, replace(KVM1, initiator=None))
    by_chap = open_array(element, access="chap")
    granted(by_chap, volume.id, replace(KVM1, initiator=None))
    (listed,) = by_chap.list_volumes(POOL)
    assert listed.grants == (KVM1.address,)


def test_a_group_that_a_deleted_volume_may_come_back_to_stays(element: Element, array: StorageProvider) -> None:
    kept, other = made(array, "kept"), made(array, "other")
    for volume in (kept, other):
        granted(array, volume.id)
    element.call("DeleteVolume", volumeID=number(kept))
    array.revoke_access(RevokeAccess(POOL, other.id, KVM1))
    (group,) = groups(element)
    assert (group["volumes"], group["deletedVolumes"]) == ([], [number(kept)])


@pytest.mark.parametrize("by_default", [True, False])
def test_no_initiator_goes_or_stays_by_a_default(element: Element, array: StorageProvider, by_default: bool) -> None:
    element.order(set={"drops_orphans": by_default})
    element.call("CreateInitiators", initiators=[{"name": KVM2.initiator}])
    volume = made(array)
    for endpoint in (KVM1, KVM2):
        granted(array, volume.id, endpoint)
        array.revoke_access(RevokeAccess(POOL, volume.id, endpoint))
    assert [row["initiatorName"] for row in element.call("ListInitiators")["initiators"]] == [KVM2.initiator]


def test_by_chap_a_second_host_is_told_and_the_first_stays_in(element: Element) -> None:
    array = open_array(element, access="chap")
    volume = made(array)
    path = granted(array, volume.id)
    with pytest.raises(Rejected, match="another host"):
        granted(array, volume.id, KVM2)
    assert granted(array, volume.id) == path
    array.revoke_access(RevokeAccess(POOL, volume.id, KVM2))
    (listed,) = array.list_volumes(POOL)
    assert (listed.grants, listed.chap_username) == ((KVM1.initiator,), path.chap_username)


def test_by_chap_a_revoked_host_has_no_account_that_reaches_the_volume(element: Element) -> None:
    array = open_array(element, access="chap")
    volume = made(array)
    before = granted(array, volume.id)
    array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
    accounts = {account["accountID"]: account["username"] for account in element.call("ListAccounts")["accounts"]}
    assert accounts[there(element)[0]["accountID"]] == "lunform" != before.chap_username
    after = granted(array, volume.id, KVM2)
    first, second = array.credentials(volume.id, before), array.credentials(volume.id, after)
    assert first is not None
    assert second is not None
    assert (first.username, first.password) != (second.username, second.password)
    assert first.password != second.password


def test_an_account_of_others_is_not_taken_for_a_hosts(element: Element) -> None:
    """They may know its secret."""
    array = open_array(element, access="chap")
    path = granted(array, made(array).id)
    account = element.account(str(path.chap_username))
    element.call("ModifyAccount", accountID=account, attributes={"theirs": True})
    other = made(array, "other")
    with pytest.raises(Conflict, match="somebody else's"):
        granted(open_array(element, access="chap"), other.id)
    assert {row["name"]: row["accountID"] == account for row in there(element)}["other"] is False


# 21. Secrets


def test_secrets_are_long_enough_and_all_different(element: Element) -> None:
    array = open_array(element, access="chap")
    for endpoint in (KVM1, KVM2):
        granted(array, made(array, endpoint.name).id, endpoint)
    secrets = list(account_secrets(element).values())
    assert len(secrets) == len(set(secrets)) == 6
    assert all(12 <= len(secret) <= 16 for secret in secrets)
    assert not any("ecret" in name for call in sent(element, "AddAccount") for name in call)


@pytest.mark.parametrize("method", ["GetAccountByName", "ListAccounts", "AddAccount"])
def test_a_secret_that_was_never_seen_is_in_no_message(element: Element, method: str) -> None:
    volume = made(open_array(element, access="chap"))
    element.account("theirs")
    is_hidden(element, open_array(element, access="chap"), volume.id, method)


@pytest.mark.parametrize("method", ["ModifyVolume", "AddAccount"])
def test_a_secret_that_was_seen_is_in_no_message(element: Element, method: str) -> None:
    array = open_array(element, access="chap")
    volume = made(array)
    granted(array, made(array, "other").id)
    is_hidden(element, array, volume.id, method)


def test_a_secret_that_is_asked_for_is_in_no_message(element: Element) -> None:
    array = open_array(element, access="chap")
    volume = made(array)
    path = granted(array, volume.id)
    is_hidden(element, array, volume.id, "GetAccountByName", lambda: array.credentials(volume.id, path))


def is_hidden(
    element: Element,
    array: StorageProvider,
    volume: str,
    method: str,
    call: Callable[[], object] | None = None,
) -> None:
    """A grant, or another call, during which the cluster refuses a method, and tells all that it knows."""
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    echoed = json.dumps({**account_secrets(element), "sent with": PASSWORD, "as": f"Basic {basic}"})
    endpoint = KVM2 if method == "AddAccount" else KVM1
    element.fail(method, "error", name="xInternalError", message=f"Cannot: {echoed}")
    with pytest.raises(ProviderError) as caught:
        call() if call is not None else granted(array, volume, endpoint)
    said = f"{caught.value} {caught.value.detail} {caught.value.__cause__!r}"
    assert "xInternalError" in said
    assert not search({"password": PASSWORD, **account_secrets(element)}, {"the message": said.encode()})


@pytest.mark.parametrize("access", ["groups", "chap"])
def test_no_debugging_of_the_libraries_below_tells_a_secret(
    element: Element,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    access: str,
) -> None:
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with caplog.at_level(logging.DEBUG):
        array = open_array(element, access=access)
        volume = made(array)
        array.credentials(volume.id, granted(array, volume.id))
        array.revoke_access(RevokeAccess(POOL, volume.id, KVM1))
        array.delete_async(DeleteVolume(POOL, volume.id))
        with pytest.raises(Rejected):
            open_array(element, password="a-wrong-password").inspect()
    monkeypatch.undo()
    said = "".join((*capfd.readouterr(), caplog.text))
    assert "/json-rpc/" in caplog.text, "they do say something"
    known = {"password": PASSWORD, "wrong": "a-wrong-password", "basic": f"{USER}:{PASSWORD}"}
    assert not search({**known, **account_secrets(element)}, {"what they say": said.encode()})
