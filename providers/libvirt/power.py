"""
Starting and ending VMs.

A guest that is asked to shut down takes its time, so that is a job: `poll` looks, and asks again, since a guest that is
still booting does not hear it. The job's text holds all there is to know, so any process can go on with it.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

import libvirt

from planner.sdk import ActualVm, Done, Pending, Rejected, Reply
from providers.libvirt.domain import lacks_boot_disk
from providers.libvirt.refusals import explain_start
from providers.libvirt.vm import Vm

POLL = 1.0
"""Seconds between two looks at a guest that is to shut down."""


def start(vm: Vm) -> None:
    """
    Raises:
        Rejected: it has nothing to start from, or the host or a target refuses.
    """
    name = vm.domain.name()
    if vm.stored is not None and lacks_boot_disk(vm.stored.element):
        raise Rejected(
            f"The virtual machine {name} has no disk to start from",
            "Its root disk was taken away, or was never attached. Apply again: that attaches it.",
        )
    try:
        vm.domain.create()
    except libvirt.libvirtError as error:
        raise explain_start(vm, error) or error from error


@dataclass(frozen=True, slots=True)
class Shutdown:
    """
    A VM that is to end.

    Attributes:
        deadline: when it is switched off, in seconds of the wall clock, which other processes have as well.
    """

    uri: str
    uuid: str
    deadline: float

    @staticmethod
    def of(job: str) -> Shutdown:
        """
        Raises:
            Rejected: no such job can be.
        """
        try:
            return Shutdown(**json.loads(job))
        except (ValueError, TypeError):
            raise Rejected("There is no such job", f'"{job}" is none of this provider\'s.') from None

    def look(self, connection: Any) -> Reply[ActualVm]:
        domain = connection.lookupByUUIDString(self.uuid)
        if domain.isActive():
            left = self.deadline - time.time()
            if left > 0:
                domain.shutdown()
                return Pending(json.dumps(asdict(self)), min(POLL, left))
            domain.destroy()
        return Done(Vm.read(domain).actual())
