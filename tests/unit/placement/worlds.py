"""Pools and volumes for the tests of placement: made by hand, and at random."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from planner.addresses import InstanceAddress
from planner.placement.model import Candidate, Demand, Host, Placement
from planner.sdk.storage import ArrayInfo, PoolSpec, PoolStatus, Qos

GIB = 1 << 30
ARRAY = ArrayInfo("array", "test array", frozenset())
ENFORCES = frozenset({"floor", "ceiling", "burst", "bandwidth"})


def candidate(name: str, *, size: int | None = 1000 * GIB, iops: int | None = 10_000, **more: Any) -> Candidate:
    status = PoolStatus(size, used=0, capacity_iops=iops, floors=0, enforces=ENFORCES)
    return replace(Candidate(f"pool.{name}", PoolSpec(f"pool.{name}"), ARRAY, status), **more)


def holding(candidate: Candidate, *figures: str) -> Candidate:
    """The pool of an array that holds just these figures."""
    return replace(candidate, status=replace(candidate.status, enforces=frozenset(figures)))


def demand(name: str, *, size: int = GIB, floor: int = 100, **more: Any) -> Demand:
    made = Demand(InstanceAddress("volume", name), size, Qos(floor, max(floor, 1) * 2, max(floor, 1) * 3))
    return replace(made, **more)


def applied(
    placement: Placement, demands: list[Demand], candidates: list[Candidate]
) -> tuple[list[Demand], list[Candidate]]:
    """Demands and candidates as they are read once the placement was carried out."""
    placed = []
    used: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for wanted in demands:
        assignment = placement.assignments.get(wanted.address)
        if assignment is None:
            continue
        had = wanted.holds if wanted.prior == assignment.pool else (0, 0)
        used[assignment.pool][0] += wanted.size - had[0]
        used[assignment.pool][1] += wanted.floor - had[1]
        placed.append(replace(wanted, prior=assignment.pool, holds=(wanted.size, wanted.floor)))
    grown = [
        replace(
            pool,
            status=replace(
                pool.status, used=pool.status.used + used[pool.id][0], floors=pool.status.floors + used[pool.id][1]
            ),
        )
        for pool in candidates
    ]
    return placed, grown


ZONES = st.sampled_from([None, "east", "west"])
TAGS = st.frozensets(st.sampled_from(["ssd", "fast", "cheap"]), max_size=2)
HOSTS = [Host(f"host.{zone}[{n}]", zone, f"{zone}-{n}") for zone in ("east", "west") for n in (1, 2)]


@st.composite
def pools(draw: st.DrawFn) -> list[Candidate]:
    """1 to 6 pools, with others' volumes on them, some of them past what there is."""
    made = []
    for number in range(draw(st.integers(1, 6))):
        size, iops = draw(st.integers(1, 60)), draw(st.integers(0, 2500))
        pool = candidate(
            f"p{number}",
            size=draw(st.sampled_from([None, size * GIB, size * GIB, size * GIB])),
            iops=draw(st.sampled_from([None, iops, iops, iops])),
            tags=draw(TAGS),
            zone=draw(ZONES),
            cluster=draw(st.sampled_from([None, None, None, "east-1", "west-2"])),
            host=draw(st.sampled_from([None, None, None, None, HOSTS[0].address])),
            exclusive=draw(st.sampled_from([False, False, True])),
            enabled=draw(st.sampled_from([True, True, True, False])),
            overprovision=draw(st.sampled_from([1.0, 1.0, 1.5])),
        )
        used, floors = draw(st.integers(0, size + 2)), draw(st.integers(0, iops // 2 + 1))
        status = replace(pool.status, used=used * GIB, floors=floors)
        held = draw(st.sampled_from([ENFORCES, ENFORCES, ENFORCES - {"floor"}, frozenset[str]()]))
        made.append(replace(pool, status=replace(status, enforces=held)))
    return made


@st.composite
def volumes(draw: st.DrawFn, candidates: list[Candidate]) -> list[Demand]:
    """
    Up to 40 volumes: with tags, zones, hosts and pins; some exist already on one of the pools, and may grow or shrink.
    The pools' figures hold no more than what they do: what volumes hold there is part of it.
    """
    made = []
    for number in range(draw(st.integers(0, 40))):
        size, floor = draw(st.integers(1, 20)), draw(st.integers(0, 800))
        wanted = demand(
            f"v{number}",
            size=size * GIB,
            floor=floor,
            tags=draw(st.sampled_from([frozenset[str](), None])) or draw(TAGS),
            zone=draw(st.sampled_from([None, None, "east", "west"])),
            hosts=draw(st.frozensets(st.sampled_from(HOSTS), max_size=2)) if draw(st.booleans()) else frozenset(),
            pin=draw(st.sampled_from([None] * 9 + [candidates[0].id])),
            enforcement=draw(st.sampled_from(["any", "any", "storage", "best_effort"])),
            hypervisor_enforces=draw(st.sampled_from([frozenset[str](), frozenset({"ceiling", "burst"})])),
        )
        if draw(st.integers(0, 4)) == 0:
            prior = draw(st.sampled_from(candidates))
            if prior.status.used >= size * GIB and prior.status.floors >= floor:
                held = (draw(st.integers(1, size)) * GIB, draw(st.integers(0, floor)))
                if draw(st.booleans()):
                    held = (size * GIB, floor)
                wanted = replace(wanted, prior=prior.id, holds=held)
        made.append(wanted)
    return made


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Demand], list[Candidate]]:
    """
    Volumes and pools that can be at once: what volumes hold on a pool, all together, is part of what is used there.
    """
    candidates = draw(pools())
    demands = draw(volumes(candidates))
    held: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for wanted in demands:
        if wanted.prior is not None:
            held[wanted.prior][0] += wanted.holds[0]
            held[wanted.prior][1] += wanted.holds[1]
    return demands, [
        replace(
            pool,
            status=replace(
                pool.status,
                used=max(pool.status.used, held[pool.id][0]),
                floors=max(pool.status.floors, held[pool.id][1]),
            ),
            ours=(held[pool.id][0], held[pool.id][1]),
        )
        for pool in candidates
    ]
