"""A step as a provider call: the request made of its arguments and of what is recorded of its object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress, parse_instance, parse_provider
from planner.execution.outcome import attachment, qos
from planner.sdk.errors import Missing, Rejected
from planner.sdk.hypervisor import (
    Attach,
    CreateVm,
    DeleteVm,
    Detach,
    HostSpec,
    SetPower,
    UpdateAttachment,
    UpdateVm,
    VmHosts,
)
from planner.sdk.provider import Providers
from planner.sdk.storage import (
    AccessPath,
    CloneOf,
    CreateVolume,
    DeletedVolumes,
    DeleteVolume,
    Done,
    Endpoint,
    GrantAccess,
    Owner,
    PoolSpec,
    QosPolicies,
    Reply,
    ResizeVolume,
    RestoreVolume,
    RevokeAccess,
    StorageProvider,
    UpdatePolicy,
    UpdateQos,
)
from planner.state.model import RecordedObject
from planner.steps.graph import Step, Verb

_DISK_VERBS = frozenset({Verb.ATTACH, Verb.UPDATE_ATTACHMENT, Verb.DETACH})
_VM_VERBS = frozenset({Verb.CREATE_VM, Verb.UPDATE_VM, Verb.SET_POWER, Verb.DELETE_VM})

HYPERVISOR_VERBS = _DISK_VERBS | _VM_VERBS
"""The verbs whose provider is a hypervisor; that of the others is an array."""

_GONE_IS_DONE = frozenset({Verb.DELETE, Verb.REVOKE, Verb.DETACH, Verb.DELETE_VM})


def call(
    step: Step,
    recorded: RecordedObject | None,
    lineage: str,
    providers: Providers,
    source: RecordedObject | None = None,
) -> Reply[Any]:
    """
    Make the step's call. What it takes away and does not find is done.

    Args:
        source: the volume that `source_of` names.

    Raises ProviderError; Rejected also when the record lacks what the request needs.
    """
    try:
        if step.verb in _DISK_VERBS:
            return _call_for_disk(step, recorded, lineage, providers)
        if step.verb in _VM_VERBS:
            return _call_for_vm(step, lineage, vm_hosts(step, providers))
        return _call_storage(step, recorded, lineage, providers.storage(provider_of(step)), source)
    except Missing:
        if step.verb in _GONE_IS_DONE:
            return Done(None)
        raise


def poll(step: Step, job: str, providers: Providers) -> Reply[Any]:
    """Ask for a job that an earlier `call` of the step began."""
    if step.verb in HYPERVISOR_VERBS:
        return providers.hypervisor(provider_of(step)).poll(job)
    return providers.storage(provider_of(step)).poll(job)


def pool_spec(step: Step) -> PoolSpec:
    return PoolSpec(step.arguments["pool"], step.arguments["pool_arguments"])


def host_spec(step: Step) -> HostSpec:
    host = step.arguments["host_spec"]
    return HostSpec(
        address=step.arguments["host"],
        name=host["name"],
        network_address=host["network_address"],
        initiator=host["initiator"],
        arguments=host["arguments"],
    )


def endpoint(step: Step) -> Endpoint:
    given = step.arguments["endpoint"]
    return Endpoint(given["name"], given["address"], given["initiator"], given.get("cluster"))


def provider_of(step: Step) -> ProviderAddress:
    if step.provider is None:
        raise Rejected(f"{step.address}: {step.verb.value} names no provider", "This is a bug in lunform.")
    return step.provider


def source_of(step: Step) -> InstanceAddress | None:
    """The volume that the step makes a copy of."""
    clone_of = step.arguments.get("clone_of")
    return parse_instance(clone_of["address"]) if clone_of else None


def _call_storage(
    step: Step,
    recorded: RecordedObject | None,
    lineage: str,
    storage: StorageProvider,
    source: RecordedObject | None,
) -> Reply[Any]:
    pool, arguments = pool_spec(step), step.arguments
    match step.verb:
        case Verb.CREATE:
            return storage.create_async(
                CreateVolume(
                    pool=pool,
                    name=arguments["name"],
                    size=arguments["size"],
                    qos=qos(arguments),
                    owner=Owner(lineage, str(step.address), step.intent),
                    thin=arguments["thin"],
                    metadata=arguments["metadata"],
                    source=arguments.get("source"),
                    policy=arguments.get("policy"),
                    clone_of=_clone_of(step, source),
                )
            )
        case Verb.RESIZE:
            return storage.resize_async(ResizeVolume(pool, _volume(recorded, step), arguments["size"]))
        case Verb.UPDATE_QOS:
            update = UpdateQos(pool, _volume(recorded, step), qos(arguments), arguments.get("policy"))
            return storage.update_qos(update)
        case Verb.UPDATE_POLICY:
            figures = qos(arguments)
            if figures is None or not isinstance(storage, QosPolicies):
                raise Rejected(f"{step.address}: {step.provider} has no QoS policies", "Plan again.")
            return storage.update_policy(UpdatePolicy(arguments["policy"], figures))
        case Verb.GRANT:
            return storage.grant_access(GrantAccess(pool, _volume(recorded, step), endpoint(step)))
        case Verb.REVOKE:
            return storage.revoke_access(RevokeAccess(pool, _volume(recorded, step), endpoint(step)))
        case Verb.DELETE:
            return storage.delete_async(DeleteVolume(pool, _volume(recorded, step), arguments["purge"]))
        case Verb.RESTORE:
            if not isinstance(storage, DeletedVolumes):
                raise Rejected(f"{step.address}: {step.provider} restores no volumes", "Plan again.")
            return storage.restore_async(RestoreVolume(pool, arguments["volume"]))
        case _:
            raise AssertionError(f"{step.verb} is no call to an array")


def _clone_of(step: Step, source: RecordedObject | None) -> CloneOf | None:
    clone_of = step.arguments.get("clone_of")
    return CloneOf(_volume(source, step), clone_of["snapshot"]) if clone_of else None


def _call_for_disk(step: Step, recorded: RecordedObject | None, lineage: str, providers: Providers) -> Reply[Any]:
    hypervisor, host, arguments = providers.hypervisor(provider_of(step)), host_spec(step), step.arguments
    path = _path(recorded, step)
    if step.verb is Verb.ATTACH:
        request = Attach(
            host=host,
            vm=arguments["vm"],
            volume=_volume(recorded, step),
            path=path,
            serial=_attribute(recorded, step, "serial"),
            size=arguments["size"],
            device=arguments["device"],
            bus=arguments["bus"],
            read_only=arguments["read_only"],
            qos=qos(arguments),
            owner=Owner(lineage, str(step.address), step.intent),
            shareable=arguments.get("shareable", False),
            boot=arguments.get("boot", False),
        )
        storage = providers.storage(parse_provider(arguments["storage_provider"]))
        return hypervisor.attach(request, storage.credentials(request.volume, path))
    disk = _disk(recorded, step)
    if step.verb is Verb.DETACH:
        return hypervisor.detach(Detach(host, arguments["vm"], disk["device"], disk["serial"], path))
    return hypervisor.update_attachment(
        UpdateAttachment(host, arguments["vm"], disk["device"], disk["serial"], path, arguments["size"], qos(arguments))
    )


def vm_hosts(step: Step, providers: Providers) -> VmHosts:
    """
    Raises:
        Rejected: the hosts' provider makes no VMs.
    """
    hypervisor = providers.hypervisor(provider_of(step))
    if not isinstance(hypervisor, VmHosts):
        raise Rejected(f"{step.address}: {step.provider} makes no VMs", "It only attaches disks to VMs that are there.")
    return hypervisor


def _call_for_vm(step: Step, lineage: str, hosts: VmHosts) -> Reply[Any]:
    host, name, arguments = host_spec(step), step.arguments["vm"], step.arguments
    match step.verb:
        case Verb.CREATE_VM:
            owner = Owner(lineage, str(step.address), step.intent)
            return hosts.create_vm(CreateVm(host, name, arguments["cpus"], arguments["memory"], owner))
        case Verb.UPDATE_VM:
            return hosts.update_vm(UpdateVm(host, name, arguments["cpus"], arguments["memory"]))
        case Verb.SET_POWER:
            return hosts.set_power(SetPower(host, name, arguments["on"]))
        case Verb.DELETE_VM:
            return hosts.delete_vm(DeleteVm(host, name))
        case _:
            raise AssertionError(f"{step.verb} is no call about a VM")


def _volume(recorded: RecordedObject | None, step: Step) -> str:
    """The array's id of the volume."""
    return _attribute(recorded, step, "id")


def _attribute(recorded: RecordedObject | None, step: Step, name: str) -> str:
    if recorded is None or recorded.attributes.get(name) is None:
        raise _not_recorded(step, f"the volume's {name}")
    return str(recorded.attributes[name])


def _path(recorded: RecordedObject | None, step: Step) -> AccessPath:
    """How the host reaches the volume; where no grant is recorded, where the volume is served at all."""
    attributes = recorded.attributes if recorded is not None else {}
    path = attributes.get("access", {}).get(step.arguments["host"], attributes)
    if path.get("iqn") is None:
        raise _not_recorded(step, f"how {step.arguments['host']} reaches the volume")
    return AccessPath(path["portal"], path["iqn"], path["lun"], path.get("chap_username"))


def _disk(recorded: RecordedObject | None, step: Step) -> Mapping[str, Any]:
    vm = step.arguments["vm"]
    disk = attachment(recorded.attributes, step.arguments["host"], vm) if recorded else None
    if disk is None:
        raise _not_recorded(step, f'the disk of "{vm}"')
    return disk


def _not_recorded(step: Step, what: str) -> Rejected:
    return Rejected(
        f"{step.address}: the state does not say {what}",
        f"{step.verb.value} was not called. Run `lunform refresh`, then plan again.",
    )
