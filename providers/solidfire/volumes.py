"""Volumes: how they are read, made, changed and taken away, and how they carry whose they are."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from planner.sdk import Missing, Owner, Qos, Rejected
from providers.solidfire.wire import ApiError, Wire

PAGE = 2500
"""Volumes in one answer: a cluster has 4,000 at most, so that two answers hold them all."""

OWNER = "lunform"
METADATA = "metadata"
PURGE = "lunform-purge"
"""In the attributes of a volume that is not only to be deleted: a purge takes two calls, and is found by this between
them."""
GRANTED = "granted"
BECOMING = "becoming"
"""Among the marks of a clone until it is whole."""

ATTRIBUTES_LENGTH = 999 - len(f',"{PURGE}":true')
"""Bytes of the JSON of all attributes of a volume: "less than 1000", says the API's guide."""

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")
"""What a volume may be called: it becomes a part of an IQN."""

LUN = 0
"""Of the disk behind each volume's own iSCSI target."""

GONE = "xVolumeIDDoesNotExist"


@dataclass(frozen=True, slots=True)
class Volume:
    """
    A volume as the cluster has it.

    Attributes:
        status: "active", "deleted", or "init" while a clone is being filled.
        groups: ids of the access groups that it is in.
        policy: id of the QoS policy that its figures come from.
        purge_time: of a deleted one, until when it can be restored; ISO 8601 in UTC.
    """

    number: int
    name: str
    account: int
    size: int
    qos: Qos
    iqn: str
    status: str
    attributes: Mapping[str, Any]
    groups: tuple[int, ...]
    policy: int | None
    purge_time: str

    @property
    def is_deleted(self) -> bool:
        return self.status == "deleted"

    @property
    def is_half_purged(self) -> bool:
        """Deleted, and still there because nobody went on to purge it."""
        return self.is_deleted and PURGE in self.attributes

    @property
    def owner(self) -> Owner | None:
        own = own_marks(self.attributes)
        try:
            return Owner(own["lineage"], own["address"], own["intent"])
        except KeyError:
            return None

    @property
    def becoming(self) -> tuple[Qos | None, str | None] | None:
        """Figures, and the name of the QoS policy, that a clone gets as soon as it is whole; None for the others."""
        given = own_marks(self.attributes).get(BECOMING)
        return None if given is None else (None if given["qos"] is None else Qos(*given["qos"]), given["policy"])

    @property
    def granted(self) -> Mapping[str, frozenset[str]]:
        """Digests of the initiators that it was opened to, by the digest of the cluster that shares a group."""
        granted = own_marks(self.attributes).get(GRANTED)
        if not isinstance(granted, dict):
            return {}
        return {key: frozenset(map(str, digests)) for key, digests in granted.items() if isinstance(digests, list)}


class Volumes:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def all(self) -> Iterator[Volume]:
        """All there are, deleted ones too, by their numbers."""
        start = 1
        while True:
            rows = self._wire.read("ListVolumes", startVolumeID=start, limit=PAGE, includeVirtualVolumes=False)[
                "volumes"
            ]
            yield from map(_volume, rows)
            if len(rows) < PAGE:
                return
            start = rows[-1]["volumeID"] + 1

    def get(self, number: int) -> Volume:
        """
        Raises:
            Missing: there is none of that number, or it is deleted.
        """
        found = self.find(number)
        if found is None or found.is_deleted:
            raise missing(number)
        return found

    def find(self, number: int) -> Volume | None:
        """By its number, deleted or not. Asked by `volumeIDs`: by a start it could be the next one."""
        for row in self._wire.read("ListVolumes", volumeIDs=[number])["volumes"]:
            if row["volumeID"] == number:
                return _volume(row)
        return None

    def named(self, name: str) -> Sequence[Volume]:
        """All that are not deleted."""
        rows = self._wire.read("ListVolumes", volumeName=name, includeVirtualVolumes=False)["volumes"]
        return [volume for volume in map(_volume, rows) if volume.name == name and not volume.is_deleted]

    def create(
        self, name: str, account: int, size: int, qos: Qos | None, policy: int | None, attributes: Mapping[str, Any]
    ) -> Volume:
        made = self._wire.change(
            "CreateVolume",
            name=name,
            accountID=account,
            totalSize=size,
            enable512e=True,
            qos=None if policy is not None else figures(qos),
            qosPolicyID=policy,
            associateWithQoSPolicy=None if policy is None else True,
            attributes=attributes,
        )
        # Old API versions answer the number alone.
        return _volume(made["volume"]) if made.get("volume") else self.get(made["volumeID"])

    def modify(self, number: int, **changes: Any) -> Volume:
        """
        Raises:
            Missing: there is none of that number, or it is deleted.
        """
        with _missing_if_gone(number):
            modified = self._wire.change("ModifyVolume", volumeID=number, **changes)
        # Old API versions answer nothing.
        return _volume(modified["volume"]) if modified.get("volume") else self.get(number)

    def deleted(self) -> Sequence[Volume]:
        """All that are deleted and not purged."""
        return [_volume(row) for row in self._wire.read("ListDeletedVolumes", includeVirtualVolumes=False)["volumes"]]

    def delete(self, number: int) -> Volume:
        """
        The volume as it is then.

        Raises:
            Missing: there is none of that number, or it is deleted already.
        """
        with _missing_if_gone(number):
            deleted = self._wire.change("DeleteVolume", volumeID=number)
        # Old API versions answer nothing.
        there = _volume(deleted["volume"]) if deleted.get("volume") else self.find(number)
        if there is None:
            raise missing(number)
        return there

    def restore(self, number: int) -> None:
        """Of a deleted volume."""
        with _missing_if_gone(number):
            self._wire.change("RestoreDeletedVolume", volumeID=number)

    def purge(self, number: int) -> None:
        """Of a deleted volume. Done when it is purged already."""
        try:
            self._wire.change("PurgeDeletedVolume", volumeID=number)
        except ApiError as error:
            if error.name != GONE:
                raise

    def sessions(self, number: int) -> Sequence[str]:
        """Names of the initiators that are logged in to a volume."""
        rows = self._wire.read("ListISCSISessions")["sessions"]
        return sorted({str(row["initiatorName"]) for row in rows if row["volumeID"] == number})


def figures(qos: Qos | None) -> Mapping[str, int] | None:
    """All three, always: what a cluster does with a part of them is not documented. None: the cluster's default."""
    return None if qos is None else {"minIOPS": qos.min_iops, "maxIOPS": qos.max_iops, "burstIOPS": qos.burst_iops}


def marks(
    owner: Owner, metadata: Mapping[str, str], becoming: tuple[Qos | None, str | None] | None = None
) -> dict[str, Any]:
    """
    The attributes of a volume.

    Args:
        becoming: as in `Volume.becoming`.

    Raises:
        Rejected: they are longer than a cluster takes.
    """
    own: dict[str, Any] = {"lineage": owner.lineage, "address": owner.address, "intent": owner.intent}
    if becoming is not None:
        qos, policy = becoming
        iops = None if qos is None else (qos.min_iops, qos.max_iops, qos.burst_iops)
        own[BECOMING] = {"qos": iops, "policy": policy}
    attributes: dict[str, Any] = {OWNER: own}
    if metadata:
        attributes[METADATA] = dict(metadata)
    length = _length(attributes)
    if length > ATTRIBUTES_LENGTH:
        raise Rejected(
            "The volume's metadata is too long",
            f"{owner.address}: with the marks of Lunform it has {length} bytes as JSON, and a cluster keeps"
            f" {ATTRIBUTES_LENGTH}. Shorten its metadata.",
        )
    return attributes


def own_marks(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What Lunform has written into an object's attributes; nothing where it has not, or others have in its place."""
    marks = attributes.get(OWNER)
    return marks if isinstance(marks, dict) else {}


def whole(volume: Volume) -> dict[str, Any]:
    """The attributes of a clone that has become what it was to be."""
    own = {name: value for name, value in own_marks(volume.attributes).items() if name != BECOMING}
    return {**volume.attributes, OWNER: own}


def digest(name: str) -> str:
    """Short, since a volume carries one for each host: 60 of them find room beside the marks of most volumes."""
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def with_granted(volume: Volume, granted: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """
    A volume's attributes with others in place of `Volume.granted`; all of them, since a cluster replaces them whole.

    Raises:
        Rejected: they are longer than a cluster takes.
    """
    listed = {key: sorted(digests) for key, digests in sorted(granted.items())}
    attributes = {**volume.attributes, OWNER: {**own_marks(volume.attributes), GRANTED: listed}}
    if _length(attributes) > ATTRIBUTES_LENGTH:
        raise Rejected(
            "The volume is open to too many hosts",
            f'"{volume.name}" carries whom it is open to, beside its metadata, and a cluster keeps {ATTRIBUTES_LENGTH}'
            ' bytes of that. Shorten its metadata, or use access = "groups" in provider "solidfire".',
        )
    return attributes


def _length(attributes: Mapping[str, Any]) -> int:
    """Bytes, as a cluster counts them."""
    return len(json.dumps(attributes, separators=(",", ":"), ensure_ascii=False).encode())


def qos_of(row: Mapping[str, Any]) -> Qos:
    return Qos(row["minIOPS"], row["maxIOPS"], row["burstIOPS"])


def _volume(row: Mapping[str, Any]) -> Volume:
    return Volume(
        number=row["volumeID"],
        name=row["name"],
        account=row["accountID"],
        size=row["totalSize"],
        qos=qos_of(row["qos"]),
        iqn=row["iqn"],
        status=row["status"],
        attributes=row.get("attributes") or {},
        groups=tuple(row.get("volumeAccessGroups") or ()),
        policy=row.get("qosPolicyID") or None,
        purge_time=row.get("purgeTime") or "",
    )


def missing(number: int) -> Missing:
    return Missing("The volume is gone", f"The cluster has no volume {number}, or it is deleted.")


@contextmanager
def _missing_if_gone(number: int) -> Iterator[None]:
    try:
        yield
    except ApiError as error:
        if error.name != GONE:
            raise
        raise missing(number) from error
