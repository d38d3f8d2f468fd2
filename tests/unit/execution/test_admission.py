"""Reservations are held once more under the lock: what others took since the plan was made, nobody gives out again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from planner import operations, planfile
from planner.errors import InvalidConfiguration, NoRoom
from planner.sdk import Unreachable
from tests.project import Project, wrapped
from tests.world import GIB, Instead

CONFIGURATION = """
provider "sandbox" {
  path = PATH
}

disk_offering "fast" {
  min_iops   = 400
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider      = sandbox
  name          = "a"
  capacity      = "100GiB"
  capacity_iops = 1000
}

host "kvm" {
  provider = sandbox
  address  = "10.0.0.1"
}

volume "db" {
  offering = disk_offering.fast
  size     = "SIZE"
ATTACH
}
"""
FOREIGN = (
    "INSERT INTO volume (pool, name, size, min_iops, max_iops, burst_iops) VALUES ('a', 'theirs', {}, {}, 900, 900)"
)
ATTACHED = 'attach {\n  host = host.kvm\n  vm = "db-01"\n}'


def configuration(size: str = "60GiB", attach: str = "") -> str:
    return CONFIGURATION.replace("SIZE", size).replace("ATTACH", attach)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path, configuration())


def volumes(project: Project) -> list[str]:
    return [name for (name,) in project.ask("SELECT name FROM volume ORDER BY name")]


def test_a_plan_says_what_it_takes_of_each_pool(project: Project) -> None:
    (item,) = project.plan().reservations
    assert (str(item.provider), item.pool.address) == ("sandbox", "pool.a")
    assert (item.bytes, item.floors) == (60 * GIB, 400)
    assert (item.byte_budget, item.iops_budget) == (100 * GIB, 1000)


def test_only_what_is_added_counts(project: Project) -> None:
    project.apply()
    assert project.plan().reservations == ()
    project.write(configuration("75GiB"))
    (item,) = project.plan().reservations
    assert (item.bytes, item.floors) == (15 * GIB, 0)


@pytest.mark.parametrize(
    ("size", "floor", "figures"),
    [
        (1, 601, ["floors of 400 IOPS", "601 of 1000 IOPS", "1 too many"]),
        (50 * GIB, 0, ["60 GiB are added", "50 GiB of 100 GiB", "10 GiB too much"]),
        (50 * GIB, 800, ["200 too many", "10 GiB too much"]),
    ],
    ids=["iops", "bytes", "both"],
)
def test_room_that_was_taken_since_the_plan_is_not_given_out(
    project: Project, tmp_path: Path, size: int, floor: int, figures: list[str]
) -> None:
    planfile.write(tmp_path / "p", project.plan(), ())
    saved = planfile.read(tmp_path / "p").plan
    project.outside(FOREIGN.format(size, floor))
    with pytest.raises(NoRoom) as refused:
        project.apply(saved)
    assert refused.value.pools == ("pool.a",)
    assert "pool.a" in refused.value.detail
    for figure in figures:
        assert figure in refused.value.detail
    assert volumes(project) == ["theirs"]
    assert not (tmp_path / "lunform.state").exists()


def test_room_to_the_last_byte_and_floor_is_enough(project: Project) -> None:
    plan = project.plan()
    project.outside(FOREIGN.format(40 * GIB, 600))
    assert project.apply(plan).complete


def test_two_states_on_one_array_do_not_overcommit_it(tmp_path: Path) -> None:
    """Each plan fits alone, and both are made before one of them is applied."""
    ours, theirs = (Project(tmp_path / name, configuration(), tmp_path / "shared.db") for name in ("ours", "theirs"))
    theirs.write(configuration("30GiB").replace('volume "db"', 'volume "other"').replace("= 400", "= 700"))
    first, second = ours.plan(), theirs.plan()
    assert ours.apply(first).complete
    with pytest.raises(NoRoom, match="no room"):
        theirs.apply(second)
    assert volumes(ours) == ["volume-db"]


def test_another_apply_of_the_same_state_counts_too(project: Project) -> None:
    """It touches other objects, so that the plan is not stale."""
    project.apply()
    text = configuration()
    project.write(text + text[text.index('volume "db"') :].replace('"db"', '"a"').replace("60GiB", "30GiB"))
    plan = project.plan()
    project.write(text + text[text.index('volume "db"') :].replace('"db"', '"b"').replace("60GiB", "30GiB"))
    assert project.apply().complete
    with pytest.raises(NoRoom):
        project.apply(plan)


def test_who_needs_no_room_is_not_refused(project: Project) -> None:
    """A pool that is over-committed by now is left alone by plans that detach or delete."""
    project.write(configuration(attach=ATTACHED))
    project.apply()
    project.write(configuration())
    detach = project.plan()
    project.outside(FOREIGN.format(90 * GIB, 900))
    assert detach.reservations == ()
    assert project.apply(detach).complete
    text = configuration()
    project.write(text[: text.index('volume "db"')])
    assert project.apply().complete
    assert volumes(project) == ["theirs"]


def test_a_pool_that_cannot_be_read_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = project.plan()

    def gone(original: Any, pool: Any) -> Any:
        raise Unreachable("The array does not answer.", "192.0.2.1:443 was tried.")

    monkeypatch.setattr(operations, "OpenProviders", wrapped(lambda provider: Instead(provider, pool_status=gone)))
    with pytest.raises(InvalidConfiguration) as refused:
        project.apply(plan)
    (diagnostic,) = refused.value.diagnostics
    assert (diagnostic.address, diagnostic.summary) == ("pool.a", "Provider cannot be reached")
    assert volumes(project) == []
