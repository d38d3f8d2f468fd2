"""
examples/solidfire through the command: an emulated cluster whose volumes are real iSCSI LUNs, a real libvirtd, and a
guest that looks at its disk.
"""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command import Finished, lunform
from tests.emulators.running import PASSWORD, USER, Element, running_element
from tests.rigs.fixtures import Rig
from tests.rigs.tgtd import log_in

pytestmark = pytest.mark.rig

EXAMPLE = Path(__file__).parents[2] / "examples" / "solidfire"
MIB, GB = 1 << 20, 10**9
WHOLE = 1_000_341_504
"""What a cluster makes of 1 GB: it rounds up to a mebibyte."""
OTHER = "iqn.1993-08.org.debian:01:kvm2"

Run = Callable[..., Finished]


@pytest.fixture
def cluster(rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Element]:
    """A cluster that serves its volumes, on an address of its own: the port of a portal is fixed."""
    portal = f"127.{random.randrange(2, 255)}.{random.randrange(255)}.{random.randrange(1, 255)}"
    served = ("--svip", portal, "--tgt-control", str(rig.control_port), "--tgt-portal", rig.portal)
    with running_element(tmp_path_factory.mktemp("element"), *served) as element:
        yield element


@pytest.fixture
def run(rig: Rig, cluster: Element, tmp_path: Path) -> Run:
    shutil.copy(EXAMPLE / "main.lun.hcl", tmp_path)
    given = {
        "endpoint": cluster.endpoint,
        "username": USER,
        "ca_file": str(cluster.certificate),
        "size": "1GB",
        "hosts": {
            "kvm1": {"uri": rig.uri, "address": "127.0.0.1", "initiator": rig.initiator},
            "kvm2": {"uri": rig.uri, "address": "127.0.0.2", "initiator": OTHER},
        },
        "disks": {"films": {"host": "kvm1", "vm": rig.vm}, "music": {"host": "kvm2"}},
    }
    (tmp_path / "lunform.lunvars.json").write_text(json.dumps(given))

    def run(*words: str, code: int = 0) -> Finished:
        flags = ("-var-file", "lunform.lunvars.json") if words[0] in ("plan", "apply", "destroy") else ()
        return lunform(
            words[0],
            *flags,
            *words[1:],
            directory=tmp_path,
            code=code,
            environment={"LUNFORM_VAR_password": PASSWORD},
        )

    return run


def recorded(run: Run, address: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(run("state", "show", address, "-json").output)["values"]
    return values


def figures(cluster: Element) -> list[tuple[int, int, int]]:
    volumes = cluster.call("ListVolumes")["volumes"]
    return [tuple(row["qos"][name] for name in ("minIOPS", "maxIOPS", "burstIOPS")) for row in volumes]


def test_each_disk_is_a_volume_whose_figures_the_cluster_holds(rig: Rig, cluster: Element, run: Run) -> None:
    plan = run("plan").output
    for figure, iops in (("floor", 5000), ("ceiling", 10000), ("burst", 15000)):
        assert len(re.findall(rf"{figure} += {iops} IOPS +# held by storage", plan)) == 2
    assert "954MiB" in plan, "what the cluster makes of 1 GB"
    run("apply", "-auto-approve")
    assert figures(cluster) == [(5000, 10000, 15000)] * 2

    # The guest sees its disk, and only the granted host gets in: by its name alone, since groups ask for no secret.
    films, music = recorded(run, 'volume.media["films"]'), recorded(run, 'volume.media["music"]')
    disk = rig.guest.wait_for_disk("vda")
    assert (disk.size, disk.serial) == (WHOLE, films["serial"])
    rig.guest.write("vda", "written by the guest", offset=MIB)
    assert rig.guest.read("vda", 20, offset=MIB) == "written by the guest"
    portal = films["portal"]
    assert log_in(portal, films["iqn"], rig.initiator, lun=0) == ""
    assert log_in(portal, films["iqn"], OTHER, lun=0)
    assert log_in(portal, music["iqn"], OTHER, lun=0) == ""
    assert log_in(portal, music["iqn"], rig.initiator, lun=0)

    assert "No changes." in run("plan", "-detailed-exitcode").output

    # One call changes the offering of all its volumes.
    cluster.order(forget=True)
    run("apply", "-auto-approve", "-var", "iops=12000")
    assert figures(cluster) == [(5000, 12000, 15000)] * 2
    changing = {name: n for name, n in cluster.calls().items() if not name.startswith(("Get", "List"))}
    assert changing == {"ModifyQoSPolicy": 1}

    run("destroy", "-auto-approve", "-allow-data-loss", "-var", "iops=12000")
    assert rig.guest.disks() == {}
    assert {row["status"] for row in cluster.call("ListVolumes")["volumes"]} == {"deleted"}
    assert cluster.call("ListVolumeAccessGroups")["volumeAccessGroups"] == []
    assert cluster.call("ListInitiators")["initiators"] == []
