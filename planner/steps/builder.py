"""
Changes -> step graph: which provider calls each change takes, with settled arguments, and which of them wait for which.

Arguments by verb (plain data; sizes in bytes):

    create_async        pool, pool_arguments, name, size, qos, thin, metadata, source, policy
    resize_async        pool, pool_arguments, size
    update_qos          pool, pool_arguments, qos, policy
    update_qos_policy   pool, pool_arguments, qos, policy; of an offering, for all volumes under that policy
    grant_access        pool, pool_arguments, host, endpoint {name, address, initiator}
    revoke_access       the same
    delete_async        pool, pool_arguments, purge
    attach              host, host_spec {name, network_address, initiator, arguments}, vm, device, bus, read_only,
                        serial, size, qos, storage_provider, shareable, boot
    update_attachment   host, host_spec, vm, size, qos
    detach              host, host_spec, vm
    create_vm           host, host_spec, vm, cpus, memory
    update_vm           the same
    set_power           host, host_spec, vm, on
    delete_vm           host, host_spec, vm

`qos` is {min_iops, max_iops, burst_iops, max_bandwidth} or None. Order: create -> grant -> attach; detach -> revoke ->
delete; the array grows before the hypervisor; what is taken away from one VM is taken away before it is given to
another. A vm comes before its root disk, whether both are made or both go, and is started after it.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress, ResourceAddress, parse_instance
from planner.placement.model import Assignment
from planner.planning.figures import limits_qos, qos_of
from planner.planning.plan import Action, Change
from planner.resources.declared import host_arguments, pool_arguments
from planner.resources.vm import ROOT_DISK, VM, VOLUME_TYPES, vm_address
from planner.resources.volume import LIMIT_NAMES
from planner.sdk.storage import Qos
from planner.state.model import DEPOSED, Attributes
from planner.steps.graph import Step, StepGraph, Verb
from planner.units import parse_size
from planner.values.marks import Unknown

NewIntent = Callable[[], str]
_RECORDED = (
    *("offering", "zone", "on_destroy", "metadata", "provisioning", "pool", "name", "size", "source", "policy"),
    *LIMIT_NAMES,
)
_RECORDED_OF_VMS = ("offering", "root_disk")


def new_intent() -> str:
    """16 hexadecimal digits that no other call ever gets."""
    return secrets.token_hex(8)


class StepBuilder:
    """
    Collects the steps of a plan's changes.

    Args:
        known: attributes of pools and hosts by address, desired and recorded; the recorded ones serve what is taken
            away.
        providers: the provider of each of them.
    """

    def __init__(
        self,
        known: Mapping[str, Attributes],
        providers: Mapping[str, ProviderAddress],
        intent: NewIntent = new_intent,
    ) -> None:
        self._known = known
        self._providers = providers
        self._intent = intent
        self._steps: list[Step] = []
        self._last: dict[InstanceAddress, tuple[int, ...]] = {}
        self._copies: dict[ResourceAddress, list[InstanceAddress]] = defaultdict(list)
        self._remade_vms: set[tuple[str, str]] = set()
        self._starts: dict[InstanceAddress, tuple[_Chain, ProviderAddress, Mapping[str, Any]]] = {}
        self._made: dict[InstanceAddress, tuple[int, ...]] = {}
        self._new_figures: set[tuple[ProviderAddress, str | None]] = set()
        self._policy_steps: dict[tuple[ProviderAddress, str | None], int] = {}
        self._joins: dict[tuple[str, InstanceAddress], tuple[int, ...]] = {}

    def add_all(
        self,
        changes: Sequence[Change],
        dependencies: Mapping[InstanceAddress, tuple[InstanceAddress, ...]],
        protected: frozenset[InstanceAddress] = frozenset(),
    ) -> dict[InstanceAddress, tuple[int, ...]]:
        """
        Make the steps of all changes; the answer is each instance's step numbers.

        Args:
            changes: in dependency order; those that delete are taken in the opposite order.
            dependencies: what each instance needs, desired or (for what goes) recorded.
            protected: instances that are recorded as protected from now on.
        """
        made = self._made
        goes = (Action.DELETE, Action.FORGET)
        for change in changes:
            self._copies[change.address.resource].append(change.address)
        self._remade_vms.update(
            (change.before["host"], change.before["name"])
            for change in changes
            if change.address.type == VM.name and change.action is Action.REPLACE and change.before is not None
        )
        self._new_figures.update(
            (self._providers[change.after["pool"]], change.after["policy"])
            for change in changes
            if change.action in (Action.UPDATE, Action.REPLACE) and change.address.type in VOLUME_TYPES
            if change.after is not None and _by_policy(change)
        )
        for change in changes:
            if change.action in goes:
                continue
            needs = dependencies.get(change.address, ())
            before = self._after(needs, "needs")
            vm = vm_address(change.address) if change.address.type == ROOT_DISK.name else None
            if vm is not None:
                before = (*before, *self._last.get(vm, ()))
            made[change.address] = self._change(change, before, needs, change.address in protected)
            if vm is not None and vm in self._starts:
                made[vm] = (*made[vm], self._start(vm, self._last.get(change.address, ())))
        dependents: dict[InstanceAddress, list[InstanceAddress]] = defaultdict(list)
        for change in changes:
            for need in dependencies.get(change.address, ()):
                dependents[need].append(change.address)
        for change in reversed(changes):
            if change.action in goes:
                before = self._after_dependents(change.address, dependents)
                made[change.address] = self._change(change, before, (), False)
        return made

    def finish(self) -> StepGraph:
        return StepGraph(tuple(self._steps))

    # -- ordering --

    def _after(self, needs: Iterable[InstanceAddress], kind: str) -> tuple[int, ...]:
        """The last steps of what is needed. Many copies are joined in one step, so that N x M edges never arise."""
        found: set[int] = set()
        for need in needs:
            if need in self._last:
                found.update(self._last[need])
            elif need.key is None:
                found.update(self._join(kind, need, self._copies.get(need.resource, ())))
        return tuple(sorted(found))

    def _after_dependents(
        self, address: InstanceAddress, dependents: Mapping[InstanceAddress, Sequence[InstanceAddress]]
    ) -> tuple[int, ...]:
        found: set[int] = set()
        for named in {address, address.resource.instance()}:
            found.update(self._join("dependents", named, dependents.get(named, ())))
        return tuple(sorted(found))

    def _join(self, kind: str, named: InstanceAddress, members: Sequence[InstanceAddress]) -> tuple[int, ...]:
        joined = self._joins.get((kind, named))
        if joined is None:
            steps = tuple(sorted({step for member in members for step in self._last.get(member, ())}))
            joined = steps
            if len(steps) > 1:
                joined = (self._add(Verb.JOIN, named, None, {}, {}, steps),)
            self._joins[kind, named] = joined
        return joined

    def _add(
        self,
        verb: Verb,
        address: InstanceAddress,
        provider: ProviderAddress | None,
        arguments: Mapping[str, Any],
        records: Attributes,
        requires: tuple[int, ...],
        dependencies: tuple[InstanceAddress, ...] = (),
        protected: bool = False,
    ) -> int:
        number = len(self._steps)
        self._steps.append(
            Step(number, verb, address, provider, self._intent(), arguments, records, requires, dependencies, protected)
        )
        return number

    # -- one change --

    def _change(
        self,
        change: Change,
        before: tuple[int, ...],
        needs: tuple[InstanceAddress, ...],
        protected: bool,
    ) -> tuple[int, ...]:
        first = len(self._steps)
        chain = _Chain(self, change.address, before, needs, protected)
        if change.is_empty:
            return ()
        if change.recorded_anew and change.before is not None:
            self._record_anew(change, chain)
        if change.action is Action.NO_OP:
            pass
        elif change.action is Action.FORGET:
            chain.then(Verb.FORGET, None, {})
        elif change.address.type in VOLUME_TYPES:
            self._volume(change, chain)
        elif change.address.type == VM.name:
            self._vm(change, chain)
        elif change.action is Action.DELETE:
            chain.then(Verb.FORGET, None, {})
        else:
            chain.then(Verb.RECORD, change.provider, {}, change.after or {})
        self._last[change.address] = chain.tips
        shared = set(self._policy_steps.values())
        return tuple(number for number in range(first, len(self._steps)) if number not in shared)

    def _record_anew(self, change: Change, chain: _Chain) -> None:
        """
        It is recorded as it is, before anything is done to it. What moved goes from its old address after that: a run
        that is killed in between leaves it recorded twice, and never not at all.
        """
        assert change.before is not None
        volume = change.address.type in VOLUME_TYPES
        provider = self._providers[change.before["pool"]] if volume else change.provider
        chain.then(Verb.RECORD, provider, {}, change.before)
        if change.previous is not None:
            old = self._add(Verb.FORGET, change.previous, None, {}, {}, chain.tips)
            chain.tips = (old,)

    def _volume(self, change: Change, chain: _Chain) -> None:
        now, then = change.before, change.after
        old: _Chain | None = None
        if now is not None and change.create_first:
            # It steps aside, under another name in the record, until its successor is made.
            name = f"{change.address.name}{DEPOSED}{self._intent()[:8]}"
            old = chain.branch(chain.tips, replace(change.address, name=name))
            old.then(Verb.RECORD, self._providers[now["pool"]], {}, now)
            chain.tips = old.tips
        elif now is not None and (then is None or change.action is Action.REPLACE):
            self._take_down(now, chain)
            now = None
        if then is None:
            return
        qos = array_qos(then, change.assignment)
        pool = self._pool(then["pool"])
        provider = self._providers[then["pool"]]
        records = {name: then[name] for name in _RECORDED if name in then}
        if now is None or old is not None:
            wanted: dict[str, Any] = {
                "name": then["name"],
                "size": parse_size(then["size"]),
                "qos": qos,
                "thin": then["provisioning"] == "thin",
                "metadata": then["metadata"] or {},
                "source": then.get("source"),
                "policy": then.get("policy"),
            }
            chain.after(self._policy_step(provider, then, pool, qos))
            chain.then(Verb.CREATE, provider, pool | wanted, records)
            # A guest sees the intent of the volume's create as the disk's serial number.
            serial = self._steps[chain.tips[0]].intent
            if old is not None and now is not None:
                old.tips = chain.tips
                self._take_down(now, old)
                chain.tips = old.tips
            now = {**then, "access": {}, "attachments": (), "serial": serial}
        else:
            self._alter(now, then, chain, pool, change.assignment, records)
        self._give_and_take(now, then, chain, pool, provider)

    def _alter(
        self,
        now: Attributes,
        then: Attributes,
        chain: _Chain,
        pool: dict[str, Any],
        assignment: Assignment | None,
        records: Attributes,
    ) -> None:
        """Size, figures, and what is only recorded. The record changes with the last of these calls."""
        provider = self._providers[then["pool"]]
        had, gets = (array_qos(attributes, assignment) for attributes in (now, then))
        policy = then.get("policy")
        is_same_policy = policy is not None and policy == now.get("policy")
        chain.after(self._policy_step(provider, then, pool, gets))
        calls: list[tuple[Verb, dict[str, Any]]] = []
        if now["size"] != then["size"]:
            calls.append((Verb.RESIZE, {"size": parse_size(then["size"])}))
        if not is_same_policy and (had != gets or policy != now.get("policy")):
            calls.append((Verb.UPDATE_QOS, {"qos": gets, "policy": policy}))
        # Told by its policy: what is recorded of it then is read back like a call.
        told = pool | {"policy": policy} if is_same_policy and had != gets else {}
        for number, (verb, wanted) in enumerate(calls, 1):
            own = {"size": then["size"]} if verb is Verb.RESIZE else {name: then[name] for name in LIMIT_NAMES}
            last = number == len(calls) and not told
            chain.then(verb, provider, pool | wanted, records if last else own)
        if (told or not calls) and any(now.get(name) != value for name, value in records.items()):
            chain.then(Verb.RECORD, provider, told, records)

    def _policy_step(
        self, provider: ProviderAddress, volume: Attributes, pool: dict[str, Any], qos: dict[str, int] | None
    ) -> tuple[int, ...]:
        """
        The step that gives a volume's policy its new figures: one call for all volumes under it, after which they have
        them, and before which none is put under it. Nothing where the policy has these figures already.
        """
        key = (provider, volume.get("policy"))
        if key not in self._new_figures:
            return ()
        if key not in self._policy_steps:
            offering = parse_instance(volume["offering"])
            wanted = pool | {"policy": volume["policy"], "qos": qos}
            after = self._last.get(offering, ())
            number = self._add(Verb.UPDATE_POLICY, offering, provider, wanted, {}, after)
            self._policy_steps[key] = number
            self._made[offering] = (*self._made.get(offering, ()), number)
        return (self._policy_steps[key],)

    def _give_and_take(
        self, now: Attributes, then: Attributes, chain: _Chain, pool: dict[str, Any], provider: ProviderAddress
    ) -> None:
        """Disks and access: first what goes, then what comes, then what changes in place."""
        had = {(disk["host"], disk["vm"]): disk for disk in now["attachments"]}
        gets = {(disk["host"], disk["vm"]): disk for disk in then["attachments"]}
        regrant = {
            host for host, path in now["access"].items() if host in then["access"] and _renamed(path, then, host)
        }
        goes = [
            key
            for key in had
            if key not in gets or key[0] in regrant or key in self._remade_vms or _reattach(had[key], gets[key])
        ]
        shareable = bool(self._known.get(then["offering"], {}).get("shareable"))
        trunk = chain.tips
        by_host: dict[str, tuple[int, ...]] = {}

        for host in sorted({*now["access"], *then["access"], *(key[0] for key in had)}):
            branch = chain.branch(trunk)
            for key in sorted(key for key in goes if key[0] == host):
                self._detach(had[key], branch)
            if host in now["access"] and (host not in then["access"] or host in regrant):
                branch.then(Verb.REVOKE, provider, pool | self._grant(host, now["access"][host]))
            by_host[host] = branch.tips
        # A disk is given to its new VM only when the old one has let go of it.
        gone = tuple(sorted({tip for tips in by_host.values() for tip in tips}))
        ends: set[int] = set()
        for host in sorted({*then["access"], *by_host}):
            branch = chain.branch(gone)
            if host in then["access"] and (host not in now["access"] or host in regrant):
                branch.then(Verb.GRANT, provider, pool | self._grant(host, then["access"][host]))
            granted = branch.tips
            for key in sorted(key for key in gets if key[0] == host):
                disk = branch.branch(granted)
                there = None if key in goes else had.get(key)
                shared = {"serial": now["serial"], "storage_provider": str(provider), "shareable": shareable}
                self._attach_or_update(gets[key], there, disk, shared)
                ends.update(disk.tips)
            ends.update(granted)
        chain.tips = _without_inner(self._steps, ends or set(gone))

    def _attach_or_update(
        self, disk: Attributes, had: Attributes | None, chain: _Chain, of_volume: Mapping[str, Any]
    ) -> None:
        host = disk["host"]
        wanted = {"vm": disk["vm"], "size": disk["size"], "qos": disk_qos(disk["qos"])}
        if had is None:
            device = None if isinstance(disk["device"], Unknown) else disk["device"]
            wanted |= {"device": device, "bus": disk["bus"], "read_only": disk["read_only"]}
            wanted |= {**of_volume, "boot": chain.address.type == ROOT_DISK.name}
            chain.then(Verb.ATTACH, self._providers[host], self._host(host) | wanted)
        elif had.get("qos") != disk["qos"] or had.get("size") != disk["size"]:
            chain.then(Verb.UPDATE_ATTACHMENT, self._providers[host], self._host(host) | wanted)

    def _detach(self, disk: Attributes, chain: _Chain) -> None:
        host = disk["host"]
        chain.then(Verb.DETACH, self._providers[host], self._host(host) | {"vm": disk["vm"]})

    def _take_down(self, now: Attributes, chain: _Chain) -> None:
        pool, provider = self._pool(now["pool"]), self._providers[now["pool"]]
        trunk = chain.tips
        tips: set[int] = set()
        hosts = {*now["access"], *(disk["host"] for disk in now["attachments"])}
        for host in sorted(hosts):
            branch = chain.branch(trunk)
            for disk in now["attachments"]:
                if disk["host"] == host:
                    self._detach(disk, branch)
            if host in now["access"]:
                branch.then(Verb.REVOKE, provider, pool | self._grant(host, now["access"][host]))
            tips.update(branch.tips)
        chain.tips = tuple(sorted(tips)) or trunk
        chain.then(Verb.DELETE, provider, pool | {"purge": now.get("on_destroy") == "purge"})

    # -- VMs --

    def _vm(self, change: Change, chain: _Chain) -> None:
        """All but the start, which waits for the root disk."""
        now, then = change.before, change.after
        if now is not None and (then is None or change.action is Action.REPLACE):
            provider = self._providers[now["host"]]
            if now.get("power") == "on":
                # Not recorded as shut down: whoever has to finish this starts it again.
                chain.then(Verb.SET_POWER, provider, self._of_vm(now) | {"on": False}, {"power": None})
            chain.then(Verb.DELETE_VM, provider, self._of_vm(now))
            now = None
        if then is None:
            return
        provider = self._providers[then["host"]]
        figures = {"cpus": then["cpus"], "memory": parse_size(then["memory"])}
        records = {name: then[name] for name in _RECORDED_OF_VMS}
        if now is None:
            chain.then(Verb.CREATE_VM, provider, self._of_vm(then) | figures, records)
        elif (now["cpus"], now["memory"]) != (then["cpus"], then["memory"]):
            chain.then(Verb.UPDATE_VM, provider, self._of_vm(then) | figures, records)
        elif any(now.get(name) != value for name, value in records.items()):
            chain.then(Verb.RECORD, provider, {}, records)
        if then["power"] == "on" and (now is None or now.get("power") != "on"):
            self._starts[change.address] = (chain, provider, self._of_vm(then))
        elif then["power"] == "off" and now is not None and now.get("power") != "off":
            chain.then(Verb.SET_POWER, provider, self._of_vm(then) | {"on": False})

    def _start(self, vm: InstanceAddress, after: tuple[int, ...]) -> int:
        """Start a vm whose disk is there; whatever needs the vm waits for it to run."""
        chain, provider, arguments = self._starts[vm]
        chain.after(after)
        chain.then(Verb.SET_POWER, provider, {**arguments, "on": True})
        self._last[vm] = chain.tips
        return chain.tips[0]

    def _of_vm(self, vm: Attributes) -> dict[str, Any]:
        return self._host(vm["host"]) | {"vm": vm["name"]}

    # -- what providers are told --

    def _pool(self, pool: str) -> dict[str, Any]:
        return {"pool": pool, "pool_arguments": pool_arguments(self._known[pool])}

    def _host(self, host: str) -> dict[str, Any]:
        attributes = self._known[host]
        spec = {
            "name": host_name(host),
            "network_address": attributes.get("address"),
            "initiator": attributes.get("initiator"),
            "arguments": host_arguments(attributes),
        }
        return {"host": host, "host_spec": spec}

    def _grant(self, host: str, path: Attributes) -> dict[str, Any]:
        endpoint = {"name": host_name(host), "address": path["address"], "initiator": path["initiator"]}
        return {"host": host, "endpoint": endpoint}


class _Chain:
    """Steps of one instance, one after the other; `tips` are those that whatever comes next must wait for."""

    def __init__(
        self,
        builder: StepBuilder,
        address: InstanceAddress,
        tips: tuple[int, ...],
        needs: tuple[InstanceAddress, ...],
        protected: bool,
    ) -> None:
        self._builder = builder
        self.address = address
        self._needs = needs
        self._protected = protected
        self.tips = tips

    def then(
        self,
        verb: Verb,
        provider: ProviderAddress | None,
        arguments: Mapping[str, Any],
        records: Attributes | None = None,
    ) -> None:
        number = self._builder._add(
            verb, self.address, provider, arguments, records or {}, self.tips, self._needs, self._protected
        )
        self.tips = (number,)

    def after(self, steps: tuple[int, ...]) -> None:
        """Have what comes next wait for these, too."""
        self.tips = tuple(sorted({*self.tips, *steps}))

    def branch(self, tips: tuple[int, ...], address: InstanceAddress | None = None) -> _Chain:
        return _Chain(self._builder, address or self.address, tips, self._needs, self._protected)


def array_qos(attributes: Attributes, assignment: Assignment | None) -> dict[str, int] | None:
    """
    The figures that an array is told; None when there are none. The three of IOPS always: also an array that holds none
    of them counts its floors. A bandwidth only where it is the array that holds it.
    """
    qos = qos_of(attributes)
    if qos is not None and (assignment is None or assignment.enforcement.bandwidth != "storage"):
        qos = replace(qos, max_bandwidth=0)
    return None if qos is None or qos == Qos(0, 0, 0) else asdict(qos)


def _by_policy(change: Change) -> bool:
    """A volume, or its replacement, gets other figures because the policy that it is under does."""
    now, then = change.before, change.after
    if now is None or then is None or then.get("policy") is None or now.get("policy") != then["policy"]:
        return False
    return array_qos(now, change.assignment) != array_qos(then, change.assignment)


def disk_qos(limits: Mapping[str, int] | None) -> dict[str, int] | None:
    """What a hypervisor is told to hold."""
    qos = limits_qos(limits)
    return None if qos is None else asdict(qos)


def host_name(host: str) -> str:
    """A host's name for people and for groups on arrays: its key, or its block's name."""
    address = parse_instance(host)
    match address.key:
        case str(key):
            return key
        case int(key):
            return f"{address.name}-{key}"
    return address.name


def _renamed(path: Attributes, then: Attributes, host: str) -> bool:
    """The host is seen under another address or initiator name now."""
    wanted = then["access"][host]
    return (path.get("address"), path.get("initiator")) != (wanted["address"], wanted["initiator"])


def _reattach(had: Attributes, gets: Attributes) -> bool:
    """What a hypervisor cannot change on a disk that it has."""
    moved = not isinstance(gets["device"], Unknown) and gets["device"] != had["device"]
    return moved or (had.get("bus"), had["read_only"]) != (gets["bus"], gets["read_only"])


def _without_inner(steps: Sequence[Step], ends: set[int]) -> tuple[int, ...]:
    """Of some steps, those that none of the others waits for directly."""
    inner = {need for end in ends for need in steps[end].requires}
    return tuple(sorted(ends - inner))
