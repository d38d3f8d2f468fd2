"""What is said when volumes find no pool: once, and never without a reason."""

from __future__ import annotations

from dataclasses import replace

from planner.addresses import InstanceAddress
from planner.diagnostics import Diagnostic, Diagnostics, Source, SourceRange
from planner.placement.allocator import place
from planner.placement.model import Candidate, Demand
from planner.planning.placing import report
from planner.sdk.storage import PoolStatus
from tests.unit.placement.worlds import ENFORCES, GIB, candidate, demand

TEXT = Source("main.lun.hcl", "volume a\nvolume b\n")
FIRST, SECOND = SourceRange(TEXT, 0, 8), SourceRange(TEXT, 9, 17)


def told(demands: list[Demand], candidates: list[Candidate]) -> list[Diagnostic]:
    diagnostics = Diagnostics()
    report(demands, place(demands, candidates), diagnostics)
    return list(diagnostics)


def many(count: int, name: str = "db", **more: object) -> list[Demand]:
    return [
        replace(demand(name, **more), address=InstanceAddress("volume", name, n), range=FIRST) for n in range(count)
    ]


def test_an_over_committed_plan_is_refused_once_with_every_pool() -> None:
    used = PoolStatus(1000 * GIB, 0, 1000, 300, ENFORCES)
    full = replace(candidate("full", tags=frozenset({"ssd"})), status=used, ours=(0, 100))
    demands = many(1000, tags=frozenset({"ssd"}))
    (error,) = told(demands, [full, candidate("disk"), candidate("resting", enabled=False)])
    assert (error.address, error.subject) == ("volume.db[7]", FIRST)
    assert error.detail.splitlines() == [
        "993 volumes find no place; together they ask for 99300 IOPS of floor and 993 GiB. Every pool was refused:",
        "  pool          filter  least asked  free  budget  this plan  ours  others",
        "  pool.disk     tags    it lacks the tag ssd (it has none)",
        "  pool.full     iops            100     0    1000        700   100     200",
        "  pool.resting  state   it is in maintenance",
        "",
        "Without a place are:",
        *(f"  {f'volume.db[{n}]':<13}  100 IOPS  1 GiB" for n in range(7, 17)),
        "  and 983 more: 983 of volume.db",
    ]


def test_volumes_that_no_pool_could_ever_take_are_told_apart_by_their_reasons() -> None:
    demands = [*many(3, "a", tags=frozenset({"x"})), *many(2, "b", tags=frozenset({"y"})), *many(2, "c")]
    errors = told(demands, [candidate("p"), candidate("q", tags=frozenset({"x"}), enabled=False)])
    assert [error.address for error in errors] == ["volume.a[0]", "volume.b[0]"]
    assert "it is in maintenance" in errors[0].detail
    assert "it lacks the tag y (it has x)" not in errors[0].detail


def test_what_is_full_for_different_volumes_is_one_diagnostic_with_a_table_for_each() -> None:
    fast = many(3, "fast", floor=600, tags=frozenset({"ssd"}))
    large = [replace(one, range=SECOND) for one in many(3, "large", floor=0, size=600 * GIB)]
    (error,) = told([*fast, *large], [candidate("a", iops=1000, tags=frozenset({"ssd"})), candidate("b", iops=1000)])
    assert error.detail.count("Every pool was refused:") == 2
    assert [place for _, place in error.related] == [SECOND]


def test_a_configuration_without_pools_is_told_so() -> None:
    (error,) = told(many(5), [])
    assert error.detail == "The configuration declares no pool."


def test_volumes_whose_pool_left_the_configuration_are_told_of_together() -> None:
    demands = many(30, prior="pool.old", holds=(GIB, 100))
    (error,) = told(demands, [candidate("new")])
    assert error.summary == "The volume does not fit its pool any more"
    assert "and 19 more: 19 of volume.db" in error.detail
