"""
A ceiling that is declared is a ceiling that the guest feels, whoever holds it, and the plan has said who that is.

Through the command, on real daemons: tgtd, storage daemons, libvirtd and a guest that makes the load.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.sdk import PoolSpec, Qos
from providers.tgt.provider import TgtArray
from tests.command import Finished, lunform
from tests.rigs.fixtures import Rig
from tests.rigs.tgtd import Tgtd, storage_daemons

pytestmark = pytest.mark.rig

CONFIGURATION = """
variable "chap_key" {
  type      = string
  sensitive = true
}

variable "ceiling" {
  type = number
}

provider "tgt" {
  portal       = "%(portal)s"
  control_port = %(control_port)d
  chap_key     = var.chap_key
}

provider "libvirt" {}

disk_offering "steady" {
  min_iops   = 50
  max_iops   = var.ceiling
  burst_iops = var.ceiling
}

pool "box" {
  provider      = tgt
  directory     = "%(directory)s"
  throttle      = %(throttle)s
  capacity      = "10GiB"
  capacity_iops = 1000
}

host "kvm1" {
  provider  = libvirt
  uri       = "%(uri)s"
  address   = "127.0.0.1"
  initiator = "%(initiator)s"
}

volume "data" {
  offering = disk_offering.steady
  size     = "64MiB"

  attach {
    host = host.kvm1
    vm   = "%(vm)s"
  }
}
"""

STORAGE_ALONE = """
provider "tgt" {
  portal       = "%(portal)s"
  control_port = %(control_port)d
  chap_key     = "%(chap_key)s"
}

disk_offering "hard" {
  min_iops        = %(floor)d
  max_iops        = 200
  burst_iops      = 400
  qos_enforcement = "storage"
}

pool "box" {
  provider      = tgt
  directory     = "%(directory)s"
  throttle      = %(throttle)s
  capacity      = "10GiB"
  capacity_iops = 1000
}

volume "data" {
  offering = disk_offering.hard
  size     = "64MiB"
}
"""

Run = Callable[..., Finished]


def prepare(rig: Rig, directory: Path, throttle: bool) -> Run:
    values = {
        "portal": rig.portal,
        "control_port": rig.control_port,
        "directory": rig.pool_directory,
        "throttle": json.dumps(throttle),
        "uri": rig.uri,
        "initiator": rig.initiator,
        "vm": rig.vm,
    }
    (directory / "main.lun.hcl").write_text(CONFIGURATION % values)

    def run(*words: str, ceiling: int, code: int = 0) -> Finished:
        environment = {"LUNFORM_VAR_chap_key": rig.chap_key, "LUNFORM_VAR_ceiling": str(ceiling)}
        return lunform(*words, directory=directory, code=code, environment=environment)

    return run


@pytest.mark.parametrize(("throttle", "holder"), [(False, "the hypervisor"), (True, "storage")])
def test_a_declared_ceiling_is_held_by_whom_the_plan_says_and_changes_live(
    rig: Rig, tmp_path: Path, throttle: bool, holder: str
) -> None:
    run = prepare(rig, tmp_path, throttle)
    guest = rig.guest
    assert ceiling_in(run("plan", "-out=first.plan", ceiling=200).output) == ("200 IOPS", f"held by {holder}")
    run("apply", "first.plan", ceiling=200)
    guest.wait_for_disk("vda")
    disk = identity_of_the_disk(rig)

    assert guest.measure_load("vda", seconds=10, expected=200) == pytest.approx(200, rel=0.1)

    # The load goes on while the figures change.
    guest.run(
        "(while [ ! -e /stop ]; do dd if=/dev/zero of=/dev/vda bs=4096 count=50 oflag=direct conv=notrunc 2>/dev/null "
        "|| echo failed; done; echo ended) > /log &"
    )
    plan = run("plan", "-out=second.plan", "-detailed-exitcode", ceiling=400, code=2).output
    assert ceiling_in(plan) == ("200 IOPS -> 400 IOPS", f"held by {holder}")
    run("apply", "second.plan", ceiling=400)
    guest.run("touch /stop; while ! grep -q ended /log; do usleep 20000; done; rm /stop")
    assert guest.run("cat /log") == "ended\n"

    assert guest.measure_load("vda", seconds=10, expected=400) == pytest.approx(400, rel=0.1)
    assert identity_of_the_disk(rig) == disk, "it was never taken away"

    # Whoever was said to hold it does, and nobody else.
    pool = PoolSpec("pool.box", {"directory": str(rig.pool_directory), "throttle": throttle})
    (volume,) = TgtArray(rig.box.settings()).list_volumes(pool)
    assert volume.qos == Qos(50, 400, 400)
    assert len(storage_daemons(rig.pool_directory)) == (1 if throttle else 0)
    assert total_iops_of_the_hypervisor(rig) == (0 if throttle else 400)
    assert "No changes." in run("plan", "-detailed-exitcode", ceiling=400).output

    run("destroy", "-auto-approve", "-allow-data-loss", ceiling=400)
    assert rig.box.is_empty


@pytest.mark.parametrize("throttle", [True, False])
def test_a_pool_that_changes_who_holds_its_ceilings_hands_them_over_live(
    rig: Rig, tmp_path: Path, throttle: bool
) -> None:
    prepare(rig, tmp_path, not throttle)("apply", "-auto-approve", ceiling=200)
    rig.guest.wait_for_disk("vda")
    disk = identity_of_the_disk(rig)

    run = prepare(rig, tmp_path, throttle)
    holder = "held by storage" if throttle else "held by the hypervisor"
    assert ceiling_in(run("plan", "-detailed-exitcode", ceiling=200, code=2).output)[1] == holder
    assert len(storage_daemons(rig.pool_directory)) == (0 if throttle else 1), "a plan brings nothing over"
    run("apply", "-auto-approve", ceiling=200)
    assert rig.guest.measure_load("vda", seconds=2, expected=200) == pytest.approx(200, rel=0.1)
    assert total_iops_of_the_hypervisor(rig) == (0 if throttle else 200)
    assert "No changes." in run("plan", "-detailed-exitcode", ceiling=200).output

    run("apply", "-auto-approve", ceiling=300)
    assert len(storage_daemons(rig.pool_directory)) == (1 if throttle else 0)
    assert total_iops_of_the_hypervisor(rig) == (0 if throttle else 300)
    assert rig.guest.measure_load("vda", seconds=2, expected=300) == pytest.approx(300, rel=0.1)
    assert identity_of_the_disk(rig) == disk
    run("destroy", "-auto-approve", "-allow-data-loss", ceiling=300)
    assert rig.box.is_empty


def ceiling_in(plan: str) -> tuple[str, str]:
    """The plan's line about the volume's ceiling: figures, and who holds them."""
    (line,) = (line for line in plan.splitlines() if line.lstrip(" ~+").startswith("ceiling "))
    figures, _, holder = line.partition("=")[2].partition("#")
    return figures.strip(), holder.strip()


def identity_of_the_disk(rig: Rig) -> tuple[str, ...]:
    """Of the disk in the guest's kernel, and of what QEMU has behind it: both are new when it is plugged in again."""
    guest = rig.guest.run("ls -di /sys/block/vda; cat /sys/block/vda/serial; dmesg | grep -c virtio_blk")
    blocks = json.loads(rig.host.virsh("qemu-monitor-command", rig.vm, '{"execute": "query-block"}'))["return"]
    return (guest, *(f"{block['qdev']} {block['inserted']['node-name']}" for block in blocks if "inserted" in block))


def total_iops_of_the_hypervisor(rig: Rig) -> int:
    lines = rig.host.virsh("blkdeviotune", rig.vm, "vda").splitlines()
    (figure,) = (line.partition(":")[2] for line in lines if line.startswith("total_iops_sec "))
    return int(figure)


@pytest.mark.parametrize(
    ("throttle", "floor", "refused"),
    [(True, 50, ("floor",)), (False, 0, ("ceiling", "burst")), (True, 0, ())],
    ids=["floor", "not throttled", "ceiling alone"],
)
def test_offering_for_the_storage_alone_is_refused_where_the_box_cannot_hold_it(
    box: Tgtd, tmp_path: Path, throttle: bool, floor: int, refused: tuple[str, ...]
) -> None:
    values = {**box.settings(), "directory": box.pool, "throttle": json.dumps(throttle), "floor": floor}
    (tmp_path / "main.lun.hcl").write_text(STORAGE_ALONE % values)
    said = lunform("plan", directory=tmp_path, code=1 if refused else 0)
    if refused:
        assert "pool.box" in said.errors
    assert all(figure in said.errors for figure in refused)
