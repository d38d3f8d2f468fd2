"""What `data` blocks read from an array: a volume by its name, a volume's snapshot, and what a pool has left."""

from __future__ import annotations

from planner.resources.schema import Argument, ResourceType
from planner.values.types import NUMBER

VOLUME_DATA = ResourceType(
    name="volume",
    summary="An existing volume of a pool, whoever made it.",
    arguments=(
        Argument("pool", summary="The pool that it is on.", required=True, reference="pool"),
        Argument("name", summary="Its name on the array.", required=True),
        Argument("id", settable=False, computed=True, summary="The array's own name for it."),
        Argument("size", settable=False, computed=True, summary="Its size."),
        Argument("min_iops", NUMBER, settable=False, computed=True, summary="Its floor; null for none."),
        Argument("max_iops", NUMBER, settable=False, computed=True, summary="Its ceiling; null for none."),
        Argument("burst_iops", NUMBER, settable=False, computed=True, summary="Its burst; null for none."),
        Argument(
            "max_bandwidth", settable=False, computed=True, summary="Bytes that it may move in a second, or null."
        ),
        Argument("iqn", settable=False, computed=True, summary="The iSCSI target that serves it."),
        Argument("portal", settable=False, computed=True, summary="`address:port` of the target."),
        Argument("lun", NUMBER, settable=False, computed=True, summary="Its LUN number on the target."),
    ),
)

SNAPSHOT_DATA = ResourceType(
    name="snapshot",
    summary="A snapshot of a volume, whoever made it.",
    arguments=(
        Argument("volume", summary="The volume that it is of.", required=True, reference="volume"),
        Argument("name", summary="Its name on the array; left out, the newest.", computed=True),
        Argument("id", settable=False, computed=True, summary="The array's own name for it."),
        Argument("size", settable=False, computed=True, summary="The size that the volume had."),
        Argument("created", settable=False, computed=True, summary="When it was made: ISO 8601 in UTC."),
    ),
)

POOL_DATA = ResourceType(
    name="pool",
    summary="What a declared pool has and has given out, as its array reports it.",
    arguments=(
        Argument("pool", summary="The pool.", required=True, reference="pool"),
        Argument("product", settable=False, computed=True, summary="The array's name and version."),
        Argument("capacity", settable=False, computed=True, summary="Its size; null where the array does not say."),
        Argument("used", settable=False, computed=True, summary="The sum of its volumes' sizes."),
        Argument("capacity_iops", NUMBER, settable=False, computed=True, summary="IOPS that it can hold as floors."),
        Argument("floors", NUMBER, settable=False, computed=True, summary="The sum of its volumes' floors."),
    ),
)
