"""Whatever pools and volumes there are: no budget is passed, no filter is passed over, and order does not matter."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.addresses import InstanceAddress
from planner.placement.allocator import place
from planner.placement.filters import byte_budget, iops_budget, refuse_fixed
from planner.placement.model import Candidate, Demand, Placement
from planner.sdk.storage import ArrayInfo, PoolSpec, PoolStatus, Qos

GIB = 1 << 30
ARRAY = ArrayInfo("array", "test array", frozenset())
ENFORCES = frozenset({"floor", "ceiling", "burst"})


def candidate(name: str, *, size: int = 1000 * GIB, iops: int | None = 10_000, **more: object) -> Candidate:
    status = PoolStatus(size, used=0, capacity_iops=iops, floors=0, enforces=ENFORCES)
    return replace(Candidate(f"pool.{name}", PoolSpec(f"pool.{name}"), ARRAY, status), **more)  # type: ignore[arg-type]


def holding(candidate: Candidate, *figures: str) -> Candidate:
    """The pool of an array that holds just these figures."""
    return replace(candidate, status=replace(candidate.status, enforces=frozenset(figures)))


def demand(name: str, *, size: int = GIB, floor: int = 100, **more: object) -> Demand:
    made = Demand(InstanceAddress("volume", name), size, Qos(floor, max(floor, 1) * 2, max(floor, 1) * 3))
    return replace(made, **more)  # type: ignore[arg-type]


tags = st.frozensets(st.sampled_from(["ssd", "fast", "cheap"]), max_size=2)

pools = st.lists(
    st.builds(
        lambda size, iops, tags, exclusive, enabled, zone, used, floors: {
            "size": size * GIB,
            "iops": iops,
            "tags": tags,
            "exclusive": exclusive,
            "enabled": enabled,
            "zone": zone,
            "taken": (min(used, size) * GIB, min(floors, iops)),
        },
        st.integers(0, 50),
        st.integers(0, 2000),
        tags,
        st.booleans(),
        st.booleans(),
        st.sampled_from([None, "east", "west"]),
        st.integers(0, 50),
        st.integers(0, 2000),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda rows: [
        replace(
            candidate(
                f"p{number}",
                size=row["size"],
                iops=row["iops"],
                tags=row["tags"],
                exclusive=row["exclusive"],
                enabled=row["enabled"],
                zone=row["zone"],
            ),
            status=PoolStatus(row["size"], row["taken"][0], row["iops"], row["taken"][1], ENFORCES),
        )
        for number, row in enumerate(rows)
    ]
)

volumes = st.lists(
    st.tuples(st.integers(1, 20), st.integers(0, 800), tags, st.sampled_from([None, "east", "west"])),
    max_size=40,
).map(
    lambda rows: [
        demand(f"v{number}", size=size * GIB, floor=floor, tags=wanted, zone=zone)
        for number, (size, floor, wanted, zone) in enumerate(rows)
    ]
)


@settings(max_examples=150, deadline=None)
@given(pools, volumes)
def test_budgets_and_filters_hold(candidates: list[Candidate], demands: list[Demand]) -> None:
    placement = place(demands, candidates)
    by_id = {candidate.id: candidate for candidate in candidates}
    by_address = {demand.address: demand for demand in demands}
    assert set(placement.assignments) | set(placement.unplaced) == set(by_address)
    floors: dict[str, int] = defaultdict(int)
    sizes: dict[str, int] = defaultdict(int)
    for address, assignment in placement.assignments.items():
        wanted = by_address[address]
        assert refuse_fixed(wanted, by_id[assignment.pool]) is None
        assert wanted.qos is not None
        floors[assignment.pool] += wanted.qos.min_iops
        sizes[assignment.pool] += wanted.size
    for candidate in candidates:
        budget = iops_budget(candidate)
        assert budget is not None
        assert not floors[candidate.id] or candidate.status.floors + floors[candidate.id] <= budget
        room = byte_budget(candidate)
        assert room is not None
        assert not sizes[candidate.id] or candidate.status.used + sizes[candidate.id] <= room
    for rejections in placement.unplaced.values():
        assert {rejection.pool for rejection in rejections} == set(by_id)


@settings(max_examples=75, deadline=None)
@given(pools, volumes, st.randoms(use_true_random=False))
def test_the_order_of_declaration_does_not_matter(
    candidates: list[Candidate], demands: list[Demand], random: object
) -> None:
    placement = place(demands, candidates)
    shuffled, turned = list(demands), list(candidates)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    random.shuffle(turned)  # type: ignore[attr-defined]
    assert place(shuffled, turned) == placement


@settings(max_examples=75, deadline=None)
@given(pools, volumes)
def test_what_is_placed_stays(candidates: list[Candidate], demands: list[Demand]) -> None:
    first = place(demands, candidates)
    again = place(*applied(first, demands, candidates))
    assert {a: x.pool for a, x in again.assignments.items()} == {a: x.pool for a, x in first.assignments.items()}


def applied(
    placement: Placement, demands: list[Demand], candidates: list[Candidate]
) -> tuple[list[Demand], list[Candidate]]:
    """Demands and candidates as they are once the placement was carried out."""
    placed = []
    used: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for wanted in demands:
        assignment = placement.assignments.get(wanted.address)
        if assignment is None:
            continue
        assert wanted.qos is not None
        used[assignment.pool][0] += wanted.size
        used[assignment.pool][1] += wanted.qos.min_iops
        placed.append(replace(wanted, prior=assignment.pool, holds=(wanted.size, wanted.qos.min_iops)))
    grown = [
        replace(
            candidate,
            status=replace(
                candidate.status,
                used=candidate.status.used + used[candidate.id][0],
                floors=candidate.status.floors + used[candidate.id][1],
            ),
        )
        for candidate in candidates
    ]
    return placed, grown


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
