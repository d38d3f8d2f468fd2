"""`disk_offering`: figures under a name, which volumes refer to. Only recorded; no system knows of it."""

from __future__ import annotations

from planner.resources.schema import Argument, NestedBlock, ResourceType, Unit
from planner.values.types import BOOL, NUMBER, STRING, SetType

FIGURES = (
    Argument("min_iops", NUMBER, "The floor: I/O operations per second that the volume is guaranteed. 0 for none."),
    Argument("max_iops", NUMBER, "The ceiling: what it may do for as long as it likes."),
    Argument("burst_iops", NUMBER, "What it may do for a short while after it was idle."),
)

DISK_OFFERING = ResourceType(
    name="disk_offering",
    summary="Figures that many volumes share.",
    arguments=(
        Argument("size", summary="The size of every volume; left out, each volume gives its own.", unit=Unit.SIZE),
        *FIGURES,
        Argument("custom_iops", BOOL, "Volumes may give figures of their own.", default=False),
        Argument("tags", SetType(STRING), "Only pools that have all of these tags."),
        Argument(
            "qos_enforcement",
            summary="Who may hold the figures; `storage`: the array alone; `best_effort`: warn when nobody can.",
            choices=("any", "storage", "best_effort"),
            default="any",
        ),
        Argument(
            "provisioning",
            summary="Space is taken as it is written, or at once.",
            choices=("thin", "thick"),
            default="thin",
        ),
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
