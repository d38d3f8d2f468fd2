"""
A backing file behind a throttle group of QEMU's storage daemon. Runs on the box: standard library only.

    initiator -> tgtd -> <stem>.lun, which the daemon has mounted (FUSE) -> throttle group -> <stem>.img

Every volume has a daemon of its own. One for all would be the noisy neighbour itself: it has one thread, and beside a
volume that is held at 10 IOPS another one without limits fell from 7700 to 1100. A daemon is there within 20 ms,
answers what it holds within 2, and takes 1.3 to 3 MB that it does not share (PSS).

What qemu-storage-daemon 7.2 really does, where its manual is silent (each was tried):

- Its limits can be changed while it serves, by `qom-set`. They are merged into those that it has, so all are always
  given, and 0 takes one away.
- Two daemons on one file do not exclude each other: the second takes the first one's socket and mounts over its mount.
  So a daemon inherits a lock on the file that it mounts on, which lasts as long as it lives (flock(1)).
- It does not end when its mount is taken away, but spins. So it is ended first.
- A file that grows under it is not seen until its mount is truncated to the new size.
- While it waits in a write it may take the next request into the same buffer, and then writes what is not meant. With
  O_DIRECT the kernel cuts a large write into pieces that it sends all at once, and data were lost. So tgtd opens the
  mount without: writes then come one after the other. Reads go through the box's page cache; what is read again within
  a second may come from there and does not count. Nothing is read ahead, or more would count than was asked for.
- Killed, it leaves socket and mount behind. tgtd, and whoever looks at the mount, gets ENOTCONN then.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from providers.tgt.machine import BoxError, Machine, Result
from providers.tgt.record import Pool, Record

BURST_SECONDS = 60
"""As the provider libvirt has it, so that a burst is the same whoever holds it: as long as a SolidFire volume may."""

_GROUP = "/objects/limits"
_LOCKED = 75
"""Exit code of flock(1) when somebody else has the lock: EX_TEMPFAIL of sysexits.h."""

_DIRECTORY_LENGTH = 107 - len("/4f1c9a0e77b2d385.qmp")
"""Bytes, so that the path of a socket in it has no more than Linux takes: unix(7)."""

_WAY_OUT = "Or give the pool `throttle = false`: the hypervisor then holds ceilings."


def to_limits(qos: Mapping[str, int] | None) -> dict[str, int]:
    """What the throttle group is told (`ThrottleLimits` in qemu-storage-daemon-qmp-ref(7))."""
    figures = qos or {}
    ceiling, burst = figures.get("max_iops", 0), figures.get("burst_iops", 0)
    bursts = burst > ceiling > 0  # QEMU takes no burst without a ceiling, and there is nothing to burst above then
    return {
        "iops-total": ceiling,
        "iops-total-max": burst if bursts else 0,
        "iops-total-max-length": BURST_SECONDS if bursts else 1,
        "bps-total": figures.get("max_bandwidth", 0),
    }


def to_qos(floor: int, limits: Mapping[str, int]) -> dict[str, int]:
    """Figures as `planner.sdk.Qos` has them. A floor the daemon does not hold: it comes from the record."""
    ceiling = limits.get("iops-total", 0)
    return {
        "min_iops": floor,
        "max_iops": ceiling,
        "burst_iops": max(ceiling, limits.get("iops-total-max", 0)),
        "max_bandwidth": limits.get("bps-total", 0),
    }


class Throttle:
    """
    The daemon of one volume, or what takes its place when there is none.

    Attributes:
        path: what tgtd opens in the place of the backing file.
    """

    def __init__(self, pool: Pool, record: Record, machine: Machine) -> None:
        self.path = pool.throttled_file(record.iqn)
        self._backing_file = pool.backing_file(record.iqn)
        self._socket = pool.monitor(record)
        self._name = record.name
        self._machine = machine

    def limits(self, mounts: frozenset[str]) -> Mapping[str, int] | None:
        """
        What the daemon holds now. None when tgtd does not get through it to the backing file.

        Args:
            mounts: of the box, as `mounts` gives them.
        """
        if str(self.path) not in mounts:
            return None
        try:
            held: Mapping[str, int] = self._ask("qom-get", {"path": _GROUP, "property": "limits"})
        except (FileNotFoundError, ConnectionError):
            if _is_alive(self.path):
                raise self._silent() from None
            return None
        return held

    def set_limits(self, qos: Mapping[str, int] | None) -> None:
        self._ask("qom-set", {"path": _GROUP, "property": "limits", "value": to_limits(qos)})

    def start(self, qos: Mapping[str, int] | None) -> None:
        """Start the daemon, with its limits. Nobody has `path` open then: what is left of an earlier one goes first."""
        self.end()
        self._machine.grow(self.path, 0, thin=True)  # a place to mount on
        argv = [
            *("flock", "--nonblock", "--conflict-exit-code", str(_LOCKED), str(self.path)),
            *("qemu-storage-daemon", "--daemonize"),
            *("--object", json.dumps({"qom-type": "throttle-group", "id": "limits", "limits": to_limits(qos)})),
            *("--blockdev", f"driver=file,node-name=file,filename={self._backing_file}"),
            *("--blockdev", "driver=raw,node-name=raw,file=file"),
            *("--blockdev", "driver=throttle,node-name=throttled,throttle-group=limits,file=raw"),
            *("--chardev", f"socket,id=monitor,path={self._socket},server=on,wait=off", "--monitor", "monitor"),
            *(
                "--export",
                f"fuse,id=lun,node-name=throttled,mountpoint={self.path},writable=on,growable=on,allow-other=off",
            ),
        ]
        result = _run(self._machine, argv)
        if result.code == _LOCKED:
            raise self._silent()
        if result.code != 0:
            raise BoxError(
                "Rejected",
                f"The storage daemon of {self._name} does not start",
                f"It said: {result.error.strip() or f'exit code {result.code}'}",
            )
        self._stop_reading_ahead()

    def _stop_reading_ahead(self) -> None:
        """So that what an initiator reads is what is counted, and not some more that the box might need next."""
        device = self.path.stat().st_dev
        setting = f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb"
        _run(self._machine, ["sh", "-c", 'echo 0 > "$0"', setting])

    def grow(self, size: int) -> None:
        """Have the daemon see a backing file that has grown to `size`."""
        if self.path.stat().st_size < size:
            self._machine.grow(self.path, size, thin=True)

    def end(self) -> None:
        """End the daemon, if there is one, with its mount: nobody gets to the data by `path` any more."""
        if self._socket.exists():
            with self._answering():
                self._machine.end_listener(self._socket)
        while str(self.path) in mounts():
            result = self._machine.run(["umount", "--lazy", str(self.path)])
            if result.code != 0:
                raise BoxError("Rejected", f"{self.path} cannot be unmounted", f"umount said: {result.error.strip()}")
        if self._socket.exists():
            self._machine.remove(self._socket)

    def remove(self) -> None:
        """End the daemon, if there is one, and leave nothing of it."""
        self.end()
        if self.path.exists():
            self._machine.remove(self.path)

    def _ask(self, command: str, arguments: Mapping[str, Any]) -> Any:
        with self._answering():
            return self._machine.ask_monitor(self._socket, command, arguments)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            raise self._silent() from None

    def _silent(self) -> BoxError:
        """For a daemon that lives. Ending it would fail what the guest has under way: that is for people to decide."""
        return BoxError(
            "Retryable",
            f"The storage daemon of {self._name} does not answer",
            f"It was asked at {self._socket}. It is just starting, waits for a disk, is stopped, talks to somebody "
            f"else, or its socket was removed. `fuser {self._backing_file}` tells its number; when it is ended by "
            f"hand, the next call starts another.",
        )


def _is_alive(mount: Path) -> bool:
    """Whether there is a daemon behind it. Not by `stat`, which the kernel answers for a dead one for a second more."""
    try:
        os.statvfs(mount)
    except OSError:
        return False
    return True


def mounts() -> frozenset[str]:
    """Where something is mounted. One look for all volumes, and one that no dead mount can hang."""
    lines = os.fsdecode(Path("/proc/self/mountinfo").read_bytes()).splitlines()
    places = (line.split(" ")[4] for line in lines)
    return frozenset(re.sub(r"\\(\d{3})", lambda escaped: chr(int(escaped[1], 8)), place) for place in places)


def check_directory(pool: Pool) -> None:
    """Raise where no sockets can lie in the pool's directory."""
    if len(os.fsencode(pool.directory)) > _DIRECTORY_LENGTH:
        raise BoxError(
            "Rejected",
            f"The path of the pool's directory {pool.directory} is too long",
            f"It may have {_DIRECTORY_LENGTH} bytes where volumes are throttled. {_WAY_OUT}",
        )


def check_box(machine: Machine) -> None:
    """Raise where the box cannot throttle."""
    if "fuse" not in _run(machine, ["qemu-storage-daemon", "--help"]).output:
        missing = "The qemu-storage-daemon on the storage box is built without FUSE exports."
    elif not Path("/dev/fuse").exists():
        missing = "The storage box has no /dev/fuse: `modprobe fuse`."
    else:
        return
    raise BoxError("Rejected", "The storage box cannot throttle", f"{missing} {_WAY_OUT}")


def _run(machine: Machine, argv: list[str]) -> Result:
    try:
        return machine.run(argv)
    except FileNotFoundError as error:
        raise BoxError(
            "Rejected",
            "The storage box cannot throttle",
            f'{error.filename} is not installed there: install the package "qemu-system-common" (and "util-linux" for '
            f"flock). {_WAY_OUT}",
        ) from None
