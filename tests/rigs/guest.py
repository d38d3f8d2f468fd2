"""
Virtual machines that are up within seconds and can be asked what they see of their disks.

    Guest      is started by the rig itself, and has no disk
    console    asks one that was made and started by a provider from its root disk, which `disk.img` was written to
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import select
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.rigs.libvirt_host import LibvirtHost
from tests.rigs.process import require, until

_BUILD = Path(__file__).with_name("build-guest.sh")
_CACHE = Path(__file__).parents[2] / ".cache" / "guest"

# A root port takes one hot-plugged device; libvirt's own controllers take some of the ports as well.
_ROOT_PORTS = 10

_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>128</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{image}/vmlinuz</kernel>
    <initrd>{image}/initrd.gz</initrd>
    <cmdline>console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <controller type='pci' model='pcie-root'/>
    {ports}
    <serial type='file'><source path='{directory}/{name}.log'/></serial>
    <serial type='unix'><source mode='bind' path='{directory}/{name}.sock'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
"""


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """A disk as the guest's kernel has it; `size` in bytes."""

    name: str
    size: int
    serial: str


def guest_image() -> Path:
    """
    Directory with the guest's kernel, its initrd, and a disk to start it from.

    Built once, and again when the script that builds it changes.
    """
    require("apt-get", "dpkg-deb", "busybox", "cpio", "depmod", "mformat", "syslinux")
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        image = _CACHE / hashlib.sha256(_BUILD.read_bytes()).hexdigest()[:16]
        if not (image / "disk.img").exists():
            subprocess.run([_BUILD, image], check=True)
    return image


class Shell:
    """A guest that takes commands on a serial port, of which `channel` is this end's file descriptor."""

    def __init__(self, channel: int) -> None:
        self._channel = channel
        self._commands = 0

    def run(self, command: str, timeout: float = 60.0) -> str:
        """What a command of the guest's shell prints. Fails when it does not end with 0."""
        self._commands += 1
        os.write(self._channel, f"{self._commands} {command}\n".encode())
        end = re.compile(rb"\x01%d (\d+)\n" % self._commands)
        received = b""
        while (match := end.search(received)) is None:
            received += self._receive(timeout)
        output = received[: match.start()].decode()
        assert match[1] == b"0", f"{command}: status {match[1].decode()}\n{output}"
        return output

    def wait_until_ready(self, timeout: float = 60.0) -> str:
        """What its console said until it took commands."""
        received = b""
        while re.search(rb"GUEST-READY\r?\n", received) is None:
            received += self._receive(timeout)
        return received.decode(errors="replace")

    def wait_until_it_answers(self, timeout: float = 120.0) -> None:
        """For a guest that may have been ready before anybody listened: an empty line, which does no harm, asks it."""
        received, until = b"", time.monotonic() + timeout
        while b"\x01 " not in received:
            assert time.monotonic() < until, f"the guest does not answer: {received!r}"
            os.write(self._channel, b"\n")
            while select.select([self._channel], [], [], 0.5)[0]:
                received += os.read(self._channel, 65536)

    def _receive(self, timeout: float) -> bytes:
        assert select.select([self._channel], [], [], timeout)[0], f"the guest said nothing for {timeout:.0f} seconds"
        return os.read(self._channel, 65536)

    def memory(self) -> int:
        """Bytes that the guest's kernel has to give away."""
        return int(self.run("grep MemTotal /proc/meminfo").split()[1]) * 1024

    def disks(self) -> dict[str, GuestDisk]:
        """By name: vda, sda, ..."""
        lines = self.run(
            "for disk in /sys/block/[vs]d*; do [ -e $disk ] || continue; "
            "echo ${disk##*/} $(cat $disk/size) $(cat $disk/serial 2>/dev/null || "
            "tail -c +5 $disk/device/vpd_pg80); done"
        )
        disks = (line.split() for line in lines.splitlines())
        return {name: GuestDisk(name, int(sectors) * 512, serial) for name, sectors, serial in disks}

    def wait_for_disk(self, name: str, size: int | None = None) -> GuestDisk:
        """The disk once it is there, with that size if one is given."""

        def look() -> GuestDisk | None:
            disk = self.disks().get(name)
            return disk if disk is not None and size in (None, disk.size) else None

        return until(f"disk {name} in the guest", look)

    def write(self, device: str, text: str, offset: int = 0) -> None:
        """Put a text at an offset of a disk (a multiple of 512 bytes), and have it written to the end."""
        self.run(
            f"printf %s '{text}' | dd of=/dev/{device} bs=512 seek={offset // 512} conv=notrunc,sync,fsync 2>/dev/null"
        )

    def read(self, device: str, length: int, offset: int = 0) -> str:
        """A text at an offset of a disk, from the disk and not from the guest's memory."""
        return self.run(
            f"dd if=/dev/{device} iflag=direct bs=512 skip={offset // 512} count=1 2>/dev/null | head -c {length}"
        )

    def measure_iops(self, device: str, requests: int, size: int = 4096) -> float:
        """Writes of that size per second, one at a time, past the guest's cache; by this machine's clock."""
        began = time.monotonic()
        self.make_requests(device, requests, size)
        return requests / (time.monotonic() - began)

    def measure_load(self, device: str, seconds: float, expected: int) -> float:
        """
        Writes of 4 KiB per second that four writers at once get in about `seconds`, past the guest's cache.

        A busy machine may keep the guest from asking for more, so too few are measured again. Too many never are.
        """
        each = int(seconds * expected / 4)
        for _ in range(3):
            began = time.monotonic()
            self.run(
                f"for n in 0 1 2 3; do dd if=/dev/zero of=/dev/{device} bs=4096 count={each} seek=$((n * {each})) "
                "oflag=direct conv=notrunc 2>/dev/null & done; wait"
            )
            iops = 4 * each / (time.monotonic() - began)
            if iops > 0.9 * expected:
                break
        return iops

    def make_requests(self, device: str, requests: int, size: int = 4096) -> None:
        self.run(f"dd if=/dev/zero of=/dev/{device} bs={size} count={requests} oflag=direct conv=notrunc 2>/dev/null")


class Guest(Shell):
    """A persistent domain of a host, without disks."""

    def __init__(self, host: LibvirtHost, name: str) -> None:
        self.name = name
        self._host = host
        self._socket: socket.socket | None = None
        definition = host.directory / f"{name}.xml"
        definition.write_text(
            _DOMAIN.format(
                name=name,
                image=guest_image(),
                directory=host.directory,
                ports="<controller type='pci' model='pcie-root-port'/>" * _ROOT_PORTS,
            )
        )
        host.virsh("define", str(definition))

    def start(self) -> None:
        """Boot it, and wait until it takes commands."""
        log = self._host.directory / f"{self.name}.log"
        log.unlink(missing_ok=True)
        self._host.virsh("start", self.name)
        until("GUEST-READY on the guest's console", lambda: log.exists() and "GUEST-READY" in log.read_text(), 60)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(self._host.directory / f"{self.name}.sock"))
        super().__init__(self._socket.fileno())

    def stop(self) -> None:
        """Pull its plug."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._host.virsh("destroy", self.name)


@contextmanager
def console(host: LibvirtHost, vm: str) -> Iterator[Shell]:
    """The serial console of a running VM that started from `disk.img`."""
    terminal = ElementTree.fromstring(host.virsh("dumpxml", vm)).find("devices/console[@tty]")
    assert terminal is not None, f"{vm} has no console, or does not run"
    channel = os.open(terminal.get("tty", ""), os.O_RDWR | os.O_NOCTTY)
    try:
        yield Shell(channel)
    finally:
        os.close(channel)
