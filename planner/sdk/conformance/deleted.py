"""What every array keeps that supports "undelete": `planner.sdk.storage.DeletedVolumes`."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from planner.sdk.conformance.storage import ArrayUnderTest
from planner.sdk.errors import Missing, ProviderError
from planner.sdk.storage import DeletedVolume, DeletedVolumes, DeleteVolume, RestoreVolume


class DeletedConformance:
    """
    What every array keeps that supports "undelete", for a minute at least; skipped for others.

    A subclass gives the fixture `array`, as for `StorageConformance`, and may be one of both.
    """

    @pytest.fixture
    def array(self) -> ArrayUnderTest:
        raise NotImplementedError("a subclass of DeletedConformance gives the fixture `array`")

    @pytest.fixture
    def keeping(self, array: ArrayUnderTest) -> ArrayUnderTest:
        """The array, if it supports it."""
        array.needs("undelete")
        return array

    def test_a_delete_answers_until_when_it_can_be_taken_back(self, keeping: ArrayUnderTest) -> None:
        volume = keeping.create()
        until = _delete(keeping, volume.id)
        assert until is not None
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", until)
        assert datetime.fromisoformat(until) > datetime.now(UTC)
        assert _deleted(keeping) == {volume.id: DeletedVolume(volume, until)}
        assert volume.id not in keeping.volumes()

    def test_a_delete_repeated_answers_the_same(self, keeping: ArrayUnderTest) -> None:
        volume = keeping.create()
        until = _delete(keeping, volume.id)
        assert _delete(keeping, volume.id) == until

    def test_a_restored_volume_is_as_it_was(self, keeping: ArrayUnderTest) -> None:
        volume = keeping.create()
        _delete(keeping, volume.id)
        assert _restore(keeping, volume.id) == volume.id
        assert keeping.volumes() == {volume.id: volume}
        assert _deleted(keeping) == {}

    def test_a_restored_volume_can_be_granted_and_deleted_again(self, keeping: ArrayUnderTest) -> None:
        volume, endpoint = keeping.create(), keeping.endpoints[0]
        keeping.grant(volume.id, endpoint)
        keeping.revoke(volume.id, endpoint)
        _delete(keeping, volume.id)
        _restore(keeping, volume.id)
        assert keeping.volumes()[volume.id].grants == ()
        keeping.grant(volume.id, endpoint)
        assert {endpoint.initiator, endpoint.address} & set(keeping.volumes()[volume.id].grants)
        keeping.revoke(volume.id, endpoint)
        assert _delete(keeping, volume.id) is not None

    def test_a_restore_repeated_answers_the_same_volume(self, keeping: ArrayUnderTest) -> None:
        volume = keeping.create()
        assert _restore(keeping, volume.id) == volume.id
        _delete(keeping, volume.id)
        assert [_restore(keeping, volume.id), _restore(keeping, volume.id)] == [volume.id, volume.id]

    @pytest.mark.parametrize("first", ["purged at once", "deleted before"])
    def test_what_is_purged_is_gone_for_good(self, keeping: ArrayUnderTest, first: str) -> None:
        volume = keeping.create()
        if first == "deleted before":
            _delete(keeping, volume.id)
        assert _delete(keeping, volume.id, purge=True) is None
        assert _deleted(keeping) == {}
        with pytest.raises(Missing):
            _restore(keeping, volume.id)
        with pytest.raises(Missing):
            _delete(keeping, volume.id)

    def test_a_deleted_volume_holds_its_bytes_and_no_floor(self, keeping: ArrayUnderTest) -> None:
        before = keeping.provider.pool_status(keeping.pool)
        volume = keeping.create()
        _delete(keeping, volume.id)
        after = keeping.provider.pool_status(keeping.pool)
        assert (after.used, after.floors) == (before.used + volume.size, before.floors)
        _delete(keeping, volume.id, purge=True)
        assert keeping.provider.pool_status(keeping.pool).used == before.used

    def test_a_volume_may_have_the_name_of_a_deleted_one(self, keeping: ArrayUnderTest) -> None:
        volume = keeping.create()
        _delete(keeping, volume.id)
        namesake = keeping.create(volume.name)
        assert (namesake.name, namesake.id != volume.id) == (volume.name, True)
        if keeping.names_unique:
            with pytest.raises(ProviderError):
                _restore(keeping, volume.id)
            keeping.delete(namesake.id, purge=True)
        assert _restore(keeping, volume.id) == volume.id

    def test_a_create_is_not_answered_by_a_deleted_volume(self, keeping: ArrayUnderTest) -> None:
        request = keeping.request()
        volume = keeping.finish(keeping.provider.create_async(request))
        _delete(keeping, volume.id)
        assert keeping.finish(keeping.provider.create_async(replace(request, name=f"{request.name}-2"))).id != volume.id


def _keeper(array: ArrayUnderTest) -> DeletedVolumes:
    provider = array.provider
    assert isinstance(provider, DeletedVolumes)
    return provider


def _deleted(array: ArrayUnderTest) -> dict[str, DeletedVolume]:
    return {one.volume.id: one for one in _keeper(array).list_deleted(array.pool)}


def _delete(array: ArrayUnderTest, volume: str, purge: bool = False) -> str | None:
    return array.finish(array.provider.delete_async(DeleteVolume(array.pool, volume, purge)))


def _restore(array: ArrayUnderTest, volume: str) -> str:
    return array.finish(_keeper(array).restore_async(RestoreVolume(array.pool, volume))).id
