"""
What the operations do to the storage box, one effect per method. Runs on the box: standard library only.

Each method happens or does not, so a test that stops a `Machine` before and after each call has stopped the provider
wherever it can be stopped.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

COMMAND_TIMEOUT = 30.0
"""Seconds. tgtd answers within milliseconds or does not live any more."""

CONNECT_TIMEOUT = 5.0
"""Seconds from the start of tgtadm until it asks for its daemon."""

MONITOR_TIMEOUT = 30.0
"""Seconds. A storage daemon answers between two requests of its volume, which take seconds under a low limit."""

END_TIMEOUT = 5.0
"""Seconds that a daemon gets to end by itself before it is killed."""


class BoxError(Exception):
    """
    A refusal or failure on the box, on its way to the provider.

    Attributes:
        kind: a class of `planner.sdk.errors`, by name: the box has no planner.
        detail: what was tried and what to do.
    """

    def __init__(self, kind: str, summary: str, detail: str = "") -> None:
        super().__init__(summary)
        self.kind = kind
        self.summary = summary
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended."""

    code: int
    output: str
    error: str


class Machine(Protocol):
    def run(self, argv: Sequence[str]) -> Result:
        """Run a command to its end. Raises FileNotFoundError when it is not installed."""
        ...

    def run_relayed(self, argv: Sequence[str], placeholder: str, secret: str, daemon_socket: str) -> Result:
        """Run a tgtadm whose request gets `secret` in the place of `placeholder`: see `LocalMachine`."""
        ...

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file whole: after a crash it is the old one or the new one."""
        ...

    def grow(self, path: Path, size: int, thin: bool) -> None:
        """Make a file at least `size` bytes long, with nothing in what is new."""
        ...

    def remove(self, path: Path) -> None:
        """Also when it is not there."""
        ...

    def ask_monitor(self, path: Path, command: str, arguments: Mapping[str, Any]) -> Any:
        """
        Have the QEMU daemon that listens on a socket carry out a command of its monitor (QMP), and return its value.

        Raises:
            FileNotFoundError, ConnectionError: nobody listens there, or it ended.
            TimeoutError: it does not answer.
            BoxError: it refuses.
        """
        ...

    def end_listener(self, path: Path) -> None:
        """
        End the process that listens on a socket, and wait until it has. Also when there is none.

        Raises TimeoutError when that cannot be asked, since it takes no connection.
        """
        ...


class LocalMachine:
    """The machine that this runs on."""

    def run(self, argv: Sequence[str]) -> Result:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=COMMAND_TIMEOUT, check=False, stdin=subprocess.DEVNULL
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def run_relayed(self, argv: Sequence[str], placeholder: str, secret: str, daemon_socket: str) -> Result:
        """
        tgtadm takes a password only on its command line, where `ps` shows it to everybody on the box. So it gets a
        placeholder of the same length there, and its request goes to tgtd through a socket of ours that puts the secret
        in. tgtadm itself makes the request and reads the answer: nothing here knows their layout.
        """
        with tempfile.TemporaryDirectory(prefix="lunform-") as directory:
            name = os.path.join(directory, "relay")  # noqa: PTH118 - tgtadm adds "." and the control port
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(name + "." + daemon_socket.rpartition(".")[2])
                listener.listen(1)
                listener.settimeout(CONNECT_TIMEOUT)
                with subprocess.Popen(
                    argv,
                    env={**os.environ, "TGT_IPC_SOCKET": name},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                ) as process:
                    try:
                        self._relay(listener, placeholder.encode(), secret.encode(), daemon_socket)
                        output, error = process.communicate(timeout=COMMAND_TIMEOUT)
                    finally:
                        process.kill()
        return Result(process.returncode, output, error)

    @staticmethod
    def _relay(listener: socket.socket, placeholder: bytes, secret: bytes, daemon_socket: str) -> None:
        try:
            client, _ = listener.accept()
        except TimeoutError:
            raise BoxError(
                "Rejected",
                "The installed tgtadm is too old",
                "It does not know TGT_IPC_SOCKET, without which a password cannot be given in private. "
                "Install tgt 1.0.60 or later.",
            ) from None
        with client, socket.socket(socket.AF_UNIX) as daemon:
            client.settimeout(COMMAND_TIMEOUT)
            daemon.settimeout(COMMAND_TIMEOUT)
            request = b""
            # The password ends the request, so the request is whole when the placeholder and its NUL are there.
            while placeholder + b"\0" not in request:
                part = client.recv(4096)
                if not part:
                    return
                request += part
            with contextlib.suppress(OSError):  # tgtadm says what is wrong when no answer comes
                daemon.connect(daemon_socket)
                daemon.sendall(request.replace(placeholder, secret))
                while part := daemon.recv(4096):
                    client.sendall(part)

    def write(self, path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_directory(path.parent)

    def grow(self, path: Path, size: int, thin: bool) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        before = os.fstat(descriptor).st_size
        try:
            if not thin:
                os.posix_fallocate(descriptor, 0, size)
            os.ftruncate(descriptor, max(size, before))
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, before)  # a file system that fills up keeps what it had found room for
            raise
        finally:
            os.close(descriptor)
        _sync_directory(path.parent)

    def remove(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()

    def ask_monitor(self, path: Path, command: str, arguments: Mapping[str, Any]) -> Any:
        with _connected(path) as monitor:
            # The capabilities have to be settled first; their answer has no id, and events and the greeting have none.
            for request in (
                {"execute": "qmp_capabilities"},
                {"execute": command, "arguments": arguments, "id": command},
            ):
                monitor.sendall(json.dumps(request).encode() + b"\n")
            with monitor.makefile("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    if "error" in answer:
                        raise BoxError("Rejected", f"The storage daemon refused {command}", answer["error"]["desc"])
                    if answer.get("id") == command:
                        return answer["return"]
        raise ConnectionResetError(f"{path} was closed")

    def end_listener(self, path: Path) -> None:
        """
        The kernel says who listens (unix(7), SO_PEERCRED), so no process is ended that only has the number of one that
        did, as with a file that keeps a number.
        """
        with contextlib.suppress(FileNotFoundError, ConnectionError), _connected(path) as probe:
            pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            with contextlib.suppress(ProcessLookupError), _process(pid) as process:
                for way in (signal.SIGTERM, signal.SIGKILL):
                    signal.pidfd_send_signal(process, way)
                    if select.select([process], [], [], END_TIMEOUT)[0]:
                        break


@contextlib.contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        # Waits its turn: QEMU takes one connection at a time. A socket with a time-out of Python's would not, but fail
        # at once (connect(2), EAGAIN).
        wait = struct.pack("ll", int(MONITOR_TIMEOUT), int(MONITOR_TIMEOUT % 1 * 1e6))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        deadline = time.monotonic() + MONITOR_TIMEOUT
        while not _has_peer(connection):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} takes no connection")
            try:
                connection.connect(str(path))
            except BlockingIOError:
                raise TimeoutError(f"{path} takes no connection") from None
        connection.settimeout(MONITOR_TIMEOUT)
        yield connection


def _has_peer(connection: socket.socket) -> bool:
    """
    Whether it is connected. `connect` does not tell: when a signal interrupts it while it waits (EINTR), Python takes
    it for under way, and a Unix socket, which is not, for ready.
    """
    try:
        connection.getpeername()
    except OSError as error:
        if error.errno != errno.ENOTCONN:
            raise
        return False
    return True


@contextlib.contextmanager
def _process(pid: int) -> Iterator[int]:
    descriptor = os.pidfd_open(pid)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
