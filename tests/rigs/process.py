"""Daemons of a test run: they need to be installed, are waited for, and die with the run however that ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def require(*commands: str, module: str | None = None) -> None:
    """
    Skip where a command or Python module is not installed, or this is not root.

    With CI=true in the environment that is a failure.
    """
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        reason = f"not installed: {', '.join(missing)} (run tests/rigs/install.sh)"
    elif module is not None and find_spec(module) is None:
        reason = f"no Python module {module} (pip install '.[{module}]')"
    elif os.geteuid() != 0:
        reason = "needs to be root"
    else:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def start(argv: Sequence[str | Path], log: Path) -> subprocess.Popen[bytes]:
    """Start a daemon in the foreground. The kernel kills it when this process ends, even if that is killed itself."""
    with log.open("ab") as output:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def until(what: str, look: Callable[[], T | None], timeout: float = 20.0, alive: Callable[[], str] = str) -> T:
    """
    Look again and again until something true is found, and return it.

    Args:
        what: the thing waited for, for the failure's message.
        alive: says why waiting is no use any more, or nothing.
    """
    deadline = time.monotonic() + timeout
    while True:
        found = look()
        if found:
            return found
        end = alive()
        if end or time.monotonic() > deadline:
            pytest.fail(f"no {what}{f': {end}' if end else f' within {timeout:.0f} seconds'}")
        time.sleep(0.02)


def free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
