"""`host`: a hypervisor host that volumes are opened to. Only recorded; it runs already."""

from __future__ import annotations

from planner.resources.schema import Argument, ResourceType

HOST = ResourceType(
    name="host",
    summary="A hypervisor host that volumes can be opened to and attached on.",
    arguments=(
        Argument("address", summary="The address that the storage sees it under."),
        Argument("initiator", summary="Its iSCSI initiator name."),
        Argument("zone", summary="Only pools of this zone, or of none, serve it."),
        Argument("cluster", summary="Only pools of this cluster, or of none, serve it."),
        Argument("id", settable=False, summary="Its address in the configuration; what a reference to it stands for."),
    ),
)
