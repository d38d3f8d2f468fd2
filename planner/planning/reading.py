"""Which pools and hosts a plan reads, and what of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from planner.addresses import ProviderAddress, parse_instance
from planner.evaluation.resource_graph import ResourceInstance
from planner.planning.adoption import read_from_pools
from planner.planning.refresh import HostTarget, PoolTarget
from planner.resources.declared import host_arguments, pool_arguments
from planner.resources.vm import VM, VOLUME_TYPES
from planner.sdk.hypervisor import HostSpec
from planner.sdk.storage import PoolSpec
from planner.state.model import Attributes, RecordedObject


def to_read(
    recorded: Iterable[RecordedObject],
    desired: Collection[ResourceInstance],
    known: Mapping[str, Attributes],
    providers: Mapping[str, ProviderAddress],
    places: Collection[str],
    gone: Collection[RecordedObject],
    *,
    lists: bool,
    importing: bool,
) -> tuple[list[PoolTarget], list[HostTarget]]:
    """
    Every pool and host that volumes are on, and those that volumes may go to.

    Args:
        recorded, desired: what the plan is about.
        known: attributes of all pools and hosts by address. One whose arguments changed is read as it is desired now.
        places: addresses of the pools and hosts that volumes may go to.
        gone: volumes that were deleted and may be restored.
        lists: what is recorded is looked up.
        importing: what else is on the pools is looked up, too.
    """
    on_pools: set[str] = set()
    on_hosts: set[str] = set()
    with_vms: set[str] = set()
    expected: dict[str, set[str]] = defaultdict(set)
    for object in gone:
        expected[object.attributes["pool"]].add(object.attributes["id"])
    for object in recorded:
        if object.address.type in VOLUME_TYPES:
            on_pools.add(object.attributes["pool"])
            expected[object.attributes["pool"]].add(object.attributes["id"])
            on_hosts.update(disk["host"] for disk in object.attributes["attachments"])
        elif object.address.type == VM.name:
            with_vms.add(object.attributes["host"])
    ranges = {str(instance.address): instance.resource.range for instance in desired}
    sources = [instance for instance in desired if instance.is_data]
    read_from, snapshots_of = read_from_pools(sources, {object.address: object for object in recorded})
    pools, hosts = [], []
    for id in sorted((on_pools | on_hosts | with_vms | snapshots_of | {*places, *expected}) & known.keys()):
        attributes, provider = known[id], providers[id]
        if parse_instance(id).type == "pool":
            spec = PoolSpec(id, pool_arguments(attributes))
            listed = (lists and id in on_pools) or id in read_from or importing
            ids = frozenset(expected.get(id, ()) if lists else ())
            pools.append(PoolTarget(provider, spec, listed, ranges.get(id), ids, id in snapshots_of))
        else:
            host = HostSpec(id, id, attributes.get("address"), attributes.get("initiator"), host_arguments(attributes))
            disks, vms = (lists and id in those for those in (on_hosts, with_vms))
            hosts.append(HostTarget(provider, host, disks, vms, ranges.get(id), inspect=id in places))
    return pools, hosts
