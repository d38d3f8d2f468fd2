"""
Looks up whether a step's effect is there, when its answer was lost: by the step's intent id for what it makes, by the
array's id and the endpoint's name for the rest.

Each pool and host is read once per `Actual`, whatever the number of steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from planner.addresses import ProviderAddress
from planner.execution.calls import endpoint, host_spec, pool_spec, provider_of, vm_hosts
from planner.execution.outcome import attachment, qos
from planner.planning.figures import figure_attributes
from planner.sdk.errors import Missing
from planner.sdk.hypervisor import ActualAttachment, ActualVm, Attachment
from planner.sdk.provider import Providers
from planner.sdk.storage import AccessPath, ActualVolume, DeletedVolumes, Done, Pending, QosPolicies
from planner.state.model import RecordedObject
from planner.steps.graph import Step, Verb
from planner.units import format_size


@dataclass(frozen=True, slots=True)
class _Volumes:
    by_id: Mapping[str, ActualVolume]
    by_intent: Mapping[str, ActualVolume]


@dataclass(frozen=True, slots=True)
class _Disks:
    by_intent: Mapping[str, ActualAttachment]
    by_serial: Mapping[tuple[str, str | None], ActualAttachment]
    """By VM and serial number."""


class Actual:
    """
    What the systems have, read when it is first asked for and then remembered.

    All methods raise ProviderError when a system cannot be read.
    """

    def __init__(self, providers: Providers) -> None:
        self._providers = providers
        self._volumes: dict[tuple[ProviderAddress, str], _Volumes | None] = {}
        self._deleted: dict[tuple[ProviderAddress, str], Mapping[str, str]] = {}
        self._disks: dict[tuple[ProviderAddress, str], _Disks | None] = {}
        self._vms: dict[tuple[ProviderAddress, str], Mapping[str, ActualVm] | None] = {}

    def effect(self, step: Step, recorded: RecordedObject | None) -> Done[Any] | Pending | None:
        """
        What the step's call would have answered, if its effect is there or under way; None when it is not.

        Args:
            recorded: the object with the outcomes of all earlier steps.
        """
        match step.verb:
            case Verb.ATTACH | Verb.UPDATE_ATTACHMENT | Verb.DETACH:
                disks = self._disks_of(step)
                return None if disks is None else _disk_effect(step, recorded, disks)
            case Verb.CREATE:
                volumes = self._volumes_of(step)
                made = None if volumes is None else volumes.by_intent.get(step.intent)
                if made is None:
                    return None
                return Done(made) if made.job is None else Pending(made.job, 0.0)
            case Verb.RESTORE:
                volumes = self._volumes_of(step)
                restored = None if volumes is None else volumes.by_id.get(step.arguments["volume"])
                return None if restored is None else Done(restored)
            case Verb.RESIZE | Verb.UPDATE_QOS | Verb.GRANT | Verb.REVOKE | Verb.DELETE:
                if recorded is None or "id" not in recorded.attributes:
                    return None
                id, volumes = recorded.attributes["id"], self._volumes_of(step)
                if volumes is None:
                    return None
                if step.verb is Verb.DELETE and id not in volumes.by_id:
                    return Done(self._deleted_of(step).get(id))
                return _volume_effect(step, volumes.by_id.get(id))
            case Verb.UPDATE_POLICY:
                storage = self._providers.storage(provider_of(step))
                policies = storage.list_policies() if isinstance(storage, QosPolicies) else ()
                wanted = (step.arguments["policy"], qos(step.arguments))
                return next((Done(policy) for policy in policies if (policy.name, policy.qos) == wanted), None)
            case Verb.CREATE_VM | Verb.UPDATE_VM | Verb.SET_POWER | Verb.DELETE_VM:
                return _vm_effect(step, recorded, self._vms_of(step))
            case Verb.RECORD if "policy" in step.arguments and recorded is not None:
                volumes = self._volumes_of(step)
                volume = None if volumes is None else volumes.by_id.get(recorded.attributes["id"])
                return Done(None) if volume is not None and _has_what_is_recorded(step, volume) else None
            case Verb.RECORD | Verb.FORGET | Verb.JOIN:
                return None  # the record is all they change, and an unrecorded outcome did not change it
            case _:
                assert_never(step.verb)

    def _volumes_of(self, step: Step) -> _Volumes | None:
        """The volumes of the step's pool; None when the array has no such pool."""
        provider, pool = provider_of(step), pool_spec(step)
        key = (provider, pool.address)
        if key not in self._volumes:
            try:
                listed = list(self._providers.storage(provider).list_volumes(pool))
            except Missing:
                self._volumes[key] = None
            else:
                self._volumes[key] = _Volumes(
                    by_id={volume.id: volume for volume in listed},
                    by_intent={volume.owner.intent: volume for volume in listed if volume.owner is not None},
                )
        return self._volumes[key]

    def _deleted_of(self, step: Step) -> Mapping[str, str]:
        """Until when deleted volumes of the step's pool can be restored, by id."""
        provider, pool = provider_of(step), pool_spec(step)
        key = (provider, pool.address)
        if key not in self._deleted:
            storage = self._providers.storage(provider)
            listed = storage.list_deleted(pool) if isinstance(storage, DeletedVolumes) else ()
            self._deleted[key] = {deleted.volume.id: deleted.until for deleted in listed}
        return self._deleted[key]

    def _vms_of(self, step: Step) -> Mapping[str, ActualVm] | None:
        """The VMs of the step's host, by id; None when there is no such host."""
        host = host_spec(step)
        key = (provider_of(step), host.address)
        if key not in self._vms:
            try:
                self._vms[key] = {vm.id: vm for vm in vm_hosts(step, self._providers).list_vms(host)}
            except Missing:
                self._vms[key] = None
        return self._vms[key]

    def _disks_of(self, step: Step) -> _Disks | None:
        """The disks of the step's host; None when there is no such host."""
        provider, host = provider_of(step), host_spec(step)
        key = (provider, host.address)
        if key not in self._disks:
            try:
                listed = list(self._providers.hypervisor(provider).list_attachments(host))
            except Missing:
                self._disks[key] = None
            else:
                self._disks[key] = _Disks(
                    by_intent={disk.intent: disk for disk in listed if disk.intent is not None},
                    by_serial={(disk.vm, disk.serial): disk for disk in listed},
                )
        return self._disks[key]


def _vm_effect(step: Step, recorded: RecordedObject | None, vms: Mapping[str, ActualVm] | None) -> Done[Any] | None:
    if vms is None:
        return None
    if step.verb is Verb.CREATE_VM:
        made = next((vm for vm in vms.values() if vm.intent == step.intent), None)
        return None if made is None else Done(made)
    vm = vms.get(recorded.attributes["id"]) if recorded else None
    if vm is None:
        return Done(None) if step.verb is Verb.DELETE_VM else None
    arguments = step.arguments
    match step.verb:
        case Verb.UPDATE_VM:
            is_there = (vm.cpus, vm.memory) == (arguments["cpus"], arguments["memory"])
        case Verb.SET_POWER:
            is_there = vm.running == arguments["on"]
        case _:
            is_there = False
    return Done(vm) if is_there else None


def _volume_effect(step: Step, volume: ActualVolume | None) -> Done[Any] | None:
    if volume is None:
        return Done(None) if step.verb is Verb.REVOKE else None
    match step.verb:
        case Verb.RESIZE:
            return Done(volume) if volume.size >= step.arguments["size"] else None
        case Verb.UPDATE_QOS:
            # Under the policy too: a volume may have had a policy's figures before.
            asked = qos(step.arguments), step.arguments.get("policy")
            return Done(volume) if (volume.qos, volume.policy) == asked else None
        case Verb.GRANT:
            if not _is_granted(step, volume) or volume.portal is None or volume.iqn is None or volume.lun is None:
                return None
            return Done(AccessPath(volume.portal, volume.iqn, volume.lun, volume.chap_username))
        case Verb.REVOKE:
            return None if _is_granted(step, volume) else Done(None)
        case _:
            return None


def _has_what_is_recorded(step: Step, volume: ActualVolume) -> bool:
    """A volume that gets its figures by a policy is told of them by no call: it is recorded once it has them."""
    has = {**figure_attributes(volume.qos), "size": format_size(volume.size), "policy": volume.policy}
    # An array that holds no bandwidth tells of none.
    return all(step.records.get(name) == value for name, value in has.items() if name != "max_bandwidth" or value)


def _is_granted(step: Step, volume: ActualVolume) -> bool:
    this = endpoint(step)
    return any(name is not None and name in volume.grants for name in (this.initiator, this.address))


def _disk_effect(step: Step, recorded: RecordedObject | None, disks: _Disks) -> Done[Any] | None:
    if step.verb is Verb.ATTACH:
        made = disks.by_intent.get(step.intent)
        return None if made is None else Done(Attachment(made.device, made.live))
    known = attachment(recorded.attributes, step.arguments["host"], step.arguments["vm"]) if recorded else None
    if known is None:
        return None
    disk = disks.by_intent.get(known["intent"]) or disks.by_serial.get((step.arguments["vm"], known["serial"]))
    if step.verb is Verb.DETACH:
        # An attach later in the same run may have put the same volume there again, under an intent of its own.
        return Done(None) if disk is None or disk.intent not in (None, known["intent"]) else None
    if disk is None or disk.qos != qos(step.arguments):
        return None
    is_sized = disk.size is None or disk.size >= step.arguments["size"]  # None: the VM is off, and will see it at start
    return Done(Attachment(disk.device, disk.live)) if is_sized else None
