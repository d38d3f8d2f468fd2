"""
`vm`: a virtual machine, and its root disk: a volume of its own, which no block of its own declares.

A vm `vm.web["a"]` and its root disk `root_disk.web["a"]` are two objects in plan and state, so that all that holds for
volumes (placement, figures, drift, growth, what is lost with them) holds for root disks, too.
"""

from __future__ import annotations

from dataclasses import replace

from planner.addresses import InstanceAddress
from planner.resources.schema import Argument, NestedBlock, ResourceType, Unit
from planner.resources.volume import VOLUME
from planner.values.types import NUMBER

VM = ResourceType(
    name="vm",
    summary="A virtual machine whose root disk is a volume of its own.",
    arguments=(
        Argument("host", summary="The host that it is made on.", required=True, reference="host"),
        Argument("offering", summary="What it is made with.", required=True, reference="compute_offering"),
        Argument("name", summary="Its name on the host; left out, made of its address.", computed=True, replaces=True),
        Argument(
            "power",
            summary="`on` or `off`; left out, it is started when it is made, and then left as it is.",
            choices=("on", "off"),
            computed=True,
        ),
        Argument("cpus", NUMBER, "Virtual processors: its offering's.", settable=False, computed=True),
        Argument("memory", settable=False, computed=True, unit=Unit.SIZE, summary="Memory: its offering's."),
        Argument("id", settable=False, computed=True, summary="The host's own name for it."),
    ),
    blocks=(
        NestedBlock(
            "root_disk",
            (
                Argument("size", summary="Its size, where the offering does not fix it.", unit=Unit.SIZE),
                Argument(
                    "source",
                    summary="The image that it begins with, as the array finds it. Left out: nothing.",
                    replaces=True,
                ),
                Argument("pool", summary="The pool that it must be on.", reference="pool"),
                Argument(
                    "on_destroy",
                    summary="What becomes of it when the vm goes; as in `volume`.",
                    choices=("delete", "purge", "retain"),
                    default="delete",
                ),
            ),
            "What is special about its root disk.",
        ),
    ),
    provisioned=True,
)

ROOT_DISK = replace(
    VOLUME,
    name="root_disk",
    summary="The root disk of a vm.",
    arguments=(
        *(argument for argument in VOLUME.arguments if argument.name != "source"),
        Argument("source", summary="The image that it began with.", settable=False, replaces=True),
    ),
)

VOLUME_TYPES = frozenset({VOLUME.name, ROOT_DISK.name})
"""Types whose objects are volumes of an array."""


def root_disk_address(vm: InstanceAddress) -> InstanceAddress:
    return replace(vm, type=ROOT_DISK.name)


def vm_address(root_disk: InstanceAddress) -> InstanceAddress:
    return replace(root_disk, type=VM.name)


def block_address(address: InstanceAddress) -> InstanceAddress:
    """The address of the block that declares an object: for a root disk its vm's."""
    return vm_address(address) if address.type == ROOT_DISK.name else address
