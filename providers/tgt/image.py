"""
What a volume begins with: an image on the box, copied in before the volume is served. Runs on the box: standard
library only.

    <directory>/<stem>.part      the copy, as long as it is not whole
    <directory>/<stem>.log       locked as long as somebody copies
    <directory>/<stem>.failed    what qemu-img said when it could not go on
    <directory>/<stem>.img       the backing file, which is there when the image is in it, and not before

The copy is a process of its own: it takes minutes where a call may take seconds, and goes on when Lunform is killed.
Where it was cut short itself, by a reboot say, the next call begins it anew.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from providers.tgt.machine import BoxError, Machine, Result
from providers.tgt.record import Pool, Record

# The log is moved and not copied: that it is there means that the copy has ended.
_COPY = """
umask 077
exec < /dev/null > /dev/null 2> "$3"
if qemu-img convert -O raw "$1" "$2" && sync "$2" && mv "$2" "$4"; then rm "$3"; else mv "$3" "$5"; fi
"""


class ImageUnderWay(BoxError):
    """The volume is not whole yet."""


class ImageFailed(BoxError):
    """The volume will not be whole."""


def check_image(machine: Machine, source: str, size: int) -> None:
    """Raise where `source` cannot be what a volume of `size` bytes begins with."""
    if not source.startswith("/"):
        raise BoxError(
            "Rejected",
            f"The image cannot be {source}",
            "Give an absolute path on the storage box: images are read there.",
        )
    if not Path(source).is_file():
        raise BoxError("Rejected", f"There is no image {source}", "No such file is on the storage box.")
    result = _run(machine, ["qemu-img", "info", "--output=json", source])
    if result.code != 0:
        raise BoxError("Rejected", f"{source} is no image", f"qemu-img said: {result.error.strip()}")
    image = json.loads(result.output)
    if image["virtual-size"] > size:
        raise BoxError(
            "Rejected",
            "The image is larger than the volume",
            f"{source} holds a disk of {image['virtual-size']} bytes, and the volume has {size}.",
        )
    others = sorted(set(_other_files(image)) - {source})
    if others:
        # An image from elsewhere could name any file of the box, and a guest would then read it.
        raise BoxError(
            "Rejected",
            f"The image {source} is not all there is to it",
            f"It refers to {', '.join(others)}. Make one file of it: `qemu-img convert -O qcow2 {source} whole.qcow2`.",
        )


class Image:
    """How far the image of a volume has come."""

    def __init__(self, pool: Pool, record: Record, machine: Machine) -> None:
        self._record = record
        self._machine = machine
        self._backing_file = pool.backing_file(record.iqn)
        self._part = pool.image_file(record.iqn, "part")
        self._log = pool.image_file(record.iqn, "log")
        self._failed = pool.image_file(record.iqn, "failed")

    def bring_in(self) -> None:
        """
        Have the backing file begin with the image.

        Raises:
            ImageUnderWay: it is being copied: ask again later.
            ImageFailed: it cannot be copied.
        """
        record = self._record
        if record.source is None or record.made:
            return
        # First: what is found while nobody copies stays so, while a copy may end between two looks.
        is_being_copied = self._is_being_copied()
        if self._backing_file.exists():
            return
        if is_being_copied:
            raise self._under_way()
        if self._failed.exists():
            said = self._failed.read_text(errors="replace").strip()
            raise ImageFailed("Rejected", f"The image of {record.name} cannot be copied", f"qemu-img said: {said}")
        files = (record.source, self._part, self._log, self._backing_file, self._failed)
        detached = ["flock", "--nonblock", str(self._log), "setsid", "--fork"]
        result = _run(self._machine, [*detached, "sh", "-c", _COPY, "lunform", *map(str, files)])
        if result.code != 0:
            raise ImageFailed("Rejected", f"The copy of {record.source} does not start", result.error.strip())
        raise self._under_way()

    def check_settled(self) -> None:
        """Raise ImageUnderWay while the image is being copied."""
        if self._is_being_copied():
            raise self._under_way()

    def _under_way(self) -> ImageUnderWay:
        return ImageUnderWay(
            "Retryable",
            f"The volume {self._record.name} is not whole yet",
            f"The image {self._record.source} is being copied into it.",
        )

    def remove(self) -> None:
        for left in (self._part, self._log, self._failed):
            if left.exists():
                self._machine.remove(left)

    def _is_being_copied(self) -> bool:
        try:
            with self._log.open("rb") as log:
                fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def _other_files(image: Mapping[str, Any]) -> Iterator[str]:
    """The files that an image names as holding a part of its data (`ImageInfo` in qemu-qmp-ref(7))."""
    if "backing-filename" in image:
        yield image["backing-filename"]
    details = image.get("format-specific", {}).get("data", {})
    if "data-file" in details:
        yield details["data-file"]
    for extent in details.get("extents", ()):
        yield extent["filename"]


def _run(machine: Machine, argv: list[str]) -> Result:
    try:
        return machine.run(argv)
    except FileNotFoundError as error:
        raise BoxError(
            "Rejected",
            f"{error.filename} is not installed on the storage box",
            'Images need the packages "qemu-utils" and "util-linux" there.',
        ) from None
