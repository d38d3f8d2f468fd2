"""How many volumes are placed, beside the most that can be: an exact solver's answer (OR-Tools' CP-SAT)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from planner.placement.allocator import place
from planner.placement.filters import byte_budget, iops_budget, refuse_fixed, taken
from planner.placement.model import Candidate, Demand
from planner.placement.weighers import WEIGHERS
from tests.unit.placement.worlds import GIB, candidate, demand, worlds

World = tuple[list[Demand], list[Candidate]]
weighers = st.sampled_from(sorted(WEIGHERS))

fixed = partial(settings, deadline=None, derandomize=True, phases=[Phase.generate])
"""
The same examples in every run. The search proves nothing: of random instances as tight as these it misses the 5 % about
once in some thousand, and then a run would fail that nobody can mend. Nor is an example made smaller: each try takes
seconds.
"""


def most(demands: list[Demand], candidates: list[Candidate]) -> int:
    """
    The most volumes that can be on pools at once. What exists may only be where it is, and goes before what does not;
    what gives something back there is there in any case.
    """
    model = cp_model.CpModel()
    pools = {pool.id: pool for pool in candidates}
    left = {pool.id: _left(pool) for pool in candidates}
    takes: dict[str, list[tuple[cp_model.IntVar, int, int]]] = {pool.id: [] for pool in candidates}
    always, kept, new = 0, [], []
    for wanted in demands:
        stays = wanted.prior is not None and wanted.pin in (None, wanted.prior)
        here = []
        for pool in [pools[wanted.prior or ""]] if stays else candidates:
            if refuse_fixed(wanted, pool) is not None:
                continue
            bytes, iops = taken(wanted, pool)
            if stays and bytes <= 0 and iops <= 0:
                always += 1
                left[pool.id] = (left[pool.id][0] - bytes, left[pool.id][1] - iops)
            else:
                here.append(model.new_bool_var(""))
                takes[pool.id].append((here[-1], bytes, iops))
        model.add_at_most_one(here)
        (kept if stays else new).extend(here)
    for id, (bytes, iops) in left.items():
        for limit, column in ((bytes, 1), (iops, 2)):
            asking = [row for row in takes[id] if row[column] > 0]
            if limit < UNLIMITED:
                model.add(sum(row[0] * row[column] for row in asking) <= max(limit, 0))
    model.maximize(100 * sum(kept) + sum(new))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = 3
    assert solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    # Where it could not prove its answer in its time, it is the most that is known.
    return always + sum(solver.value(one) for one in (*kept, *new))


UNLIMITED = 1 << 60


def _left(pool: Candidate) -> tuple[int, int]:
    bytes, iops = byte_budget(pool), iops_budget(pool)
    return (
        UNLIMITED if bytes is None else bytes - pool.status.used,
        UNLIMITED if iops is None else iops - pool.status.floors,
    )


@fixed(max_examples=60)
@given(worlds(), weighers)
def test_the_number_placed_is_within_5_percent_of_the_best(world: World, weigher: str) -> None:
    demands, candidates = world
    assert len(place(demands, candidates, weigher).assignments) >= 0.95 * most(demands, candidates)


@st.composite
def tight(draw: st.DrawFn) -> World:
    """40 volumes that ask for about as much as 6 pools have: the hard case, where nearly all fit."""
    volumes = [
        demand(f"v{number}", size=draw(st.integers(1, 100)) * GIB, floor=draw(st.integers(0, 100)))
        for number in range(40)
    ]
    size, floors = sum(v.size for v in volumes) // 6, sum(v.floor for v in volumes) // 6
    pools = []
    for number in range(6):
        room, iops = draw(st.integers(85, 115)), draw(st.integers(85, 115))
        tags = draw(st.sampled_from([frozenset({"ssd"}), frozenset[str]()]))
        pools.append(candidate(f"p{number}", size=size * room // 100, iops=floors * iops // 100, tags=tags))
    return [
        replace(v, tags=draw(st.sampled_from([frozenset[str]()] * 3 + [frozenset({"ssd"})]))) for v in volumes
    ], pools


@fixed(max_examples=15)
@given(tight(), weighers)
def test_where_nearly_all_fit_the_number_placed_is_within_5_percent_of_the_best(world: World, weigher: str) -> None:
    demands, candidates = world
    assert len(place(demands, candidates, weigher).assignments) >= 0.95 * most(demands, candidates)


@fixed(max_examples=40)
@given(st.integers(2, 5), st.integers(2, 6), st.randoms(use_true_random=False), weighers)
def test_a_plan_that_can_be_placed_is_not_refused(pools: int, each: int, random: Random, weigher: str) -> None:
    """
    Pools as large as what is in them, to the last byte and the last IOPS: it fits. For more than a dozen volumes they
    have one percent to spare.
    """
    spare = 1.0 if pools * each <= 12 else 1.01
    demands: list[Demand] = []
    candidates = []
    for number in range(pools):
        parts = [(random.randint(1, 50), random.randint(0, 50)) for _ in range(each)]
        size, iops = (sum(column) for column in zip(*parts, strict=True))
        candidates.append(candidate(f"p{number}", size=int(size * GIB * spare), iops=int(iops * spare)))
        demands.extend(demand(f"v{number}-{n}", size=s * GIB, floor=f) for n, (s, f) in enumerate(parts))
    assert not place(demands, candidates, weigher).unplaced


@pytest.mark.parametrize("weigher", ["headroom", "first"])
def test_what_the_weigher_leaves_without_a_place_is_repacked(weigher: str) -> None:
    """6, 5, 5, 4 and 4 hundred into 13 and 11: neither finds 5 + 4 + 4 and 6 + 5 by itself."""
    demands = [demand(f"v{n}", floor=floor) for n, floor in enumerate((600, 500, 500, 400, 400))]
    placement = place(demands, [candidate("a", iops=1300), candidate("b", iops=1100)], weigher)
    assert not placement.unplaced
    assert any("repacked" in made.reason for made in placement.assignments.values())
