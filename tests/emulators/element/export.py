"""
Volumes of an emulated cluster as real iSCSI targets, served by a tgtd that the test has started.

A cluster's targets have their disk as LUN 0. tgtd keeps LUN 0 for a controller of its own and has disks from LUN 1 on,
so a relay between the two gives the LUNs their numbers.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import subprocess
import threading
from pathlib import Path

from tests.emulators.element.cluster import Cluster

PORT = 3260
"""Of every cluster's iSCSI portal."""

_HEADER = 48
_TO_TARGET = (0x00, 0x01, 0x02, 0x05)
"""NOP-Out, SCSI command, task management, data-out: the requests that name a LUN (RFC 7143, section 11)."""
_FROM_TARGET = (0x20, 0x25, 0x31, 0x32)
"""NOP-In, data-in, ready to transfer, asynchronous message."""
_DISK, _AS_SEEN = (1).to_bytes(2, "big") + bytes(6), bytes(8)


class TgtExport:
    """
    Keeps tgtd's targets as the cluster's volumes are: the same IQNs and sizes, open to the initiators of the volume's
    groups; where it is in none, to whoever logs in with its account.

    Args:
        control: number of tgtd's control port.
        folder: for the volumes' backing files.
    """

    def __init__(self, cluster: Cluster, control: int, folder: Path) -> None:
        self._cluster = cluster
        self._control = control
        self._folder = folder
        self._sizes: dict[int, int] = {}
        self._open_to: dict[int, tuple[str, ...]] = {}
        self._account: dict[int, str | None] = {}

    def __call__(self, number: int) -> None:
        volume = self._cluster.volumes.get(number)
        if volume is None or volume["status"] == "deleted":
            if self._sizes.pop(number, None) is not None:
                self._tgt("--op", "delete", "--mode", "target", "--force", tid=number)
                self._open_to.pop(number, None)
                self._account.pop(number, None)
            return
        if volume["status"] != "active":
            return
        file = self._folder / f"{number}.img"
        if self._sizes.get(number) != volume["totalSize"]:
            with file.open("ab") as opened:
                opened.truncate(volume["totalSize"])
            if number in self._sizes:
                self._tgt("--op", "delete", "--mode", "logicalunit", "--lun", "1", tid=number)
            else:
                self._tgt("--op", "new", "--mode", "target", "--targetname", volume["iqn"], tid=number)
            self._tgt("--op", "new", "--mode", "logicalunit", "--lun", "1", "--backing-store", str(file), tid=number)
            self._sizes[number] = volume["totalSize"]
        self._admit(number)

    def _admit(self, number: int) -> None:
        groups = [group for group in self._cluster.groups.values() if number in group["volumes"]]
        names = {self._cluster.initiators[one]["initiatorName"] for group in groups for one in group["initiators"]}
        wanted = tuple(sorted(names)) if groups else ("ALL",)
        had = self._open_to.get(number, ())
        for name in set(had) - set(wanted):
            self._tgt("--op", "unbind", "--mode", "target", *_initiator(name), tid=number)
        self._log_in_as(number, None if groups else self._cluster.volumes[number]["accountID"])
        for name in set(wanted) - set(had):
            self._tgt("--op", "bind", "--mode", "target", *_initiator(name), tid=number)
        self._open_to[number] = wanted

    def _log_in_as(self, number: int, account: int | None) -> None:
        """Ask for the account's secret at login, or for none."""
        had, user = self._account.get(number), None
        if account is not None:
            row = self._cluster.accounts[account]
            user = row["username"]
            words = ["--mode", "account", "--user", user]
            self._tgt("--op", "delete", *words, must=False)
            self._tgt("--op", "new", *words, "--password", row["initiatorSecret"])
        if had is not None and had != user:
            self._tgt("--op", "unbind", "--mode", "account", "--user", had, tid=number, must=False)
        if user is not None:
            self._tgt("--op", "bind", "--mode", "account", "--user", user, tid=number, must=False)
        self._account[number] = user

    def _tgt(self, *words: str, tid: int | None = None, must: bool = True) -> None:
        target = [] if tid is None else ["--tid", str(tid)]
        command = ["tgtadm", "-C", str(self._control), "--lld", "iscsi", *words, *target]
        subprocess.run(command, check=must, capture_output=True, timeout=30)


def _initiator(name: str) -> tuple[str, str]:
    return ("--initiator-address", name) if name == "ALL" else ("--initiator-name", name)


def serve_portal(address: str, tgtd: tuple[str, int]) -> None:
    """Relay iSCSI between `address:3260` and tgtd's own portal, in the background."""

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(tgtd) as target:
                back = threading.Thread(target=_relay, args=(target, self.request, _FROM_TARGET, _AS_SEEN), daemon=True)
                back.start()
                _relay(self.request, target, _TO_TARGET, _DISK)

    class Portal(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    threading.Thread(target=Portal((address, PORT), Relay).serve_forever, daemon=True).start()


def _relay(source: socket.socket, sink: socket.socket, opcodes: tuple[int, ...], lun: bytes) -> None:
    """Pass one PDU after the other, with `lun` in those that name the disk; digests are not negotiated."""
    named = _AS_SEEN if lun == _DISK else _DISK
    try:
        while header := _exactly(source, _HEADER):
            more = header[4] * 4 + (int.from_bytes(header[5:8], "big") + 3) // 4 * 4
            if header[0] & 0x3F in opcodes and header[8:16] == named:
                header = header[:8] + lun + header[16:]
            sink.sendall(header + _exactly(source, more))
    except OSError:
        pass
    finally:
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _exactly(source: socket.socket, number: int) -> bytes:
    """`number` bytes; fewer, and then none, at the end of the stream."""
    received = bytearray()
    while len(received) < number and (piece := source.recv(number - len(received))):
        received += piece
    return bytes(received)
