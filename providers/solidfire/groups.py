"""
Volume access groups: an initiator in a group reaches the group's volumes.

An initiator is in one group at most: in one of its host's own, or in one that all hosts of a cluster share. All who are
in a shared group reach a volume in it, whomever it was opened to; so the volume itself carries whom that was, and
leaves the group with the last of them. What it carries counts only while it is in the group.

A group comes with its first volume and goes with its last, by one call either way: once a host is let in or shut out, a
run that goes on after a killed one has nothing more to do. Lists of a group are never replaced: members are added and
removed by name, so that nothing is taken away which somebody else has put there.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from planner.sdk import Conflict, Endpoint, Rejected
from providers.solidfire.endpoints import own_name, shared_name
from providers.solidfire.volumes import GONE, OWNER, Volume, Volumes, digest, own_marks, with_granted
from providers.solidfire.wire import ApiError, Wire

CLUSTER = "cluster"
_GONE = "xVolumeAccessGroupIDDoesNotExist"
_EXISTS, _NONE_THERE = "xInitiatorExists", "xInitiatorDoesNotExist"
_IS_MEMBER, _IS_NONE = "xAlreadyInVolumeAccessGroup", "xNotInVolumeAccessGroup"
_TRIES = 3
"""Of letting a host in, when others take away the group meanwhile."""


@dataclass(frozen=True, slots=True)
class Group:
    """
    Attributes:
        initiators: names.
        holds: its volumes, and those that are deleted and would come back into it.
        is_ours: Lunform made it.
        cluster: whose hosts share it; None for a host's own, and for a foreign one.
    """

    number: int
    name: str
    initiators: tuple[str, ...]
    volumes: frozenset[int]
    holds: frozenset[int]
    is_ours: bool
    cluster: str | None

    def granted(self, volume: Volume) -> Collection[str]:
        """The initiators that a volume in this group was opened to."""
        if self.cluster is None:
            return self.initiators
        granted = volume.granted.get(digest(self.cluster), ())
        return [name for name in self.initiators if digest(name) in granted]


class Groups:
    """
    Args:
        by_cluster: hosts of one cluster share a group.
        foreign_groups: a group that Lunform did not make is used where a host is in one.
    """

    def __init__(self, wire: Wire, volumes: Volumes, *, by_cluster: bool, foreign_groups: bool) -> None:
        self._wire = wire
        self._volumes = volumes
        self._by_cluster = by_cluster
        self._foreign_groups = foreign_groups
        self._turns = _Turns()
        self._learning = threading.Lock()
        self._known: dict[str, Group] = {}
        """By initiator, as read last: its volumes and other members may have changed since."""

    def all(self) -> Mapping[int, Group]:
        """By their numbers, and in that order."""
        rows = self._wire.read("ListVolumeAccessGroups")["volumeAccessGroups"]
        return {group.number: group for group in sorted(map(_group, rows), key=lambda group: group.number)}

    def admit(self, volume: Volume, endpoint: Endpoint) -> None:
        """
        Let a host in to a volume, as it is now. Nobody else changes whom it was opened to meanwhile.

        Raises:
            Rejected: the host has no initiator name, or is in a group that is not Lunform's.
        """
        initiator = initiator_of(endpoint)
        for _ in range(_TRIES):
            with self._learning:
                group = self._known.get(initiator) or self._find(initiator, endpoint)
                if group is None:
                    self._known[initiator] = self._make(volume, initiator, endpoint)
                    return
                self._known[initiator] = group
            if not self.may_use(group):
                raise Rejected("The host is in an access group of others", foreign_group(endpoint, group))
            with self._turns.among(group.number):
                if self._put(volume, group, initiator):
                    return
            self._forget(group)
        raise Conflict(
            "The access group does not stay",
            f"The group of {endpoint.name} was taken away {_TRIES} times while a volume was put into it.",
        )

    def dismiss(self, number: int, endpoint: Endpoint) -> None:
        """
        Shut a host out from a volume. Nobody else changes whom it was opened to meanwhile. A group of ours goes with
        its last volume, and so do the initiators that were made for it.

        Raises:
            Missing: the volume is gone.
        """
        initiator = endpoint.initiator
        with self._learning:
            known = None if initiator is None else self._known.get(initiator)
        if initiator is None or (known is not None and self._took(number, known, initiator)):
            return
        with self._learning:
            self._learn()
            there = self._known.get(initiator)
        if there is None or not self._took(number, there, initiator):
            self._volumes.get(number)

    def may_use(self, group: Group) -> bool:
        return group.is_ours or self._foreign_groups

    def place_of(self, endpoint: Endpoint) -> tuple[str, str | None]:
        """Name and cluster of the group that a host gets which is in none."""
        cluster = endpoint.cluster if self._by_cluster else None
        if cluster is None:
            return own_name("lunform", endpoint), None
        return shared_name("lunform", cluster), cluster

    # Volumes in groups

    def _put(self, volume: Volume, group: Group, initiator: str) -> bool:
        """False: the group is gone."""
        is_in = group.number in volume.groups
        if group.cluster is not None:
            self._mark(volume, group.cluster, initiator, is_in=is_in)
        if is_in:
            return True
        try:
            self._wire.change(
                "AddVolumesToVolumeAccessGroup", volumeAccessGroupID=group.number, volumes=[volume.number]
            )
        except ApiError as error:
            if _is_gone(error):
                return False
            if error.name != _IS_MEMBER:
                raise
        return True

    def _mark(self, volume: Volume, cluster: str, initiator: str, *, is_in: bool) -> None:
        """Before the volume is in the group: without the mark it would be open to a host, and would not look so."""
        key = digest(cluster)
        granted = volume.granted.get(key, frozenset()) if is_in else frozenset()
        wanted = {**volume.granted, key: granted | {digest(initiator)}}
        if wanted != volume.granted:
            self._volumes.modify(volume.number, attributes=with_granted(volume, wanted))

    def _took(self, number: int, known: Group, initiator: str) -> bool:
        """False: the initiator or the volume is not in the group."""
        with self._turns.alone(known.number):
            rows = self._wire.read("ListVolumeAccessGroups", volumeAccessGroups=[known.number])["volumeAccessGroups"]
            group = next((group for group in map(_group, rows) if group.number == known.number), None)
            if group is None or initiator not in group.initiators or number not in group.volumes:
                self._forget(known)
                return False
            if group.cluster is None or not self._leave_others_in(number, group, group.cluster, initiator):
                self._take_out(number, group)
        return True

    def _leave_others_in(self, number: int, group: Group, cluster: str, initiator: str) -> bool:
        """False: nobody else is granted the volume in this group."""
        volume = self._volumes.get(number)
        granted = group.granted(volume)
        if not any(name != initiator for name in granted):
            return False
        if initiator in granted:
            key = digest(cluster)
            left = {**volume.granted, key: volume.granted[key] - {digest(initiator)}}
            self._volumes.modify(number, attributes=with_granted(volume, left))
        return True

    def _take_out(self, number: int, group: Group) -> None:
        try:
            if group.is_ours and group.holds == {number}:
                self._drop(group)
            else:
                self._wire.change(
                    "RemoveVolumesFromVolumeAccessGroup", volumeAccessGroupID=group.number, volumes=[number]
                )
        except ApiError as error:
            if error.name not in (_IS_NONE, GONE) and not _is_gone(error):
                raise

    # Groups and initiators

    def _find(self, initiator: str, endpoint: Endpoint) -> Group | None:
        """
        The group that an initiator is in, or joins: the one of its cluster; or one with nobody in it any more. In any
        other of its name may be another host.
        """
        groups = self._learn()
        if initiator in self._known:
            return self._known[initiator]
        name, cluster = self.place_of(endpoint)
        for group in groups:
            is_open = cluster is not None or (group.name == name and not group.initiators)
            if group.is_ours and group.cluster == cluster and is_open:
                self._join(group, initiator)
                return group
        return None

    def _learn(self) -> Collection[Group]:
        groups = self.all().values()
        self._known = {name: group for group in groups for name in group.initiators}
        return groups

    def _make(self, volume: Volume, initiator: str, endpoint: Endpoint) -> Group:
        name, cluster = self.place_of(endpoint)
        if cluster is not None:
            self._mark(volume, cluster, initiator, is_in=False)
        made = self._wire.change(
            "CreateVolumeAccessGroup",
            name=name,
            initiators=[self._hold_initiator(initiator)],
            volumes=[volume.number],
            attributes={OWNER: {} if cluster is None else {CLUSTER: cluster}},
        )
        number, volumes = int(made["volumeAccessGroupID"]), frozenset({volume.number})
        return Group(number, name, (initiator,), volumes, volumes, is_ours=True, cluster=cluster)

    def _join(self, group: Group, initiator: str) -> None:
        try:
            self._wire.change(
                "AddInitiatorsToVolumeAccessGroup",
                volumeAccessGroupID=group.number,
                initiators=[self._hold_initiator(initiator)],
            )
        except ApiError as error:
            if error.name != _IS_MEMBER:
                raise

    def _hold_initiator(self, name: str) -> int:
        """Initiators are objects of their own. One that is made here is marked, so that it can go with its group."""
        number = self._number_of(name)
        if number is None:
            try:
                made = self._wire.change("CreateInitiators", initiators=[{"name": name, "attributes": {OWNER: {}}}])
                return int(made["initiators"][0]["initiatorID"])
            except ApiError as error:
                number = self._number_of(name) if error.name == _EXISTS else None
                if number is None:
                    raise
        return number

    def _number_of(self, initiator: str) -> int | None:
        rows = self._wire.read("ListInitiators")["initiators"]
        return next((int(row["initiatorID"]) for row in rows if row["initiatorName"] == initiator), None)

    def _drop(self, group: Group) -> None:
        with self._learning:  # so that nobody joins it
            self._unlearn(group)
            rows = self._wire.read("ListInitiators")["initiators"]
            members = [row for row in rows if group.number in row["volumeAccessGroups"]]
            ours = [row["initiatorID"] for row in members if OWNER in (row.get("attributes") or {})]
            are_all = len(ours) == len(members)
            # Said either way, since the documents do not agree on what happens when it is left out.
            self._wire.change(
                "DeleteVolumeAccessGroup", volumeAccessGroupID=group.number, deleteOrphanInitiators=are_all
            )
            if ours and not are_all:
                try:
                    self._wire.change("DeleteInitiators", initiators=ours)
                except ApiError as error:
                    if error.name != _NONE_THERE:
                        raise

    def _forget(self, group: Group) -> None:
        with self._learning:
            self._unlearn(group)

    def _unlearn(self, group: Group) -> None:
        self._known = {name: known for name, known in self._known.items() if known.number != group.number}


class _Turns:
    """
    Many put volumes into a group at once; who takes one out is alone with it, since the group must not go with the last
    volume that it was seen to have while another is put into it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._among: Counter[int] = Counter()
        self._alone: set[int] = set()

    @contextmanager
    def among(self, group: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: group not in self._alone)
            self._among[group] += 1
        try:
            yield
        finally:
            with self._changed:
                self._among[group] -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, group: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: group not in self._alone)
            self._alone.add(group)
            self._changed.wait_for(lambda: not self._among[group])
        try:
            yield
        finally:
            with self._changed:
                self._alone.discard(group)
                self._changed.notify_all()


def initiator_of(endpoint: Endpoint) -> str:
    """
    Raises:
        Rejected: the host has none.
    """
    if endpoint.initiator is None:
        raise Rejected("The host has no initiator name", no_initiator(endpoint))
    return endpoint.initiator


def no_initiator(endpoint: Endpoint) -> str:
    return (
        f"{endpoint.name} has no initiator name, and access groups know hosts by it. Give the host its initiator, or"
        ' use access = "chap" in provider "solidfire".'
    )


def foreign_group(endpoint: Endpoint, group: Group) -> str:
    return (
        f'Initiator {endpoint.initiator} of {endpoint.name} is in the group "{group.name}" ({group.number}), and a'
        " cluster lets it be in one only. Take it out of there, or say foreign_groups = true in provider"
        ' "solidfire" to have volumes put into that group; all its initiators will reach them.'
    )


def _is_gone(error: ApiError) -> bool:
    """The documents and the clients do not agree on the spelling of the name."""
    return error.name.casefold() == _GONE.casefold()


def _group(row: Mapping[str, Any]) -> Group:
    attributes = row.get("attributes") or {}
    return Group(
        number=row["volumeAccessGroupID"],
        name=row["name"],
        initiators=tuple(row["initiators"]),
        volumes=frozenset(row["volumes"]),
        holds=frozenset((*row["volumes"], *row["deletedVolumes"])),
        is_ours=attributes.get(OWNER) is not None,
        cluster=own_marks(attributes).get(CLUSTER),
    )
