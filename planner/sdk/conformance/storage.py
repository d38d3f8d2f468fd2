"""What every `StorageProvider` keeps."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest

from planner.sdk.conformance.replies import answers_of_equal_calls, finish, new_owner
from planner.sdk.errors import Conflict, Missing, ProviderError, Rejected
from planner.sdk.storage import (
    AccessPath,
    AccessRules,
    ActualVolume,
    CreateVolume,
    DeleteVolume,
    Done,
    Endpoint,
    GrantAccess,
    Owner,
    Pending,
    PoolSpec,
    Qos,
    QosPolicies,
    Reply,
    ResizeVolume,
    RevokeAccess,
    StorageProvider,
    UpdateQos,
    WantedAccess,
)

T = TypeVar("T")

ENFORCEABLE = frozenset({"floor", "ceiling", "burst", "bandwidth"})
ABILITIES = frozenset({"resize", "chap", "acl", "update_qos", "qos_policy", "image", "clone", "snapshot", "undelete"})

_GIB = 1 << 30
_QOS = Qos(500, 1000, 1500)
_OTHER_QOS = Qos(600, 2000, 2500)


@dataclass(slots=True)
class ArrayUnderTest:
    """
    An array for `StorageConformance`.

    Attributes:
        open: a provider for the array. Each call gives a new one, as another process would have.
        pool: exists, and has room for 32 volumes of `size`.
        endpoints: two hosts that may be let in.
        size, larger: bytes; both multiples of the array's granularity.
        qos, other_qos: figures within the array's limits, each with its floor below the other's ceiling; None for an
            array that takes none.
        bandwidth: bytes per second, within the array's limits.
        missing_pool: a pool that the array has not; None for an array whose pools come into being by use.
        names_unique: the array refuses a second volume of the same name.
        add_foreign: makes a volume of the given name in `pool` by other means than the provider.
        add_snapshot: makes a snapshot of the volume with the given id, under the given name; answers its id.
        image: what the array makes a volume of `size` from; None where it is not to be had.
        missing_image: what it finds no image by.
        count_calls: how many requests the providers of `open` have sent to the array so far.
        deadline: seconds that a pending call may take.
    """

    open: Callable[[], StorageProvider]
    pool: PoolSpec
    endpoints: tuple[Endpoint, Endpoint]
    size: int = _GIB
    larger: int = 2 * _GIB
    qos: Qos | None = _QOS
    other_qos: Qos | None = _OTHER_QOS
    bandwidth: int = 50 << 20
    missing_pool: PoolSpec | None = None
    names_unique: bool = True
    add_foreign: Callable[[str], None] | None = None
    add_snapshot: Callable[[str, str], str] | None = None
    image: str | None = None
    missing_image: str = "/nowhere/no-such-image.raw"
    count_calls: Callable[[], int] | None = None
    deadline: float = 60.0
    provider: StorageProvider = field(init=False)

    def __post_init__(self) -> None:
        self.provider = self.open()

    def finish(self, reply: Reply[T]) -> T:
        return finish(self.provider, reply, self.deadline)

    def request(self, name: str | None = None, owner: Owner | None = None) -> CreateVolume:
        """A request for a new volume; `name` and `owner` are new where they are left out."""
        return CreateVolume(self.pool, name or f"c-{secrets.token_hex(5)}", self.size, self.qos, owner or new_owner())

    def create(self, name: str | None = None) -> ActualVolume:
        return self.finish(self.provider.create_async(self.request(name)))

    def grant(self, volume: str, endpoint: Endpoint) -> AccessPath:
        return self.finish(self.provider.grant_access(GrantAccess(self.pool, volume, endpoint)))

    def revoke(self, volume: str, endpoint: Endpoint) -> None:
        self.finish(self.provider.revoke_access(RevokeAccess(self.pool, volume, endpoint)))

    def delete(self, volume: str, purge: bool = False) -> None:
        self.finish(self.provider.delete_async(DeleteVolume(self.pool, volume, purge)))

    def volumes(self) -> dict[str, ActualVolume]:
        """What another process reads of the pool, by volume id."""
        other = self.open()
        try:
            listed = list(other.list_volumes(self.pool))
        finally:
            other.close()
        assert len({volume.id for volume in listed}) == len(listed), "a volume is listed once"
        return {volume.id: volume for volume in listed}

    def needs(self, ability: str) -> None:
        if ability not in self.provider.inspect().supports:
            pytest.skip(f'the array does not support "{ability}"')


class StorageConformance:
    """What every `StorageProvider` keeps. A subclass gives the fixture `array`."""

    @pytest.fixture
    def array(self) -> ArrayUnderTest:
        raise NotImplementedError("a subclass of StorageConformance gives the fixture `array`")

    # the array and its pools

    def test_identity_is_the_same_for_everybody(self, array: ArrayUnderTest) -> None:
        identity = array.provider.inspect().identity
        assert identity
        assert array.open().inspect().identity == identity

    def test_abilities_are_said_in_known_words(self, array: ArrayUnderTest) -> None:
        assert array.provider.pool_status(array.pool).enforces <= ENFORCEABLE
        assert array.provider.inspect().supports <= ABILITIES

    def test_an_array_that_has_policies_can_be_asked_about_them(self, array: ArrayUnderTest) -> None:
        array.needs("qos_policy")
        assert isinstance(array.provider, QosPolicies)

    def test_pool_status_counts_what_volumes_may_grow_to_and_their_floors(self, array: ArrayUnderTest) -> None:
        before = array.provider.pool_status(array.pool)
        volume = array.create()
        during = array.provider.pool_status(array.pool)
        assert during.used - before.used >= array.size
        assert during.floors - before.floors == (volume.qos.min_iops if volume.qos else 0)
        assert (during.capacity, during.capacity_iops) == (before.capacity, before.capacity_iops)
        # What can be undeleted keeps its bytes until it is purged.
        array.delete(volume.id, purge="undelete" in array.provider.inspect().supports)
        assert array.provider.pool_status(array.pool) == before

    def test_status_of_a_missing_pool_raises_missing(self, array: ArrayUnderTest) -> None:
        if array.missing_pool is None:
            pytest.skip("the array's pools come into being by use")
        with pytest.raises(Missing):
            array.provider.pool_status(array.missing_pool)

    # create

    def test_create_gives_what_was_asked_for(self, array: ArrayUnderTest) -> None:
        request = array.request()
        volume = array.finish(array.provider.create_async(request))
        assert volume.id
        assert (volume.name, volume.size, volume.qos) == (request.name, request.size, request.qos)
        assert volume.owner == request.owner
        assert volume.grants == ()

    def test_create_answers_as_the_list_does(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        assert array.volumes()[volume.id] == volume

    def test_create_repeated_answers_the_same_volume(self, array: ArrayUnderTest) -> None:
        request = array.request()
        first = array.finish(array.provider.create_async(request))
        again = array.finish(array.provider.create_async(request))
        assert again == first
        assert [volume.id for volume in array.volumes().values() if volume.owner == request.owner] == [first.id]

    def test_create_repeated_by_another_process_answers_the_same_volume(self, array: ArrayUnderTest) -> None:
        request = array.request()
        first = array.finish(array.provider.create_async(request))
        other = array.open()
        assert finish(other, other.create_async(request), array.deadline) == first

    def test_create_repeated_before_the_first_is_done_makes_one_volume(self, array: ArrayUnderTest) -> None:
        request = array.request()
        replies = [array.provider.create_async(request) for _ in range(2)]
        first, again = (array.finish(reply) for reply in replies)
        assert again.id == first.id
        assert [volume.id for volume in array.volumes().values() if volume.owner == request.owner] == [first.id]

    def test_create_repeated_after_changes_keeps_them(self, array: ArrayUnderTest) -> None:
        array.needs("resize")
        request = array.request()
        volume = array.finish(array.provider.create_async(request))
        array.finish(array.provider.resize_async(ResizeVolume(array.pool, volume.id, array.larger)))
        assert array.finish(array.provider.create_async(request)).size == array.larger

    @pytest.mark.parametrize(
        "address",
        [
            "volume.db",
            "volume.db[3]",
            'module.east["1"].module.inner.volume.db["wal"]',
            'volume.db["a b/c:d=e,f;g&h%20\'i\\"j\\\\k"]',
            'volume.größe["日本 🙂"]',
            f'volume.db["{"x" * 200}"]',
        ],
    )
    def test_owner_is_found_as_it_was_given(self, array: ArrayUnderTest, address: str) -> None:
        owner = new_owner(address)
        volume = array.finish(array.provider.create_async(array.request(owner=owner)))
        assert volume.owner == owner
        assert array.volumes()[volume.id].owner == owner

    def test_name_taken_by_another_intent(self, array: ArrayUnderTest) -> None:
        first = array.create()
        if array.names_unique:
            with pytest.raises(Conflict):
                array.create(first.name)
            assert [volume.id for volume in array.volumes().values() if volume.name == first.name] == [first.id]
        else:
            assert array.create(first.name).id != first.id

    def test_ids_are_never_given_twice(self, array: ArrayUnderTest) -> None:
        first = array.create()
        array.delete(first.id)
        assert array.create(first.name).id != first.id

    def test_size_off_the_granularity_is_rejected(self, array: ArrayUnderTest) -> None:
        if array.provider.inspect().limits.size_granularity == 1:
            pytest.skip("the array takes sizes to the byte")
        self._is_rejected(array, replace(array.request(), size=array.size + 1))

    def test_size_beyond_the_limits_is_rejected(self, array: ArrayUnderTest) -> None:
        limits = array.provider.inspect().limits
        sizes = [limits.min_size - limits.size_granularity] if limits.min_size is not None else []
        sizes += [limits.max_size + limits.size_granularity] if limits.max_size is not None else []
        for size in sizes:
            self._is_rejected(array, replace(array.request(), size=size))

    def test_name_beyond_the_limit_is_rejected(self, array: ArrayUnderTest) -> None:
        length = array.provider.inspect().limits.name_length
        if length is None:
            pytest.skip("the array tells no limit")
        assert array.create("n" * length).name == "n" * length
        self._is_rejected(array, replace(array.request(), name="n" * (length + 1)))

    def test_floor_beyond_the_limit_is_rejected(self, array: ArrayUnderTest) -> None:
        limits = array.provider.inspect().limits
        if limits.min_iops is None:
            pytest.skip("the array tells no limit")
        floor = limits.min_iops[1] + 1
        self._is_rejected(array, replace(array.request(), qos=Qos(floor, floor, floor)))

    def test_create_makes_a_volume_from_an_image(self, array: ArrayUnderTest) -> None:
        array.needs("image")
        if array.image is None:
            pytest.skip("no image is given")
        request = replace(array.request(), source=array.image)
        volume = array.finish(array.provider.create_async(request))
        assert (volume.name, volume.size, volume.qos) == (request.name, request.size, request.qos)
        assert array.finish(array.provider.create_async(request)) == volume
        assert [listed for listed in array.volumes().values() if listed.owner == request.owner] == [volume]

    def test_missing_image_is_rejected_and_leaves_nothing(self, array: ArrayUnderTest) -> None:
        array.needs("image")
        before = array.provider.pool_status(array.pool)
        self._is_rejected(array, replace(array.request(), source=array.missing_image))
        assert array.provider.pool_status(array.pool) == before

    def test_image_is_refused_by_an_array_that_takes_none(self, array: ArrayUnderTest) -> None:
        if "image" in array.provider.inspect().supports:
            pytest.skip("the array makes volumes from images")
        self._is_rejected(array, replace(array.request(), source=array.image or array.missing_image))

    def _is_rejected(self, array: ArrayUnderTest, request: CreateVolume) -> None:
        with pytest.raises(Rejected):
            array.finish(array.provider.create_async(request))
        assert request.owner not in {volume.owner for volume in array.volumes().values()}

    # change

    def test_resize_grows(self, array: ArrayUnderTest) -> None:
        array.needs("resize")
        volume = array.create()
        request = ResizeVolume(array.pool, volume.id, array.larger)
        for _ in range(2):
            assert array.finish(array.provider.resize_async(request)) == replace(volume, size=array.larger)
            assert array.volumes()[volume.id].size == array.larger

    def test_resize_refuses_to_shrink(self, array: ArrayUnderTest) -> None:
        array.needs("resize")
        volume = array.create()
        array.finish(array.provider.resize_async(ResizeVolume(array.pool, volume.id, array.larger)))
        with pytest.raises(Rejected):
            array.finish(array.provider.resize_async(ResizeVolume(array.pool, volume.id, array.size)))
        assert array.volumes()[volume.id].size == array.larger

    def test_resize_keeps_owner_qos_and_grants(self, array: ArrayUnderTest) -> None:
        array.needs("resize")
        volume = array.create()
        array.grant(volume.id, array.endpoints[0])
        before = array.volumes()[volume.id]
        array.finish(array.provider.resize_async(ResizeVolume(array.pool, volume.id, array.larger)))
        assert array.volumes()[volume.id] == replace(before, size=array.larger)

    def test_qos_is_read_back_as_it_was_set(self, array: ArrayUnderTest) -> None:
        array.needs("update_qos")
        volume = array.create()
        request = UpdateQos(array.pool, volume.id, array.other_qos)
        for _ in range(2):
            assert array.finish(array.provider.update_qos(request)) == replace(volume, qos=array.other_qos)
            assert array.volumes()[volume.id] == replace(volume, qos=array.other_qos)

    @pytest.mark.parametrize("ability", sorted(ENFORCEABLE))
    def test_figure_that_the_pool_enforces_is_carried_exactly(self, array: ArrayUnderTest, ability: str) -> None:
        if ability not in array.provider.pool_status(array.pool).enforces:
            pytest.skip(f"the pool does not enforce {ability}")
        assert array.qos is not None and array.other_qos is not None, "what is enforced can be given"
        qos = {
            "floor": replace(array.other_qos, min_iops=array.qos.min_iops),
            "ceiling": replace(array.other_qos, max_iops=array.qos.max_iops),
            "burst": replace(array.other_qos, burst_iops=array.other_qos.max_iops),
            "bandwidth": replace(array.other_qos, max_bandwidth=array.bandwidth),
        }[ability]
        made = array.finish(array.provider.create_async(replace(array.request(), qos=qos)))
        assert made.qos == array.volumes()[made.id].qos == qos
        array.needs("update_qos")
        changed = array.create()
        for figures in (qos, array.other_qos):
            answer = array.finish(array.provider.update_qos(UpdateQos(array.pool, changed.id, figures)))
            assert answer.qos == array.volumes()[changed.id].qos == figures

    def test_figures_survive_a_resize(self, array: ArrayUnderTest) -> None:
        array.needs("update_qos")
        array.needs("resize")
        volume = array.create()
        array.grant(volume.id, array.endpoints[0])
        array.finish(array.provider.update_qos(UpdateQos(array.pool, volume.id, array.other_qos)))
        before = array.volumes()[volume.id]
        array.finish(array.provider.resize_async(ResizeVolume(array.pool, volume.id, array.larger)))
        assert array.volumes()[volume.id] == replace(before, qos=array.other_qos, size=array.larger)

    def test_pool_status_counts_the_floor_that_an_update_gave(self, array: ArrayUnderTest) -> None:
        array.needs("update_qos")
        if array.qos is None or array.other_qos is None:
            pytest.skip("the array takes no figures")
        volume = array.create()
        before = array.provider.pool_status(array.pool)
        array.finish(array.provider.update_qos(UpdateQos(array.pool, volume.id, array.other_qos)))
        grown = array.other_qos.min_iops - array.qos.min_iops
        assert array.provider.pool_status(array.pool) == replace(before, floors=before.floors + grown)

    # delete

    def test_delete_takes_the_volume_away(self, array: ArrayUnderTest) -> None:
        volume, other = array.create(), array.create()
        array.delete(volume.id)
        assert volume.id not in array.volumes()
        assert array.volumes()[other.id] == other

    def test_delete_of_a_missing_volume_raises_missing(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        array.delete(volume.id, purge=True)
        with pytest.raises(Missing):
            array.delete(volume.id, purge=True)

    def test_delete_of_a_granted_volume_is_whole_or_refused(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        array.grant(volume.id, array.endpoints[0])
        before = array.volumes()[volume.id]
        try:
            array.delete(volume.id)
        except Rejected:
            assert array.volumes()[volume.id] == before
        else:
            assert volume.id not in array.volumes()

    @pytest.mark.parametrize("verb", ["resize", "update_qos", "grant_access", "revoke_access"])
    def test_calls_about_a_missing_volume_raise_missing(self, array: ArrayUnderTest, verb: str) -> None:
        volume = array.create()
        array.delete(volume.id)
        if verb in ("resize", "update_qos"):
            array.needs(verb)
        calls: dict[str, Callable[[], Reply[Any]]] = {
            "resize": lambda: array.provider.resize_async(ResizeVolume(array.pool, volume.id, array.larger)),
            "update_qos": lambda: array.provider.update_qos(UpdateQos(array.pool, volume.id, array.other_qos)),
            "grant_access": lambda: array.provider.grant_access(GrantAccess(array.pool, volume.id, array.endpoints[0])),
            "revoke_access": lambda: array.provider.revoke_access(
                RevokeAccess(array.pool, volume.id, array.endpoints[0])
            ),
        }
        with pytest.raises(Missing):
            array.finish(calls[verb]())

    # access

    def test_grant_gives_a_path_and_is_listed(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        path = array.grant(volume.id, array.endpoints[0])
        listed = array.volumes()[volume.id]
        assert (listed.portal, listed.iqn, listed.lun) == (path.portal, path.iqn, path.lun)
        assert listed.chap_username == path.chap_username
        assert path.portal.rpartition(":")[2].isdecimal()
        assert path.iqn.startswith(("iqn.", "eui.", "naa."))
        assert len(listed.grants) == 1
        assert listed.grants[0] in (array.endpoints[0].initiator, array.endpoints[0].address)

    def test_grant_repeated_is_one_grant(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        path = array.grant(volume.id, array.endpoints[0])
        assert array.grant(volume.id, array.endpoints[0]) == path
        assert len(array.volumes()[volume.id].grants) == 1

    def test_each_volume_has_a_place_of_its_own(self, array: ArrayUnderTest) -> None:
        paths = [array.grant(array.create().id, array.endpoints[0]) for _ in range(3)]
        assert len({(path.portal, path.iqn, path.lun) for path in paths}) == 3

    def test_revoke_leaves_the_other_endpoint_in(self, array: ArrayUnderTest) -> None:
        array.needs("acl")
        first, second = array.endpoints
        volume = array.create()
        array.grant(volume.id, first)
        array.grant(volume.id, second)
        both = array.volumes()[volume.id].grants
        assert len(both) == 2
        array.revoke(volume.id, first)
        (left,) = array.volumes()[volume.id].grants
        assert left in both
        assert left in (second.initiator, second.address)

    def test_revoke_repeated_or_never_granted_is_done(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        array.revoke(volume.id, array.endpoints[1])
        array.grant(volume.id, array.endpoints[0])
        for _ in range(2):
            array.revoke(volume.id, array.endpoints[0])
            assert array.volumes()[volume.id].grants == ()

    def test_a_revoked_volume_can_be_deleted(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        array.grant(volume.id, array.endpoints[0])
        array.revoke(volume.id, array.endpoints[0])
        array.delete(volume.id)
        assert volume.id not in array.volumes()

    def test_access_that_is_not_refused_beforehand_can_be_given(self, array: ArrayUnderTest) -> None:
        if not isinstance(array.provider, AccessRules):
            pytest.skip("the array has no rules of access to be asked about")
        volume, endpoint = array.create(), array.endpoints[0]
        before = array.volumes()
        for id in (volume.id, None):
            wanted = WantedAccess("volume.c", id, (endpoint,), (endpoint,))
            assert not array.provider.refused_access(array.pool, [wanted])
        assert array.volumes() == before
        array.grant(volume.id, endpoint)

    # secrets

    def test_credentials_are_there_exactly_where_the_path_asks_for_them(self, array: ArrayUnderTest) -> None:
        volume = array.create()
        path = array.grant(volume.id, array.endpoints[0])
        credentials = array.provider.credentials(volume.id, path)
        assert (credentials is None) == (path.chap_username is None)
        if credentials is not None:
            assert credentials.username == path.chap_username
            assert credentials.password
            assert array.open().credentials(volume.id, path) == credentials
        else:
            assert "chap" not in array.provider.inspect().supports

    def test_secrets_show_nowhere(self, array: ArrayUnderTest) -> None:
        array.needs("chap")
        volume = array.create()
        path = array.grant(volume.id, array.endpoints[0])
        credentials = array.provider.credentials(volume.id, path)
        assert credentials is not None
        with pytest.raises(ProviderError) as caught:
            array.finish(array.provider.delete_async(DeleteVolume(array.pool, f"{volume.id}-not")))
        shown = [path, volume, *array.volumes().values(), array.provider, credentials, caught.value]
        assert all(credentials.password not in text for thing in shown for text in (repr(thing), str(thing)))
        assert credentials.password not in caught.value.detail

    # reading

    def test_list_has_every_volume_with_its_grants(self, array: ArrayUnderTest) -> None:
        made = [array.create() for _ in range(5)]
        for volume in made[1:]:
            array.grant(volume.id, array.endpoints[0])
        are_many = "acl" in array.provider.inspect().supports
        for volume in made[3:]:
            array.grant(volume.id, array.endpoints[are_many])
        listed = array.volumes()
        assert [len(listed[volume.id].grants) for volume in made] == ([0, 1, 1, 2, 2] if are_many else [0, 1, 1, 1, 1])

    def test_list_has_foreign_volumes_without_an_owner(self, array: ArrayUnderTest) -> None:
        if array.add_foreign is None:
            pytest.skip("no way to make a foreign volume is given")
        own = array.create()
        array.add_foreign("foreign-1")
        (foreign,) = (volume for volume in array.volumes().values() if volume.name == "foreign-1")
        assert foreign.owner is None
        assert array.volumes()[own.id] == own

    def test_list_makes_no_call_per_volume(self, array: ArrayUnderTest) -> None:
        if array.count_calls is None:
            pytest.skip("no way to count calls is given")
        few, many = self._calls_of_a_list(array, more=2), self._calls_of_a_list(array, more=10)
        assert few == many > 0

    def _calls_of_a_list(self, array: ArrayUnderTest, more: int) -> int:
        for _ in range(more):
            array.grant(array.create().id, array.endpoints[0])
        list(array.provider.list_volumes(array.pool))  # whatever is done once per provider has been done
        assert array.count_calls is not None
        before = array.count_calls()
        assert len(list(array.provider.list_volumes(array.pool))) >= more
        return array.count_calls() - before

    # jobs and threads

    def test_a_pending_call_is_finished_by_another_process(self, array: ArrayUnderTest) -> None:
        request = array.request()
        reply = array.provider.create_async(request)
        if isinstance(reply, Done):
            pytest.skip("the array is done at once")
        array.provider.close()  # the process that asked is gone; suppose that nobody knows the job
        other = array.open()
        listed = [volume for volume in other.list_volumes(array.pool) if volume.owner == request.owner]
        assert len(listed) == 1, "a volume in the making is listed"
        volume: ActualVolume = finish(other, reply, array.deadline)
        assert (volume.name, volume.owner) == (request.name, request.owner)
        assert finish(other, other.poll(reply.job), array.deadline) == volume, "a job may be asked again"

    def test_poll_of_an_unknown_job_raises(self, array: ArrayUnderTest) -> None:
        has_jobs = isinstance(array.provider.create_async(array.request()), Pending)
        with pytest.raises(Missing if has_jobs else ProviderError):
            array.provider.poll("no-such-job")

    def test_threads_share_a_provider(self, array: ArrayUnderTest) -> None:
        requests = [array.request() for _ in range(16)]

        def serve(request: CreateVolume) -> tuple[str, AccessPath]:
            volume = array.finish(array.provider.create_async(request))
            return volume.id, array.grant(volume.id, array.endpoints[0])

        with ThreadPoolExecutor(8) as threads:
            served = dict(threads.map(serve, requests))
        listed = array.volumes()
        assert {listed[volume].owner for volume in served} == {request.owner for request in requests}
        assert all(len(listed[volume].grants) == 1 for volume in served)
        assert len({(path.iqn, path.lun) for path in served.values()}) == len(requests)

    def test_threads_with_the_same_request_make_one_volume(self, array: ArrayUnderTest) -> None:
        request = array.request()
        made = answers_of_equal_calls(lambda: array.finish(array.provider.create_async(request)), threads=8)
        assert len({volume.id for volume in made}) == 1
        assert sum(volume.owner == request.owner for volume in array.volumes().values()) == 1
