"""
examples/iscsi-kvm through the command, on real daemons: tgtd, libvirtd and a guest that looks at its disk.

One story, told in order, since each step stands on the one before: apply, look, write, refuse strangers, plan again,
grow, destroy.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from planner.sdk import AccessPath, Credentials
from providers.tgt.provider import TgtArray
from tests.command import Finished, lunform
from tests.rigs.fixtures import Rig
from tests.rigs.tgtd import log_in

pytestmark = pytest.mark.rig

EXAMPLE = Path(__file__).parents[2] / "examples" / "iscsi-kvm"
MIB = 1 << 20
CEILING = 200
MARK_AT = 128 * MIB
"""Beyond what measuring writes over."""

Run = Callable[..., Finished]


@pytest.fixture
def run(rig: Rig, tmp_path: Path) -> Run:
    shutil.copy(EXAMPLE / "main.lun.hcl", tmp_path)
    given = {
        "portal": rig.portal,
        "control_port": rig.control_port,
        "directory": rig.pool_directory,
        "uri": rig.uri,
        "initiator": rig.initiator,
        "vm": rig.vm,
    }
    (tmp_path / "lunform.lunvars.hcl").write_text(
        "".join(f"{name} = {json.dumps(str(v))}\n" for name, v in given.items())
    )

    def run(*words: str, code: int = 0) -> Finished:
        return lunform(*words, directory=tmp_path, code=code, environment={"LUNFORM_VAR_chap_key": rig.chap_key})

    return run


def test_a_volume_from_a_directory_of_hcl_to_the_guest_and_back(rig: Rig, run: Run, tmp_path: Path) -> None:
    run("init")
    plan = run("plan", "-out=first.plan").output
    assert "create_async -> grant_access kvm1 -> attach" in plan
    assert "held by storage" in plan
    assert "held by the hypervisor" in run("plan", "-var", "throttle=false").output
    run("apply", "first.plan")

    # The guest sees the disk with the declared size, and what it writes is in the LUN's backing file.
    volume = recorded(run, "volume.data")
    disk = rig.guest.wait_for_disk("vda")
    assert disk.size == 256 * MIB
    assert disk.serial == volume["serial"]
    rig.guest.write("vda", "written by the guest", offset=MARK_AT)
    (backing,) = rig.pool_directory.glob("*.img")
    with backing.open("rb") as file:
        file.seek(MARK_AT)
        assert file.read(20) == b"written by the guest"

    # Strangers: the granted name with a wrong secret or none, and another name with the right secret.
    account = account_of(rig, volume)
    known = (account.username, account.password)
    assert log_in(rig.portal, volume["iqn"], rig.initiator, *known) == ""
    assert log_in(rig.portal, volume["iqn"], rig.initiator, account.username, "wrong-secret-123")
    assert log_in(rig.portal, volume["iqn"], rig.initiator)
    assert log_in(rig.portal, volume["iqn"], "iqn.2026-01.test.lunform:stranger", *known)

    # The box holds the declared ceiling, and not the hypervisor: the guest feels it.
    assert disks_of(rig, inactive=False)[0].find("iotune") is None
    assert rig.guest.measure_load("vda", seconds=3, expected=CEILING) == pytest.approx(CEILING, rel=0.1)

    assert "No changes." in run("plan", "-detailed-exitcode").output
    run("drift")

    # A limit that somebody changes is drift, is recorded as it is, and is put back as the user's own change.
    limit = ("blkdeviotune", rig.vm, "vda", "--live", "--config", "--total-iops-sec")
    rig.host.virsh(*limit, "150")
    assert "limits of" in run("drift", code=2).output
    run("refresh")
    run("drift")
    back = run("plan", "-out=back.plan", "-detailed-exitcode", code=2).output
    assert "takes effect at once, without detaching" in back
    assert "outside" not in back
    run("apply", "back.plan")
    assert disks_of(rig, inactive=False)[0].find("iotune") is None

    # Growing the volume grows the disk that the running guest has.
    grow = run("plan", "-var", "size=512MiB", "-detailed-exitcode", code=2).output
    assert "256MiB -> 512MiB" in grow
    assert "takes effect at once, without detaching" in grow
    run("apply", "-var", "size=512MiB", "-auto-approve")
    assert rig.guest.wait_for_disk("vda", 512 * MIB).size == 512 * MIB
    assert rig.guest.read("vda", 20, offset=MARK_AT) == "written by the guest"
    assert "No changes." in run("plan", "-var", "size=512MiB", "-detailed-exitcode").output
    run("drift", "-var", "size=512MiB")

    # Taking everything away leaves nothing: no target, no secret, no disk.
    run("destroy", "-auto-approve", code=1)
    assert rig.guest.disks()
    run("destroy", "-auto-approve", "-allow-data-loss")
    assert rig.guest.disks() == {}
    assert rig.box.is_empty
    assert rig.host.virsh("secret-list").strip().splitlines()[2:] == []
    assert disks_of(rig, inactive=True) == disks_of(rig, inactive=False) == []
    assert json.loads(run("state", "list", "-json").output) == []

    secrets = (rig.chap_key.encode(), account.password.encode())
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or not any(secret in path.read_bytes() for secret in secrets), path


def recorded(run: Run, address: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(run("state", "show", address, "-json").output)["values"]
    return values


def account_of(rig: Rig, volume: dict[str, Any]) -> Credentials:
    """The CHAP account that only granted hosts are given."""
    account = rig.box.adm("account", "show").stdout.split()[-1]
    path = AccessPath(volume["portal"], volume["iqn"], volume["lun"], account)
    credentials = TgtArray(rig.box.settings()).credentials(volume["id"], path)
    assert credentials is not None
    return credentials


def domain(rig: Rig, *flags: str) -> ElementTree.Element:
    return ElementTree.fromstring(rig.host.virsh("dumpxml", *flags, rig.vm))


def disks_of(rig: Rig, inactive: bool) -> list[ElementTree.Element]:
    return domain(rig, *(("--inactive",) if inactive else ())).findall("devices/disk")


def test_a_storage_box_that_does_not_answer_is_named(rig: Rig, run: Run) -> None:
    failed = run("plan", "-var", "control_port=32123", code=1)
    assert "32123" in failed.errors
    assert "pool.box" in failed.errors


def test_a_hypervisor_that_does_not_answer_is_named(rig: Rig, run: Run) -> None:
    failed = run("plan", "-var", "uri=qemu+unix:///system?socket=/nowhere/libvirt-sock", code=1)
    assert "/nowhere/libvirt-sock" in failed.errors


def test_a_vm_that_is_not_there_fails_the_attach_and_the_next_apply_goes_on(rig: Rig, run: Run) -> None:
    failed = run("apply", "-auto-approve", "-var", "vm=db-1", code=1)
    assert rig.vm in failed.output + failed.errors  # did you mean
    run("apply", "-auto-approve")
    assert rig.guest.wait_for_disk("vda").size == 256 * MIB
    assert len(list(rig.pool_directory.glob("*.img"))) == 1
    run("destroy", "-auto-approve", "-allow-data-loss")
    assert rig.box.is_empty
