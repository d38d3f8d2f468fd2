"""
What the systems hold under our mark, against what is recorded: `Scan` is the artefact, `find` makes it.

    orphan     it carries this state's lineage, and no record has it
    stray      a disk that a VM has of a recorded volume, by an attach of ours that the volume's record does not have
    lost       it is recorded and is not there
    twin       two objects under one mark
    others     what other states made, or nobody marked: counted, and never touched

What a run that goes on, or a killed one, may just have made is none of these: its intent is in doubt.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from planner.addresses import AddressError, InstanceAddress, ProviderAddress, parse_instance
from planner.evaluation.resource_graph import ResourceGraph, ResourceInstance
from planner.planning.adoption import recorded_volume
from planner.planning.figures import limits_of
from planner.planning.refresh import Actual, HostTarget, PoolTarget
from planner.resources.declared import host_arguments, pool_arguments
from planner.resources.vm import ROOT_DISK, VM, VOLUME_TYPES, block_address
from planner.sdk.hypervisor import ActualAttachment, ActualVm, HostSpec
from planner.sdk.storage import ActualVolume, Owner, PoolSpec
from planner.state.model import Attributes, RecordedObject, Snapshot
from planner.units import format_size, parse_size
from planner.values.marks import Unknown


@dataclass(frozen=True, slots=True)
class Places:
    """Pools and hosts by address, as declared or else as recorded: their attributes, and their providers."""

    attributes: Mapping[str, Attributes]
    providers: Mapping[str, ProviderAddress]


@dataclass(frozen=True, slots=True)
class Orphan:
    """
    A volume or VM of ours that no record has.

    Attributes:
        address: what it was made for.
        place: the pool or host that has it; `provider` is that one's.
        record: its attributes, in the form in which such an object is recorded.
        unadoptable: why it cannot be recorded at its address; empty where it can.
        unreapable: why it is not deleted: it may be in use.
        uses: who has it, for people.
    """

    address: InstanceAddress
    place: str
    provider: ProviderAddress
    record: Attributes
    unadoptable: str = ""
    unreapable: str = ""
    uses: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return str(self.record["id"])


@dataclass(frozen=True, slots=True)
class StrayDisk:
    """
    A disk of the recorded volume at `address`.

    Attributes:
        record: as in the volume's `attachments`.
        unadoptable: why it cannot be recorded; empty where the volume's block attaches it to this VM.
        unreapable: why it is not detached: it may be in use.
    """

    address: InstanceAddress
    place: str
    record: Attributes
    unadoptable: str
    unreapable: str

    @property
    def id(self) -> str:
        return str(self.record["intent"])


@dataclass(frozen=True, slots=True)
class Lost:
    """A recorded volume or VM that `place` does not have."""

    address: InstanceAddress
    place: str
    id: str


@dataclass(frozen=True, slots=True)
class Twin:
    """Objects of ours with the same mark: `ids`, each with the address that it is recorded under, or None."""

    mark: str
    ids: Mapping[str, InstanceAddress | None]


@dataclass(frozen=True, slots=True)
class Others:
    """How many objects of another state a pool or host has; without a lineage, such as nobody marked."""

    place: str
    lineage: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Scan:
    """
    Attributes:
        in_doubt: steps of runs that go on or were killed.
        unread: addresses of pools and hosts that could not be read: what is there is not known.
    """

    lineage: str
    orphans: tuple[Orphan, ...] = ()
    strays: tuple[StrayDisk, ...] = ()
    lost: tuple[Lost, ...] = ()
    twins: tuple[Twin, ...] = ()
    others: tuple[Others, ...] = ()
    in_doubt: int = 0
    unread: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.orphans or self.strays or self.lost or self.twins)

    @property
    def found(self) -> tuple[Orphan | StrayDisk, ...]:
        """What can be acted on."""
        return (*self.orphans, *self.strays)


def places_of(snapshot: Snapshot, desired: ResourceGraph) -> Places:
    """All pools and hosts, declared or recorded: what is on one that has left the configuration is found, too."""
    attributes: dict[str, Attributes] = {}
    providers: dict[str, ProviderAddress] = {}
    items: tuple[RecordedObject | ResourceInstance, ...] = (*snapshot.objects.values(), *desired.instances.values())
    for item in items:
        if item.address.type in ("pool", "host") and item.provider is not None:
            attributes[str(item.address)] = item.attributes
            providers[str(item.address)] = item.provider
    return Places(attributes, providers)


def targets_of(places: Places, desired: ResourceGraph) -> tuple[list[PoolTarget], list[HostTarget]]:
    ranges = {str(instance.address): instance.resource.range for instance in desired.instances.values()}
    pools, hosts = [], []
    for id, attributes in sorted(places.attributes.items()):
        provider, range = places.providers[id], ranges.get(id)
        if parse_instance(id).type == "pool":
            pools.append(PoolTarget(provider, PoolSpec(id, pool_arguments(attributes)), True, range))
        else:
            arguments = host_arguments(attributes)
            spec = HostSpec(id, id, attributes.get("address"), attributes.get("initiator"), arguments)
            hosts.append(HostTarget(provider, spec, True, list_vms=True, range=range, inspect=False))
    return pools, hosts


def find(
    before: Snapshot,
    actual: Actual,
    after: Snapshot,
    places: Places,
    desired: Mapping[InstanceAddress, ResourceInstance],
) -> Scan:
    """
    Hold what was read against what is recorded.

    Args:
        before, after: the state, read before and after the systems were: what an apply makes meanwhile is recorded, or
            in doubt, in `after`; what it takes away is not recorded as it was in `before`.
        desired: what the configuration declares.
    """
    return _Search(before, actual, after, places, desired).scan()


@dataclass(slots=True)
class _Volume:
    """A volume that was read, once, whichever pool blocks it was listed by."""

    place: str
    actual: ActualVolume


@dataclass(slots=True)
class _Search:
    before: Snapshot
    actual: Actual
    after: Snapshot
    places: Places
    desired: Mapping[InstanceAddress, ResourceInstance]
    others: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    disks: dict[tuple[str, int], list[tuple[str, ActualAttachment]]] = field(default_factory=lambda: defaultdict(list))
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def scan(self) -> Scan:
        self._learn_hosts()
        volumes = self._volumes()
        volume_ids, vm_ids = self._recorded_ids()
        ours = {key: owner for key, volume in volumes.items() if (owner := self._ours(volume.actual.owner))}
        vms = {
            (place, vm.id): vm
            for place, reading in sorted(self.actual.hosts.items())
            for vm in (reading.vms or {}).values()
        }
        our_vms = {key: owner for key, vm in vms.items() if (owner := self._ours(vm.owner))}
        self._count_others(volumes, volume_ids, vms)
        marks = Counter(owner.address for owner in (*ours.values(), *our_vms.values()))
        in_doubt = {intent.payload["intent"] for intent in self.after.in_doubt}
        orphans: list[Orphan] = []
        for key, owner in sorted(ours.items()):
            if key not in volume_ids and owner.intent not in in_doubt:
                orphans.append(self._orphan_volume(volumes[key], owner, marks))
        for place_and_id, owner in sorted(our_vms.items()):
            if place_and_id not in vm_ids and owner.intent not in in_doubt:
                orphans.append(self._orphan_vm(place_and_id[0], vms[place_and_id], owner, marks))
        return Scan(
            lineage=self.after.lineage,
            orphans=tuple(sorted(orphans, key=lambda orphan: (str(orphan.address), orphan.id))),
            strays=tuple(self._strays(volumes, volume_ids, in_doubt)),
            lost=tuple(self._lost(volumes, vms)),
            twins=tuple(self._twins(ours, volume_ids, our_vms, vm_ids, in_doubt)),
            others=tuple(
                Others(place, lineage, count) for (place, lineage), count in sorted(self.others.items(), key=str)
            ),
            in_doubt=len(self.after.in_doubt),
            unread=tuple(sorted(self.places.attributes.keys() - self.actual.pools.keys() - self.actual.hosts.keys())),
        )

    # -- what is there, and what is recorded --

    def _learn_hosts(self) -> None:
        """Their names at an array, and their disks by target."""
        for id, attributes in sorted(self.places.attributes.items()):
            if parse_instance(id).type == "host":
                self.hosts[id] = {"address": attributes.get("address"), "initiator": attributes.get("initiator")}
        for host, reading in sorted(self.actual.hosts.items()):
            for disk in (reading.attachments or {}).values():
                self.disks[disk.iqn, disk.lun].append((host, disk))

    def _volumes(self) -> dict[tuple[str, str], _Volume]:
        """By array and id: two blocks may mean one pool."""
        found: dict[tuple[str, str], _Volume] = {}
        for place, reading in sorted(self.actual.pools.items()):
            for volume in (reading.volumes or {}).values():
                found.setdefault((reading.array.identity, volume.id), _Volume(place, volume))
        return found

    def _recorded_ids(
        self,
    ) -> tuple[dict[tuple[str, str], InstanceAddress], dict[tuple[str, str], InstanceAddress]]:
        """Recorded volumes by array and id, recorded VMs by host and id."""
        volumes, vms = {}, {}
        for object in self.after.objects.values():
            attributes = object.attributes
            if object.address.type in VOLUME_TYPES and attributes["pool"] in self.actual.pools:
                volumes[self.actual.pools[attributes["pool"]].array.identity, attributes["id"]] = object.address
            elif object.address.type == VM.name:
                vms[attributes["host"], attributes["id"]] = object.address
        return volumes, vms

    def _ours(self, owner: Owner | None) -> Owner | None:
        """The mark, if it is of this state and names what a block could declare."""
        if owner is None or not self.after.lineage or owner.lineage != self.after.lineage:
            return None
        try:
            address = parse_instance(owner.address)
        except AddressError:
            return None
        return owner if address.type in {*VOLUME_TYPES, VM.name} else None

    def _count_others(
        self,
        volumes: Mapping[tuple[str, str], _Volume],
        recorded: Collection[tuple[str, str]],
        vms: Mapping[tuple[str, str], ActualVm],
    ) -> None:
        """An imported volume is ours by its record, whatever its mark says."""
        marked = [(volume.place, volume.actual.owner) for key, volume in volumes.items() if key not in recorded]
        marked += [(place, vm.owner) for (place, _), vm in vms.items()]
        for place, owner in marked:
            if self._ours(owner) is None:
                self.others[place, owner.lineage if owner else None] += 1

    # -- findings --

    def _orphan_volume(self, volume: _Volume, owner: Owner, marks: Counter[str]) -> Orphan:
        address, attributes = parse_instance(owner.address), recorded_volume(volume.place, volume.actual)
        access = self._access(volume.actual)
        disks = self._disks_of(volume.actual)
        record = {
            **attributes,
            "policy": volume.actual.policy,
            "access": access,
            "attachments": tuple(self._attachment(address, attributes["size"], host, disk) for host, disk in disks),
        }
        if address.type == ROOT_DISK.name:
            record["source"] = self._image_of(address)
        known = {name for path in access.values() for name in (path["initiator"], path["address"])}
        strangers = [name for name in volume.actual.grants if name not in known]
        uses = [f"attached to {disk.vm} on {host}" for host, disk in disks]
        uses += [f"open to {name}" for name in (*strangers, *(host for host in access if host not in dict(disks)))]
        running = next((disk.vm for _, disk in disks if disk.live), None)
        return Orphan(
            address,
            volume.place,
            self.places.providers[volume.place],
            record,
            self._unadoptable(address, marks),
            _runs(running) if running else _is_open(strangers[0]) if strangers else "",
            tuple(uses),
        )

    def _image_of(self, root_disk: InstanceAddress) -> str | None:
        """No array tells what a volume began with: it is taken to be what the block says now."""
        vm = self.desired.get(block_address(root_disk))
        source = (vm.attributes[ROOT_DISK.name] or {}).get("source") if vm is not None else None
        return None if isinstance(source, Unknown) else source

    def _orphan_vm(self, place: str, vm: ActualVm, owner: Owner, marks: Counter[str]) -> Orphan:
        address = parse_instance(owner.address)
        record = {
            "id": vm.id,
            "name": vm.name,
            "host": place,
            "cpus": vm.cpus,
            "memory": format_size(vm.memory),
            "power": "on" if vm.running else "off",
            "intent": owner.intent,
            "offering": None,
            "root_disk": None,
        }
        return Orphan(
            address,
            place,
            self.places.providers[place],
            record,
            self._unadoptable(address, marks),
            _runs(vm.name) if vm.running else "",
            ("it runs",) if vm.running else (),
        )

    def _unadoptable(self, address: InstanceAddress, marks: Counter[str]) -> str:
        if address in self.after.objects:
            return f"{self.after.objects[address].attributes['id']} is recorded there"
        if marks[str(address)] > 1:
            return "others were made for it as well; import the right one"
        return "" if block_address(address) in self.desired else "it is not declared"

    def _strays(
        self,
        volumes: Mapping[tuple[str, str], _Volume],
        recorded: Mapping[tuple[str, str], InstanceAddress],
        in_doubt: Collection[str],
    ) -> Iterator[StrayDisk]:
        for key, address in sorted(recorded.items()):
            if key not in volumes:
                continue
            attributes = self.after.objects[address].attributes
            known = {disk["intent"] for disk in attributes["attachments"]}
            for host, disk in self._disks_of(volumes[key].actual):
                if disk.intent is not None and disk.intent not in known and disk.intent not in in_doubt:
                    record = self._attachment(address, attributes["size"], host, disk)
                    declared = self._block(address, host, disk.vm) is not None
                    why = "" if declared else f"its block does not attach it to {disk.vm}"
                    yield StrayDisk(address, host, record, why, _runs(disk.vm) if disk.live else "")

    def _lost(
        self, volumes: Mapping[tuple[str, str], _Volume], vms: Mapping[tuple[str, str], ActualVm]
    ) -> Iterator[Lost]:
        for address, object in sorted(self.after.objects.items()):
            was, attributes = self.before.objects.get(address), object.attributes
            if was is None or was.revision != object.revision:
                continue  # an apply is at it
            if address.type in VOLUME_TYPES:
                pool = self.actual.pools.get(attributes["pool"])
                if pool is not None and (pool.array.identity, attributes["id"]) not in volumes:
                    yield Lost(address, attributes["pool"], attributes["id"])
            elif address.type == VM.name:
                host = self.actual.hosts.get(attributes["host"])
                if host is not None and host.vms is not None and (attributes["host"], attributes["id"]) not in vms:
                    yield Lost(address, attributes["host"], attributes["id"])

    def _twins(
        self,
        volumes: Mapping[tuple[str, str], Owner],
        volume_ids: Mapping[tuple[str, str], InstanceAddress],
        vms: Mapping[tuple[str, str], Owner],
        vm_ids: Mapping[tuple[str, str], InstanceAddress],
        in_doubt: Collection[str],
    ) -> Iterator[Twin]:
        """A mark that two have is one twin, unless all of them are recorded: what moved keeps the mark of its maker."""
        marked: dict[str, dict[str, InstanceAddress | None]] = defaultdict(dict)
        for owners, recorded in ((volumes, volume_ids), (vms, vm_ids)):
            for key, owner in owners.items():
                if owner.intent not in in_doubt:
                    marked[owner.address][key[1]] = recorded.get(key)
        for mark, ids in sorted(marked.items()):
            if len(ids) > 1 and None in ids.values():
                yield Twin(mark, ids)

    # -- disks and access --

    def _disks_of(self, volume: ActualVolume) -> Sequence[tuple[str, ActualAttachment]]:
        """By host."""
        if volume.iqn is None or volume.lun is None:
            return ()
        return self.disks.get((volume.iqn, volume.lun), ())

    def _access(self, volume: ActualVolume) -> dict[str, Any]:
        """What is open to the hosts that we know, as it is recorded."""
        if volume.iqn is None:
            return {}
        path = {"portal": volume.portal, "iqn": volume.iqn, "lun": volume.lun, "chap_username": volume.chap_username}
        return {
            host: {**path, **names}
            for host, names in self.hosts.items()
            if ({*names.values()} - {None}) & {*volume.grants}
        }

    def _attachment(self, address: InstanceAddress, size: str, host: str, disk: ActualAttachment) -> Attributes:
        block = self._block(address, host, disk.vm)
        return {
            "host": host,
            "vm": disk.vm,
            "device": disk.device,
            "bus": block["bus"] if block else None,
            "read_only": disk.read_only,
            "serial": disk.serial,
            "intent": disk.intent,
            "qos": limits_of(disk.qos),
            "size": parse_size(size) if disk.size is None else disk.size,
        }

    def _block(self, address: InstanceAddress, host: str, vm: str) -> Attributes | None:
        """The `attach` block of a declared volume for a VM; a root disk's is its vm."""
        instance = self.desired.get(block_address(address))
        if instance is None:
            return None
        if instance.address.type == VM.name:
            return {"bus": None} if instance.attributes["host"] == host else None
        blocks: Sequence[Attributes] = instance.attributes["attach"]
        return next((block for block in blocks if (block["host"], block["vm"]) == (host, vm)), None)


def _runs(vm: str) -> str:
    return f"it may be in use, for {vm} runs: shut that down first"


def _is_open(name: str) -> str:
    return f"it may be in use by {name}, which is no host of ours: close it to that first"
