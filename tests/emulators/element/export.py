"""Volumes of an emulated cluster as real iSCSI targets, served by a tgtd that the test has started."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.emulators.element.cluster import Cluster


class TgtExport:
    """
    Keeps tgtd's targets as the cluster's volumes are: the same IQNs and sizes, open to the initiators of the volume's
    groups, and to its account by CHAP where it is in none.

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
        self._accounts: dict[int, tuple[str, str]] = {}

    def __call__(self, number: int) -> None:
        volume = self._cluster.volumes.get(number)
        if volume is None or volume["status"] == "deleted":
            if self._sizes.pop(number, None) is not None:
                self._tgt("--op", "delete", "--mode", "target", "--force", tid=number)
                self._open_to.pop(number, None)
                self._accounts.pop(number, None)
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
        wanted = tuple(
            sorted(
                self._cluster.initiators[initiator]["initiatorName"]
                for group in groups
                for initiator in group["initiators"]
            )
        )
        had = self._open_to.get(number, ())
        for name in set(had) - set(wanted):
            self._tgt("--op", "unbind", "--mode", "target", "--initiator-name", name, tid=number)
        for name in set(wanted) - set(had):
            self._tgt("--op", "bind", "--mode", "target", "--initiator-name", name, tid=number)
        self._open_to[number] = wanted

    def _tgt(self, *words: str, tid: int) -> None:
        command = ["tgtadm", "-C", str(self._control), "--lld", "iscsi", *words, "--tid", str(tid)]
        subprocess.run(command, check=True, capture_output=True, timeout=30)
