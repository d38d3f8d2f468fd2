"""
Traps in sizes, figures and room: a test for each, named after what must not happen. The numbers are those of the list
in `test_traps.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from planner.sdk import (
    DeleteVolume,
    Done,
    Qos,
    QosPolicies,
    Rejected,
    ResizeVolume,
    StorageProvider,
    UpdatePolicy,
    UpdateQos,
)
from tests.emulators.running import Element, open_array
from tests.unit.providers.solidfire.asking import FIGURES, GIB, POOL, made, made_by_others, request, sent, there

MIB = 1 << 20
CHANGES = ("CreateVolume", "ModifyVolume", "CreateQoSPolicy", "ModifyQoSPolicy")


def is_refused_before_it_is_sent(element: Element, call: Callable[[], object]) -> bool:
    element.order(forget=True)
    with pytest.raises(Rejected):
        call()
    return not element.calls().keys() & set(CHANGES)


# 6. Sizes are whole mebibytes within the cluster's limits


def test_a_size_is_a_whole_mebibyte_and_comes_back_as_it_was_asked_for(
    element: Element, array: StorageProvider
) -> None:
    limits = array.inspect().limits
    assert limits.rounded(10**9) == 1_000_341_504, "what a cluster makes of 1 GB"
    assert made(array, size=limits.rounded(10**9)).size == 1_000_341_504
    assert is_refused_before_it_is_sent(element, lambda: made(array, "odd", size=GIB + 1))


@pytest.mark.parametrize("size", [953 * MIB, (1 << 44) + MIB])
def test_a_size_beyond_the_limits_is_not_sent(element: Element, array: StorageProvider, size: int) -> None:
    volume = made(array)
    assert is_refused_before_it_is_sent(element, lambda: made(array, "odd", size=size))
    assert is_refused_before_it_is_sent(element, lambda: array.resize_async(ResizeVolume(POOL, volume.id, size)))


def test_limits_that_are_no_whole_mebibytes_are_narrowed_and_not_widened(element: Element) -> None:
    element.order(set={"limits": {"volumeSizeMin": 10**9, "volumeSizeMax": 2 * 10**9}})
    limits = open_array(element).inspect().limits
    assert (limits.min_size, limits.max_size) == (954 * MIB, 1907 * MIB)


def test_a_volume_does_not_shrink(element: Element, array: StorageProvider) -> None:
    volume = made(array, size=2 * GIB)
    with pytest.raises(Rejected, match="Shrink"):
        array.resize_async(ResizeVolume(POOL, volume.id, GIB))
    assert [row["totalSize"] for row in there(element)] == [2 * GIB]


# 7. QoS is three integers, always all sent


@pytest.mark.parametrize(
    "wrong",
    [Qos(49, 1000, 1500), Qos(500, 1000, 200_001), Qos(15_001, 16_000, 17_000), Qos(500, 400, 1500), Qos(1, 2, 3)],
    ids=["floor-too-low", "burst-too-high", "floor-too-high", "disorder", "all-too-low"],
)
def test_figures_are_refused_and_never_clamped(element: Element, array: StorageProvider, wrong: Qos) -> None:
    volume = made(array)
    assert isinstance(array, QosPolicies)
    array.update_qos(UpdateQos(POOL, volume.id, FIGURES, "media"))
    policies = array
    for call in (
        lambda: array.create_async(request("odd", qos=wrong)),
        lambda: array.create_async(request("odd", qos=wrong, policy="odd")),
        lambda: array.update_qos(UpdateQos(POOL, volume.id, wrong)),
        lambda: policies.update_policy(UpdatePolicy("media", wrong)),
    ):
        assert is_refused_before_it_is_sent(element, call)


def test_a_bandwidth_is_refused_and_never_ignored(element: Element, array: StorageProvider) -> None:
    wanted = request(qos=replace(FIGURES, max_bandwidth=1 << 20))
    assert is_refused_before_it_is_sent(element, lambda: array.create_async(wanted))
    assert "bandwidth" not in array.pool_status(POOL).enforces


@pytest.mark.parametrize("merges", [True, False])
def test_no_figure_depends_on_what_a_cluster_makes_of_a_part(element: Element, merges: bool) -> None:
    element.order(set={"merges_qos": merges})
    array = open_array(element)
    volume = made(array)
    reply = array.update_qos(UpdateQos(POOL, volume.id, replace(FIGURES, max_iops=1200)))
    assert isinstance(reply, Done)
    assert reply.value.qos == Qos(500, 1200, 1500)


def test_a_volume_without_figures_has_those_that_it_got(element: Element, array: StorageProvider) -> None:
    element.order(set={"default_qos": {"minIOPS": 60, "maxIOPS": 600, "burstIOPS": 6000}})
    assert made(array, qos=None).qos == Qos(60, 600, 6000)
    assert "qos" not in sent(element, "CreateVolume")[0]


# 8. Admission by IOPS is ours


def test_a_default_floor_counts_as_the_one_that_a_volume_got(element: Element, array: StorageProvider) -> None:
    element.order(set={"default_qos": {"minIOPS": 60, "maxIOPS": 600, "burstIOPS": 6000}})
    made_by_others(element, "first")
    element.order(set={"default_qos": {"minIOPS": 70, "maxIOPS": 600, "burstIOPS": 6000}})
    made_by_others(element, "second")
    assert array.pool_status(POOL).floors == 60 + 70


def test_the_floor_of_a_deleted_volume_is_given_back(element: Element, array: StorageProvider) -> None:
    volume = made(array)
    made(array, "stays")
    array.delete_async(DeleteVolume(POOL, volume.id))
    assert array.pool_status(POOL).floors == FIGURES.min_iops
    assert len(there(element)) == 2


def test_what_the_cluster_is_thought_to_do_is_told_with_its_floors(element: Element) -> None:
    element.order(set={"max_iops": 123_000})
    status = open_array(element).pool_status(POOL)
    assert (status.capacity_iops, status.floors) == (123_000, 0)
    assert status.enforces == {"floor", "ceiling", "burst"}


# 9. Room is what the cluster would still provision


def test_room_is_what_may_be_provisioned_and_not_what_there_is(element: Element, array: StorageProvider) -> None:
    element.order(set={"raw_bytes": GIB})
    made_by_others(element, "theirs")
    status = array.pool_status(POOL)
    assert (status.capacity, status.used) == (5 * GIB, GIB)


@pytest.mark.parametrize("stage", ["stage4Critical", "stage5CompletelyConsumed"])
def test_a_cluster_that_is_too_full_takes_nothing_though_much_is_free(
    element: Element, array: StorageProvider, stage: str
) -> None:
    made(array)
    element.order(set={"fullness": stage})
    status = array.pool_status(POOL)
    assert status.capacity == status.used
    with pytest.raises(Rejected):
        array.create_async(request("more"))
