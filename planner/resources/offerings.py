"""
`disk_offering` and `compute_offering`: figures under a name, which volumes and VMs refer to. Only recorded; no system
knows of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.resources.schema import Argument, NestedBlock, ResourceType, Unit
from planner.values.types import BOOL, NUMBER, STRING, SetType

FIGURES = (
    Argument("min_iops", NUMBER, "The floor: I/O operations per second that the volume is guaranteed. 0 for none."),
    Argument("max_iops", NUMBER, "The ceiling: what it may do for as long as it likes."),
    Argument("burst_iops", NUMBER, "What it may do for a short while after it was idle."),
)

BANDWIDTH = Argument(
    "max_bandwidth", summary='Bytes that it may move in a second: "400MiB/s". Left out: no limit.', unit=Unit.BANDWIDTH
)
TAGS = Argument("tags", SetType(STRING), "Only pools that have all of these tags.")
ENFORCEMENT = Argument(
    "qos_enforcement",
    summary="Who may hold the figures; `storage`: the array alone; `best_effort`: warn when nobody can.",
    choices=("any", "storage", "best_effort"),
    default="any",
)

DISK_OFFERING = ResourceType(
    name="disk_offering",
    summary="Figures that many volumes share.",
    arguments=(
        Argument("size", summary="The size of every volume; left out, each volume gives its own.", unit=Unit.SIZE),
        *FIGURES,
        BANDWIDTH,
        Argument("custom_iops", BOOL, "Volumes may give figures of their own.", default=False),
        TAGS,
        ENFORCEMENT,
        Argument(
            "provisioning",
            summary="Space is taken as it is written, or at once.",
            choices=("thin", "thick"),
            default="thin",
        ),
        Argument("shareable", BOOL, "Several VMs may write to a volume at the same time.", default=False),
        Argument("id", settable=False, summary="Its address; what a reference to it stands for."),
    ),
    blocks=(
        NestedBlock(
            "iops_per_gib",
            (
                Argument("min", NUMBER, "Floor for each GiB of size.", required=True),
                Argument("max", NUMBER, "Ceiling for each GiB of size.", required=True),
                Argument("burst", NUMBER, "Burst for each GiB of size.", required=True),
            ),
            "Figures that grow with the size, in place of the three fixed ones.",
        ),
    ),
)

COMPUTE_OFFERING = ResourceType(
    name="compute_offering",
    summary="What many VMs share: processors, memory, and the figures of their root disks.",
    arguments=(
        Argument("cpus", NUMBER, "Virtual processors.", required=True),
        Argument("memory", summary="Memory of the VM.", unit=Unit.SIZE, required=True),
        Argument("id", settable=False, summary="Its address; what a reference to it stands for."),
    ),
    blocks=(
        NestedBlock(
            "root_disk",
            (
                Argument("size", summary="Its size; left out, each VM gives its own.", unit=Unit.SIZE),
                *FIGURES,
                BANDWIDTH,
                TAGS,
                ENFORCEMENT,
            ),
            "What every root disk is made with: a volume of its own.",
        ),
    ),
)


def disk_part(offering: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an offering says of disks, as a disk offering's attributes: for a compute offering its `root_disk` block."""
    if "root_disk" not in offering:
        return offering
    nothing = {argument.name: argument.default for argument in DISK_OFFERING.arguments}
    return {**nothing, "iops_per_gib": None, **(offering["root_disk"] or {}), "id": offering["id"]}
