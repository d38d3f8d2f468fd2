"""The state of a cluster, its clock, its limits, and how its methods are found and called."""

from __future__ import annotations

import inspect
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

Row = dict[str, Any]
"""An object as the API shows it, without what is derived from other objects."""

VERSIONS = ("1.0", "5.0", "6.0", "7.0", "8.0", "9.0", "10.0", "11.0", "12.0", "12.3")
MIB = 1 << 20
HOURS_UNTIL_PURGE = 8

LIMITS = {
    "accountCountMax": 5000,
    "accountNameLengthMax": 64,
    "accountNameLengthMin": 1,
    "bulkVolumeJobsPerNodeMax": 8,
    "bulkVolumeJobsPerVolumeMax": 2,
    "chapCredentialsCountMax": 15000,
    "cloneJobsPerNodeMax": 8,
    "cloneJobsPerVolumeMax": 2,
    "clusterPairsCountMax": 4,
    "initiatorAliasLengthMax": 224,
    "initiatorCountMax": 10000,
    "initiatorNameLengthMax": 224,
    "initiatorsPerVolumeAccessGroupCountMax": 128,
    "iscsiSessionsFromFibreChannelNodesMax": 4096,
    "qosPolicyCountMax": 500,
    "qosPolicyNameLengthMax": 64,
    "qosPolicyNameLengthMin": 1,
    "scheduleNameLengthMax": 244,
    "secretLengthMax": 16,
    "secretLengthMin": 12,
    "snapshotNameLengthMax": 255,
    "snapshotsPerVolumeMax": 32,
    "volumeAccessGroupCountMax": 1000,
    "volumeAccessGroupLunMax": 16383,
    "volumeAccessGroupNameLengthMax": 64,
    "volumeAccessGroupNameLengthMin": 1,
    "volumeAccessGroupsPerInitiatorCountMax": 1,
    "volumeAccessGroupsPerVolumeCountMax": 64,
    "volumeBurstIOPSMax": 200000,
    "volumeBurstIOPSMin": 100,
    "volumeCountMax": 4000,
    "volumeMaxIOPSMax": 200000,
    "volumeMaxIOPSMin": 100,
    "volumeMinIOPSMax": 15000,
    "volumeMinIOPSMin": 50,
    "volumeNameLengthMax": 64,
    "volumeNameLengthMin": 1,
    "volumeSizeMax": 17_592_186_044_416,
    "volumeSizeMin": 1_000_000_000,
    "volumesPerAccountCountMax": 2000,
    "volumesPerGroupSnapshotMax": 32,
    "volumesPerVolumeAccessGroupCountMax": 2000,
}
"""The documented sample of Element 12."""

UNDOCUMENTED = {
    "qos out of range": "xInvalidParameter",
    "bad name": "xInvalidParameter",
    "account has volumes": "xInvalidParameter",
    "purge of an active volume": "xInvalidParameter",
    "second delete": "xVolumeIDDoesNotExist",
    "no room": "xExceededLimit",
    "no such group": "xVolumeAccessGroupIDDoesNotExist",
}
"""Names of errors that no source settles, or that sources spell in several ways, by what happened."""

OPTIONAL = {
    "AddAccount": "account",
    "CloneVolume": "volume",
    "CreateVolume": "volume",
    "CreateVolumeAccessGroup": "volumeAccessGroup",
    "DeleteVolume": "volume",
    "ModifyVolume": "volume",
}
"""What old versions of the API leave out of answers, by method: NetApp's client takes them without it."""


class ApiError(Exception):
    """Answered as `{"error": {"code": 500, "name", "message"}}`."""

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(message or name)
        self.name = name


@dataclass
class Cluster:
    """
    Attributes:
        svip: address of the iSCSI portal, without its port.
        raw_bytes: what volumes may use, before thin provisioning.
        versions: texts or numbers, as `GetAPI` tells them.
        brief: whether answers are without what is OPTIONAL.
        create_seconds, clone_seconds: that a volume has the status "init", on the cluster's clock.
        queues_clones: whether clones beyond the limits wait for others to end, as the documents say; or are refused.
        clone_error: name of the error that clones end with, once they have begun; empty for none.
        leaves_failed_clones: whether the volume of a clone that failed is still there then.
        merges_qos: whether figures that a ModifyVolume leaves out stay as they are, or become the default.
        drops_orphans: whether initiators without a group go where a call does not say.
        ahead: seconds by which the cluster's clock is ahead of the machine's.
        sessions: iSCSI sessions as `ListISCSISessions` shows them.
        on_change: called with each volume whose export may have changed.
    """

    mvip: str = "127.0.0.1"
    svip: str = "127.0.0.1"
    name: str = "emulated"
    unique_id: str = "emul"
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    raw_bytes: int = 1 << 50
    max_iops: int = 400_000
    versions: list[Any] = field(default_factory=lambda: list(VERSIONS))
    brief: bool = False
    create_seconds: float = 0.0
    clone_seconds: float = 0.2
    queues_clones: bool = True
    clone_error: str = ""
    leaves_failed_clones: bool = False
    merges_qos: bool = True
    drops_orphans: bool = True
    limits: Row = field(default_factory=lambda: dict(LIMITS))
    names: dict[str, str] = field(default_factory=lambda: dict(UNDOCUMENTED))
    default_qos: Row = field(default_factory=lambda: {"minIOPS": 50, "maxIOPS": 15000, "burstIOPS": 15000})
    fullness: str = "stage1Happy"
    ahead: float = 0.0
    volumes: dict[int, Row] = field(default_factory=dict)
    accounts: dict[int, Row] = field(default_factory=dict)
    groups: dict[int, Row] = field(default_factory=dict)
    initiators: dict[int, Row] = field(default_factory=dict)
    policies: dict[int, Row] = field(default_factory=dict)
    snapshots: dict[int, Row] = field(default_factory=dict)
    jobs: dict[int, Row] = field(default_factory=dict)
    sessions: list[Row] = field(default_factory=list)
    on_change: Callable[[int], None] = lambda volume: None
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    lock: threading.RLock = field(default_factory=threading.RLock)

    def now(self) -> float:
        """Seconds since 1970 on the cluster's clock, which tests can move."""
        return time.time() + self.ahead

    def call(self, method: str, parameters: Row) -> Row:
        """
        The result of a method, with `unusedParameters` where there were any.

        Raises:
            ApiError: as the cluster answers it.
        """
        function = METHODS.get(method)
        if function is None:
            raise ApiError("xUnknownAPIMethod", f"Unknown API method '{method}'")
        with self.lock:
            self.settle()
            known, unused = _checked(function, parameters)
            result = function(self, **known)
        if self.brief:
            result.pop(OPTIONAL.get(method, ""), None)
        return result | ({"unusedParameters": unused} if unused else {})

    def settle(self) -> None:
        """What has come to pass by now: jobs that have ended, volumes that are ready, purges that were due."""
        for job in self.jobs.values():
            if not job["completed"] and job["ready_at"] <= self.now():
                job["completed"] = True
                job["lastUpdateTime"] = timestamp(job["ready_at"])
                clone = job["data"]["volumeID"]
                if not job["success"] and clone in self.volumes and not self.leaves_failed_clones:
                    self.purge(clone)
        for number, volume in list(self.volumes.items()):
            if volume["status"] == "deleted" and volume["purge_at"] <= self.now():
                self.purge(number)
            if volume["status"] == "init" and volume["ready_at"] <= self.now():
                volume["status"] = "active"
                self.on_change(number)

    def purge(self, number: int) -> None:
        """With all that is of the volume; a clone that is not ready yet is given up."""
        del self.volumes[number]
        self.jobs = {id: job for id, job in self.jobs.items() if job["completed"] or job["data"]["volumeID"] != number}
        for policy in self.policies.values():
            policy["volumeIDs"] = [each for each in policy["volumeIDs"] if each != number]
        for group in self.groups.values():
            group["deletedVolumes"] = [each for each in group["deletedVolumes"] if each != number]
        self.snapshots = {id: row for id, row in self.snapshots.items() if row["volumeID"] != number}

    def empty(self) -> None:
        for number in list(self.volumes):
            self.purge(number)
            self.on_change(number)
        for rows in (self.accounts, self.groups, self.initiators, self.policies, self.jobs):
            rows.clear()

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """What is refused in the middle has changed nothing."""
        names = ("volumes", "groups", "initiators", "policies")
        before = {name: deepcopy(getattr(self, name)) for name in names}
        try:
            yield
        except ApiError:
            for name in names:
                setattr(self, name, before[name])
            raise

    def refuse(self, what: str, message: str) -> ApiError:
        """An error whose name no source settles."""
        return ApiError(self.names[what], message)

    def within(self, limit: str, count: int, message: str = "") -> None:
        if count > self.limits[limit]:
            raise ApiError("xExceededLimit", f"{message} exceeds {limit}={self.limits[limit]}".strip())

    def hold_name(self, kind: str, name: str) -> None:
        shortest, longest = self.limits[f"{kind}NameLengthMin"], self.limits[f"{kind}NameLengthMax"]
        if not shortest <= len(name) <= longest:
            raise self.refuse("bad name", f"The length of name must be {shortest}..{longest}")


METHODS: dict[str, Callable[..., Row]] = {}


def api(function: Callable[..., Row]) -> Callable[..., Row]:
    """Makes a function a method of the API: its name and its parameters are those of the documents."""
    METHODS[function.__name__] = function
    return function


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _checked(function: Callable[..., Row], given: Row) -> tuple[Row, list[str]]:
    """Parameters that the method has, and the names of others."""
    signature, hints = inspect.signature(function), get_type_hints(function)
    expected = list(signature.parameters.values())[1:]
    known = {}
    for parameter in expected:
        value = given.get(parameter.name)
        if value is None:
            if parameter.default is inspect.Parameter.empty:
                raise ApiError("xMissingParameter", f"Missing member=[{parameter.name}]")
            continue
        kinds = list(get_args(hints[parameter.name]) or (hints[parameter.name],))
        if type(value) not in kinds:
            raise ApiError("xInvalidParameterType", f"{parameter.name} is of the wrong type")
        known[parameter.name] = value
    return known, sorted(set(given) - {parameter.name for parameter in expected})
