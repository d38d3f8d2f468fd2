"""
A hypervisor host of the test run's own: a libvirtd in its own mount, process and host name spaces, so that it has its
own domains, secrets and socket, and dies with everything it started. The network is the machine's: its guests reach
targets on the loopback.
"""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rigs.process import require, start, stop, until

# QEMU as root without labels or cgroups: the host is private, and none of these is what is tested. As another user,
# QEMU could not open /dev/kvm on machines that keep it to root, and libvirtd would probe its abilities again each time.
_QEMU_CONF = """
user = "root"
group = "root"
security_driver = "none"
remember_owner = 0
cgroup_controllers = []
"""

_FOLDERS = {
    "run": "/run/libvirt",
    "etc": "/etc/libvirt",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "log": "/var/log/libvirt",
}

_SCRIPT = """
set -e
hostname lunform-test
{mounts}
virtlogd -p /run/libvirt/virtlogd.pid &
libvirtd -p /run/libvirt/libvirtd.pid &
wait
"""


class LibvirtHost:
    """
    Attributes:
        uri: for libvirt's clients.
        initiator: the initiator name of the host.
    """

    def __init__(self, directory: Path) -> None:
        require("libvirtd", "virtlogd", "unshare", "setpriv", "qemu-system-x86_64", module="libvirt")
        self.directory = directory
        self.initiator = f"iqn.2026-01.test.lunform:{directory.name.lower()}"
        for name in _FOLDERS:
            (directory / name).mkdir()
        shutil.copytree("/etc/libvirt", directory / "etc", dirs_exist_ok=True)
        shutil.rmtree(directory / "etc/qemu", ignore_errors=True)
        (directory / "lib/qemu").mkdir()
        with (directory / "etc/qemu.conf").open("a") as conf:
            conf.write(_QEMU_CONF)
        with (directory / "etc/libvirtd.conf").open("a") as conf:
            conf.write(f'\nhost_uuid = "{uuid.uuid4()}"\n')
        self._socket = directory / "run/libvirt-sock"
        self._log = directory / "libvirtd.log"
        self.uri = f"qemu+unix:///system?socket={self._socket}"
        for path in _FOLDERS.values():
            Path(path).mkdir(parents=True, exist_ok=True)
        self.start()

    def start(self) -> None:
        mounts = "\n".join(f"mount --bind {self.directory}/{name} {path}" for name, path in _FOLDERS.items())
        namespaces = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
        self._process = start(
            [*namespaces, "--propagation", "private", "bash", "-c", _SCRIPT.format(mounts=mounts)], self._log
        )
        until("answer of libvirtd", self._answers, alive=self._obituary)

    def stop(self) -> None:
        """With all its guests: killing the name space's first process kills all in it."""
        stop(self._process)
        self._socket.unlink(missing_ok=True)

    def virsh(self, *arguments: str) -> str:
        """Ask virsh, past the provider."""
        argv = ["virsh", "-q", "-c", self.uri, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def disks(self, vm: str, *flags: str) -> list[str]:
        """Device names of a VM's disks: of the running VM, or with `--inactive` of its stored definition."""
        return [line.split()[0] for line in self.virsh("domblklist", vm, *flags).splitlines() if line.strip()]

    def secrets(self) -> list[str]:
        """UUIDs."""
        return [line.split()[0] for line in self.virsh("secret-list").splitlines() if line.strip()]

    def vms(self) -> set[str]:
        """Names."""
        return set(self.virsh("list", "--all", "--name").split())

    def remove(self, vm: str) -> None:
        """Pull a VM's plug and forget it."""
        if vm in self.virsh("list", "--name").split():
            self.virsh("destroy", vm)
        if vm in self.vms():
            self.virsh("undefine", vm, "--nvram")

    def clear(self, vm: str) -> None:
        """Take all disks from a running VM, and remove all secrets, whoever made them."""
        for flag, place in (("--live", ()), ("--config", ("--inactive",))):
            for device in self.disks(vm, *place):
                self.virsh("detach-disk", vm, device, flag)
        until(f"release of the disks of {vm}", lambda: not self.disks(vm))
        self.forget_secrets()

    def forget_secrets(self) -> None:
        for secret in self.secrets():
            self.virsh("secret-undefine", secret)

    def _answers(self) -> bool:
        return subprocess.run(["virsh", "-q", "-c", self.uri, "version"], capture_output=True).returncode == 0

    def _obituary(self) -> str:
        return "" if self._process.poll() is None else f"libvirtd ended\n{self._log.read_text()}"


@contextmanager
def running_libvirt_host(directory: Path) -> Iterator[LibvirtHost]:
    host = LibvirtHost(directory)
    try:
        yield host
    finally:
        host.stop()
