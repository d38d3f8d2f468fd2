"""Whatever pools and volumes there are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.placement import allocator
from planner.placement.eligibility import Eligibility
from planner.placement.filters import byte_budget, iops_budget, refuse_fixed
from planner.placement.model import Candidate, Demand, Placement
from planner.placement.weighers import WEIGHERS
from tests.unit.placement.worlds import GIB, applied, candidate, demand, worlds

World = tuple[list[Demand], list[Candidate]]
weighers = st.sampled_from(sorted(WEIGHERS))
often = settings(max_examples=100, deadline=None)


def place(demands: list[Demand], candidates: list[Candidate], weigher: str = "headroom") -> Placement:
    """With a short search, since what is held here does not depend on how long it is."""
    return allocator.place(demands, candidates, weigher, effort=20_000)


@often
@given(worlds(), weighers)
def test_the_floors_and_bytes_on_a_pool_never_pass_its_budget(world: World, weigher: str) -> None:
    demands, candidates = world
    placement = place(demands, candidates, weigher)
    more_bytes: dict[str, int] = defaultdict(int)
    more_iops: dict[str, int] = defaultdict(int)
    for wanted in demands:
        if (assignment := placement.assignments.get(wanted.address)) is not None:
            bytes, iops = wanted.holds if wanted.prior == assignment.pool else (0, 0)
            more_bytes[assignment.pool] += wanted.size - bytes
            more_iops[assignment.pool] += wanted.floor - iops
    for pool in candidates:
        # What others have taken too much of already is not ours to mend, but nothing comes on top.
        iops, bytes = iops_budget(pool), byte_budget(pool)
        assert iops is None or more_iops[pool.id] <= max(iops - pool.status.floors, 0)
        assert bytes is None or more_bytes[pool.id] <= max(bytes - pool.status.used, 0)


@often
@given(worlds(), weighers)
def test_no_volume_sits_on_a_pool_that_a_filter_refuses(world: World, weigher: str) -> None:
    demands, candidates = world
    placement = place(demands, candidates, weigher)
    pools = {pool.id: pool for pool in candidates}
    for wanted in demands:
        if (assignment := placement.assignments.get(wanted.address)) is not None:
            assert refuse_fixed(wanted, pools[assignment.pool]) is None


@often
@given(worlds())
def test_the_masks_say_what_the_filters_say(world: World) -> None:
    demands, candidates = world
    eligibility = Eligibility(candidates)
    for wanted in demands:
        refused = [refuse_fixed(wanted, pool) for pool in candidates]
        assert eligibility.pools(wanted) == sum(1 << n for n, refusal in enumerate(refused) if refusal is None)
        assert list(eligibility.refusals(wanted)) == refused


@often
@given(worlds(), weighers, st.randoms(use_true_random=False))
def test_the_order_of_declaration_does_not_change_the_result(world: World, weigher: str, random: Random) -> None:
    demands, candidates = world
    shuffled, turned = list(demands), list(candidates)
    random.shuffle(shuffled)
    random.shuffle(turned)
    assert place(shuffled, turned, weigher) == place(demands, candidates, weigher)


@often
@given(worlds(), weighers, weighers)
def test_planning_the_applied_state_again_moves_nothing(world: World, weigher: str, another: str) -> None:
    demands, candidates = world
    first = place(demands, candidates, weigher)
    again = place(*applied(first, *world), another)
    assert {a: x.pool for a, x in again.assignments.items()} == {a: x.pool for a, x in first.assignments.items()}


@often
@given(worlds(), weighers)
def test_a_recorded_volume_is_never_moved(world: World, weigher: str) -> None:
    demands, candidates = world
    placement = place(demands, candidates, weigher)
    for wanted in demands:
        if wanted.prior is not None and wanted.pin in (None, wanted.prior) and wanted.address in placement.assignments:
            assert placement.assignments[wanted.address].pool == wanted.prior


@often
@given(worlds(), weighers)
def test_a_recorded_volume_that_asks_for_no_more_keeps_its_place(world: World, weigher: str) -> None:
    """Whatever else is planned, and however over-committed its pool is."""
    demands, candidates = world
    pools = {pool.id: pool for pool in candidates}
    placement = place(demands, candidates, weigher)
    for wanted in demands:
        if wanted.prior is None or wanted.pin not in (None, wanted.prior) or refuse_fixed(wanted, pools[wanted.prior]):
            continue
        if wanted.size <= wanted.holds[0] and wanted.floor <= wanted.holds[1]:
            assert placement.assignments[wanted.address].pool == wanted.prior


@often
@given(worlds(), weighers)
def test_a_volume_without_a_place_has_a_reason_for_every_pool(world: World, weigher: str) -> None:
    demands, candidates = world
    placement = place(demands, candidates, weigher)
    assert placement.assignments.keys() | placement.unplaced.keys() == {wanted.address for wanted in demands}
    assert not placement.assignments.keys() & placement.unplaced.keys()
    for wanted in demands:
        if (rejections := placement.unplaced.get(wanted.address)) is not None:
            stays = wanted.prior is not None and wanted.pin in (None, wanted.prior)
            expected = [wanted.prior] if stays else sorted(pool.id for pool in candidates)
            assert [rejection.pool for rejection in rejections] == expected


@often
@given(worlds(), weighers)
def test_the_figures_of_a_full_pool_add_up(world: World, weigher: str) -> None:
    demands, candidates = world
    placement = place(demands, candidates, weigher)
    told = [*placement.unplaced.values(), *(made.rejections for made in placement.assignments.values())]
    for rejection in (rejection for rejections in told for rejection in rejections):
        if rejection.filter in ("iops", "space"):
            figures = dict(rejection.figures)
            asked, budget = figures.pop("asked"), figures.pop("budget")
            assert asked > figures["free"]
            assert sum(figures.values()) == budget


def test_a_pool_in_maintenance_keeps_what_it_has() -> None:
    resting = candidate("p", enabled=False)
    resting = replace(resting, status=replace(resting.status, used=GIB, floors=100))
    kept, new = demand("kept", prior="pool.p", holds=(GIB, 100)), demand("new")
    placement = place([kept, new], [resting])
    assert placement.assignments[kept.address].pool == "pool.p"
    assert [rejection.filter for rejection in placement.unplaced[new.address]] == ["state"]
