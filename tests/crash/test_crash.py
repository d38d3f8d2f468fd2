"""
Applies that are killed where it matters most, and run again: in the end everything is as if nobody had been killed. The
telling part of `tests.crash.campaign`, which is all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from planner.steps.graph import Verb
from tests.crash.campaign import Campaign
from tests.crash.life import Life
from tests.crash.points import RANDOM, Case, Point
from tests.crash.processes import warm_up
from tests.crash.worlds import sandbox_life, solidfire_life, tgt_life
from tests.emulators.running import Element
from tests.rigs.libvirt_host import running_libvirt_host
from tests.rigs.tgtd import running_tgtd


def killed(phase: str, *points: str, settings: tuple[str, ...] = ()) -> Case:
    """At `NAME` or `NAME n`."""
    return Case(phase, tuple(Point(name, int(n or 1)) for name, _, n in (p.partition(" ") for p in points)), settings)


SLOW = ("async_after=20",)
SANDBOX = [
    killed("1-made", "after-begin"),
    killed("1-made", "create_async:after-effect 3", "recovery:after-commit"),
    killed("1-made", "create_async:before-poll 3", settings=SLOW),
    killed("1-made", "attach:after-call 3", "attach:before-call 2", "recovery:looked-up 2"),
    killed("1-made", "set_power:before-record"),
    killed("1-made", "before-finish"),
    killed("2-changed", "update_qos_policy:after-call"),
    killed("2-changed", "record:before-record 2"),
    killed("2-changed", "forget:before-record"),
    killed("2-changed", "create_async:after-effect", "recovery:closed"),
    killed("2-changed", "delete_async:after-effect"),
    killed("2-changed", "state:COMMIT 4"),
    killed("3-moved", "delete_vm:after-effect"),
    killed("3-moved", "detach:after-call 4"),
    killed("3-moved", "revoke_access:after-poll 2", settings=SLOW),
    killed("3-moved", "grant_access:after-effect 2", "state:COMMIT"),
    killed("3-moved", "before-commit 5"),
    killed("3-moved", "readback:after-read"),
    killed("4-gone", "set_power:after-call"),
    killed("4-gone", "detach:after-effect 5"),
    killed("4-gone", "delete_async:after-effect 2", "recovery:before-commit"),
    killed("4-gone", "after-commit 4"),
    killed("4-gone", "forget:before-record 2"),
    killed("4-gone", "after-finish"),
    killed("5-back", "restore_async:after-effect", "recovery:before-commit"),
    killed("5-back", "restore_async:before-record 2"),
]
SOLIDFIRE = [
    killed("1-made", "create_async:effect 3", "recovery:looked-up"),  # a policy without its volume
    killed("1-made", "grant_access:effect"),  # an initiator without its group
    killed("2-changed", "update_qos_policy:effect"),
    killed("2-changed", "create_async:effect"),
    killed("3-moved", "revoke_access:effect 2"),  # a group with its last volume
    killed("3-moved", "grant_access:effect 2"),
    killed("4-gone", "revoke_access:effect 2", "recovery:closed"),
    killed("4-gone", "delete_async:effect 3"),  # deleted and not purged
    killed("5-back", "restore_async:effect 2"),
]
TGT = [
    killed("1-made", "create_async:effect 9"),
    killed("2-changed", "resize_async:effect 3"),
    killed("3-moved", "attach:after-effect"),
    killed("4-gone", "delete_async:effect 4"),
]


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    warm_up(tmp_path_factory.mktemp("warm"))
    yield


def hold(life: Life, cases: Sequence[Case]) -> None:
    """All points are reached, and nothing is other than in a life that nobody disturbed."""
    campaign = Campaign()
    for result in life.live(cases):
        campaign.add(life.name, result, 0.0)
    assert campaign.flaws == []
    assert campaign.missed == []
    assert campaign.kills == sum(len(case.kills) for case in cases)


def test_a_killed_apply_is_finished_by_the_next(tmp_path: Path) -> None:
    life = sandbox_life(tmp_path / "world")
    passed = life.trace()
    verbs = {name.partition(":")[0] for points in passed.values() for name in points}
    assert {verb.value for verb in Verb} <= verbs, "the life has every kind of step"
    hold(life, SANDBOX)


def test_a_killed_apply_on_a_cluster_is_finished_by_the_next(tmp_path: Path, element: Element) -> None:
    life = solidfire_life(tmp_path / "world", element, "groups", parallelism=1)
    life.trace()
    hold(life, SOLIDFIRE)


def test_what_moves_is_recorded_at_every_moment(tmp_path: Path) -> None:
    life = sandbox_life(tmp_path / "world", "moves")
    commits = life.trace()["2-moved"]["after-commit"]
    # How many outcomes a commit takes along is a matter of time: another run may do with one commit less.
    hold(life, [killed("2-moved", f"after-commit {n}") for n in range(1, commits - 1)])


@pytest.mark.rig
def test_a_killed_apply_on_real_daemons_is_finished_by_the_next(tmp_path: Path) -> None:
    for name in ("box", "kvm"):
        (tmp_path / name).mkdir()
    # Daemons of its own: whatever is on them is cleared away between the phases.
    with running_tgtd(tmp_path / "box") as box, running_libvirt_host(tmp_path / "kvm") as host:
        life = tgt_life(tmp_path / "world", box, host)
        life.trace()
        hold(life, TGT)
        box.clear()


def test_kills_at_any_time_with_many_steps_at_once(tmp_path: Path) -> None:
    life = sandbox_life(tmp_path / "world", "many", parallelism=64)
    life.trace()
    life.begin()
    for phase, seconds in zip(life.phases, (0.4, 0.6, 0.8), strict=True):
        life.enter(phase)
        kills = sum(life.killed_after(seconds) for _ in range(2))
        result = life.recover(Case(phase, (Point(RANDOM),) * kills), kills)
        assert not result.difference
        assert not (result.look.orphans or result.look.twins or result.look.lost or result.look.stale_locks)
