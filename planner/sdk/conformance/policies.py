"""What every array keeps that supports "qos_policy": `planner.sdk.storage.QosPolicies`."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from planner.sdk.conformance.storage import ArrayUnderTest
from planner.sdk.errors import Conflict, Missing
from planner.sdk.storage import (
    ActualVolume,
    CreateVolume,
    Qos,
    QosPolicies,
    QosPolicy,
    ResizeVolume,
    UpdatePolicy,
    UpdateQos,
)


class PolicyConformance:
    """
    What every array keeps that supports "qos_policy"; skipped for others. It needs an array's `qos` and `other_qos`.

    A subclass gives the fixture `array`, as for `StorageConformance`, and may be one of both.
    """

    @pytest.fixture
    def array(self) -> ArrayUnderTest:
        raise NotImplementedError("a subclass of PolicyConformance gives the fixture `array`")

    @pytest.fixture
    def policed(self, array: ArrayUnderTest) -> ArrayUnderTest:
        """The array, if it supports policies."""
        array.needs("qos_policy")
        return array

    # volumes under a policy

    def test_create_makes_the_policy_that_there_is_none_of(self, policed: ArrayUnderTest) -> None:
        request = _request(policed)
        volume = policed.finish(policed.provider.create_async(request))
        assert (volume.policy, volume.qos) == (request.policy, request.qos)
        assert policed.volumes()[volume.id] == volume
        assert _policies(policed)[volume.policy or ""] == request.qos

    def test_create_repeated_answers_the_same_volume_and_policy(self, policed: ArrayUnderTest) -> None:
        request = _request(policed)
        volume = policed.finish(policed.provider.create_async(request))
        before = _policies(policed)
        assert policed.finish(policed.provider.create_async(request)) == volume
        assert _policies(policed) == before

    def test_volumes_share_a_policy(self, policed: ArrayUnderTest) -> None:
        policy, first = _create(policed)
        second = policed.finish(policed.provider.create_async(replace(policed.request(), policy=policy)))
        assert (second.policy, second.qos) == (policy, first.qos)
        assert _policies(policed)[policy] == first.qos

    def test_create_under_a_policy_of_other_figures_is_a_conflict(self, policed: ArrayUnderTest) -> None:
        policy, volume = _create(policed)
        request = replace(policed.request(), qos=policed.other_qos, policy=policy)
        with pytest.raises(Conflict):
            policed.finish(policed.provider.create_async(request))
        assert request.owner not in {listed.owner for listed in policed.volumes().values()}
        assert policed.volumes()[volume.id] == volume
        assert _policies(policed)[policy] == policed.qos

    def test_update_puts_a_volume_under_a_policy_and_takes_it_out(self, policed: ArrayUnderTest) -> None:
        policed.needs("update_qos")
        policy, _ = _create(policed)
        volume = policed.create()
        for qos, name in ((policed.qos, policy), (policed.other_qos, None), (policed.qos, policy), (policed.qos, None)):
            request = UpdateQos(policed.pool, volume.id, qos, name)
            for _ in range(2):
                assert policed.finish(policed.provider.update_qos(request)) == replace(volume, qos=qos, policy=name)
                assert policed.volumes()[volume.id] == replace(volume, qos=qos, policy=name)
            assert _policies(policed)[policy] == policed.qos

    def test_update_makes_the_policy_that_there_is_none_of(self, policed: ArrayUnderTest) -> None:
        policed.needs("update_qos")
        volume, policy = policed.create(), _new_name()
        changed = policed.finish(
            policed.provider.update_qos(UpdateQos(policed.pool, volume.id, policed.other_qos, policy))
        )
        assert changed == replace(volume, qos=policed.other_qos, policy=policy)
        assert _policies(policed)[policy] == policed.other_qos

    def test_resize_keeps_the_policy(self, policed: ArrayUnderTest) -> None:
        policed.needs("resize")
        _, volume = _create(policed)
        policed.finish(policed.provider.resize_async(ResizeVolume(policed.pool, volume.id, policed.larger)))
        assert policed.volumes()[volume.id] == replace(volume, size=policed.larger)

    # policies

    def test_policy_changes_all_its_volumes_and_no_others(self, policed: ArrayUnderTest) -> None:
        policy, first = _create(policed)
        second = policed.finish(policed.provider.create_async(replace(policed.request(), policy=policy)))
        _, under_another = _create(policed)
        without = policed.create()
        assert policed.other_qos is not None
        for qos in (policed.other_qos, policed.other_qos, policed.qos):
            assert qos is not None
            assert _update(policed, policy, qos) == QosPolicy(policy, qos)
            assert _policies(policed)[policy] == qos
            listed = policed.volumes()
            assert [listed[volume.id] for volume in (first, second)] == [
                replace(volume, qos=qos) for volume in (first, second)
            ]
            assert [listed[volume.id] for volume in (under_another, without)] == [under_another, without]

    def test_pool_status_counts_the_floors_of_a_changed_policy(self, policed: ArrayUnderTest) -> None:
        policy, _ = _create(policed)
        policed.finish(policed.provider.create_async(replace(policed.request(), policy=policy)))
        before = policed.provider.pool_status(policed.pool)
        assert policed.qos is not None and policed.other_qos is not None
        _update(policed, policy, policed.other_qos)
        grown = 2 * (policed.other_qos.min_iops - policed.qos.min_iops)
        assert policed.provider.pool_status(policed.pool) == replace(before, floors=before.floors + grown)

    def test_volume_out_of_its_policy_is_not_changed_with_it(self, policed: ArrayUnderTest) -> None:
        policed.needs("update_qos")
        policy, volume = _create(policed)
        policed.finish(policed.provider.update_qos(UpdateQos(policed.pool, volume.id, policed.qos)))
        assert policed.other_qos is not None
        _update(policed, policy, policed.other_qos)
        assert policed.volumes()[volume.id] == replace(volume, policy=None)

    def test_update_of_a_missing_policy_raises_missing(self, policed: ArrayUnderTest) -> None:
        before = _policies(policed)
        assert policed.other_qos is not None
        with pytest.raises(Missing):
            _update(policed, _new_name(), policed.other_qos)
        assert _policies(policed) == before


def _new_name() -> str:
    return f"p-{secrets.token_hex(5)}"


def _request(array: ArrayUnderTest) -> CreateVolume:
    """A request for a new volume under a new policy."""
    return replace(array.request(), policy=_new_name())


def _create(array: ArrayUnderTest) -> tuple[str, ActualVolume]:
    """A new policy, and the volume that it was made with."""
    request = _request(array)
    assert request.policy is not None
    return request.policy, array.finish(array.provider.create_async(request))


def _update(array: ArrayUnderTest, name: str, qos: Qos) -> QosPolicy:
    assert isinstance(array.provider, QosPolicies)
    return array.finish(array.provider.update_policy(UpdatePolicy(name, qos)))


def _policies(array: ArrayUnderTest) -> dict[str, Qos]:
    """What another process reads of the array's policies, by name."""
    other = array.open()
    try:
        assert isinstance(other, QosPolicies)
        listed = list(other.list_policies())
    finally:
        other.close()
    assert len({policy.name for policy in listed}) == len(listed), "a policy is there once"
    return {policy.name: policy.qos for policy in listed}
