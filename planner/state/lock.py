"""
A lock that dies with its holder: `flock` on a file of its own.

- Not on the database: on NFS the kernel makes a byte-range lock of `flock`, which there would meet SQLite's own.
- The file stays when the lock is let go: a file that is unlinked and made anew lets two holders lock two files of the
  same name, and on NFS a cached directory entry hides that.
- What is written in it names the holder for the message, no more. After a kill it is stale and harms nobody.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import getpass
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from planner.errors import StateError, StateLocked

_LONGEST_WAIT = 0.25
"""Seconds between two looks at a lock that somebody else holds."""

_held: set[int] = set()


def _leave_to_the_parent() -> None:
    """A forked child shares the open file and would keep the lock alive after its parent: it closes its copy."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_the_parent)


def who() -> str:
    """This process for people: `user@host:pid`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that no user has
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}:{os.getpid()}"


@contextmanager
def hold(path: Path, operation: str, timeout: float) -> Iterator[None]:
    """
    Hold the lock on the file at `path`, which is made when it is not there.

    Raises:
        StateLocked: somebody else, in this process or another, held it for all of `timeout` seconds.
        StateError: the file cannot be made, or its file system does not lock.
    """
    descriptor = _acquire(path, timeout)
    _held.add(descriptor)
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(descriptor, 0)
        with contextlib.suppress(OSError):  # a disk that is full: the lock holds without a name, too
            os.pwrite(descriptor, json.dumps({"operation": operation, "who": who(), "since": since}).encode(), 0)
        yield
    finally:
        if descriptor in _held:  # not in a forked child
            _held.discard(descriptor)
            os.ftruncate(descriptor, 0)
            os.close(descriptor)


def _acquire(path: Path, timeout: float) -> int:
    """The descriptor of the locked file."""
    until, wait = time.monotonic() + timeout, 0.01
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError("The state's lock file cannot be opened", f"{path}: {error.strerror}.") from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return descriptor
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    detail = f"{path}: {error.strerror}. Keep the state on a file system that supports flock."
                    raise StateError("The state cannot be locked", detail) from error
            left = until - time.monotonic()
            if left <= 0:
                raise _locked(path, descriptor)
            time.sleep(min(wait, left))
            wait = min(wait * 2, _LONGEST_WAIT)
    except BaseException:
        os.close(descriptor)
        raise


def _locked(path: Path, descriptor: int) -> StateLocked:
    try:
        holder = "{operation} by {who} since {since}".format(**json.loads(os.pread(descriptor, 4096, 0)))
    except (ValueError, KeyError, TypeError):  # it has the lock and has not yet written who it is
        holder = "a process that has not given its name yet"
    return StateLocked(
        "The state is locked",
        f"{path} is held by {holder}. Wait for it to end, or give -lock-timeout. "
        "The lock ends with the process that holds it: there is nothing to force open.",
        holder,
    )
