"""A tgtd of the test run's own: its control port, its portal on the loopback, a directory for its pool."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rigs.process import require, start, stop, until

CHAP_KEY = "a provider key for tests"


class Tgtd:
    """
    Attributes:
        control_port: for `tgtadm -C`.
        portal: `127.0.0.1:port`, where initiators log in.
        pool: directory for backing files.
    """

    def __init__(self, directory: Path) -> None:
        require("tgtd", "tgtadm", "iscsi-ls", "setpriv")
        self.pool = directory / "pool"
        self.pool.mkdir()
        self.control_port = random.randrange(1000, 32000)
        self.portal = f"127.0.0.1:{_free_port()}"
        self._log = directory / "tgtd.log"
        self.start()

    def settings(self) -> dict[str, object]:
        """Arguments of a `provider "tgt"` block for it."""
        return {"portal": self.portal, "control_port": self.control_port, "chap_key": CHAP_KEY}

    def start(self) -> None:
        argv = ["tgtd", "-C", str(self.control_port), "--foreground", "--iscsi", f"portal={self.portal}"]
        self._process = start(argv, self._log)
        until("answer of tgtd", lambda: self.adm("target", "show").returncode == 0, alive=self._obituary)

    def stop(self) -> None:
        stop(self._process)
        for path in Path("/var/run/tgtd").glob(f"socket.{self.control_port}*"):
            path.unlink()

    def kill(self) -> None:
        stop(self._process)

    def adm(self, mode: str, operation: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Ask tgtadm, past the provider."""
        argv = ["tgtadm", "-C", str(self.control_port), "--lld", "iscsi", "--mode", mode, "--op", operation, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=False)

    def clear(self) -> None:
        """Remove all targets, accounts and backing files, whoever made them."""
        for line in self.adm("target", "show").stdout.splitlines():
            if line.startswith("Target "):
                self.adm("target", "delete", "--force", "--tid", line.split()[1].rstrip(":"))
        for account in self.adm("account", "show").stdout.split()[2:]:
            self.adm("account", "delete", "--user", account)
        for path in self.pool.iterdir():
            path.unlink()

    @property
    def is_empty(self) -> bool:
        """It has no target and no account, and the pool no file but its lock."""
        return (
            self.adm("target", "show").stdout.strip() == ""
            and self.adm("account", "show").stdout.strip() in ("", "Account list:")
            and {path.name for path in self.pool.iterdir()} <= {".lunform.lock"}
        )

    def _obituary(self) -> str:
        return "" if self._process.poll() is None else f"tgtd ended\n{self._log.read_text()}"


@contextmanager
def running_tgtd(directory: Path) -> Iterator[Tgtd]:
    daemon = Tgtd(directory)
    try:
        yield daemon
    finally:
        daemon.stop()


def log_in(portal: str, iqn: str, initiator: str, username: str = "", password: str = "") -> str:
    """
    What libiscsi's own client sees of LUN 1: "" when it got in, or why it did not.

    An initiator that has nothing to do with QEMU or the provider.
    """
    account = f"{username}%{password}@" if username else ""
    argv = ["iscsi-readcapacity16", "-i", initiator, f"iscsi://{account}{portal}/{iqn}/1"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def capacity(portal: str, iqn: str, initiator: str, username: str, password: str) -> int:
    """Bytes of LUN 1, as libiscsi's own client sees it."""
    argv = ["iscsi-readcapacity16", "-s", "-i", initiator, f"iscsi://{username}%{password}@{portal}/{iqn}/1"]
    return int(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout)


def _free_port() -> int:
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
