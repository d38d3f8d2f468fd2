"""The lives in `lives/`, each with the systems that it is lived on."""

from __future__ import annotations

from pathlib import Path

from planner.sdk import HostSpec, PoolSpec
from providers.libvirt import PROVIDER as LIBVIRT
from providers.sandbox import PROVIDER as SANDBOX
from providers.tgt import PROVIDER as TGT
from tests.crash.life import Besides, Life, Systems, stem
from tests.emulators.running import PASSWORD, Element, open_array
from tests.rigs.libvirt_host import LibvirtHost
from tests.rigs.tgtd import CHAP_KEY, Tgtd

DECLARED = Path(__file__).parent / "lives"
_BY_HAND = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><controller type='scsi' model='virtio-scsi'/></devices>
</domain>
"""


def sandbox_life(folder: Path, declared: str = "sandbox", parallelism: int = 2) -> Life:
    hosts = [
        HostSpec(f'host.kvm["{key}"]', key, address, f"iqn.1993-08.org.debian:01:{key}")
        for key, address in (("a", "10.0.0.11"), ("b", "10.0.0.12"))
    ]
    settings = {"path": "sandbox.db"}
    assert SANDBOX.open_storage is not None
    assert SANDBOX.open_hypervisor is not None
    array, hypervisor = SANDBOX.open_storage, SANDBOX.open_hypervisor
    systems = Systems(lambda: array(settings), (PoolSpec("pool.ssd"),), lambda: hypervisor(settings), tuple(hosts))
    return Life("sandbox", DECLARED / declared, folder, systems, parallelism=parallelism)


def solidfire_life(folder: Path, element: Element, access: str, parallelism: int = 2) -> Life:
    """
    On an emulated cluster. The hosts are those of the sandbox, which knows no targets but its own: they are let in and
    get no disks.

    Args:
        access: "groups", "cluster" or "chap".
    """
    hosts = [
        HostSpec(f'host.kvm["{key}"]', key, address, f"iqn.1993-08.org.debian:01:{key}")
        for key, address in (("a", "10.0.0.11"), ("b", "10.0.0.12"))
    ]
    assert SANDBOX.open_hypervisor is not None
    hypervisor = SANDBOX.open_hypervisor
    systems = Systems(
        lambda: open_array(element, access=access),
        (PoolSpec("pool.san"),),
        lambda: hypervisor({"path": "sandbox.db"}),
        tuple(hosts),
        besides=lambda: _on_cluster(element),
        clear=element.clear,
    )
    variables = {
        "LUNFORM_VAR_endpoint": element.endpoint,
        "LUNFORM_VAR_password": PASSWORD,
        "LUNFORM_VAR_ca_file": str(element.certificate),
        "LUNFORM_VAR_access": access,
    }
    return Life("solidfire", DECLARED / "solidfire", folder, systems, variables, parallelism)


def _on_cluster(element: Element) -> Besides:
    """A group without a volume or an initiator lets nobody in, and an initiator without a group is nobody's."""
    volumes = element.call("ListVolumes")["volumes"]
    groups = element.call("ListVolumeAccessGroups")["volumeAccessGroups"]
    initiators = element.call("ListInitiators")["initiators"]
    accounts = element.call("ListAccounts")["accounts"]
    policies = element.call("ListQoSPolicies")["qosPolicies"]
    active = [row for row in volumes if row["status"] != "deleted"]
    cluster = element.call("GetClusterInfo")["clusterInfo"]["uuid"]
    names = {row["volumeID"]: row["name"] for row in volumes}
    return Besides(
        picture={
            "volumes": sorted([row["name"], row["status"], row["qosPolicyID"] is not None] for row in volumes),
            "groups": sorted(
                [g["name"], sorted(g["initiators"]), sorted(names[n] for n in g["volumes"])] for g in groups
            ),
            "initiators": sorted(row["initiatorName"] for row in initiators),
            "accounts": sorted([row["username"], sorted(names[n] for n in row["volumes"])] for row in accounts),
            "policies": sorted([stem(row["name"]), sorted(names[n] for n in row["volumeIDs"])] for row in policies),
        },
        ours=frozenset(
            (
                *(f"volume {cluster}:{row['volumeID']}" for row in active),
                *(f"group {g['name']}" for g in groups if not (g["volumes"] and g["initiators"])),
                *(f"initiator {row['initiatorName']}" for row in initiators if not row["volumeAccessGroups"]),
            )
        ),
        names=(
            *(f"volume {row['name']}" for row in active),
            *(f"group {row['name']}" for row in groups),
            *(f"account {row['username']}" for row in accounts),
            *(f"policy {row['name']}" for row in policies),
        ),
    )


def tgt_life(folder: Path, box: Tgtd, host: LibvirtHost) -> Life:
    """On a tgtd, with disks of VMs of a libvirtd: two that are made here, and those that the configurations make."""
    spec = HostSpec("host.kvm", "kvm", "127.0.0.1", "iqn.2026-01.test.lunform:kvm", {"uri": host.uri})
    assert TGT.open_storage is not None
    assert LIBVIRT.open_hypervisor is not None
    array, hypervisor = TGT.open_storage, LIBVIRT.open_hypervisor

    def clear() -> None:
        for vm in host.vms():
            host.remove(vm)
        host.forget_secrets()
        box.clear()
        for name in ("by-hand-1", "by-hand-2"):
            definition = folder.with_suffix(f".{name}.xml")
            definition.write_text(_BY_HAND.format(name=name))
            host.virsh("define", str(definition))

    systems = Systems(
        lambda: array(box.settings()),
        (PoolSpec("pool.fast", {"directory": str(box.pool)}),),
        lambda: hypervisor({}),
        (spec,),
        locks=(box.pool / ".lunform.lock",),
        clear=clear,
    )
    variables = {
        "LUNFORM_VAR_portal": box.portal,
        "LUNFORM_VAR_control_port": str(box.control_port),
        "LUNFORM_VAR_chap_key": CHAP_KEY,
        "LUNFORM_VAR_directory": str(box.pool),
        "LUNFORM_VAR_uri": host.uri,
    }
    return Life("tgt", DECLARED / "tgt", folder, systems, variables)
