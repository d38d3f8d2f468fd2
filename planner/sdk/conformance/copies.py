"""What every array keeps that supports "clone", and "snapshot" besides: `planner.sdk.storage.CloneOf`, `Snapshots`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.sdk.conformance.replies import finish
from planner.sdk.conformance.storage import ArrayUnderTest
from planner.sdk.errors import ProviderError, Rejected
from planner.sdk.storage import ActualSnapshot, ActualVolume, CloneOf, CreateVolume, Pending, Snapshots


class CopyConformance:
    """
    What every array keeps that supports "clone"; skipped for others. What is said of snapshots needs the array's
    `add_snapshot`.

    A subclass gives the fixture `array`, as for `StorageConformance`, and may be one of both.
    """

    @pytest.fixture
    def array(self) -> ArrayUnderTest:
        raise NotImplementedError("a subclass of CopyConformance gives the fixture `array`")

    @pytest.fixture
    def copying(self, array: ArrayUnderTest) -> ArrayUnderTest:
        """The array, if it supports it."""
        array.needs("clone")
        return array

    @pytest.fixture
    def snapshots(self, copying: ArrayUnderTest) -> ArrayUnderTest:
        """The array, if snapshots of it can be copied."""
        copying.needs("snapshot")
        return copying

    def test_a_copy_is_a_volume_of_its_own(self, copying: ArrayUnderTest) -> None:
        source = copying.create()
        request = replace(_copy(copying, source), qos=copying.other_qos)
        made = copying.finish(copying.provider.create_async(request))
        assert made.id != source.id
        assert (made.name, made.size, made.owner, made.job) == (request.name, source.size, request.owner, None)
        assert copying.volumes() == {source.id: source, made.id: made}

    def test_a_copy_has_its_own_figures(self, copying: ArrayUnderTest) -> None:
        if copying.other_qos is None:
            pytest.skip("the array takes no figures")
        source = copying.create()
        made = copying.finish(copying.provider.create_async(replace(_copy(copying, source), qos=copying.other_qos)))
        assert (source.qos, made.qos) == (copying.qos, copying.other_qos)

    def test_a_copy_may_be_larger(self, copying: ArrayUnderTest) -> None:
        request = replace(_copy(copying, copying.create()), size=copying.larger)
        assert copying.finish(copying.provider.create_async(request)).size == copying.larger

    def test_a_copy_is_open_to_nobody(self, copying: ArrayUnderTest) -> None:
        source = copying.create()
        copying.grant(source.id, copying.endpoints[0])
        made = copying.finish(copying.provider.create_async(_copy(copying, source)))
        assert copying.volumes()[made.id].grants == ()

    def test_what_a_copy_makes_is_listed_from_its_answer_on(self, copying: ArrayUnderTest) -> None:
        request = _copy(copying, copying.create())
        reply = copying.provider.create_async(request)
        (listed,) = (volume for volume in copying.volumes().values() if volume.owner == request.owner)
        made = copying.finish(reply)
        assert listed.id == made.id
        assert copying.volumes()[made.id] == made

    def test_whoever_finds_a_copy_under_way_can_wait_for_it(self, copying: ArrayUnderTest) -> None:
        """Its answer was lost: nothing is known but what is listed."""
        request = replace(_copy(copying, copying.create()), qos=copying.other_qos)
        copying.provider.create_async(request)
        (listed,) = (volume for volume in copying.volumes().values() if volume.owner == request.owner)
        if listed.job is not None:
            other = copying.open()
            finish(other, Pending(listed.job, 0.0), copying.deadline)
            other.close()
            (listed,) = (volume for volume in copying.volumes().values() if volume.owner == request.owner)
            assert (listed.job, listed.qos) == (None, copying.other_qos)

    def test_a_copy_repeated_answers_the_same_volume(self, copying: ArrayUnderTest) -> None:
        request = _copy(copying, copying.create())
        made = [copying.finish(copying.provider.create_async(request)) for _ in range(2)]
        copying.provider.create_async(replace(request, name=f"{request.name}-b", owner=copying.request().owner))
        assert made[0] == made[1]
        assert len(copying.volumes()) == 3

    def test_a_copy_of_what_is_not_there_is_refused(self, copying: ArrayUnderTest) -> None:
        source = copying.create()
        copying.delete(source.id, purge=True)
        with pytest.raises(ProviderError):
            copying.finish(copying.provider.create_async(_copy(copying, source)))
        assert copying.volumes() == {}

    def test_a_copy_that_is_too_small_is_refused(self, copying: ArrayUnderTest) -> None:
        request = replace(copying.request(), size=copying.larger)
        source = copying.finish(copying.provider.create_async(request))
        with pytest.raises(Rejected):
            copying.finish(copying.provider.create_async(_copy(copying, source)))
        assert list(copying.volumes()) == [source.id]

    def test_snapshots_are_listed(self, snapshots: ArrayUnderTest) -> None:
        first, second = snapshots.create(), snapshots.create()
        names = [(_add(snapshots, volume, name), volume.id, name) for volume, name in ((first, "a"), (second, "b"))]
        listed = {one.name: one for one in _listed(snapshots)}
        assert [(one.id, one.volume, one.name) for _, one in sorted(listed.items())] == names
        assert {one.size for one in listed.values()} == {snapshots.size}

    def test_a_snapshot_can_be_copied(self, snapshots: ArrayUnderTest) -> None:
        source = snapshots.create()
        snapshot = _add(snapshots, source, "nightly")
        request = replace(snapshots.request(), clone_of=CloneOf(source.id, snapshot))
        made = snapshots.finish(snapshots.provider.create_async(request))
        assert (made.size, made.owner) == (source.size, request.owner)

    def test_a_copy_of_a_snapshot_that_is_not_there_is_refused(self, snapshots: ArrayUnderTest) -> None:
        source, other = snapshots.create(), snapshots.create()
        snapshot = _add(snapshots, other, "of another one")
        request = replace(snapshots.request(), clone_of=CloneOf(source.id, snapshot))
        with pytest.raises(ProviderError):
            snapshots.finish(snapshots.provider.create_async(request))
        assert len(snapshots.volumes()) == 2


def _copy(array: ArrayUnderTest, source: ActualVolume) -> CreateVolume:
    return replace(array.request(), clone_of=CloneOf(source.id))


def _add(array: ArrayUnderTest, volume: ActualVolume, name: str) -> str:
    if array.add_snapshot is None:
        pytest.skip("the array under test makes no snapshots")
    return array.add_snapshot(volume.id, name)


def _listed(array: ArrayUnderTest) -> list[ActualSnapshot]:
    provider = array.provider
    assert isinstance(provider, Snapshots)
    return list(provider.list_snapshots(array.pool))
