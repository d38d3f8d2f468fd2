"""`volume`: a LUN of its own, with its figures, opened to the hosts that need it and attached to their VMs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.resources.offerings import BANDWIDTH, FIGURES
from planner.resources.schema import Argument, NestedBlock, ResourceType, Unit
from planner.values.types import BOOL, NUMBER, STRING, MapType

FIGURE_NAMES = tuple(argument.name for argument in FIGURES)
LIMIT_NAMES = (*FIGURE_NAMES, BANDWIDTH.name)

INTERNAL = frozenset({"access", "attachments", "intent", "policy"})
"""What a volume's record holds besides its schema: see `planner.planning.current`. Shown as its `attach` blocks."""

VOLUME = ResourceType(
    name="volume",
    summary="A LUN of its own on the pool that can hold its figures.",
    arguments=(
        Argument("offering", summary="The figures it is made with.", required=True, reference="disk_offering"),
        Argument(
            "size",
            summary="Its size, where the offering does not fix it. It may grow, never shrink.",
            unit=Unit.SIZE,
            computed=True,
        ),
        *(replace(figure, computed=True) for figure in FIGURES),
        replace(
            BANDWIDTH, summary="Bytes that it may move in a second; null for no limit.", settable=False, computed=True
        ),
        Argument(
            "pool",
            summary="The pool that it must be on; left out, the allocator chooses.",
            reference="pool",
            computed=True,
            replaces=True,
        ),
        Argument(
            "source",
            summary="The volume, or data source of a snapshot, that it begins as a copy of. Left out: it begins empty,"
            " or is left as it began.",
            reference="volume",
            reference_to_data="snapshot",
            replaces=True,
        ),
        Argument("name", summary="Its name on the array; left out, made of its address.", computed=True, replaces=True),
        Argument("zone", summary="The pool must serve this zone."),
        Argument(
            "on_destroy",
            summary="`delete` lets the array undelete where it can; `retain` only forgets it.",
            choices=("delete", "purge", "retain"),
            default="delete",
        ),
        Argument("metadata", MapType(STRING), "Texts kept with the volume on the array, where it has room."),
        Argument("provisioning", settable=False, computed=True, summary="`thin` or `thick`, as it was made."),
        Argument("id", settable=False, computed=True, summary="The array's own name for it."),
        Argument("iqn", settable=False, computed=True, summary="The iSCSI target that serves it."),
        Argument("portal", settable=False, computed=True, summary="`address:port` of the target."),
        Argument("lun", NUMBER, settable=False, computed=True, summary="Its LUN number on the target."),
        Argument("serial", settable=False, computed=True, summary="The serial number that a guest sees."),
    ),
    blocks=(
        NestedBlock(
            "attach",
            (
                Argument("host", summary="The host that it is opened to.", required=True, reference="host"),
                Argument("vm", summary="The VM that gets it as a disk; left out, only the host may log in."),
                Argument("device", summary="The target device; left out, the first free one.", computed=True),
                Argument(
                    "bus", summary="`virtio` or `scsi`; left out, the provider's default.", choices=("virtio", "scsi")
                ),
                Argument("read_only", BOOL, default=False),
            ),
            "A host, and a VM on it, that gets the volume.",
            repeated=True,
        ),
    ),
    provisioned=True,
    holds_data=True,
)


def attach_blocks(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """A recorded volume's `attach` blocks, sorted: one for each VM's disk, one for a host that may log in by itself."""
    disks = [
        {name: disk.get(name) for name in ("host", "vm", "device", "bus", "read_only")}
        for disk in attributes.get("attachments", ())
    ]
    with_disk = {disk["host"] for disk in disks}
    hosts = [
        {"host": host, "vm": None, "device": None, "bus": None, "read_only": False}
        for host in attributes.get("access", {})
        if host not in with_disk
    ]
    return tuple(sorted((*disks, *hosts), key=lambda block: (block["host"] or "", block["vm"] or "")))


def visible(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded volume as the language and the plan show it."""
    return {name: value for name, value in attributes.items() if name not in INTERNAL} | {
        "attach": attach_blocks(attributes)
    }
