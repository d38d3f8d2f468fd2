"""
What a step's success does to the recorded object. The normal end of a step and the recovery of a killed one run the
same fold, so that both leave the same record.

A volume's recorded attributes:

    id, name, size, min_iops, max_iops, burst_iops, max_bandwidth,             what the array answered
    pool, iqn, portal, lun
    intent                                                                     of its create
    serial                                                                     what guests see: the same 16 digits
    access         host address -> {portal, iqn, lun, chap_username,           one for each grant
                   address, initiator}
    attachments    ({host, vm, device, bus, read_only, serial, intent,         one for each attach, by host and VM
                   qos as in planning.current, size in bytes}, ...)
    deleted_until  of one that is gone, and that its array can restore: until when

A vm's:

    id, name, host, cpus, memory, intent       what the host answered
    power                                      once it was set

and whatever a step's `records` sets, which has the last word: the plan knows how the user's figures are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, assert_never

from planner.addresses import InstanceAddress, parse_instance
from planner.planning.figures import figure_attributes, limits_of
from planner.resources.catalog import OBJECT_TYPES
from planner.sdk.hypervisor import ActualVm, Attachment
from planner.sdk.storage import AccessPath, ActualVolume, Qos
from planner.state.model import DELETED_UNTIL, DEPOSED, Attributes, Outcome, RecordedObject
from planner.steps.graph import Step, Verb
from planner.units import format_size

T = TypeVar("T")

_TAKING_APART = frozenset({Verb.DETACH, Verb.REVOKE, Verb.DELETE, Verb.SET_POWER, Verb.DELETE_VM})
_MAKING = frozenset({Verb.CREATE, Verb.RESTORE, Verb.CREATE_VM})


def fold(object: RecordedObject | None, step: Step, result: Any) -> RecordedObject | None:
    """
    The object after `step` gave `result`; None when it is gone.

    A create begins the record anew. The steps of a destroy name no dependencies and leave those recorded: when it
    stops half way, the next one still knows the order. A deleted volume that can be restored makes room: it is recorded
    under another address from then on.

    Args:
        object: as recorded before; its revision is kept, since the store sets it.
        result: what the provider's reply held: ActualVolume, AccessPath, Attachment, ActualVm, a text or None, by the
            verb.
    """
    prior = _prior(object, step)
    match step.verb:
        case Verb.DELETE:
            return None if object is None or result is None else _deleted(object, step, _checked(result, str))
        case Verb.DELETE_VM | Verb.FORGET:
            return None
        case Verb.UPDATE_POLICY | Verb.JOIN:
            return object
        case Verb.CREATE:
            given = _created(step, result)
        case Verb.RESTORE:
            given = _served(_volume(result))
        case Verb.RESIZE:
            given = {"size": format_size(_volume(result).size)}
        case Verb.UPDATE_QOS:
            given = figure_attributes(_volume(result).qos or qos(step.arguments))
        case Verb.GRANT:
            given = _granted(prior, step.arguments, result)
        case Verb.REVOKE:
            given = {"access": _without(prior.get("access", {}), step.arguments["host"])}
        case Verb.ATTACH:
            given = {"attachments": _attached(prior, step, result)}
        case Verb.UPDATE_ATTACHMENT:
            given = {"attachments": _updated(prior, step.arguments, result)}
        case Verb.DETACH:
            given = {"attachments": _others(prior, step.arguments)}
        case Verb.CREATE_VM:
            given = _vm_figures(result) | {"host": step.arguments["host"], "intent": step.intent}
        case Verb.UPDATE_VM:
            given = _vm_figures(result)
        case Verb.SET_POWER:
            given = {"power": "on" if _checked(result, ActualVm).running else "off"}
        case Verb.RECORD:
            given = {}
        case _:
            assert_never(step.verb)
    attributes = {**prior, **given, **step.records}
    if object is None:
        return RecordedObject(step.address, step.provider, attributes, step.dependencies, protected=step.protected)
    if step.verb in _TAKING_APART and not step.dependencies:
        return replace(object, attributes=attributes)
    return replace(
        object,
        provider=step.provider if step.verb in _MAKING | {Verb.RECORD} else object.provider,
        attributes=attributes,
        dependencies=step.dependencies,
        protected=step.protected,
    )


def done(run: str, step: Step, before: RecordedObject | None, after: RecordedObject | None) -> Outcome:
    """The outcome of a step whose success left `after`, as `fold` gave it."""
    address, changed = frees(step), after if after is not before else None
    is_moved = after is not None and after.address != address
    is_gone = is_moved or (after is None and before is not None)
    return Outcome(run, step.id, address, "done", object=changed, removed=is_gone, verb=step.verb.value)


def frees(step: Step) -> InstanceAddress:
    """The address that holds the record of what the step is about before it is done."""
    return parse_instance(step.arguments["recorded"]) if step.verb is Verb.RESTORE else step.address


def _prior(object: RecordedObject | None, step: Step) -> Attributes:
    """What stays recorded unless the step sets it: nothing when it makes the object, or all that is known of it."""
    if object is None or step.verb in _MAKING:
        return {}
    if step.verb is Verb.RECORD and not OBJECT_TYPES[step.address.type].provisioned:
        return {}  # so that the arguments of a provider that it had before go
    return object.attributes


def qos(arguments: Mapping[str, Any]) -> Qos | None:
    """The figures that a step asks for, from its `qos` argument."""
    figures = arguments["qos"]
    return None if figures is None else Qos(**figures)


def attachment(attributes: Attributes, host: str, vm: str) -> Mapping[str, Any] | None:
    """A volume's recorded attachment to `vm` on the host of that address."""
    for recorded in attributes.get("attachments", ()):
        if recorded["host"] == host and recorded["vm"] == vm:
            found: Mapping[str, Any] = recorded
            return found
    return None


def _created(step: Step, result: Any) -> dict[str, Any]:
    volume = _volume(result)
    return {
        "name": volume.name,
        "size": format_size(volume.size),
        **figure_attributes(volume.qos or qos(step.arguments)),
        "pool": step.arguments["pool"],
        **_served(volume),
        "serial": step.intent,
        "intent": step.intent,
        "access": {},
        "attachments": (),
    }


def _served(volume: ActualVolume) -> dict[str, Any]:
    return {"id": volume.id, "iqn": volume.iqn, "portal": volume.portal, "lun": volume.lun}


def _deleted(object: RecordedObject, step: Step, until: str) -> RecordedObject:
    """What stays recorded of a volume that its array can restore: its address is free for another one."""
    address = object.address
    if DEPOSED not in address.name:
        address = replace(address, name=f"{address.name}{DEPOSED}{step.intent[:8]}")
    gone = {DELETED_UNTIL: until, "access": {}, "attachments": ()}
    return RecordedObject(address, object.provider, {**object.attributes, **gone})


def _vm_figures(result: Any) -> dict[str, Any]:
    vm = _checked(result, ActualVm)
    return {"id": vm.id, "name": vm.name, "cpus": vm.cpus, "memory": format_size(vm.memory)}


def _granted(prior: Attributes, arguments: Mapping[str, Any], result: Any) -> dict[str, Any]:
    path, endpoint = _checked(result, AccessPath), arguments["endpoint"]
    served = {"portal": path.portal, "iqn": path.iqn, "lun": path.lun}
    entry = {
        **served,
        "chap_username": path.chap_username,
        "address": endpoint["address"],
        "initiator": endpoint["initiator"],
    }
    # Some arrays serve a volume only once somebody is let in.
    first = {name: value for name, value in served.items() if prior.get(name) is None}
    return {**first, "access": {**prior.get("access", {}), arguments["host"]: entry}}


def _attached(prior: Attributes, step: Step, result: Any) -> tuple[Mapping[str, Any], ...]:
    arguments = step.arguments
    entry = {
        "host": arguments["host"],
        "vm": arguments["vm"],
        "device": _checked(result, Attachment).device,
        "bus": arguments["bus"],
        "read_only": arguments["read_only"],
        "serial": prior["serial"],
        "intent": step.intent,
        **_held(arguments),
    }
    return _in_order((*_others(prior, arguments), entry))


def _updated(prior: Attributes, arguments: Mapping[str, Any], result: Any) -> tuple[Mapping[str, Any], ...]:
    device = _checked(result, Attachment).device  # which may be another than recorded
    entry = {**(attachment(prior, arguments["host"], arguments["vm"]) or {}), "device": device, **_held(arguments)}
    return _in_order((*_others(prior, arguments), entry))


def _held(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the hypervisor was told of the disk."""
    return {"qos": limits_of(qos(arguments)), "size": arguments["size"]}


def _others(prior: Attributes, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The attachments but that to the VM that the step is about."""
    this = attachment(prior, arguments["host"], arguments["vm"])
    return tuple(entry for entry in prior.get("attachments", ()) if entry is not this)


def _in_order(entries: tuple[Mapping[str, Any], ...]) -> tuple[Mapping[str, Any], ...]:
    """By host and VM: attaches end in any order, and equal meaning is written in equal bytes."""
    return tuple(sorted(entries, key=lambda entry: (entry["host"], entry["vm"])))


def _without(entries: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if key != name}


def _volume(result: Any) -> ActualVolume:
    return _checked(result, ActualVolume)


def _checked(result: Any, kind: type[T]) -> T:
    """A provider is another's code: what it answers is looked at before it is recorded."""
    if not isinstance(result, kind):
        raise TypeError(f"the provider answered {type(result).__name__} and not {kind.__name__}")
    return result
