"""
A vm with its root disk and a data disk, killed at every call that its making, moving and going take, and applied again:
one VM, one root disk, each disk where it belongs, and nothing that nobody records.
"""

from __future__ import annotations

import os
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from planner import operations
from planner.planning.builder import PlanRequest
from planner.sdk import HostSpec, PoolSpec
from providers.sandbox import PROVIDER
from tests.crash.test_crash import in_a_process

CASES = Path(__file__).resolve().parents[1] / "plans"
PHASES = {
    "made": (CASES / "vm_is_made" / "1.lun.hcl", ("create_vm", "create_async", "grant_access", "attach", "set_power")),
    "moved": (
        CASES / "vm_moves_to_another_host" / "2.lun.hcl",
        ("set_power", "delete_vm", "create_vm", "detach", "revoke_access", "grant_access", "attach"),
    ),
    "gone": (CASES / "vm_goes" / "2.lun.hcl", ("detach", "set_power", "delete_vm", "revoke_access", "delete_async")),
}
HOSTS = {"a": "10.0.0.11", "b": "10.0.0.12"}


def apply(folder: Path, phase: str) -> None:
    """What `lunform apply` does."""
    os.chdir(folder)
    Path("main.lun.hcl").write_text(PHASES[phase][0].read_text())
    project = operations.load(Path(), operations.Inputs(environment={}))
    store = operations.store_of(project)
    operations.settle_interrupted(project, store)
    plan, _ = operations.plan(project, store, PlanRequest())
    assert operations.apply(project, store, plan).complete
    again, _ = operations.plan(project, store, PlanRequest())
    assert again.is_empty


def picture(folder: Path) -> dict[str, Any]:
    """What the array and the hosts have, and what is recorded, without what is new in every world."""
    settings = {"path": str(folder / "sandbox.db")}
    assert PROVIDER.open_storage
    assert PROVIDER.open_hypervisor
    array: Any = PROVIDER.open_storage(settings)
    hypervisor: Any = PROVIDER.open_hypervisor(settings)
    hosts = {key: HostSpec(f'host.kvm["{key}"]', key, address, None) for key, address in HOSTS.items()}
    volumes = list(array.list_volumes(PoolSpec("pool.ssd")))
    os.chdir(folder)
    project = operations.load(Path(), operations.Inputs(environment={}))
    snapshot = operations.store_of(project).read()
    recorded = [o.attributes["id"] for o in snapshot.objects.values() if o.address.type in ("volume", "root_disk")]
    assert sorted(recorded) == sorted(volume.id for volume in volumes), "orphans, twins, or lost ones"
    assert snapshot.in_doubt == ()
    return {
        "volumes": sorted((volume.name, volume.size, volume.grants) for volume in volumes),
        "vms": sorted(
            (key, vm.name, vm.cpus, vm.running) for key, host in hosts.items() for vm in hypervisor.list_vms(host)
        ),
        "disks": sorted(
            (key, disk.vm, disk.device, disk.live)
            for key, host in hosts.items()
            for disk in hypervisor.list_attachments(host)
        ),
        "recorded": sorted(map(str, snapshot.objects)),
    }


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


@pytest.mark.parametrize(
    ("phase", "crash"),
    [
        (phase, f"{verb}:{point} 1")
        for phase, (_, verbs) in PHASES.items()
        for verb in verbs
        for point in ("before-call", "after-call")
    ],
)
def test_a_killed_apply_of_a_vm_is_finished_by_the_next(
    tmp_path: Path,
    undisturbed: dict[str, tuple[Path, Path]],
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
    crash: str,
) -> None:
    monkeypatch.chdir(tmp_path)  # put back afterwards
    before, after = undisturbed[phase]
    world = tmp_path / "world"
    shutil.copytree(before, world)
    work = partial(apply, world, phase)
    assert in_a_process(work, crash) == -signal.SIGKILL, "the point was not reached"
    assert in_a_process(work) == 0
    assert picture(world) == picture(after)
