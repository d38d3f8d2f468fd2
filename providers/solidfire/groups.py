"""
Volume access groups: an initiator in a group reaches the group's volumes.

An initiator is in one group at most. Lists of a group are never replaced: members are added and removed by name, so
that nothing is taken away which somebody else has put there.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.sdk import Conflict, Endpoint, Rejected
from providers.solidfire.endpoints import own_name
from providers.solidfire.volumes import OWNER
from providers.solidfire.wire import ApiError, Wire

_GONE = "xVolumeAccessGroupIDDoesNotExist"
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
    """

    number: int
    name: str
    initiators: tuple[str, ...]
    volumes: frozenset[int]
    holds: frozenset[int]
    is_ours: bool


class Groups:
    def __init__(self, wire: Wire, foreign_groups: bool) -> None:
        self._wire = wire
        self._foreign_groups = foreign_groups
        self._locks: dict[str, threading.Lock] = {}
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
        with self._changing(initiator):
            for _ in range(_TRIES):
                number = self._known.get(initiator) or self._find(initiator, endpoint)
                if number is None:
                    self._known[initiator] = self._make(own_name("lunform", endpoint), initiator, volume)
                    return
                self._known[initiator] = number
                try:
                    self._wire.change("AddVolumesToVolumeAccessGroup", volumeAccessGroupID=number, volumes=[volume])
                    return
                except ApiError as error:
                    if error.name == _IS_MEMBER:
                        return
                    if not _is_gone(error):
                        raise
                del self._known[initiator]
        raise Conflict(
            "The access group does not stay",
            f"The group of {endpoint.name} was taken away {_TRIES} times while a volume was put into it.",
        )

    def dismiss(self, volume: int, endpoint: Endpoint) -> None:
        """
        Take the volume out of the host's group; one of ours goes with its last volume, and initiators made for it too.

        By one call either way: once the host is shut out, a run that goes on after a killed one has nothing more to do.
        """
        initiator = endpoint.initiator
        if initiator is None:
            return
        with self._changing(initiator):
            group = next((group for group in self.all().values() if initiator in group.initiators), None)
            if group is None or volume not in group.volumes:
                return
            try:
                if group.is_ours and group.holds == {volume}:
                    self._known.pop(initiator, None)
                    self._drop(group)
                else:
                    self._wire.change(
                        "RemoveVolumesFromVolumeAccessGroup", volumeAccessGroupID=group.number, volumes=[volume]
                    )
            except ApiError as error:
                if error.name != _IS_NONE and not _is_gone(error):
                    raise

    def _changing(self, initiator: str) -> threading.Lock:
        """
        One change after the other: a group must not go with the last volume that it was seen to have while another is
        put into it.
        """
        return self._locks.setdefault(initiator, threading.Lock())

    def _find(self, initiator: str, endpoint: Endpoint) -> int | None:
        """The group that the host's initiator is in."""
        groups = self.all().values()
        group = next((group for group in groups if initiator in group.initiators), None)
        if group is None:
            name = own_name("lunform", endpoint)
            left = next((group for group in groups if group.is_ours and group.name == name), None)
            if left is None:
                return None
            self._wire.change(
                "AddInitiatorsToVolumeAccessGroup",
                volumeAccessGroupID=left.number,
                initiators=[self._hold_initiator(initiator)],
            )
            return left.number
        if not group.is_ours and not self._foreign_groups:
            raise Rejected(
                "The host is in an access group of others",
                f'Initiator {initiator} of {endpoint.name} is in the group "{group.name}" ({group.number}), and a'
                " cluster lets it be in one only. Take it out of there, or say foreign_groups = true in provider"
                ' "solidfire" to have volumes put into that group; all its initiators will reach them.',
            )
        return group.number

    def _make(self, name: str, initiator: str, volume: int) -> int:
        made = self._wire.change(
            "CreateVolumeAccessGroup",
            name=name,
            initiators=[self._hold_initiator(initiator)],
            volumes=[volume],
            attributes={OWNER: {}},
        )
        return int(made["volumeAccessGroupID"])

    def _hold_initiator(self, name: str) -> int:
        """Initiators are objects of their own. One that is made here is marked, so that it can go with its group."""
        for row in self._wire.read("ListInitiators")["initiators"]:
            if row["initiatorName"] == name:
                return int(row["initiatorID"])
        made = self._wire.change("CreateInitiators", initiators=[{"name": name, "attributes": {OWNER: {}}}])
        return int(made["initiators"][0]["initiatorID"])

    def _drop(self, group: Group) -> None:
        ours = [
            row["initiatorID"]
            for row in self._wire.read("ListInitiators")["initiators"]
            if row["initiatorName"] in group.initiators and OWNER in (row.get("attributes") or {})
        ]
        are_all = len(ours) == len(group.initiators)
        self._wire.change("DeleteVolumeAccessGroup", volumeAccessGroupID=group.number, deleteOrphanInitiators=are_all)
        if ours and not are_all:
            self._wire.change("DeleteInitiators", initiators=ours)


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


def _group(row: Mapping[str, Any]) -> Group:
    return Group(
        number=row["volumeAccessGroupID"],
        name=row["name"],
        initiators=tuple(row["initiators"]),
        volumes=frozenset(row["volumes"]),
        holds=frozenset((*row["volumes"], *row["deletedVolumes"])),
        is_ours=OWNER in (row.get("attributes") or {}),
    )
