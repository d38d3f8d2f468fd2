"""
What the operations do to the storage box, one effect per method. Runs on the box: standard library only.

Each method happens or does not, so a test that stops a `Machine` before and after each call has stopped the provider
wherever it can be stopped.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

COMMAND_TIMEOUT = 30.0
"""Seconds. tgtd answers within milliseconds or does not live any more."""

CONNECT_TIMEOUT = 5.0
"""Seconds from the start of tgtadm until it asks for its daemon."""


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


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
