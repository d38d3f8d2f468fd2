"""
Volume access groups: an initiator in a group reaches the group's volumes.

An initiator is in one group at most. Lists of a group are never replaced: members are added and removed by name, so
that nothing is taken away which somebody else has put there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.sdk import Conflict, Endpoint, Rejected
from providers.solidfire.volumes import OWNER
from providers.solidfire.wire import ApiError, Wire

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
        is_ours: Lunform made it.
    """

    number: int
    name: str
    initiators: tuple[str, ...]
    volumes: frozenset[int]
    is_ours: bool


class Groups:
    def __init__(self, wire: Wire, foreign_groups: bool) -> None:
        self._wire = wire
        self._foreign_groups = foreign_groups
        self._changing = threading.Lock()
        self._known: dict[str, int] = {}

    def all(self) -> Mapping[int, Group]:
        return {
            row["volumeAccessGroupID"]: _group(row)
            for row in self._wire.read("ListVolumeAccessGroups")["volumeAccessGroups"]
        }

    def admit(self, volume: int, endpoint: Endpoint) -> None:
        """
        Let a host in to a volume.

        Raises:
            Rejected: the host has no initiator name, or is in a group that is not Lunform's.
        """
        initiator = _initiator(endpoint)
        for _ in range(_TRIES):
            number = self._of(initiator, endpoint)
            try:
                self._wire.change("AddVolumesToVolumeAccessGroup", volumeAccessGroupID=number, volumes=[volume])
                return
            except ApiError as error:
                if error.name == _IS_MEMBER:
                    return
                if not _is_gone(error):
                    raise
            with self._changing:
                self._known.pop(initiator, None)
        raise Conflict(
            "The access group does not stay",
            f"The group of {endpoint.name} was taken away {_TRIES} times while a volume was put into it.",
        )

    def dismiss(self, volume: int, endpoint: Endpoint) -> None:
        """Take the volume out of the host's group; one of ours that is then empty goes, with initiators made for it."""
        initiator = endpoint.initiator
        group = next((group for group in self.all().values() if initiator in group.initiators), None)
        if group is None or volume not in group.volumes:
            return
        try:
            self._wire.change("RemoveVolumesFromVolumeAccessGroup", volumeAccessGroupID=group.number, volumes=[volume])
        except ApiError as error:
            if error.name != _IS_NONE and not _is_gone(error):
                raise
        if group.is_ours:
            self._drop_if_empty(group.number)

    def _of(self, initiator: str, endpoint: Endpoint) -> int:
        """The group that the host's initiator is in, made when there is none."""
        with self._changing:
            if initiator in self._known:
                return self._known[initiator]
            groups = self.all().values()
            group = next((group for group in groups if initiator in group.initiators), None)
            name = _name(endpoint)
            if group is None:
                # One that is left of a lost answer. A host of the same name that is in it may be another one.
                left = (group for group in groups if group.is_ours and group.name == name and not group.initiators)
                group = next(left, None)
                number = self._make(name, initiator) if group is None else self._join(group.number, initiator)
            elif not group.is_ours and not self._foreign_groups:
                raise Rejected(
                    "The host is in an access group of others",
                    f'Initiator {initiator} of {endpoint.name} is in the group "{group.name}" ({group.number}), and a'
                    " cluster lets it be in one only. Take it out of there, or say foreign_groups = true in provider"
                    ' "solidfire" to have volumes put into that group; all its initiators will reach them.',
                )
            else:
                number = group.number
            self._known[initiator] = number
            return number

    def _make(self, name: str, initiator: str) -> int:
        made = self._wire.change("CreateVolumeAccessGroup", name=name, attributes={OWNER: {}})
        return self._join(made["volumeAccessGroupID"], initiator)

    def _join(self, group: int, initiator: str) -> int:
        """Initiators are objects of their own. One that is made here is marked, so that it can go with its group."""
        known = any(row["initiatorName"] == initiator for row in self._wire.read("ListInitiators")["initiators"])
        if not known:
            new = {"name": initiator, "volumeAccessGroupID": group, "attributes": {OWNER: {}}}
            try:
                self._wire.change("CreateInitiators", initiators=[new])
                return group
            except ApiError as error:
                if error.name != _EXISTS:
                    raise
        self._wire.change("AddInitiatorsToVolumeAccessGroup", volumeAccessGroupID=group, initiators=[initiator])
        return group

    def _drop_if_empty(self, number: int) -> None:
        with self._changing:
            rows = self._wire.read("ListVolumeAccessGroups", volumeAccessGroups=[number])["volumeAccessGroups"]
            if not rows or rows[0]["volumes"] or rows[0]["deletedVolumes"]:
                return
            initiators = set(rows[0]["initiatorIDs"])
            self._known = {name: group for name, group in self._known.items() if group != number}
            try:
                # Said either way, since the documents do not agree on what happens when it is left out.
                self._wire.change("DeleteVolumeAccessGroup", volumeAccessGroupID=number, deleteOrphanInitiators=False)
            except ApiError as error:
                if not _is_gone(error):
                    raise
            ours = [
                row["initiatorID"]
                for row in self._wire.read("ListInitiators")["initiators"]
                if row["initiatorID"] in initiators and OWNER in (row.get("attributes") or {})
            ]
            try:
                if ours:
                    self._wire.change("DeleteInitiators", initiators=ours)
            except ApiError as error:
                if error.name != _NONE_THERE:
                    raise


def _is_gone(error: ApiError) -> bool:
    """The documents and the clients do not agree on the spelling of the name."""
    return error.name.casefold() == _GONE.casefold()


def _initiator(endpoint: Endpoint) -> str:
    if endpoint.initiator is None:
        raise Rejected(
            "The host has no initiator name",
            f"{endpoint.name}: access groups know hosts by it. Give the host its initiator, or use access ="
            ' "chap" in provider "solidfire".',
        )
    return endpoint.initiator


def _name(endpoint: Endpoint) -> str:
    """Of a host's own group: letters, digits and dashes, 64 at most."""
    return f"lunform-{re.sub(r'[^A-Za-z0-9]+', '-', endpoint.name).strip('-')}"[:64]


def _group(row: Mapping[str, Any]) -> Group:
    return Group(
        number=row["volumeAccessGroupID"],
        name=row["name"],
        initiators=tuple(row["initiators"]),
        volumes=frozenset(row["volumes"]),
        is_ours=OWNER in (row.get("attributes") or {}),
    )
