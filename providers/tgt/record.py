"""
What the box remembers of a volume: a JSON file beside the backing file. Runs on the box: standard library only.

    <directory>/db-wal-4f1c9a0e77b2d385.img       the data
    <directory>/db-wal-4f1c9a0e77b2d385.json      its record
    <directory>/db-wal-4f1c9a0e77b2d385.lun       the data behind a throttle group; mounted by the volume's daemon
    <directory>/4f1c9a0e77b2d385.qmp              the daemon's socket
    <directory>/.lunform.lock                     held by whoever changes something

tgtd remembers nothing itself. The record is written before anything is made and removed after everything is gone, so
whatever a crash or a reboot leaves can be finished or put back from it. It holds no secret.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from providers.tgt.machine import BoxError, Machine

LUN = 1
"""The one LUN of each target; tgtd keeps 0 for its controller."""

SUFFIX_THROTTLED = ".lun"

_VERSION = 2
_READABLE = (1, _VERSION)
"""Records of version 1 know no `source`, and no `max_bandwidth` in `qos`."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who is let in. `entry` is what tgtd is told: the initiator name, or else the address."""

    name: str
    entry: str


@dataclass(frozen=True, slots=True)
class Record:
    """
    Attributes:
        iqn: the target's name, which is the volume's id; ends with the file names' stem.
        size: bytes that the volume shall have.
        served: bytes that tgtd found when it last opened the file; 0 before the first time.
        made: the volume was once whole; only before that may its backing file be absent.
        deleting: it is on its way out and must not be served again.
        account: the CHAP user of its target.
        owner: lineage, address and intent, as in `planner.sdk.storage.Owner`.
        qos: as in `planner.sdk.Qos`: what the volume's daemon starts with. Where it has none, kept for whoever asks.
        source: the image that the volume begins with.
    """

    iqn: str
    name: str
    size: int
    thin: bool
    owner: Mapping[str, str]
    qos: Mapping[str, int] | None
    metadata: Mapping[str, str]
    account: str
    served: int = 0
    made: bool = False
    deleting: bool = False
    grants: tuple[Grant, ...] = field(default=())
    source: str | None = None

    @property
    def serial(self) -> str:
        """Of the LUN: the intent, which no other volume has."""
        return self.owner["intent"]


class Pool:
    """The records of one directory."""

    def __init__(self, directory: str, machine: Machine) -> None:
        self._machine = machine
        if not directory.startswith("/") or "," in directory:
            raise BoxError(
                "Rejected",
                f"The pool's directory cannot be {directory}",
                "It must be an absolute path, and tgtadm takes none with a comma.",
            )
        self.directory = Path(directory).resolve()  # one spelling: tgtd is asked later which file it serves
        if not self.directory.is_dir():
            raise BoxError(
                "Missing",
                f"There is no directory {directory}",
                "A pool of this provider is a directory on the storage box. Make it there, on the file system that "
                "shall hold the volumes.",
            )

    def records(self) -> Iterator[Record]:
        """All records, by name of file."""
        for path in sorted(self.directory.glob("*.json")):
            record = self._read(path)
            if record is not None:
                yield record

    def find(self, iqn: str) -> Record | None:
        record = self._read(self._path(iqn, ".json"))
        return record if record is not None and record.iqn == iqn else None

    def find_intent(self, intent: str) -> Record | None:
        """The volume that the create with this intent made or began."""
        with os.scandir(self.directory) as entries:
            paths = [entry.path for entry in entries if entry.name.endswith(f"-{intent}.json")]
        return self._read(Path(paths[0])) if paths else None

    def backing_file(self, iqn: str) -> Path:
        return self._path(iqn, ".img")

    def throttled_file(self, iqn: str) -> Path:
        return self._path(iqn, SUFFIX_THROTTLED)

    def image_file(self, iqn: str, state: str) -> Path:
        """What there is of a volume's image on its way in: see `providers.tgt.image`."""
        return self._path(iqn, f".{state}")

    def monitor(self, record: Record) -> Path:
        """The socket of a volume's daemon. Its name is short: a socket's path may not be long."""
        return self.directory / f"{record.serial}.qmp"

    def write(self, record: Record) -> Record:
        content = json.dumps({"version": _VERSION, **asdict(record)}, indent=2, sort_keys=True) + "\n"
        self._machine.write(self._path(record.iqn, ".json"), content.encode())
        return record

    def remove(self, iqn: str) -> None:
        self._machine.remove(self._path(iqn, ".img"))
        self._machine.remove(self._path(iqn, ".json"))

    def _path(self, iqn: str, suffix: str) -> Path:
        stem = iqn.rpartition(":")[2]
        if "/" in stem:
            raise BoxError("Missing", f"{iqn} is not the id of a volume")
        return self.directory / (stem + suffix)

    @staticmethod
    def _read(path: Path) -> Record | None:
        try:
            content: dict[str, Any] = json.loads(path.read_bytes())
            if content.pop("version") not in _READABLE:
                raise ValueError("its version is not known to this Lunform")
            grants = tuple(Grant(**grant) for grant in content.pop("grants"))
            return Record(**content, grants=grants)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BoxError(
                "Rejected",
                f"The record {path} cannot be read",
                f"{error}. It says whose the backing file beside it is, so nothing is done in this pool until the "
                f"record is mended, or moved away together with its backing file.",
            ) from None
