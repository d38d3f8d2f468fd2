"""
Clones: volumes that begin as copies. The cluster copies by itself; the new volume is there from its first answer on.

A clone begins with the figures of its source. What it is to become stands in its attributes until it is whole, so that
whoever finds it, by whatever was left of a killed run, can finish it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from planner.sdk import Rejected
from providers.solidfire.volumes import Volume, missing
from providers.solidfire.wire import ApiError, Wire

_FORGOTTEN = frozenset({"xAsyncHandleDoesNotExist", "xDBNoSuchPath"})
"""What newer and older clusters say of a handle that they do not know any more."""


class CloneFailed(Rejected):
    """The cluster has given up copying. What it has made of the new volume is of no use."""


class Clones:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def begin(
        self, source: int, snapshot: int | None, name: str, account: int, size: int, attributes: Mapping[str, Any]
    ) -> tuple[int, int]:
        """
        (number of the new volume, handle of the work on it).

        Raises:
            ApiError: also when what is to be copied is not there, or is larger than `size`.
        """
        made = self._wire.change(
            "CloneVolume",
            volumeID=source,
            snapshotID=snapshot,
            name=name,
            newAccountID=account,
            newSize=size,
            attributes=attributes,
        )
        return made["volumeID"], made["asyncHandle"]

    def is_done(self, number: int, volume: Volume | None, handle: int | None) -> bool:
        """
        Whether all is copied.

        Args:
            volume: the new one, as far as it is there.
            handle: None where the answer that had it was lost.

        Raises:
            CloneFailed: the cluster has given up.
            Missing: nobody knows of it any more.
        """
        handle = self._handle_of(number) if handle is None else handle
        try:
            # Kept, or the first who reads it would be the only one that ever knows.
            answer = None if handle is None else self._result(handle)
        except ApiError as error:
            if error.name not in _FORGOTTEN:
                raise
            answer = None
        if answer is None:
            if volume is None:
                raise missing(number)
            return volume.status == "active"
        if why := answer.get("error"):
            raise CloneFailed(f"The copy failed: {why.get('name', 'no reason was told')}", str(why.get("message", "")))
        return bool(answer["status"] == "complete")

    def snapshots(self, volume: int | None = None) -> Iterator[Mapping[str, Any]]:
        """All there are, or a volume's."""
        yield from self._wire.read("ListSnapshots", volumeID=volume)["snapshots"]

    def _result(self, handle: int) -> Mapping[str, Any]:
        return self._wire.read("GetAsyncResult", asyncHandle=handle, keepResult=True)

    def _handle_of(self, volume: int) -> int | None:
        """The listing takes no result away."""
        for row in self._wire.read("ListAsyncResults", asyncResultTypes=["Clone"])["asyncHandles"]:
            if (row.get("data") or {}).get("volumeID") == volume:
                return int(row["asyncResultID"])
        return None
