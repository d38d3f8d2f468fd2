"""
examples/vm through the command, on real daemons: a VM is made from a compute offering and an image, boots from a root
LUN of its own, and is held to its figures. One story, told in order.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.command import Finished, lunform
from tests.rigs.guest import Shell, console, guest_image
from tests.rigs.libvirt_host import LibvirtHost
from tests.rigs.tgtd import Tgtd

pytestmark = pytest.mark.rig

EXAMPLE = Path(__file__).parents[2] / "examples" / "vm"
GIB = 1 << 30
MIB = 1 << 20


def test_a_vm_boots_from_its_own_root_lun(box: Tgtd, vm_host: LibvirtHost, tmp_path: Path) -> None:
    shutil.copy(EXAMPLE / "main.lun.hcl", tmp_path)
    pool = tmp_path / "pool"
    pool.mkdir()
    settings = box.settings()
    given = {
        "portal": settings["portal"],
        "control_port": str(settings["control_port"]),
        "directory": str(pool),
        "image": str(guest_image() / "disk.img"),
        "uri": vm_host.uri,
        "virt_type": "qemu",
        "initiator": vm_host.initiator,
        "memory": "128MiB",
    }
    (tmp_path / "lunform.lunvars.hcl").write_text("".join(f"{n} = {json.dumps(v)}\n" for n, v in given.items()))

    def run(*words: str, code: int = 0) -> Finished:
        secret = {"LUNFORM_VAR_chap_key": settings["chap_key"]}
        return lunform(*words, directory=tmp_path, code=code, environment=secret)

    def recorded(address: str) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(run("state", "show", address, "-json").output)["values"]
        return values

    plan = run("plan").output
    assert "create_vm -> set_power on" in plan
    assert "ceiling      = 1000 IOPS  # held by storage" in plan
    run("apply", "-auto-approve")
    root, logs = recorded("root_disk.web"), recorded("volume.logs")
    assert recorded("vm.web")["power"] == "on"
    with console(vm_host, "vm-web") as shell:
        shell.wait_until_it_answers()
        # It runs from the root LUN: its file system is that disk's, which has the size and serial of the volume.
        assert shell.run('awk \'$2 == "/" && $1 != "rootfs" { print $1 }\' /proc/mounts').strip() == "/dev/vda1"
        assert shell.wait_for_disk("vda").size == 4 * GIB
        assert shell.wait_for_disk("vda").serial == root["serial"]
        assert shell.wait_for_disk("vdb").serial == logs["serial"]
        assert "No changes." in run("plan", "-detailed-exitcode").output

        # The offering changes while the VM runs: the root disk's ceiling at once, the memory at the next start.
        more = ("-var", "root_iops=200", "-var", "memory=160MiB")
        plan = run("plan", *more).output
        assert "1000 IOPS -> 200 IOPS  # held by storage" in plan
        assert "128MiB -> 160MiB  # at its next start" in plan
        run("apply", *more, "-auto-approve")
        assert measure_reads(shell, "vda", seconds=10, expected=200) == pytest.approx(200, rel=0.1)
        assert "No changes." in run("plan", *more, "-detailed-exitcode").output

    # Nothing of it is left, and nothing goes without leave.
    run("destroy", "-auto-approve", code=1)
    run("destroy", "-auto-approve", "-allow-data-loss")
    assert "vm-web" not in vm_host.vms()
    assert vm_host.virsh("secret-list").strip().splitlines()[2:] == []
    assert list(pool.glob("*.img")) == []
    assert box.is_empty


def measure_reads(shell: Shell, device: str, seconds: int, expected: int) -> float:
    """4 KiB reads a second of four readers; too few are measured again, since a busy machine can be the cause."""
    each = seconds * expected // 4
    for _ in range(3):
        began = time.monotonic()
        shell.run(
            f"for n in 0 1 2 3; do dd if=/dev/{device} of=/dev/null bs=4096 iflag=direct skip=$((n * {each}))"
            f" count={each} 2>/dev/null & done; wait"
        )
        rate = 4 * each / (time.monotonic() - began)
        if rate > 0.9 * expected:
            break
    return rate
