"""
What goes wrong with work that goes on after its call has answered, and with volumes that were deleted: the traps of the
API's handles and of its hours of grace.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.sdk import (
    ActualVolume,
    CloneOf,
    Conflict,
    CreateVolume,
    DeletedVolumes,
    DeleteVolume,
    Done,
    Missing,
    OutcomeUnknown,
    Pending,
    Qos,
    Rejected,
    RestoreVolume,
    StorageProvider,
)
from planner.sdk.conformance import finish
from tests.emulators.running import Element, open_array
from tests.unit.providers.solidfire.asking import FIGURES, POOL, made, number, request, sent, there

OTHER = Qos(600, 2000, 2500)


def copy_of(source: ActualVolume, name: str = "copy") -> CreateVolume:
    return replace(request(name), clone_of=CloneOf(source.id), qos=OTHER)


def begun(array: StorageProvider, asked: CreateVolume) -> Pending:
    reply = array.create_async(asked)
    assert isinstance(reply, Pending)
    return reply


def statuses(element: Element) -> dict[str, str]:
    return {row["name"]: row["status"] for row in there(element)}


# 16. Handles are state


def test_a_handle_is_enough_for_another_process(element: Element, array: StorageProvider) -> None:
    reply = begun(array, copy_of(made(array)))
    volume = finish(open_array(element), reply)
    assert (volume.name, volume.qos, volume.job) == ("copy", OTHER, None)


def test_a_result_is_left_for_whoever_asks_next(element: Element, array: StorageProvider) -> None:
    reply = begun(array, copy_of(made(array)))
    finish(array, reply)
    assert isinstance(array.poll(reply.job), Done)
    assert all(asked["keepResult"] for asked in sent(element, "GetAsyncResult"))


def test_an_error_within_a_successful_answer_is_one(element: Element, array: StorageProvider) -> None:
    element.order(set={"clone_error": "xCloneFailed"})
    reply = begun(array, copy_of(made(array)))
    with pytest.raises(Rejected, match="xCloneFailed"):
        finish(array, reply)
    assert list(statuses(element)) == ["db"]


def test_a_clone_that_failed_and_is_still_there_is_taken_away(element: Element, array: StorageProvider) -> None:
    element.order(set={"clone_error": "xCloneFailed", "leaves_failed_clones": True})
    reply = begun(array, copy_of(made(array)))
    with pytest.raises(Rejected, match="xCloneFailed"):
        finish(array, reply)
    assert list(statuses(element)) == ["db"]


def test_a_clone_that_cannot_be_asked_about_is_left_alone(element: Element, array: StorageProvider) -> None:
    """That an answer is refused says nothing of the copy."""
    reply = begun(array, copy_of(made(array)))
    element.fail("GetAsyncResult", "error", name="xPermissionDenied")
    with pytest.raises(Rejected, match="xPermissionDenied"):
        array.poll(reply.job)
    assert finish(array, reply).qos == OTHER


def test_a_clone_whose_answer_was_lost_is_found_and_finished(element: Element, array: StorageProvider) -> None:
    asked = copy_of(made(array))
    element.fail("CloneVolume", "lost")
    with pytest.raises(OutcomeUnknown):
        array.create_async(asked)
    (listed,) = (volume for volume in array.list_volumes(POOL) if volume.name == "copy")
    assert listed.job is not None
    assert finish(array, array.create_async(asked)).qos == OTHER
    assert len(sent(element, "CloneVolume")) == 1


def test_a_handle_that_nobody_knows_any_more_ends_no_wait(element: Element, array: StorageProvider) -> None:
    reply = begun(array, copy_of(made(array)))
    element.order(advance=60)
    for row in element.call("ListAsyncResults")["asyncHandles"]:
        element.call("GetAsyncResult", asyncHandle=row["asyncResultID"])
    assert finish(array, reply).qos == OTHER


def test_a_clone_that_is_gone_is_not_waited_for(element: Element, array: StorageProvider) -> None:
    reply = begun(array, copy_of(made(array)))
    element.order(advance=60)
    clone = next(row["volumeID"] for row in there(element) if row["name"] == "copy")
    element.call("DeleteVolume", volumeID=clone)
    with pytest.raises(Missing):
        array.poll(reply.job)


def test_a_clone_is_not_done_before_it_has_its_own_figures(element: Element, array: StorageProvider) -> None:
    source = made(array)
    reply = begun(array, copy_of(source))
    element.order(advance=60)
    (listed,) = (volume for volume in array.list_volumes(POOL) if volume.name == "copy")
    assert (listed.qos, listed.job is None) == (source.qos, False)
    finish(array, reply)
    assert {volume.name: volume.qos for volume in array.list_volumes(POOL)} == {"db": FIGURES, "copy": OTHER}


def test_a_clone_does_not_stay_under_the_policy_of_its_source(element: Element, array: StorageProvider) -> None:
    source = made(array, policy="gold")
    plain = finish(array, array.create_async(copy_of(source)))
    under = finish(array, array.create_async(replace(copy_of(source, "other"), policy="silver")))
    assert (plain.policy, under.policy, under.qos) == (None, "silver", OTHER)


def test_the_marks_of_the_source_are_not_the_clones(element: Element, array: StorageProvider) -> None:
    asked = replace(copy_of(made(array, metadata={"team": "orders"})), metadata={"team": "billing"})
    finish(array, array.create_async(asked))
    marks = next(row["attributes"] for row in there(element) if row["name"] == "copy")
    owner = {"lineage": asked.owner.lineage, "address": asked.owner.address, "intent": asked.owner.intent}
    assert marks == {"lunform": owner, "metadata": {"team": "billing"}}


def test_clones_beyond_the_clusters_limit_are_asked_for_again(element: Element, array: StorageProvider) -> None:
    source = made(array)
    element.order(set={"queues_clones": True, "clone_seconds": 0.1})
    replies = [begun(array, copy_of(source, f"copy-{n}")) for n in range(5)]
    assert {finish(array, reply).size for reply in replies} == {source.size}


def test_what_is_no_handle_is_no_job(array: StorageProvider) -> None:
    for job in ("", "clone", "clone:x:1", "17"):
        with pytest.raises(Missing):
            array.poll(job)


# 15. A delete can be taken back for some hours


def test_a_delete_says_until_when_and_a_restore_brings_back_the_number(
    element: Element, array: StorageProvider
) -> None:
    assert isinstance(array, DeletedVolumes)
    volume = made(array)
    reply = array.delete_async(DeleteVolume(POOL, volume.id))
    (row,) = there(element)
    assert reply == Done(row["purgeTime"])
    assert array.restore_async(RestoreVolume(POOL, volume.id)) == Done(volume)


def test_after_the_hours_of_grace_nothing_is_restored(element: Element, array: StorageProvider) -> None:
    assert isinstance(array, DeletedVolumes)
    volume = made(array)
    array.delete_async(DeleteVolume(POOL, volume.id))
    element.order(advance=9 * 3600)
    assert list(array.list_deleted(POOL)) == []
    with pytest.raises(Missing):
        array.restore_async(RestoreVolume(POOL, volume.id))


def test_a_volume_whose_purge_got_half_way_is_not_restored(element: Element, array: StorageProvider) -> None:
    assert isinstance(array, DeletedVolumes)
    volume = made(array)
    element.fail("PurgeDeletedVolume", "reset")
    with pytest.raises(OutcomeUnknown):
        array.delete_async(DeleteVolume(POOL, volume.id, purge=True))
    assert list(array.list_deleted(POOL)) == []
    with pytest.raises(Missing):
        array.restore_async(RestoreVolume(POOL, volume.id))


def test_a_name_that_was_given_away_meanwhile_is_not_there_twice(element: Element, array: StorageProvider) -> None:
    assert isinstance(array, DeletedVolumes)
    volume = made(array)
    array.delete_async(DeleteVolume(POOL, volume.id))
    other = made(array)
    with pytest.raises(Conflict, match="taken"):
        array.restore_async(RestoreVolume(POOL, volume.id))
    assert {row["volumeID"]: row["status"] for row in there(element)} == {
        number(volume): "deleted",
        number(other): "active",
    }
