"""
Applies that are killed at every point where it matters, and run again: in the end everything is as if nobody had been
killed. No volume that nobody records (an orphan), none that is there twice, none that is recorded and gone.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from planner.addresses import InstanceAddress
from planner.execution import faults
from planner.execution.executor import execute
from planner.execution.recovery import recover
from planner.state.model import RecordedObject, Snapshot
from planner.state.sqlite import open_sqlite
from planner.steps.graph import StepGraph
from tests.world import GIB, HOSTS, Steps, World, new_run

ROOT = Path(__file__).resolve().parents[2]
KEYS = ("a", "b", "c")
PHASES = {
    "build": ("create_async", "grant_access", "attach"),
    "change": ("resize_async", "update_qos", "update_attachment"),
    "destroy": ("detach", "revoke_access", "delete_async"),
}
"""What the plans of a volume's life call, in their order."""


def remaining(phase: str, recorded: dict[InstanceAddress, RecordedObject]) -> StepGraph:
    """A plan in small: the steps that bring each volume from what is recorded to the end of `phase`."""
    steps = Steps()
    for number, key in enumerate(KEYS):
        address = InstanceAddress("volume", "db", key)
        steps.of(address)
        object, host, vm = recorded.get(address), HOSTS[number % 2], f"vm-{key}"
        now: Any = object.attributes if object else {"access": {}, "attachments": ()}
        if phase == "build":
            if object is None:
                steps.create(f"db-{key}")
            if not now["access"]:
                steps.grant(host)
            if not now["attachments"]:
                steps.attach(host, vm)
        elif phase == "change":
            if now["size"] != "2GiB":
                steps.resize(2 * GIB)
            if now["max_iops"] != 2000:
                steps.update_qos()
            if now["attachments"][0]["size"] != 2 * GIB:
                steps.update_attachment(host, vm)
        elif object is not None:
            if now["attachments"]:
                steps.detach(host, vm)
            if now["access"]:
                steps.revoke(host)
            steps.delete()
    return steps.graph()


def apply(folder: Path, phase: str, async_after: int = 0) -> None:
    """What `lunform apply` does: settle what a killed run left, plan, carry out."""
    world, store = World(folder / "sandbox.db", async_after=async_after), open_sqlite(folder / "lunform.state")
    with store.lock("apply"):
        found = recover(store.read(), world)
        store.commit(found.outcomes)
        begun = new_run()
        snapshot = store.read()
        graph = remaining(phase, dict(snapshot.objects))
        result = execute(begun, graph, snapshot.objects, world, store, parallelism=2)
        assert not result.failed, result.failed
        assert not result.skipped
        store.finish(begun, None)


def in_a_process(work: Callable[[], None], crash: str = "") -> int:
    """The exit code of a process that does `work` and is killed at the point `crash`; 0 for success."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            faults._POINT, _, faults._COUNT = crash.partition(" ")
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def picture(folder: Path) -> dict[str, Any]:
    """
    All there is, on the array, on the hosts and in the state, without what is new in every world: the array's ids and
    the intents. That these fit together is checked here.
    """
    world, snapshot = World(folder / "sandbox.db"), open_sqlite(folder / "lunform.state").read()
    volumes, disks = world.volumes(), world.disks()
    recorded = {object.attributes["id"]: object for object in snapshot.objects.values()}
    assert sorted(recorded) == sorted(volume.id for volume in volumes), "orphans, or lost ones"
    assert len({volume.name for volume in volumes}) == len(volumes), "twins"
    for volume in volumes:
        attributes = recorded[volume.id].attributes
        assert volume.owner is not None
        assert (volume.owner.intent, volume.owner.lineage) == (attributes["intent"], snapshot.lineage)
    on_hosts = {(host, disk.vm, disk.intent, disk.device) for host, there in disks.items() for disk in there}
    in_state = {
        (disk["host"], disk["vm"], disk["intent"], disk["device"])
        for object in snapshot.objects.values()
        for disk in object.attributes["attachments"]
    }
    assert on_hosts == in_state
    assert snapshot.in_doubt == ()
    return {
        "volumes": sorted((volume.name, volume.size, str(volume.qos), volume.grants) for volume in volumes),
        "disks": sorted((host, d.vm, d.size, str(d.qos)) for host, there in disks.items() for d in there),
        "state": _state(snapshot),
    }


def _state(snapshot: Snapshot) -> str:
    new = ("id", "iqn", "intent", "serial", "chap_username", "device")

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: "..." if name in new and item else plain(item) for name, item in value.items()}
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    return json.dumps(
        {str(address): plain(object.attributes) for address, object in snapshot.objects.items()}, indent=1
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """By phase, the world before and after it, of runs that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    worlds = {}
    before = folder / "nothing"
    before.mkdir()
    for phase in PHASES:
        after = folder / phase
        shutil.copytree(before, after)
        assert in_a_process(partial(apply, after, phase)) == 0
        worlds[phase], before = (before, after), after
    return worlds


POINTS = [
    (phase, 0, f"{verb}:{point} {time}")
    for phase, verbs in PHASES.items()
    for verb in verbs
    for point in ("before-call", "after-call")
    for time in (1, 3)
]
POLLS = [
    (phase, 40, f"{verb}:{point} 2")
    for phase, verbs in PHASES.items()
    for verb in verbs
    for point in ("after-call", "before-poll", "after-poll")
]
COMMITS = [
    (phase, async_after, f"{point} {time}")
    for phase in PHASES
    for async_after in (0, 40)
    for point in ("before-commit", "after-commit")
    for time in (1, 2, 3)
]


@pytest.mark.parametrize(("phase", "async_after", "crash"), POINTS + POLLS + COMMITS)
def test_a_killed_apply_is_finished_by_the_next(
    tmp_path: Path, undisturbed: dict[str, tuple[Path, Path]], phase: str, async_after: int, crash: str
) -> None:
    before, after = undisturbed[phase]
    world = tmp_path / "world"
    shutil.copytree(before, world)
    work = partial(apply, world, phase, async_after)
    assert in_a_process(work, crash) == -signal.SIGKILL, "the point was not reached"
    assert in_a_process(work) == 0
    assert picture(world) == picture(after)


@pytest.mark.parametrize("seed", range(6))
def test_an_apply_that_is_killed_again_and_again_gets_there(
    tmp_path: Path, undisturbed: dict[str, tuple[Path, Path]], seed: int
) -> None:
    """Each run may be killed at a point drawn by lot, while it mends what the one before it left."""
    chance = random.Random(seed)
    for phase in PHASES:
        points = [crash for each, _, crash in POINTS + POLLS + COMMITS if each == phase]
        for _ in range(5):
            work = partial(apply, tmp_path, phase, chance.choice((0, 20)))
            assert in_a_process(work, chance.choice(points)) in (0, -signal.SIGKILL)
        assert in_a_process(partial(apply, tmp_path, phase)) == 0
        assert picture(tmp_path) == picture(undisturbed[phase][1])


def test_the_environment_names_the_point(tmp_path: Path, undisturbed: dict[str, tuple[Path, Path]]) -> None:
    """As a person would do it, to look at what a crash leaves."""
    work = f"import pathlib; from tests.crash.test_crash import apply; apply(pathlib.Path({str(tmp_path)!r}), 'build')"

    def start(**crash: str) -> int:
        return subprocess.run([sys.executable, "-c", work], env=os.environ | crash, cwd=ROOT).returncode

    assert start(LUNFORM_CRASH="attach:after-call 2") == -signal.SIGKILL
    assert start() == 0
    assert picture(tmp_path) == picture(undisturbed["build"][1])
