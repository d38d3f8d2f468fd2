"""Quality of service: figures of volumes, the cluster's default, and policies."""

from __future__ import annotations

from tests.emulators.element.cluster import ApiError, Cluster, Row, api

CURVE = {
    "4096": 100,
    "8192": 160,
    "16384": 270,
    "32768": 500,
    "65536": 1000,
    "131072": 1950,
    "262144": 3900,
    "524288": 7600,
    "1048576": 15000,
}
"""Cost of an I/O by its size, in hundredths of one of 4 KiB."""

FIGURES = ("minIOPS", "maxIOPS", "burstIOPS")


def figures(cluster: Cluster, given: Row, before: Row) -> Row:
    """The figures that come of `given` where `before` is in force."""
    merged = {name: before[name] for name in FIGURES}
    for name, value in given.items():
        if name not in (*FIGURES, "burstTime", "curve"):
            raise ApiError("xInvalidParameter", f"QoS has no {name}")
        if name in FIGURES:
            if type(value) is not int:
                raise ApiError("xInvalidParameterType", f"{name} is of the wrong type")
            merged[name] = value
    for name in FIGURES:
        limit = f"volume{name[0].upper()}{name[1:]}"
        least, most = cluster.limits[f"{limit}Min"], cluster.limits[f"{limit}Max"]
        if not least <= merged[name] <= most:
            raise cluster.refuse("qos out of range", f"{name}={merged[name]} is not in {least}..{most}")
    if not merged["minIOPS"] <= merged["maxIOPS"] <= merged["burstIOPS"]:
        raise cluster.refuse("qos out of range", "minIOPS <= maxIOPS <= burstIOPS does not hold")
    return merged


def shown_figures(qos: Row) -> Row:
    return {**qos, "burstTime": 60, "curve": CURVE}


def policy_of(cluster: Cluster, number: int) -> Row:
    if number not in cluster.policies:
        raise ApiError("xQoSPolicyDoesNotExist", f"QoSPolicyID {number} does not exist.")
    return cluster.policies[number]


def associate(cluster: Cluster, volume: Row, policy: int | None) -> None:
    """Put a volume under a policy, or take it out of the one that it is under; its figures are the caller's."""
    for row in cluster.policies.values():
        row["volumeIDs"] = [each for each in row["volumeIDs"] if each != volume["volumeID"]]
    if policy is not None:
        policy_of(cluster, policy)["volumeIDs"].append(volume["volumeID"])
    volume["qosPolicyID"] = policy


def _shown(policy: Row) -> Row:
    return {**policy, "qos": shown_figures(policy["qos"]), "volumeIDs": sorted(policy["volumeIDs"])}


@api
def CreateQoSPolicy(cluster: Cluster, name: str, qos: dict) -> Row:
    cluster.hold_name("qosPolicy", name)
    cluster.within("qosPolicyCountMax", len(cluster.policies) + 1)
    number = next(cluster.ids)
    row = {
        "qosPolicyID": number,
        "name": name,
        "qos": figures(cluster, qos, cluster.default_qos),
        "volumeIDs": [],
    }
    cluster.policies[number] = row
    return {"qosPolicy": _shown(row)}


@api
def ModifyQoSPolicy(cluster: Cluster, qosPolicyID: int, name: str | None = None, qos: dict | None = None) -> Row:
    policy = policy_of(cluster, qosPolicyID)
    if name is not None:
        cluster.hold_name("qosPolicy", name)
    if qos is not None:
        policy["qos"] = figures(cluster, qos, policy["qos"])
        for number in policy["volumeIDs"]:
            cluster.volumes[number]["qos"] = dict(policy["qos"])
    policy["name"] = name or policy["name"]
    return {"qosPolicy": _shown(policy)}


@api
def GetQoSPolicy(cluster: Cluster, qosPolicyID: int) -> Row:
    return {"qosPolicy": _shown(policy_of(cluster, qosPolicyID))}


@api
def ListQoSPolicies(cluster: Cluster) -> Row:
    return {"qosPolicies": [_shown(policy) for policy in cluster.policies.values()]}


@api
def DeleteQoSPolicy(cluster: Cluster, qosPolicyID: int) -> Row:
    for number in policy_of(cluster, qosPolicyID)["volumeIDs"]:
        cluster.volumes[number]["qosPolicyID"] = None
    del cluster.policies[qosPolicyID]
    return {}


@api
def GetDefaultQoS(cluster: Cluster) -> Row:
    return shown_figures(cluster.default_qos)


@api
def SetDefaultQoS(
    cluster: Cluster, minIOPS: int | None = None, maxIOPS: int | None = None, burstIOPS: int | None = None
) -> Row:
    given = {"minIOPS": minIOPS, "maxIOPS": maxIOPS, "burstIOPS": burstIOPS}
    wanted = {name: value for name, value in given.items() if value is not None}
    cluster.default_qos = figures(cluster, wanted, cluster.default_qos)
    return dict(cluster.default_qos)
