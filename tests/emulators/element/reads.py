"""What the cluster says of itself."""

from __future__ import annotations

from tests.emulators.element.cluster import METHODS, VERSIONS, Cluster, Row, api, timestamp
from tests.emulators.element.volumes import most_provisioned, provisioned, volume_of

_SCHEMES = ["doubleHelix"]
_BLOCK = 4096


@api
def GetAPI(cluster: Cluster) -> Row:
    newest = cluster.versions[-1]
    return {"currentVersion": newest, "supportedVersions": cluster.versions, str(newest): sorted(METHODS)}


@api
def GetClusterInfo(cluster: Cluster) -> Row:
    return {
        "clusterInfo": {
            "attributes": {},
            "defaultProtectionScheme": _SCHEMES[0],
            "enabledProtectionSchemes": _SCHEMES,
            "encryptionAtRestState": "disabled",
            "ensemble": [cluster.mvip],
            "mvip": cluster.mvip,
            "mvipInterface": "Bond1G",
            "mvipNodeID": 1,
            "mvipVlanTag": "0",
            "name": cluster.name,
            "repCount": 2,
            "softwareEncryptionAtRestState": "disabled",
            "supportedProtectionSchemes": _SCHEMES,
            "svip": cluster.svip,
            "svipInterface": "Bond10G",
            "svipNodeID": 1,
            "svipVlanTag": "0",
            "uniqueID": cluster.unique_id,
            "uuid": cluster.uuid,
        }
    }


@api
def GetClusterVersionInfo(cluster: Cluster) -> Row:
    version = f"{VERSIONS[-1]}.0.958"
    return {
        "clusterAPIVersion": VERSIONS[-1],
        "clusterVersion": version,
        "clusterVersionInfo": [{"nodeID": 1, "nodeInternalRevision": "", "nodeVersion": version}],
        "softwareVersionInfo": {
            "currentVersion": version,
            "nodeID": 0,
            "packageName": "",
            "pendingVersion": version,
            "startTime": "",
        },
    }


@api
def GetLimits(cluster: Cluster) -> Row:
    return dict(cluster.limits)


@api
def GetClusterCapacity(cluster: Cluster) -> Row:
    used = provisioned(cluster) // 10
    return {
        "clusterCapacity": {
            "activeBlockSpace": used,
            "activeSessions": len(cluster.sessions),
            "averageIOPS": 0,
            "clusterRecentIOSize": 0,
            "currentIOPS": 0,
            "maxIOPS": cluster.max_iops,
            "maxOverProvisionableSpace": most_provisioned(cluster),
            "maxProvisionedSpace": cluster.raw_bytes,
            "maxUsedMetadataSpace": cluster.raw_bytes // 50,
            "maxUsedSpace": cluster.raw_bytes,
            "nonZeroBlocks": used // _BLOCK,
            "peakActiveSessions": len(cluster.sessions),
            "peakIOPS": 0,
            "provisionedSpace": provisioned(cluster),
            "snapshotNonZeroBlocks": 0,
            "timestamp": timestamp(cluster.now()),
            "totalOps": 0,
            "uniqueBlocks": used // _BLOCK,
            "uniqueBlocksUsedSpace": used,
            "usedMetadataSpace": 0,
            "usedMetadataSpaceInSnapshots": 0,
            "usedSpace": used,
            "zeroBlocks": (provisioned(cluster) - used) // _BLOCK,
        }
    }


@api
def GetClusterFullThreshold(cluster: Cluster) -> Row:
    raw = cluster.raw_bytes
    return {
        "blockFullness": cluster.fullness,
        "fullness": cluster.fullness,
        "maxMetadataOverProvisionFactor": 5,
        "metadataFullness": "stage1Happy",
        "sliceReserveUsedThresholdPct": 5,
        "stage2AwareThreshold": 3,
        "stage2BlockThresholdBytes": raw * 6 // 10,
        "stage2MetadataThresholdBytes": raw // 100,
        "stage3BlockThresholdBytes": raw * 7 // 10,
        "stage3BlockThresholdPercent": 3,
        "stage3LowThreshold": 2,
        "stage3MetadataThresholdBytes": raw // 80,
        "stage3MetadataThresholdPercent": 3,
        "stage4BlockThresholdBytes": raw * 8 // 10,
        "stage4CriticalThreshold": 1,
        "stage4MetadataThresholdBytes": raw // 60,
        "stage5BlockThresholdBytes": raw,
        "stage5MetadataThresholdBytes": raw // 50,
        "sumTotalClusterBytes": raw,
        "sumTotalMetadataClusterBytes": raw // 50,
        "sumUsedClusterBytes": provisioned(cluster) // 10,
        "sumUsedMetadataClusterBytes": 0,
    }


@api
def ListISCSISessions(cluster: Cluster) -> Row:
    return {"sessions": list(cluster.sessions)}


@api
def GetVolumeStats(cluster: Cluster, volumeID: int) -> Row:
    volume = volume_of(cluster, volumeID)
    return {
        "volumeStats": {
            "accountID": volume["accountID"],
            "actualIOPS": 0,
            "nonZeroBlocks": 0,
            "readBytes": 0,
            "readOps": 0,
            "timestamp": timestamp(cluster.now()),
            "unalignedReads": 0,
            "unalignedWrites": 0,
            "volumeAccessGroups": [id for id, group in cluster.groups.items() if volumeID in group["volumes"]],
            "volumeID": volumeID,
            "volumeSize": volume["totalSize"],
            "writeBytes": 0,
            "writeOps": 0,
            "zeroBlocks": volume["totalSize"] // _BLOCK,
        }
    }
