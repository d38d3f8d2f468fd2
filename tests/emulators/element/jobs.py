"""Clones, and the results of work that goes on after its call has answered."""

from __future__ import annotations

from tests.emulators.element.cluster import ApiError, Cluster, Row, api, timestamp
from tests.emulators.element.policies import associate
from tests.emulators.element.volumes import active_volume, add_volume, shown


@api
def CloneVolume(
    cluster: Cluster,
    volumeID: int,
    name: str,
    newAccountID: int | None = None,
    newSize: int | None = None,
    access: str | None = None,
    snapshotID: int | None = None,
    attributes: dict | None = None,
    enable512e: bool | None = None,
    enableSnapMirrorReplication: bool | None = None,
) -> Row:
    source = active_volume(cluster, volumeID)
    if snapshotID is not None and snapshotID not in cluster.snapshots:
        raise ApiError("xSnapshotIDDoesNotExist", f"SnapshotID {snapshotID} does not exist.")
    begins = _begins(cluster, volumeID)
    size = source["totalSize"] if newSize is None else newSize
    if size < source["totalSize"]:
        raise ApiError("xVolumeShrinkProhibited", "A clone cannot be smaller than its source.")
    clone = add_volume(
        cluster,
        name,
        source["accountID"] if newAccountID is None else newAccountID,
        size,
        dict(source["qos"]),
        dict(source["attributes"]) if attributes is None else attributes,
        source["enable512e"] if enable512e is None else enable512e,
    )
    ready = begins + cluster.clone_seconds
    clone |= {"status": "init", "access": access or source["access"], "ready_at": ready}
    associate(cluster, clone, source["qosPolicyID"])
    handle, clone_id, now = next(cluster.ids), next(cluster.ids), cluster.now()
    cluster.jobs[handle] = {
        "asyncResultID": handle,
        "completed": False,
        "createTime": timestamp(now),
        "data": {"cloneID": clone_id, "message": "", "volumeID": clone["volumeID"]},
        "error": {"name": cluster.clone_error, "message": "The clone has ended."} if cluster.clone_error else None,
        "lastUpdateTime": timestamp(now),
        "ready_at": ready,
        "resultType": "Clone",
        "source": volumeID,
        "success": not cluster.clone_error,
    }
    whole = shown(cluster, clone)
    return {
        "asyncHandle": handle,
        "cloneID": clone_id,
        "volumeID": clone["volumeID"],
        "volume": whole,
        "curve": whole["qos"]["curve"],
    }


def _begins(cluster: Cluster, source: int) -> float:
    """When a clone of a volume begins that is asked for now: as soon as fewer are under way than may be."""
    running = [job for job in cluster.jobs.values() if not job["completed"]]
    of_source = [job for job in running if job["source"] == source]
    begins = cluster.now()
    for of, jobs in (("Volume", of_source), ("Node", running)):
        most = cluster.limits[f"cloneJobsPer{of}Max"]
        if len(jobs) >= most:
            if not cluster.queues_clones:
                raise ApiError(f"xMaxClonesPer{of}Exceeded", f"The {of.lower()} has all clone jobs that it may have.")
            begins = max(begins, sorted(job["ready_at"] for job in jobs)[-most])
    return begins


@api
def GetAsyncResult(cluster: Cluster, asyncHandle: int, keepResult: bool = False) -> Row:
    job = cluster.jobs.get(asyncHandle)
    if job is None:
        raise ApiError("xAsyncHandleDoesNotExist", f"AsyncHandle {asyncHandle} does not exist.")
    answer = {
        "status": "complete" if job["completed"] else "running",
        "createTime": job["createTime"],
        "lastUpdateTime": job["lastUpdateTime"],
        "resultType": job["resultType"],
    }
    if not job["completed"]:
        return answer | {"details": {"bytes": 0, "volumeID": job["data"]["volumeID"]}}
    if not keepResult:
        del cluster.jobs[asyncHandle]
    if job["error"] is not None:
        return answer | {"error": job["error"]}
    return answer | {"result": job["data"]}


@api
def ListAsyncResults(cluster: Cluster, asyncResultTypes: list | None = None) -> Row:
    wanted = asyncResultTypes or [job["resultType"] for job in cluster.jobs.values()]
    shown_fields = ("asyncResultID", "completed", "createTime", "lastUpdateTime", "resultType", "success", "data")
    return {
        "asyncHandles": [
            {name: job[name] for name in shown_fields} for job in cluster.jobs.values() if job["resultType"] in wanted
        ]
    }
