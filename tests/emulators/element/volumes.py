"""Volumes from create to purge, and snapshots."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable

from tests.emulators.element.cluster import HOURS_UNTIL_PURGE, MIB, ApiError, Cluster, Row, api, timestamp
from tests.emulators.element.policies import associate, figures, policy_of, shown_figures

ACCESS = ("readOnly", "readWrite", "locked", "replicationTarget", "snapMirrorTarget")
MOST_AT_ONCE = 500
PRIVATE = ("purge_at", "ready_at")


def volume_of(cluster: Cluster, number: int) -> Row:
    if number not in cluster.volumes:
        raise ApiError("xVolumeIDDoesNotExist", f"VolumeID {number} does not exist.")
    return cluster.volumes[number]


def group_of(cluster: Cluster, number: int) -> Row:
    if number not in cluster.groups:
        raise cluster.refuse("no such group", f"VolumeAccessGroupID {number} does not exist.")
    return cluster.groups[number]


def active_volume(cluster: Cluster, number: int) -> Row:
    volume = volume_of(cluster, number)
    if volume["status"] == "deleted":
        raise cluster.refuse("second delete", f"VolumeID {number} does not exist.")
    return volume


def shown(cluster: Cluster, volume: Row) -> Row:
    number = volume["volumeID"]
    return {
        **{name: value for name, value in volume.items() if name not in PRIVATE},
        "qos": shown_figures(volume["qos"]),
        "volumeAccessGroups": [id for id, group in cluster.groups.items() if number in group["volumes"]],
    }


def rounded(cluster: Cluster, size: int) -> int:
    """Bytes, up to the next MiB."""
    whole = -(-size // MIB) * MIB
    least, most = cluster.limits["volumeSizeMin"], cluster.limits["volumeSizeMax"]
    if not least <= whole <= most:
        raise ApiError("xInvalidParameter", f"totalSize={size} is not in {least}..{most}")
    return whole


def provisioned(cluster: Cluster) -> int:
    """Bytes that all volumes have together; deleted ones count until they are purged."""
    return sum(volume["totalSize"] for volume in cluster.volumes.values())


def most_provisioned(cluster: Cluster) -> int:
    return cluster.raw_bytes * 5


def hold_room(cluster: Cluster, more: int) -> None:
    if cluster.fullness in ("stage4Critical", "stage5CompletelyConsumed"):
        raise cluster.refuse("no room", f"The cluster is at {cluster.fullness}")
    if provisioned(cluster) + more > most_provisioned(cluster):
        raise cluster.refuse("no room", "maxOverProvisionableSpace would be exceeded")


def hold_attributes(attributes: Row) -> Row:
    if len(json.dumps(attributes, separators=(",", ":"))) >= 1000:
        raise ApiError("xInvalidParameter", "attributes must be shorter than 1000 bytes")
    return attributes


def add_volume(
    cluster: Cluster, name: str, account: int, size: int, qos: Row, attributes: Row, enable512e: bool
) -> Row:
    """A new volume, which is active; its policy, its groups, and when it is ready are the caller's."""
    cluster.hold_name("volume", name)
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?", name):
        raise cluster.refuse("bad name", f"'{name}' may hold letters, digits and hyphens only")
    if account not in cluster.accounts:
        raise ApiError("xAccountIDDoesNotExist", f"Illegal AccountID {account}")
    total = rounded(cluster, size)
    cluster.within("volumeCountMax", len(cluster.volumes) + 1)
    own = sum(volume["accountID"] == account for volume in cluster.volumes.values())
    cluster.within("volumesPerAccountCountMax", own + 1)
    hold_room(cluster, total)
    number = next(cluster.ids)
    unique = cluster.unique_id.encode().hex()
    row = {
        "access": "readWrite",
        "accountID": account,
        "attributes": hold_attributes(attributes),
        "blockSize": 4096,
        "createTime": timestamp(cluster.now()),
        "currentProtectionScheme": "doubleHelix",
        "deleteTime": "",
        "enable512e": enable512e,
        "enableSnapMirrorReplication": False,
        "fifoSize": 24,
        "iqn": f"iqn.2010-01.com.solidfire:{cluster.unique_id}.{name.lower()}.{number}",
        "lastAccessTime": None,
        "lastAccessTimeIO": None,
        "minFifoSize": 0,
        "name": name,
        "previousProtectionScheme": None,
        "purgeTime": "",
        "purge_at": 0.0,
        "qos": qos,
        "qosPolicyID": None,
        "ready_at": 0.0,
        "scsiEUIDeviceID": f"{unique}{number:08x}f47acc0100000000",
        "scsiNAADeviceID": f"6f47acc100000000{unique}{number:08x}",
        "sliceCount": 1,
        "status": "active",
        "totalSize": total,
        "virtualVolumeID": None,
        "volumeConsistencyGroupUUID": str(uuid.uuid4()),
        "volumeID": number,
        "volumePairs": [],
        "volumeUUID": str(uuid.uuid4()),
    }
    cluster.volumes[number] = row
    return row


@api
def CreateVolume(
    cluster: Cluster,
    name: str,
    accountID: int,
    totalSize: int,
    enable512e: bool = True,
    qos: dict | None = None,
    qosPolicyID: int | None = None,
    associateWithQoSPolicy: bool = True,
    attributes: dict | None = None,
    access: str | None = None,
    fifoSize: int = 24,
    minFifoSize: int = 0,
    enableSnapMirrorReplication: bool = False,
    protectionScheme: str | None = None,
) -> Row:
    if qos is not None and qosPolicyID is not None:
        raise ApiError("xInvalidParameter", "qos and qosPolicyID exclude each other")
    if access not in (None, "snapMirrorTarget"):
        raise ApiError("xInvalidParameter", f"access may not be {access}")
    taken = policy_of(cluster, qosPolicyID)["qos"] if qosPolicyID is not None else None
    given = dict(taken) if taken is not None else figures(cluster, qos or {}, cluster.default_qos)
    row = add_volume(cluster, name, accountID, totalSize, given, attributes or {}, enable512e)
    row |= {"fifoSize": fifoSize, "minFifoSize": minFifoSize, "access": access or "readWrite"}
    if cluster.create_seconds:
        row |= {"status": "init", "ready_at": cluster.now() + cluster.create_seconds}
    if qosPolicyID is not None and associateWithQoSPolicy:
        associate(cluster, row, qosPolicyID)
    cluster.on_change(row["volumeID"])
    whole = shown(cluster, row)
    return {"volumeID": row["volumeID"], "volume": whole, "curve": whole["qos"]["curve"]}


@api
def ModifyVolume(
    cluster: Cluster,
    volumeID: int,
    accountID: int | None = None,
    access: str | None = None,
    qos: dict | None = None,
    qosPolicyID: int | None = None,
    associateWithQoSPolicy: bool | None = None,
    totalSize: int | None = None,
    attributes: dict | None = None,
    enableSnapMirrorReplication: bool | None = None,
    fifoSize: int | None = None,
    minFifoSize: int | None = None,
) -> Row:
    volume = active_volume(cluster, volumeID)
    changed: Row = {}
    if qos is not None and qosPolicyID is not None:
        raise ApiError("xInvalidParameter", "qos and qosPolicyID exclude each other")
    if accountID is not None:
        if accountID not in cluster.accounts:
            raise ApiError("xAccountIDDoesNotExist", f"Illegal AccountID {accountID}")
        changed["accountID"] = accountID
    if access is not None:
        if access not in ACCESS:
            raise ApiError("xUnrecognizedEnumString", f"{access} is no volume access")
        changed["access"] = access
    if totalSize is not None:
        total = rounded(cluster, totalSize)
        if total < volume["totalSize"]:
            raise ApiError("xVolumeShrinkProhibited", "A volume cannot be made smaller.")
        hold_room(cluster, total - volume["totalSize"])
        changed["totalSize"] = total
    if attributes is not None:
        changed["attributes"] = hold_attributes(attributes)
    policy = volume["qosPolicyID"]
    if qos is not None:
        before = volume["qos"] if cluster.merges_qos else cluster.default_qos
        changed["qos"], policy = figures(cluster, qos, before), None
    elif associateWithQoSPolicy is False:
        policy = None
    elif qosPolicyID is not None:
        changed["qos"], policy = dict(policy_of(cluster, qosPolicyID)["qos"]), qosPolicyID
    # All that could be refused has been looked at by now.
    volume |= changed
    associate(cluster, volume, policy)
    if volume["access"] in ("locked", "replicationTarget"):
        end_sessions(cluster, volumeID)
    cluster.on_change(volumeID)
    return {"volume": shown(cluster, volume)}


@api
def ModifyVolumes(
    cluster: Cluster,
    volumeIDs: list,
    accountID: int | None = None,
    access: str | None = None,
    qos: dict | None = None,
    qosPolicyID: int | None = None,
    associateWithQoSPolicy: bool | None = None,
    totalSize: int | None = None,
    attributes: dict | None = None,
) -> Row:
    if len(volumeIDs) > MOST_AT_ONCE:
        raise ApiError("xExceededLimit", f"At most {MOST_AT_ONCE} volumes at once")
    changes = (accountID, access, qos, qosPolicyID, associateWithQoSPolicy, totalSize, attributes)
    with cluster.all_or_nothing():
        return {"volumes": [ModifyVolume(cluster, number, *changes)["volume"] for number in volumeIDs]}


# Reading


def _paged(cluster: Cluster, rows: Iterable[Row], start: int, limit: int) -> Row:
    """From the id `start`, or the next higher one that there is."""
    found = sorted((row for row in rows if row["volumeID"] >= start), key=lambda row: row["volumeID"])
    return {"volumes": [shown(cluster, row) for row in (found[:limit] if limit else found)]}


@api
def ListVolumes(
    cluster: Cluster,
    startVolumeID: int | None = None,
    limit: int | None = None,
    accounts: list | None = None,
    volumeIDs: list | None = None,
    volumeStatus: str | None = None,
    volumeName: str | None = None,
    isPaired: bool | None = None,
    includeVirtualVolumes: bool = True,
) -> Row:
    if volumeIDs is not None and (startVolumeID is not None or limit is not None or accounts is not None):
        raise ApiError("xInvalidParameter", "volumeIDs excludes startVolumeID, limit and accounts")
    rows = [
        row
        for row in cluster.volumes.values()
        if (volumeIDs is None or row["volumeID"] in volumeIDs)
        and (accounts is None or row["accountID"] in accounts)
        and (volumeStatus is None or row["status"] == volumeStatus)
        and (volumeName is None or row["name"] == volumeName)
        and (isPaired is None or bool(row["volumePairs"]) == isPaired)
    ]
    return _paged(cluster, rows, startVolumeID or 0, limit or 0)


@api
def ListActiveVolumes(
    cluster: Cluster, startVolumeID: int = 0, limit: int = 0, includeVirtualVolumes: bool = True
) -> Row:
    rows = [row for row in cluster.volumes.values() if row["status"] == "active"]
    return _paged(cluster, rows, startVolumeID, limit)


@api
def ListVolumesForAccount(cluster: Cluster, accountID: int, startVolumeID: int = 0, limit: int = 0) -> Row:
    rows = [row for row in cluster.volumes.values() if row["accountID"] == accountID]
    return _paged(cluster, rows, startVolumeID, limit)


@api
def ListDeletedVolumes(cluster: Cluster, includeVirtualVolumes: bool = True) -> Row:
    return _paged(cluster, (row for row in cluster.volumes.values() if row["status"] == "deleted"), 0, 0)


@api
def GetVolumeCount(cluster: Cluster) -> Row:
    return {"count": len(cluster.volumes)}


# Going


def end_sessions(cluster: Cluster, number: int) -> None:
    cluster.sessions[:] = [session for session in cluster.sessions if session["volumeID"] != number]


@api
def DeleteVolume(cluster: Cluster, volumeID: int) -> Row:
    volume = active_volume(cluster, volumeID)
    now = cluster.now()
    purge_at = now + HOURS_UNTIL_PURGE * 3600
    volume |= {
        "status": "deleted",
        "deleteTime": timestamp(now),
        "purgeTime": timestamp(purge_at),
        "purge_at": purge_at,
    }
    end_sessions(cluster, volumeID)
    for group in cluster.groups.values():
        if volumeID in group["volumes"]:
            group["volumes"].remove(volumeID)
            group["deletedVolumes"].append(volumeID)
    cluster.on_change(volumeID)
    return {"volume": shown(cluster, volume)}


@api
def RestoreDeletedVolume(cluster: Cluster, volumeID: int) -> Row:
    volume = volume_of(cluster, volumeID)
    if volume["status"] == "deleted":
        volume |= {"status": "active", "deleteTime": "", "purgeTime": "", "purge_at": 0.0}
        for group in cluster.groups.values():
            if volumeID in group["deletedVolumes"]:
                group["deletedVolumes"].remove(volumeID)
                group["volumes"].append(volumeID)
        cluster.on_change(volumeID)
    return {}


@api
def PurgeDeletedVolume(cluster: Cluster, volumeID: int) -> Row:
    if volume_of(cluster, volumeID)["status"] != "deleted":
        raise cluster.refuse("purge of an active volume", f"VolumeID {volumeID} is not deleted.")
    cluster.purge(volumeID)
    return {}


def _chosen(
    cluster: Cluster, volumeIDs: list | None, accountIDs: list | None, groups: list | None, members: str
) -> list[int]:
    """Numbers of volumes as they are given; of accounts and groups, those that are `volumes` or `deletedVolumes`."""
    if sum(given is not None for given in (volumeIDs, accountIDs, groups)) != 1:
        raise ApiError("xInvalidParameter", "Exactly one of volumeIDs, accountIDs, volumeAccessGroupIDs is needed")
    if volumeIDs is not None:
        numbers = volumeIDs
    elif accountIDs is not None:
        rows = [row for row in cluster.volumes.values() if row["accountID"] in accountIDs]
        are_deleted = members == "deletedVolumes"
        numbers = [row["volumeID"] for row in rows if (row["status"] == "deleted") == are_deleted]
    else:
        numbers = [id for number in groups or () for id in group_of(cluster, number)[members]]
    if len(numbers) > MOST_AT_ONCE:
        raise ApiError("xExceededLimit", f"At most {MOST_AT_ONCE} volumes at once")
    return numbers


@api
def DeleteVolumes(
    cluster: Cluster,
    volumeIDs: list | None = None,
    accountIDs: list | None = None,
    volumeAccessGroupIDs: list | None = None,
) -> Row:
    numbers = _chosen(cluster, volumeIDs, accountIDs, volumeAccessGroupIDs, "volumes")
    for number in numbers:
        active_volume(cluster, number)
    return {"volumes": [DeleteVolume(cluster, number)["volume"] for number in numbers]}


@api
def PurgeDeletedVolumes(
    cluster: Cluster,
    volumeIDs: list | None = None,
    accountIDs: list | None = None,
    volumeAccessGroupIDs: list | None = None,
) -> Row:
    for number in _chosen(cluster, volumeIDs, accountIDs, volumeAccessGroupIDs, "deletedVolumes"):
        if cluster.volumes.get(number, {}).get("status") == "deleted":
            cluster.purge(number)
    return {}


# Snapshots


@api
def CreateSnapshot(
    cluster: Cluster,
    volumeID: int,
    snapshotID: int | None = None,
    name: str | None = None,
    attributes: dict | None = None,
    expirationTime: str | None = None,
    retention: str | None = None,
    enableRemoteReplication: bool = False,
    snapMirrorLabel: str | None = None,
    ensureSerialCreation: bool = False,
) -> Row:
    volume = active_volume(cluster, volumeID)
    own = sum(row["volumeID"] == volumeID for row in cluster.snapshots.values())
    if own >= cluster.limits["snapshotsPerVolumeMax"]:
        raise ApiError("xMaxSnapshotsPerVolumeExceeded", "The volume has all snapshots that it may have.")
    number, now = next(cluster.ids), timestamp(cluster.now())
    cluster.snapshots[number] = {
        "attributes": hold_attributes(attributes or {}),
        "checksum": "0x0",
        "createTime": now,
        "enableRemoteReplication": enableRemoteReplication,
        "expirationReason": "None",
        "expirationTime": expirationTime,
        "groupID": 0,
        "groupSnapshotUUID": "00000000-0000-0000-0000-000000000000",
        "instanceCreateTime": now,
        "instanceSnapshotUUID": str(uuid.uuid4()),
        "name": name or now,
        "snapMirrorLabel": snapMirrorLabel,
        "snapshotID": number,
        "snapshotUUID": str(uuid.uuid4()),
        "status": "done",
        "totalSize": volume["totalSize"],
        "virtualVolumeID": None,
        "volumeID": volumeID,
        "volumeName": volume["name"],
    }
    return {"snapshotID": number, "snapshot": cluster.snapshots[number], "checksum": "0x0"}


@api
def ListSnapshots(cluster: Cluster, volumeID: int | None = None, snapshotID: int | None = None) -> Row:
    if snapshotID is not None and snapshotID not in cluster.snapshots:
        raise ApiError("xSnapshotIDDoesNotExist", f"SnapshotID {snapshotID} does not exist.")
    rows = cluster.snapshots.values()
    return {
        "snapshots": [
            row for row in rows if volumeID in (None, row["volumeID"]) and snapshotID in (None, row["snapshotID"])
        ]
    }


@api
def DeleteSnapshot(cluster: Cluster, snapshotID: int) -> Row:
    if cluster.snapshots.pop(snapshotID, None) is None:
        raise ApiError("xSnapshotIDDoesNotExist", f"SnapshotID {snapshotID} does not exist.")
    return {}
