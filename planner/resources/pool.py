"""`pool`: a place on an array where volumes can be made. Only recorded; the array has it already."""

from __future__ import annotations

from planner.resources.schema import Argument, ResourceType, Unit
from planner.values.types import BOOL, NUMBER, STRING, SetType

POOL = ResourceType(
    name="pool",
    summary="A place on an array where volumes can be made, with the budget that Lunform may give out.",
    arguments=(
        Argument(
            "scope",
            summary="Whose hosts it serves; left out, what the narrowest of `host`, `cluster`, `zone` says.",
            choices=("zone", "cluster", "host"),
        ),
        Argument("zone", summary="It serves only hosts of this zone; left out, any."),
        Argument("cluster", summary="It serves only hosts of this cluster; left out, any."),
        Argument("host", summary="It serves only this host; left out, any.", reference="host"),
        Argument("tags", SetType(STRING), "What offerings ask for."),
        Argument("exclusive", BOOL, "Only offerings that name one of its tags.", default=False),
        Argument("capacity", summary="Bytes to give out; left out, what the array reports.", unit=Unit.SIZE),
        Argument("capacity_iops", NUMBER, "Sum of floors to give out; left out, what the array reports."),
        Argument("overprovision", NUMBER, "How many times its bytes may be given out; its IOPS never are.", default=1),
        Argument(
            "state",
            summary="`maintenance` takes no new volumes.",
            choices=("enabled", "maintenance"),
            default="enabled",
        ),
        Argument("id", settable=False, summary="Its address; what a reference to it stands for."),
    ),
)
