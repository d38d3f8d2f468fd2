"""Which pool a volume gets, and why: cases made by hand. What holds for all of them is in `test_properties`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.addresses import InstanceAddress
from planner.config.model import PLACEMENTS
from planner.placement.allocator import place
from planner.placement.filters import byte_budget, iops_budget, refuse_fixed
from planner.placement.model import Candidate, Demand, Host
from planner.placement.weighers import WEIGHERS
from planner.sdk.storage import ArrayLimits, PoolStatus, Qos
from tests.unit.placement.worlds import ARRAY, ENFORCES, GIB, candidate, demand, holding


def test_demands_do_not_each_see_the_same_headroom() -> None:
    demands = [demand("a", floor=600), demand("b", floor=600)]
    placement = place(demands, [candidate("p", iops=1000)])
    assert list(map(str, placement.assignments)) == ["volume.a"]
    (rejection,) = placement.unplaced[InstanceAddress("volume", "b")]
    assert rejection.filter == "iops"
    assert "600 asked, 400 of 1000 IOPS left" in rejection.reason


def test_a_pool_that_is_over_committed_already_keeps_what_it_has() -> None:
    full = replace(candidate("p", iops=1000), status=PoolStatus(1000 * GIB, 10 * GIB, 1000, 1500, ENFORCES))
    kept = demand("a", floor=600, prior="pool.p", holds=(GIB, 600))
    assert place([kept], [full]).assignments[kept.address].pool == "pool.p"


def test_a_volume_that_does_not_fit_its_pool_any_more_is_not_moved() -> None:
    grown = demand("a", size=80 * GIB, prior="pool.p", holds=(10 * GIB, 100))
    small = replace(candidate("p", size=50 * GIB), status=PoolStatus(50 * GIB, 10 * GIB, 10_000, 100, ENFORCES))
    (rejection,) = place([grown], [small, candidate("roomy")]).unplaced[grown.address]
    assert (rejection.pool, rejection.filter) == ("pool.p", "space")
    pinned = replace(grown, pin="pool.roomy")
    assert place([pinned], [small, candidate("roomy")]).assignments[grown.address].pool == "pool.roomy"


def test_a_pool_that_left_the_configuration_takes_its_volumes_nowhere() -> None:
    orphan = demand("a", prior="pool.old", holds=(GIB, 100))
    (rejection,) = place([orphan], [candidate("new")]).unplaced[orphan.address]
    assert (rejection.pool, rejection.filter) == ("pool.old", "gone")


def test_most_headroom_wins_and_ties_go_to_the_lower_name() -> None:
    placement = place([demand("a")], [candidate("b"), candidate("a"), candidate("c", iops=9_000)])
    assert placement.assignments[InstanceAddress("volume", "a")].pool == "pool.a"


def test_a_floor_on_a_pool_without_a_budget_is_held_by_nobody() -> None:
    open_ended = holding(candidate("p", iops=None))
    with_ceiling = demand("a", hypervisor_enforces=frozenset({"ceiling", "burst"}))
    (rejection,) = place([with_ceiling], [open_ended]).unplaced[with_ceiling.address]
    assert (rejection.filter, "floor" in rejection.reason) == ("qos", True)
    budgeted = replace(open_ended, capacity_iops=1000)
    who = place([with_ceiling], [budgeted]).assignments[with_ceiling.address].enforcement
    assert (who.floor, who.ceiling, who.burst) == ("reserved", "hypervisor", "hypervisor")


def test_enforcement_by_storage_is_refused_where_the_array_does_not_hold_it() -> None:
    bare = holding(candidate("p"), "ceiling")
    strict = demand("a", enforcement="storage")
    (rejection,) = place([strict], [bare]).unplaced[strict.address]
    assert rejection.filter == "qos"
    assert rejection.figures == {"min_iops": 100, "burst_iops": 300}
    assert "floor 100 IOPS and burst 300 IOPS" in rejection.reason


def refusal(wanted: Demand, pool: Candidate) -> str:
    """The filter that refuses the pool, and its words; empty for none."""
    found = refuse_fixed(wanted, pool)
    return f"{found.filter}: {found.reason}" if found else ""


EAST_1, EAST_2, WEST, NOWHERE = (
    Host("host.a", "east", "east-1"),
    Host("host.b", "east", "east-2"),
    Host("host.c", "west", "west-1"),
    Host("host.d"),
)


@pytest.mark.parametrize(
    ("pool", "hosts", "reason"),
    [
        ({}, {EAST_1, WEST, NOWHERE}, ""),
        ({"zone": "east"}, {EAST_1, EAST_2}, ""),
        ({"zone": "east"}, {EAST_1, WEST}, "scope: it serves zone east only: host.c is in zone west"),
        ({"zone": "east"}, {NOWHERE}, "scope: it serves zone east only: host.d names no zone"),
        ({"cluster": "east-1"}, {EAST_1}, ""),
        (
            {"zone": "east", "cluster": "east-1"},
            {EAST_1, EAST_2},
            "scope: it serves cluster east-1 only: host.b is in cluster east-2",
        ),
        # The zone that is given holds, too.
        ({"zone": "west", "cluster": "east-1"}, {EAST_1}, "scope: it serves zone west only: host.a is in zone east"),
        ({"host": "host.a"}, {EAST_1}, ""),
        ({"host": "host.a"}, {EAST_1, EAST_2, WEST}, "scope: it serves host.a only: not host.b, not host.c"),
    ],
)
def test_a_pool_must_reach_every_host_of_the_volume(pool: dict[str, str], hosts: set[Host], reason: str) -> None:
    assert refusal(demand("v", hosts=frozenset(hosts)), candidate("p", **pool)) == reason


def test_the_zone_of_the_volume_itself_must_be_served() -> None:
    east = candidate("p", zone="east")
    assert refusal(demand("v", zone="east"), east) == ""
    assert refusal(demand("v", zone="west"), east) == "scope: it serves zone east only: the volume asks for zone west"


def test_a_pin_is_held_against_the_other_filters_as_well() -> None:
    pinned = demand("v", pin="pool.p")
    placement = place([pinned], [candidate("p", enabled=False), candidate("q")])
    told = {rejection.pool: rejection.filter for rejection in placement.unplaced[pinned.address]}
    assert told == {"pool.p": "state", "pool.q": "pin"}


def test_only_bytes_are_given_out_more_than_once() -> None:
    pool = candidate("p", size=100, iops=1000, overprovision=2.0)
    assert (byte_budget(pool), iops_budget(pool)) == (200, 1000)
    assert iops_budget(replace(pool, capacity_iops=500)) == 500


def test_a_bandwidth_is_held_by_the_storage_else_by_the_hypervisor_else_refused() -> None:
    wanted = demand("v", qos=Qos(0, 0, 0, 400 << 20))
    bare = holding(candidate("p"))
    held = place([wanted], [holding(candidate("p"), "bandwidth")]).assignments[wanted.address].enforcement
    assert (held.floor, held.ceiling, held.burst, held.bandwidth) == ("", "", "", "storage")
    by_host = replace(wanted, hypervisor_enforces=frozenset({"bandwidth"}))
    assert place([by_host], [bare]).assignments[wanted.address].enforcement.bandwidth == "hypervisor"
    (rejection,) = place([wanted], [bare]).unplaced[wanted.address]
    assert (rejection.filter, rejection.figures) == ("qos", {"max_bandwidth": 400 << 20})
    assert "the bandwidth 400MiB/s" in rejection.reason
    (rejection,) = place([replace(by_host, enforcement="storage")], [bare]).unplaced[wanted.address]
    assert "does not hold the bandwidth 400MiB/s itself" in rejection.reason


def test_a_figure_of_0_needs_nobody_to_hold_it() -> None:
    wanted = demand("v", qos=Qos(0, 0, 0), enforcement="storage")
    assert place([wanted], [holding(candidate("p", iops=None))]).assignments


def test_what_is_asked_for_as_best_effort_goes_where_nobody_holds_it() -> None:
    wanted = demand("v", enforcement="best_effort")
    held = place([wanted], [holding(candidate("p", iops=None))]).assignments[wanted.address].enforcement
    assert (held.floor, held.ceiling, held.burst) == ("none", "none", "none")


def test_an_array_that_makes_no_images_takes_no_root_disk_made_from_one() -> None:
    root = demand("root", source="debian-13.qcow2")
    able = replace(candidate("q"), array=replace(ARRAY, supports=frozenset({"image"})))
    placement = place([root], [candidate("p"), able])
    assert placement.assignments[root.address].pool == "pool.q"
    assert [(r.pool, r.filter) for r in placement.assignments[root.address].rejections] == [("pool.p", "limits")]


def test_the_limits_of_the_array_are_told_with_the_figure_that_passes_them() -> None:
    pool = replace(candidate("p"), array=replace(ARRAY, limits=ArrayLimits(max_size=GIB, min_iops=(50, 15_000))))
    (large,) = place([demand("v", size=2 * GIB)], [pool]).unplaced.values()
    assert (large[0].filter, large[0].figures) == ("limits", {"size": 2 * GIB, "most": GIB})
    (low,) = place([demand("v", floor=49)], [pool]).unplaced.values()
    assert (low[0].filter, low[0].figures) == ("limits", {"min_iops": 49, "least": 50, "most": 15_000})
    # A volume that asks for no IOPS figures is not held to them.
    assert place([demand("v", qos=None)], [pool]).assignments


def test_rejections_tell_what_was_left_when_it_was_the_volumes_turn() -> None:
    demands = [demand("a", floor=600), demand("b", floor=500)]
    placement = place(demands, [candidate("p", iops=1000), candidate("q", iops=900), candidate("r", iops=100)])
    first, second = (placement.assignments[wanted.address] for wanted in demands)
    assert (first.pool, second.pool) == ("pool.p", "pool.q")
    assert [(r.pool, r.figures["free"]) for r in first.rejections] == [("pool.r", 100)]
    assert [(r.pool, r.figures["free"]) for r in second.rejections] == [("pool.p", 400), ("pool.r", 100)]


def test_what_is_taken_is_told_apart_by_whose_it_is() -> None:
    used = PoolStatus(1000 * GIB, 0, 1000, 700, ENFORCES)
    pool = replace(candidate("p"), status=used, ours=(0, 200))
    placement = place([demand("a", floor=250), demand("b", floor=100)], [pool])
    ((rejection,),) = placement.unplaced.values()
    assert dict(rejection.figures) == {
        "asked": 100, "free": 50, "budget": 1000, "planned": 250, "ours": 200, "others": 500
    }  # fmt: skip


def test_each_weigher_prefers_another_pool_and_says_so() -> None:
    pools = [candidate("a", iops=5_000), candidate("b", iops=9_000), candidate("c", iops=2_000)]
    made = {weigher: place([demand("v")], pools, weigher).assignments[demand("v").address] for weigher in WEIGHERS}
    assert {weigher: assignment.pool for weigher, assignment in made.items()} == {
        "headroom": "pool.b",
        "pack": "pool.c",
        "first": "pool.a",
    }
    assert made["headroom"].reason == "headroom: 9000 IOPS and 1000 GiB left; pool.a has 5000 IOPS and 1000 GiB"
    assert made["pack"].reason == "pack: 2000 IOPS and 1000 GiB left; pool.a has 5000 IOPS and 1000 GiB"
    assert made["first"].reason == "first: the lowest name of those that fit"


def test_pack_takes_the_fullest_that_still_fits() -> None:
    pools = [candidate("a", iops=5_000), candidate("b", iops=300), candidate("c", iops=2_000)]
    assert place([demand("v", floor=400)], pools, "pack").assignments[demand("v").address].pool == "pool.c"


def test_ties_go_to_the_lower_name() -> None:
    pools = [candidate("b"), candidate("a"), candidate("c")]
    for weigher in WEIGHERS:
        assert place([demand("v")], pools, weigher).assignments[demand("v").address].pool == "pool.a"


def test_the_configuration_knows_every_weigher() -> None:
    assert sorted(PLACEMENTS) == sorted(WEIGHERS)


def test_what_gives_something_back_makes_room_for_what_grows() -> None:
    full = replace(candidate("p"), status=PoolStatus(1000 * GIB, 0, 1000, 1000, ENFORCES))
    grows = demand("a", floor=700, prior="pool.p", holds=(GIB, 500))
    shrinks = demand("b", floor=300, prior="pool.p", holds=(GIB, 500))
    assert not place([grows, shrinks], [full]).unplaced
    assert [str(address) for address in place([grows], [full]).unplaced] == ["volume.a"]


def test_as_many_as_can_grow_do() -> None:
    full = replace(candidate("p"), status=PoolStatus(1000 * GIB, 0, 1000, 600, ENFORCES))
    grow = [demand(f"v{by}", floor=200 + by, prior="pool.p", holds=(GIB, 200)) for by in (150, 250, 380)]
    assert [str(address) for address in place(grow, [full]).unplaced] == ["volume.v380"]
