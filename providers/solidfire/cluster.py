"""The cluster itself: who it is, what it bears, and what room it has."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.sdk import ArrayLimits, Qos, Rejected
from providers.solidfire.volumes import qos_of
from providers.solidfire.wire import Wire

MIB = 1 << 20
"""Sizes are whole mebibytes: since Element 6 the cluster rounds up to them."""

_NO_NEW_VOLUMES = frozenset({"stage4Critical", "stage5CompletelyConsumed"})


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Attributes:
        uuid: of the cluster, for ever.
        portal: where iSCSI initiators reach it: `address:port`.
    """

    uuid: str
    name: str
    portal: str
    version: str


@dataclass(frozen=True, slots=True)
class Room:
    """
    Attributes:
        provisionable, provisioned: bytes; deleted volumes count until they are purged.
        max_iops: what the cluster is thought to do. Nothing on it holds floors against that.
    """

    provisionable: int
    provisioned: int
    max_iops: int


class Cluster:
    """What changes only with an update of its software is read once."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._identity: Identity | None = None
        self._limits: Mapping[str, Any] | None = None

    def identity(self) -> Identity:
        with self._lock:
            if self._identity is None:
                info = self._wire.read("GetClusterInfo")["clusterInfo"]
                version = self._wire.version()
                self._identity = Identity(info["uuid"], info["name"], f"{info['svip']}:3260", version)
            return self._identity

    def limit(self, name: str) -> int:
        """One of the figures of GetLimits."""
        return int(self._all_limits()[name])

    def told(self, name: str) -> int | None:
        """One of the figures of GetLimits that not every cluster tells."""
        found = self._all_limits().get(name)
        return None if found is None else int(found)

    def default_qos(self) -> Qos:
        """What a volume has that was asked for no figures. An administrator may change it."""
        return qos_of(self._wire.read("GetDefaultQoS"))

    def limits(self) -> ArrayLimits:
        told = self._all_limits()

        def span(figure: str) -> tuple[int, int]:
            return told[f"volume{figure}Min"], told[f"volume{figure}Max"]

        return ArrayLimits(
            min_size=-(-told["volumeSizeMin"] // MIB) * MIB,
            max_size=told["volumeSizeMax"] // MIB * MIB,
            size_granularity=MIB,
            min_iops=span("MinIOPS"),
            max_iops=span("MaxIOPS"),
            burst_iops=span("BurstIOPS"),
            name_length=told["volumeNameLengthMax"],
        )

    def room(self) -> Room:
        told = self._wire.read("GetClusterCapacity")["clusterCapacity"]
        fullness = self._wire.read("GetClusterFullThreshold")["fullness"]
        provisioned = told["provisionedSpace"]
        # From stage 4 on the cluster makes no volumes, however much is provisionable.
        most = provisioned if fullness in _NO_NEW_VOLUMES else told["maxOverProvisionableSpace"]
        return Room(most, provisioned, told["maxIOPS"])

    def refuse_other(self, uuid: str, what: str) -> None:
        """
        Raises:
            Rejected: something is on another cluster than the one that the provider reaches.
        """
        if uuid != self.identity().uuid:
            raise Rejected(
                f"{what} is on another cluster",
                f'It is recorded for cluster {uuid}, and provider "solidfire" reaches {self.identity().uuid}. '
                "Correct the endpoint.",
            )

    def _all_limits(self) -> Mapping[str, Any]:
        with self._lock:
            if self._limits is None:
                self._limits = self._wire.read("GetLimits")
            return self._limits
