"""A tgtd of the test run's own: its control port, its portal on the loopback, a directory for its pool."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rigs.process import free_port, require, start, stop, until

CHAP_KEY = "a provider key for tests"


class Tgtd:
    """
    Attributes:
        control_port: for `tgtadm -C`.
        portal: `127.0.0.1:port`, where initiators log in.
        pool: directory for backing files.
    """

    def __init__(self, directory: Path) -> None:
        require("tgtd", "tgtadm", "iscsi-ls", "setpriv", "qemu-storage-daemon")
        self.pool = directory / "pool"
        self.pool.mkdir()
        self.control_port = random.randrange(1000, 32000)
        self.portal = f"127.0.0.1:{free_port()}"
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
        """Remove all targets, accounts, storage daemons and backing files, whoever made them."""
        for line in self.adm("target", "show").stdout.splitlines():
            if line.startswith("Target "):
                self.adm("target", "delete", "--force", "--tid", line.split()[1].rstrip(":"))
        for account in self.adm("account", "show").stdout.split()[2:]:
            self.adm("account", "delete", "--user", account)
        cut_daemons(self.pool)
        for path in self.pool.iterdir():
            path.unlink()

    @property
    def is_empty(self) -> bool:
        """It has no target and no account, and the pool no daemon, no mount and no file but its lock."""
        return (
            storage_daemons(self.pool) == mounts(self.pool) == []
            and self.adm("target", "show").stdout.strip() == ""
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
        assert storage_daemons(daemon.pool) == mounts(daemon.pool) == [], "they outlived the tests"


def storage_daemons(pool: Path) -> list[int]:
    """Process ids of the daemons behind which a pool's volumes are throttled."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended just now
            words = path.read_bytes()
            if words.startswith(b"qemu-storage-daemon\0") and bytes(pool) in words:
                found.append(int(path.parent.name))
    return found


def mounts(pool: Path) -> list[str]:
    places = (line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return [place for place in places if place.startswith(f"{pool}/")]


def kill_daemons(pool: Path) -> None:
    """Kill all storage daemons of a pool. Their mounts stay, dead."""
    for pid in storage_daemons(pool):
        os.kill(pid, signal.SIGKILL)
    until("end of the storage daemons", lambda: not storage_daemons(pool))


def cut_daemons(pool: Path) -> None:
    """End all storage daemons of a pool and take their mounts away, as a reboot does."""
    kill_daemons(pool)
    for place in mounts(pool):
        subprocess.run(["umount", "--lazy", place], check=True)


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
