"""
Volume access groups: an initiator in a group reaches the group's volumes.

An initiator is in one group at most: in one of its host's own, or in one that all hosts of a cluster share. All who are
in a shared group reach a volume in it, whomever it was opened to; so the volume itself carries whom that was, and
leaves the group with the last of them. What it carries counts only while it is in the group.

Lists of a group are never replaced: members are added and removed by name, so that nothing is taken away which somebody
else has put there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from planner.sdk import Conflict, Endpoint, Rejected
from providers.solidfire.volumes import GONE, OWNER, Volume, Volumes, digest, with_granted
from providers.solidfire.wire import ApiError, Wire

CLUSTER = "cluster"
_GONE = "xVolumeAccessGroupIDDoesNotExist"
_IS_MEMBER, _IS_NONE = "xAlreadyInVolumeAccessGroup", "xNotInVolumeAccessGroup"
_TRIES = 3
"""Of letting a host in, when others take away the group meanwhile."""


@dataclass(frozen=True, slots=True)
class Group:
    """
    Attributes:
        initiators: names.
        is_ours: Lunform made it.
        cluster: whose hosts share it; None for a host's own, and for a foreign one.
    """

    number: int
    name: str
    initiators: tuple[str, ...]
    volumes: frozenset[int]
    is_ours: bool
    cluster: str | None

    def granted(self, volume: Volume) -> Collection[str]:
        """The initiators that a volume in this group was opened to."""
        if self.cluster is None:
            return self.initiators
        granted = volume.granted.get(self.number, ())
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
        self._changing = threading.Lock()
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
            group = self._of(initiator, endpoint)
            if self._put(volume, group, initiator):
                return
            self._forget(group)
        raise Conflict(
            "The access group does not stay",
            f"The group of {endpoint.name} was taken away {_TRIES} times while a volume was put into it.",
        )

    def dismiss(self, number: int, endpoint: Endpoint) -> None:
        """
        Shut a host out from a volume. Nobody else changes whom it was opened to meanwhile. A group of ours that is then
        empty goes, with the initiators that were made for it.

        Raises:
            Missing: the volume is gone.
        """
        with self._changing:
            known = None if endpoint.initiator is None else self._known.get(endpoint.initiator)
        if known is not None and known.cluster is None and self._take(number, known):
            return
        volume = self._volumes.get(number)
        group = next((group for group in self.all().values() if endpoint.initiator in group.initiators), None)
        if group is None or group.number not in volume.groups:
            return
        granted = group.granted(volume)
        left = frozenset(digest(name) for name in granted if name != endpoint.initiator)
        if group.cluster is None or not left:
            self._take(number, group)
        elif endpoint.initiator in granted:
            self._volumes.modify(number, attributes=with_granted(volume, {**volume.granted, group.number: left}))

    def _put(self, volume: Volume, group: Group, initiator: str) -> bool:
        """False: the group is gone."""
        granted = volume.granted.get(group.number, frozenset())
        # What it carries comes first: in the group without that, it would be open to a host and not look so.
        if group.cluster is not None and digest(initiator) not in granted:
            more = {**volume.granted, group.number: granted | {digest(initiator)}}
            self._volumes.modify(volume.number, attributes=with_granted(volume, more))
        if group.number in volume.groups:
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

    def _take(self, number: int, group: Group) -> bool:
        """False: the volume is not in the group, or one of them is gone."""
        try:
            told = self._wire.change(
                "RemoveVolumesFromVolumeAccessGroup", volumeAccessGroupID=group.number, volumes=[number]
            )
        except ApiError as error:
            if error.name not in (_IS_NONE, GONE) and not _is_gone(error):
                raise
            self._forget(group)
            return False
        left = told.get("volumeAccessGroup")
        if group.is_ours and (left is None or not left["volumes"]):
            self._drop_if_empty(group)
        return True

    def _of(self, initiator: str, endpoint: Endpoint) -> Group:
        """The group that the host's initiator is in, made when there is none."""
        with self._changing:
            if initiator not in self._known:
                groups = self.all().values()
                self._known = {name: group for group in groups for name in group.initiators}
                if initiator not in self._known:
                    group = self._open_to(endpoint, groups) or self._make(endpoint)
                    self._join(group.number, initiator)
                    self._known[initiator] = group
            group = self._known[initiator]
        if not self.may_use(group):
            raise Rejected("The host is in an access group of others", foreign_group(endpoint, group))
        return group

    def may_use(self, group: Group) -> bool:
        return group.is_ours or self._foreign_groups

    def _open_to(self, endpoint: Endpoint, groups: Collection[Group]) -> Group | None:
        """
        A group that a host may join: the one of its cluster; or one that is left of a lost answer, with nobody in it. A
        host of the same name may be another one.
        """
        name, cluster = self.place_of(endpoint)
        ours = (group for group in groups if group.is_ours and group.cluster == cluster)
        if cluster is not None:
            return next(ours, None)
        return next((group for group in ours if group.name == name and not group.initiators), None)

    def place_of(self, endpoint: Endpoint) -> tuple[str, str | None]:
        """Name and cluster of the group that a host gets which is in none."""
        cluster = endpoint.cluster if self._by_cluster else None
        # Letters, digits and dashes, 64 at most.
        return f"lunform-{re.sub(r'[^A-Za-z0-9]+', '-', cluster or endpoint.name).strip('-')}"[:64], cluster

    def _make(self, endpoint: Endpoint) -> Group:
        name, cluster = self.place_of(endpoint)
        attributes = {OWNER: {} if cluster is None else {CLUSTER: cluster}}
        made = self._wire.change("CreateVolumeAccessGroup", name=name, attributes=attributes)
        return Group(made["volumeAccessGroupID"], name, (), frozenset(), is_ours=True, cluster=cluster)

    def _join(self, group: int, initiator: str) -> None:
        """Initiators are objects of their own. One that is made here is marked, so that it can go with its group."""
        known = any(row["initiatorName"] == initiator for row in self._wire.read("ListInitiators")["initiators"])
        if known:
            self._wire.change("AddInitiatorsToVolumeAccessGroup", volumeAccessGroupID=group, initiators=[initiator])
        else:
            new = {"name": initiator, "volumeAccessGroupID": group, "attributes": {OWNER: {}}}
            self._wire.change("CreateInitiators", initiators=[new])

    def _forget(self, group: Group) -> None:
        with self._changing:
            self._known = {name: known for name, known in self._known.items() if known.number != group.number}

    def _drop_if_empty(self, group: Group) -> None:
        self._forget(group)
        with self._changing:
            rows = self._wire.read("ListVolumeAccessGroups", volumeAccessGroups=[group.number])["volumeAccessGroups"]
            if not rows or rows[0]["volumes"] or rows[0]["deletedVolumes"]:
                return
            initiators = set(rows[0]["initiatorIDs"])
            try:
                # Said either way, since the documents do not agree on what happens when it is left out.
                self._wire.change(
                    "DeleteVolumeAccessGroup", volumeAccessGroupID=group.number, deleteOrphanInitiators=False
                )
            except ApiError as error:
                if not _is_gone(error):
                    raise
            ours = [
                row["initiatorID"]
                for row in self._wire.read("ListInitiators")["initiators"]
                if row["initiatorID"] in initiators and OWNER in (row.get("attributes") or {})
            ]
            if ours:
                self._wire.change("DeleteInitiators", initiators=ours)


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
    marks = (row.get("attributes") or {}).get(OWNER)
    return Group(
        number=row["volumeAccessGroupID"],
        name=row["name"],
        initiators=tuple(row["initiators"]),
        volumes=frozenset(row["volumes"]),
        is_ours=marks is not None,
        cluster=marks.get(CLUSTER) if isinstance(marks, dict) else None,
    )
