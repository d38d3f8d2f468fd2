"""A sshd of the test run's own on the loopback, and an `ssh` on the PATH that finds it under a name."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rigs.process import require, start, stop, until

HOST = "storage-box"

_SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/user_key.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
"""

_CLIENT = """
Host {host}
  HostName 127.0.0.1
  Port {port}
  IdentityFile {directory}/user_key
  UserKnownHostsFile {directory}/known_hosts
  StrictHostKeyChecking yes
"""


@dataclass(frozen=True, slots=True)
class Sshd:
    """`destination` for the provider's `ssh` setting."""

    destination: str
    directory: Path


@contextmanager
def running_sshd(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    require("/usr/sbin/sshd", "ssh", "ssh-keygen", "setpriv")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for key in ("host_key", "user_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True)
    public = (directory / "host_key.pub").read_text()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (directory / "sshd_config").write_text(_SERVER.format(port=port, directory=directory))
    (directory / "ssh_config").write_text(_CLIENT.format(host=HOST, port=port, directory=directory))
    # ssh takes its configuration from the password file's home directory, so only a flag can lead it elsewhere.
    wrapper = directory / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {directory}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")

    Path("/run/sshd").mkdir(exist_ok=True)  # its empty directory, which the package's service makes at its start
    process = start(["/usr/sbin/sshd", "-D", "-e", "-f", directory / "sshd_config"], directory / "sshd.log")
    try:
        until("port of sshd", lambda: _listens(port))
        yield Sshd(f"root@{HOST}", directory)
    finally:
        stop(process)


def _listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
