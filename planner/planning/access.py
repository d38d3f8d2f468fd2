"""
Whom a plan opens volumes to, held against what their arrays allow. An array may refuse a host only when it is let in,
and by then a part of the plan is done; so one that has such rules is asked while there is only a plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress
from planner.diagnostics import Diagnostics, SourceRange
from planner.evaluation.resource_graph import ResourceInstance
from planner.planning.plan import Action, Change
from planner.planning.refresh import PARALLELISM, Read, read_at_once
from planner.resources.declared import host_name, pool_arguments
from planner.resources.vm import VOLUME_TYPES
from planner.sdk.provider import Providers
from planner.sdk.storage import AccessRefusal, AccessRules, Endpoint, PoolSpec, WantedAccess
from planner.state.model import Attributes


def refuse_access(
    changes: Iterable[Change],
    instances: Mapping[InstanceAddress, ResourceInstance],
    known: Mapping[str, Attributes],
    providers_of: Mapping[str, ProviderAddress],
    providers: Providers,
    diagnostics: Diagnostics,
    parallelism: int = PARALLELISM,
) -> None:
    """
    An error for each refusal, at the `attach` block that it is about. Nobody is asked where nobody is let in.

    Args:
        instances: what is desired, root disks too.
        known: attributes of pools and hosts by address.
        providers_of: the provider of each pool.
        parallelism: pools that are asked about at once.
    """
    wanted: dict[str, list[WantedAccess]] = defaultdict(list)
    for change in changes:
        if change.address.type in VOLUME_TYPES and change.action not in (Action.NO_OP, Action.FORGET):
            for pool, access in _wanted(change, known):
                wanted[pool].append(access)
    reads = {
        pool: Read(
            providers_of[pool],
            partial(_ask, providers_of[pool], PoolSpec(pool, pool_arguments(known[pool])), volumes, providers),
        )
        for pool, volumes in wanted.items()
        if any(access.opened for access in volumes)
    }
    declared = {str(address): instance for address, instance in instances.items()}
    for refusals in read_at_once(reads, providers, diagnostics, parallelism).values():
        for refusal in refusals:
            range = _range(declared[refusal.address], refusal.endpoint, known)
            diagnostics.error("Volume cannot be opened to its host", refusal.detail, range, address=refusal.address)


def _wanted(change: Change, known: Mapping[str, Attributes]) -> Iterable[tuple[str, WantedAccess]]:
    """By pool: who reaches the volume, and that nobody reaches one that goes."""
    address, now, then = str(change.address), change.before, change.after
    if now is not None and (then is None or change.action is Action.REPLACE):
        yield now["pool"], WantedAccess(address, now["id"], (), ())
        now = None
    if then is not None:
        had = now["access"] if now is not None else {}
        endpoints = {host: endpoint_of(host, path, known) for host, path in then["access"].items()}
        opened = (
            endpoint
            for host, endpoint in endpoints.items()
            if host not in had or endpoint_of(host, had[host], known) != endpoint
        )
        id = now["id"] if now is not None else None
        yield then["pool"], WantedAccess(address, id, tuple(endpoints.values()), tuple(opened))


def endpoint_of(host: str, path: Attributes, known: Mapping[str, Attributes]) -> Endpoint:
    """
    A host as an array is told of it.

    Args:
        path: what is recorded, or planned, of its access: its address and its initiator's name.
    """
    cluster: Any = known.get(host, {}).get("cluster")
    return Endpoint(host_name(host), path["address"], path["initiator"], cluster)


def _ask(
    provider: ProviderAddress, pool: PoolSpec, wanted: Sequence[WantedAccess], providers: Providers
) -> Sequence[AccessRefusal]:
    storage = providers.storage(provider)
    return storage.refused_access(pool, wanted) if isinstance(storage, AccessRules) else ()


def _range(instance: ResourceInstance, endpoint: Endpoint | None, known: Mapping[str, Attributes]) -> SourceRange:
    """Of the `attach` block that names the host, where no other block stands for several; else of the resource."""
    blocks, wanted = tuple(instance.resource.body.blocks_of("attach")), instance.attributes["attach"]
    if len(blocks) == len(wanted):
        for block, attributes in zip(blocks, wanted, strict=True):
            host = attributes["host"]
            if endpoint is not None and host in known and endpoint_of(host, known[host], known) == endpoint:
                return block.header_range
    return instance.resource.range
