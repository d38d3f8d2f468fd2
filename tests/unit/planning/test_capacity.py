"""
What pools are said to hold and to take: held against the array, and against plans of just as many volumes and one more.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import operations
from planner.addresses import InstanceAddress
from planner.diagnostics import Diagnostics, Source
from planner.errors import InvalidConfiguration, LunformError
from planner.evaluation.resource_graph import ResourceInstance
from planner.planning.builder import PlanRequest
from planner.planning.capacity import Budget, Capacity, OfferingRoom, measure
from planner.planning.refresh import Actual, PoolReading
from planner.resources.offerings import COMPUTE_OFFERING
from planner.sdk.storage import (
    ArrayInfo,
    CreateVolume,
    Done,
    Owner,
    PoolSpec,
    PoolStatus,
    Qos,
    StorageProvider,
)
from planner.state.model import Snapshot
from providers.sandbox import PROVIDER

GIB, TIB = 1 << 30, 1 << 40


class Site:
    """A folder with a sandbox array and a configuration."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, configuration: str) -> operations.Project:
        """The configuration is HCL, or JSON."""
        provider = f'provider "sandbox" {{\n  path = "{self.folder / "array.db"}"\n}}\n'
        sources = [
            Source("provider.lun.hcl", provider),
            Source("main.lun.json" if configuration.startswith("{") else "main.lun.hcl", configuration),
        ]
        return operations.load(self.folder, operations.Inputs(environment={}), sources)

    def capacity(self, configuration: str, size: int = 100 * GIB, only: Sequence[str] = ()) -> Capacity:
        capacity, diagnostics = self.capacity_and_mistakes(configuration, size, only)
        assert not len(diagnostics), list(diagnostics)
        return capacity

    def capacity_and_mistakes(
        self, configuration: str, size: int = 100 * GIB, only: Sequence[str] = ()
    ) -> tuple[Capacity, Diagnostics]:
        project = self.load(configuration)
        with closing(operations.store_of(project)) as store:
            return operations.capacity(project, store, size, only)

    def apply(self, configuration: str) -> None:
        project = self.load(configuration)
        with closing(operations.store_of(project)) as store:
            plan, _ = operations.plan(project, store, PlanRequest())
            assert operations.apply(project, store, plan).complete

    def refused(self, configuration: str) -> list[str | None]:
        """The volumes for which a plan finds no place."""
        project = self.load(configuration)
        with closing(operations.store_of(project)) as store:
            try:
                operations.plan(project, store, PlanRequest())
            except InvalidConfiguration as error:
                assert {item.summary for item in error.diagnostics} == {"No pool can take the volume"}
                return [item.address for item in error.diagnostics]
        return []

    def add(self, pool: str, name: str, size: int, floor: int = 0, lineage: str | None = None) -> None:
        """A volume that is not in our state: nobody's, or another state's."""
        assert PROVIDER.open_storage is not None
        array: StorageProvider = PROVIDER.open_storage({"path": str(self.folder / "array.db")})
        owner = Owner(lineage or "nobody", f"volume.{name}", name.encode().hex().ljust(16, "0")[-16:])
        with closing(array):
            made = array.create_async(
                CreateVolume(PoolSpec(pool), name, size, Qos(floor, max(floor, 1), max(floor, 1)), owner)
            )
        assert isinstance(made, Done)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


SSD = """
disk_offering "fast" {
  min_iops   = 1000
  max_iops   = 2000
  burst_iops = 2000
}

pool "ssd" {
  provider = sandbox
  size     = "1TiB"
  iops     = 10000
}
"""
VOLUME = 'volume "db" {\n  offering = disk_offering.fast\n  size = "200GiB"\n}\n'


def test_ours_are_those_of_this_state_and_all_else_is_of_others(site: Site) -> None:
    site.apply(SSD + VOLUME)
    site.add("pool.ssd", "by-hand", 100 * GIB, 500)
    site.add("pool.ssd", "of-another-state", 50 * GIB, 300, lineage="another")
    (pool,) = site.capacity(SSD + VOLUME).pools
    assert (pool.ours, pool.others) == (1, 2)
    assert pool.bytes == Budget(TIB, 200 * GIB, 150 * GIB)
    assert pool.bytes.free == 674 * GIB
    assert pool.iops == Budget(10000, 1000, 800)


def test_an_imported_volume_is_ours_though_nobody_marked_it(site: Site) -> None:
    site.add("pool.ssd", "by-hand", 200 * GIB, 1000)
    imported = SSD + VOLUME.replace('size = "200GiB"', 'size = "200GiB"\n  name = "by-hand"')
    imported = imported.replace("burst_iops = 2000", "burst_iops = 2000", 1)
    site.apply(imported + 'import {\n  to = volume.db\n  id = "by-hand"\n}\n')
    (pool,) = site.capacity(imported).pools
    assert (pool.ours, pool.others) == (1, 0)


def test_without_a_state_everything_is_of_others(site: Site) -> None:
    site.add("pool.ssd", "by-hand", 100 * GIB)
    (pool,) = site.capacity(SSD).pools
    assert (pool.ours, pool.others) == (0, 1)
    assert [path.name for path in site.folder.iterdir()] == ["array.db"]


def test_what_is_declared_counts_before_what_is_reported_and_only_bytes_are_overprovisioned(site: Site) -> None:
    declared = SSD.replace("iops     = 10000", 'iops = 10000\n  capacity = "2TiB"\n  overprovision = 1.5')
    (pool,) = site.capacity(declared).pools
    assert pool.bytes.total == 3 * TIB


def test_more_given_out_than_there_is_is_less_than_nothing_free(site: Site) -> None:
    site.add("pool.ssd", "by-hand", 800 * GIB)
    (pool,) = site.capacity(SSD.replace("iops     = 10000", 'capacity = "500GiB"')).pools
    assert pool.bytes.free == -300 * GIB


def test_a_pool_without_limits_takes_any_number(site: Site) -> None:
    endless = SSD.replace('size     = "1TiB"\n', "").replace("iops     = 10000\n", "")
    capacity = site.capacity(endless)
    assert capacity.pools[0].bytes.free is None
    assert capacity.offerings[0].count is None
    assert capacity.offerings[0].fits["pool.ssd"].refusal is None


def test_a_pool_in_maintenance_holds_what_it_has_and_takes_nothing(site: Site) -> None:
    site.apply(SSD + VOLUME)
    capacity = site.capacity(SSD.replace("iops     = 10000", 'iops = 10000\n  state = "maintenance"'))
    assert capacity.pools[0].ours == 1
    fit = capacity.offerings[0].fits["pool.ssd"]
    assert (fit.count, fit.refusal and fit.refusal.filter) == (0, "state")


def test_an_offering_with_a_size_of_its_own_is_counted_at_that(site: Site) -> None:
    fixed = SSD.replace("min_iops   = 1000", 'size = "300GiB"\n  min_iops   = 1000')
    for asked in (10 * GIB, 900 * GIB):
        (room,) = site.capacity(fixed, asked).offerings
        assert (room.size, room.is_fixed, room.count) == (300 * GIB, True, 3)


def test_floors_that_grow_with_the_size_are_counted_at_the_size_asked_for(site: Site) -> None:
    scaled = SSD.replace("min_iops   = 1000", "iops_per_gib {\n    min = 10\n    max = 20\n    burst = 20\n  }")
    scaled = scaled.replace("  max_iops   = 2000\n  burst_iops = 2000\n", "")
    counts = {size: site.capacity(scaled, size * GIB).offerings[0] for size in (1, 100, 500)}
    assert {size: (room.qos and room.qos.min_iops, room.count) for size, room in counts.items()} == {
        1: (10, 1000),
        100: (1000, 10),
        500: (5000, 2),
    }


def test_root_disks_of_compute_offerings_are_counted_too(site: Site) -> None:
    desired = site.load(SSD).evaluator.evaluate(lambda instance: instance.attributes).graph
    (fast,) = (instance for address, instance in desired.instances.items() if address.type == "disk_offering")
    root_disk = {"size": "20GiB", "min_iops": 500, "max_iops": 1000, "burst_iops": 1000, "tags": None}

    def compute_offering(name: str, root_disk: dict[str, Any] | None) -> ResourceInstance:
        address = InstanceAddress("compute_offering", name)
        return replace(fast, address=address, type=COMPUTE_OFFERING, attributes={"root_disk": root_disk})

    offerings = [compute_offering("small", root_disk | {"qos_enforcement": "any"}), compute_offering("diskless", None)]
    pool = PoolReading(
        ArrayInfo("array", "test array", frozenset()),
        PoolStatus(TIB, 0, 10_000, 0, frozenset({"floor", "ceiling", "burst"})),
        {},
    )
    capacity, mistakes = measure(
        replace(desired, instances={**desired.instances, **{one.address: one for one in offerings}}),
        Snapshot("", 0),
        [InstanceAddress("pool", "ssd")],
        Actual({"pool.ssd": pool}),
        100 * GIB,
    )
    assert not len(mistakes)
    small, disk = capacity.offerings
    assert (small.offering, small.size, small.is_fixed, small.count) == ("compute_offering.small", 20 * GIB, True, 20)
    assert disk.offering == "disk_offering.fast"


def test_an_offering_of_which_nothing_can_be_made_is_a_mistake_and_the_others_are_counted(site: Site) -> None:
    half = 'disk_offering "half" {\n  min_iops = 5\n}\n'
    capacity, mistakes = site.capacity_and_mistakes(SSD + half)
    assert [(item.summary, item.address) for item in mistakes] == [("Invalid QoS figures", "disk_offering.half")]
    assert [room.offering for room in capacity.offerings] == ["disk_offering.fast"]


def test_a_pool_that_cannot_be_read_is_a_mistake_and_the_others_are_measured(site: Site) -> None:
    broken = """
provider "sandbox" {
  alias  = "west"
  path   = "nowhere.db"
  faults = [{ verb = "pool_status", effect = "unreachable" }]
}

pool "west" {
  provider = sandbox.west
}
"""
    capacity, mistakes = site.capacity_and_mistakes(SSD + broken.replace("nowhere.db", str(site.folder / "west.db")))
    assert [(item.summary, item.address) for item in mistakes] == [("Provider cannot be reached", "pool.west")]
    assert [pool.candidate.id for pool in capacity.pools] == ["pool.ssd"]
    assert capacity.unread == ("pool.west",)
    assert capacity.offerings[0].count == 10


def test_a_pool_that_only_an_apply_could_find_is_a_mistake(site: Site) -> None:
    later = 'pool "later" {\n  provider = sandbox\n  name = volume.db.id\n}\n'
    pinned = VOLUME.replace('size = "200GiB"', 'size = "200GiB"\n  pool = pool.ssd')
    capacity, mistakes = site.capacity_and_mistakes(SSD + later + pinned)
    assert [(item.summary, item.address) for item in mistakes] == [("Not known yet", "pool.later")]
    assert capacity.unread == ("pool.later",)


COPIES = 'pool "site" {\n  for_each = toset(["east", "west"])\n  provider = sandbox\n}\n'


@pytest.mark.parametrize(
    ("only", "measured"),
    [
        ((), ['pool.site["east"]', 'pool.site["west"]', "pool.ssd"]),
        (("pool.ssd",), ["pool.ssd"]),
        (("pool.site",), ['pool.site["east"]', 'pool.site["west"]']),
        (("pool.ssd", 'pool.site["west"]'), ['pool.site["west"]', "pool.ssd"]),
    ],
)
def test_some_pools_can_be_named(site: Site, only: Sequence[str], measured: list[str]) -> None:
    capacity = site.capacity(SSD + COPIES, only=only)
    assert [pool.candidate.id for pool in capacity.pools] == measured
    assert all(list(room.fits) == measured for room in capacity.offerings)


def test_an_unknown_pool_is_answered_with_the_one_that_is_meant(site: Site) -> None:
    with pytest.raises(LunformError, match="There is no pool") as refused:
        site.capacity(SSD + COPIES, only=["pool.sdd"])
    assert refused.value.detail == 'Did you mean "pool.ssd"?'


# -- as many as are said to fit, and one more --

TAGS = st.sampled_from([None, ["ssd"], ["fast"], ["ssd", "fast"]])
LIMIT = st.one_of(st.none(), st.integers(0, 30))
FLOORS = st.integers(0, 500)


def gib(numbers: st.SearchStrategy[int | None]) -> st.SearchStrategy[str | None]:
    return numbers.map(lambda number: None if number is None else f"{number}GiB")


def hundreds(numbers: st.SearchStrategy[int | None]) -> st.SearchStrategy[int | None]:
    return numbers.map(lambda number: None if number is None else 100 * number)


POOLS = st.lists(
    st.fixed_dictionaries(
        {
            "provider": st.just("sandbox"),
            "size": gib(LIMIT),
            "capacity": gib(LIMIT),
            "iops": hundreds(LIMIT),
            "capacity_iops": hundreds(LIMIT),
            "overprovision": st.sampled_from([1, 1.5]),
            "tags": TAGS,
            "exclusive": st.booleans(),
            "state": st.sampled_from(["enabled", "enabled", "maintenance"]),
        }
    ),
    min_size=1,
    max_size=3,
)
FIGURES = st.one_of(
    st.just({}),
    FLOORS.map(lambda floor: {"min_iops": floor, "max_iops": floor + 1, "burst_iops": floor + 1}),
    FLOORS.map(lambda floor: {"iops_per_gib": {"min": floor / 100, "max": floor + 1, "burst": floor + 2}}),
)
OFFERINGS = st.lists(
    st.builds(
        lambda size, tags, figures: {"size": size, "tags": tags, **figures},
        gib(st.one_of(st.none(), st.integers(1, 9))),
        TAGS,
        FIGURES,
    ),
    min_size=1,
    max_size=3,
)
FOREIGN = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(0, 900)), max_size=5)


@settings(max_examples=40, deadline=None)
@given(POOLS, OFFERINGS, FOREIGN, st.integers(1, 9))
def test_so_many_more_can_be_planned_and_not_one_more(
    pools: list[dict[str, Any]], offerings: list[dict[str, Any]], foreign: list[tuple[int, int, int]], size: int
) -> None:
    declared = {
        "pool": {f"p{number}": pool for number, pool in enumerate(pools)},
        "disk_offering": {f"o{number}": offering for number, offering in enumerate(offerings)},
    }

    def with_volumes(room: OfferingRoom, count: int) -> str:
        volume = {"count": count, "offering": f"${{{room.offering}}}"}
        own = {} if room.is_fixed else {"size": f"{size}GiB"}
        return json.dumps({**declared, "volume": {"more": volume | own}})

    with TemporaryDirectory() as folder:
        site = Site(Path(folder))
        for number, (pool, gib, floor) in enumerate(foreign):
            site.add(f"pool.p{pool}", f"foreign-{number}", gib * GIB, floor)
        for room in site.capacity(json.dumps(declared), size * GIB).offerings:
            if room.count is None:
                assert site.refused(with_volumes(room, 60)) == []
            else:
                assert site.refused(with_volumes(room, room.count)) == []
                assert len(site.refused(with_volumes(room, room.count + 1))) == 1
