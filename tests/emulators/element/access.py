"""Who may reach a volume: accounts with their CHAP secrets, volume access groups, initiators."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable

from tests.emulators.element.cluster import ApiError, Cluster, Row, api
from tests.emulators.element.volumes import end_sessions, group_of, hold_attributes, volume_of

_NAMES = re.compile(r"iqn\.\d{4}-\d{2}\.[a-z0-9.-]+(?::[a-z0-9.:-]+)?|(?:[0-9a-f]{2}:){7}[0-9a-f]{2}|[0-9a-f]{16}")


# Accounts


def _secret(cluster: Cluster, given: str | None) -> str:
    least, most = cluster.limits["secretLengthMin"], cluster.limits["secretLengthMax"]
    if given is None:
        return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(most))
    if not least <= len(given) <= most:
        raise ApiError("xInvalidParameter", f"A secret has {least}..{most} characters")
    return given


def account_of(cluster: Cluster, number: int, error: str = "xAccountIDDoesNotExist") -> Row:
    if number not in cluster.accounts:
        raise ApiError(error, f"Illegal AccountID {number}" if error.startswith("xAccountID") else error)
    return cluster.accounts[number]


def _account(cluster: Cluster, account: Row) -> Row:
    number = account["accountID"]
    own = [id for id, volume in cluster.volumes.items() if volume["accountID"] == number]
    return {**account, "volumes": own}


@api
def AddAccount(
    cluster: Cluster,
    username: str,
    initiatorSecret: str | None = None,
    targetSecret: str | None = None,
    attributes: dict | None = None,
    enableChap: bool = True,
) -> Row:
    cluster.hold_name("account", username)
    if any(account["username"] == username for account in cluster.accounts.values()):
        raise ApiError("xDuplicateUsername", f"{username} is in use.")
    cluster.within("accountCountMax", len(cluster.accounts) + 1)
    number = next(cluster.ids)
    cluster.accounts[number] = {
        "accountID": number,
        "attributes": hold_attributes(attributes or {}),
        "enableChap": enableChap,
        "initiatorSecret": _secret(cluster, initiatorSecret),
        "status": "active",
        "storageContainerID": "00000000-0000-0000-0000-000000000000",
        "targetSecret": _secret(cluster, targetSecret),
        "username": username,
    }
    return {"accountID": number, "account": _account(cluster, cluster.accounts[number])}


@api
def ModifyAccount(
    cluster: Cluster,
    accountID: int,
    username: str | None = None,
    status: str | None = None,
    initiatorSecret: str | None = None,
    targetSecret: str | None = None,
    attributes: dict | None = None,
    enableChap: bool | None = None,
) -> Row:
    account = account_of(cluster, accountID)
    if username is not None:
        cluster.hold_name("account", username)
        if any(other["username"] == username for other in cluster.accounts.values() if other is not account):
            raise ApiError("xDuplicateUsername", f"{username} is in use.")
    if status not in (None, "active", "locked"):
        raise ApiError("xUnrecognizedEnumString", f"{status} is no account status")
    given = {
        "username": username,
        "status": status,
        "attributes": None if attributes is None else hold_attributes(attributes),
        "enableChap": enableChap,
        "initiatorSecret": None if initiatorSecret is None else _secret(cluster, initiatorSecret),
        "targetSecret": None if targetSecret is None else _secret(cluster, targetSecret),
    }
    account |= {name: value for name, value in given.items() if value is not None}
    for number, volume in cluster.volumes.items():
        if volume["accountID"] == accountID:
            if account["status"] == "locked":
                end_sessions(cluster, number)
            cluster.on_change(number)
    return {"account": _account(cluster, account)}


@api
def GetAccountByName(cluster: Cluster, username: str) -> Row:
    for account in cluster.accounts.values():
        if account["username"] == username:
            return {"account": _account(cluster, account)}
    raise ApiError("xUnknownAccount", "xUnknownAccount")


@api
def GetAccountByID(cluster: Cluster, accountID: int) -> Row:
    return {"account": _account(cluster, account_of(cluster, accountID, "xUnknownAccount"))}


@api
def ListAccounts(
    cluster: Cluster, startAccountID: int = 0, limit: int = 0, includeStorageContainers: bool = True
) -> Row:
    found = [_account(cluster, row) for id, row in sorted(cluster.accounts.items()) if id >= startAccountID]
    return {"accounts": found[:limit] if limit else found}


@api
def RemoveAccount(cluster: Cluster, accountID: int) -> Row:
    if _account(cluster, account_of(cluster, accountID))["volumes"]:
        raise cluster.refuse("account has volumes", f"AccountID {accountID} has volumes that are not purged.")
    del cluster.accounts[accountID]
    return {}


# Initiators


def _initiator_named(cluster: Cluster, name: str) -> Row | None:
    return next((row for row in cluster.initiators.values() if row["initiatorName"] == name), None)


def _initiator_of(cluster: Cluster, number: int) -> Row:
    if number not in cluster.initiators:
        raise ApiError("xInitiatorDoesNotExist", f"InitiatorID {number} does not exist.")
    return cluster.initiators[number]


def _add_initiator(cluster: Cluster, name: str, **more: object) -> Row:
    longest = cluster.limits["initiatorNameLengthMax"]
    if len(name) > longest or not _NAMES.fullmatch(name if name.startswith("iqn") else name.lower()):
        raise ApiError("xInvalidParameter", f"'{name}' is no initiator name")
    cluster.within("initiatorCountMax", len(cluster.initiators) + 1)
    number = next(cluster.ids)
    cluster.initiators[number] = {
        "alias": "",
        "attributes": {},
        "initiatorID": number,
        "initiatorName": name,
        "requireChap": False,
        "chapUsername": None,
        "initiatorSecret": None,
        "targetSecret": None,
        "virtualNetworkIDs": [],
        **more,
    }
    return cluster.initiators[number]


def _initiator(cluster: Cluster, row: Row) -> Row:
    number = row["initiatorID"]
    return {**row, "volumeAccessGroups": [id for id, group in cluster.groups.items() if number in group["initiators"]]}


@api
def CreateInitiators(cluster: Cluster, initiators: list) -> Row:
    if not all(row.get("name") for row in initiators):
        raise ApiError("xMissingParameter", "Missing member=[name]")
    names = [row["name"] for row in initiators]
    for name in names:
        if _initiator_named(cluster, name) is not None or names.count(name) > 1:
            raise ApiError("xInitiatorExists", f"Initiator {name} exists.")
    made = []
    with cluster.all_or_nothing():
        for row in initiators:
            new = _add_initiator(cluster, row["name"], **_told(cluster, row))
            if row.get("volumeAccessGroupID") is not None:
                _join(cluster, group_of(cluster, row["volumeAccessGroupID"]), new["initiatorID"])
            made.append(new)
    return {"initiators": [_initiator(cluster, row) for row in made]}


def _told(cluster: Cluster, given: Row) -> Row:
    """What a call says of an initiator, besides its name and its group."""
    told = {name: given[name] for name in ("alias", "attributes", "requireChap", "chapUsername") if given.get(name)}
    if len(told.get("alias", "")) > cluster.limits["initiatorAliasLengthMax"]:
        raise ApiError("xInvalidParameter", "The alias is too long")
    hold_attributes(told.get("attributes", {}))
    secrets = ("initiatorSecret", "targetSecret")
    return told | {name: _secret(cluster, given[name]) for name in secrets if given.get(name)}


@api
def ModifyInitiators(cluster: Cluster, initiators: list) -> Row:
    with cluster.all_or_nothing():
        for row in initiators:
            number = row.get("initiatorID")
            _initiator_of(cluster, number).update(_told(cluster, row))
            if "volumeAccessGroupID" not in row:
                continue
            for group in cluster.groups.values():
                if number in group["initiators"]:
                    group["initiators"].remove(number)
                    _changed(cluster, group)
            if row["volumeAccessGroupID"] is not None:
                _join(cluster, group_of(cluster, row["volumeAccessGroupID"]), number)
                _changed(cluster, group_of(cluster, row["volumeAccessGroupID"]))
    return {"initiators": [_initiator(cluster, _initiator_of(cluster, row["initiatorID"])) for row in initiators]}


@api
def ListInitiators(cluster: Cluster, startInitiatorID: int = 0, limit: int = 0, initiators: list | None = None) -> Row:
    if initiators is not None:
        return {"initiators": [_initiator(cluster, _initiator_of(cluster, number)) for number in initiators]}
    found = [_initiator(cluster, row) for id, row in sorted(cluster.initiators.items()) if id >= startInitiatorID]
    return {"initiators": found[:limit] if limit else found}


@api
def DeleteInitiators(cluster: Cluster, initiators: list) -> Row:
    for number in initiators:
        _initiator_of(cluster, number)
    for number in initiators:
        for group in cluster.groups.values():
            if number in group["initiators"]:
                group["initiators"].remove(number)
                _changed(cluster, group)
        del cluster.initiators[number]
    return {}


# Volume access groups


def _group(cluster: Cluster, group: Row) -> Row:
    names = [cluster.initiators[number]["initiatorName"] for number in group["initiators"]]
    return {
        "attributes": group["attributes"],
        "deletedVolumes": list(group["deletedVolumes"]),
        "initiatorIDs": list(group["initiators"]),
        "initiators": names,
        "name": group["name"],
        "volumeAccessGroupID": group["volumeAccessGroupID"],
        "volumes": list(group["volumes"]),
    }


def _changed(cluster: Cluster, group: Row) -> None:
    for number in group["volumes"]:
        cluster.on_change(number)


def _join(cluster: Cluster, group: Row, initiator: int) -> None:
    others = [other for other in cluster.groups.values() if other is not group and initiator in other["initiators"]]
    name = cluster.initiators[initiator]["initiatorName"]
    if len(others) + 1 > cluster.limits["volumeAccessGroupsPerInitiatorCountMax"]:
        most = cluster.limits["volumeAccessGroupsPerInitiatorCountMax"]
        raise ApiError("xExceededLimit", f"Initiator {name} exceeds volumeAccessGroupsPerInitiatorCountMax={most}")
    number = group["volumeAccessGroupID"]
    cluster.within("initiatorsPerVolumeAccessGroupCountMax", len(group["initiators"]) + 1, f"group {number}")
    group["initiators"].append(initiator)


def _admit_initiators(cluster: Cluster, group: Row, given: Iterable[object], *, strict: bool) -> None:
    for item in given:
        if isinstance(item, int):
            row = _initiator_of(cluster, item)
        else:
            row = _initiator_named(cluster, str(item)) or _add_initiator(cluster, str(item))
        if row["initiatorID"] not in group["initiators"]:
            _join(cluster, group, row["initiatorID"])
        elif strict:
            raise ApiError("xAlreadyInVolumeAccessGroup", f"{row['initiatorName']} is in the group already.")


def _admit_volumes(cluster: Cluster, group: Row, given: Iterable[int], *, strict: bool) -> None:
    for number in given:
        volume_of(cluster, number)
        if number in group["volumes"]:
            if strict:
                raise ApiError("xAlreadyInVolumeAccessGroup", f"VolumeID {number} is in the group already.")
            continue
        groups = sum(number in other["volumes"] for other in cluster.groups.values())
        cluster.within("volumeAccessGroupsPerVolumeCountMax", groups + 1, f"VolumeID {number}")
        cluster.within("volumesPerVolumeAccessGroupCountMax", len(group["volumes"]) + 1)
        group["volumes"].append(number)


@api
def CreateVolumeAccessGroup(
    cluster: Cluster,
    name: str,
    initiators: list | None = None,
    volumes: list | None = None,
    attributes: dict | None = None,
) -> Row:
    cluster.hold_name("volumeAccessGroup", name)
    cluster.within("volumeAccessGroupCountMax", len(cluster.groups) + 1)
    group = {
        "attributes": hold_attributes(attributes or {}),
        "deletedVolumes": [],
        "initiators": [],
        "name": name,
        "volumeAccessGroupID": next(cluster.ids),
        "volumes": [],
    }
    with cluster.all_or_nothing():
        _admit_initiators(cluster, group, initiators or (), strict=False)
        _admit_volumes(cluster, group, volumes or (), strict=False)
    cluster.groups[group["volumeAccessGroupID"]] = group
    _changed(cluster, group)
    return {"volumeAccessGroupID": group["volumeAccessGroupID"], "volumeAccessGroup": _group(cluster, group)}


@api
def ModifyVolumeAccessGroup(
    cluster: Cluster,
    volumeAccessGroupID: int,
    name: str | None = None,
    initiators: list | None = None,
    volumes: list | None = None,
    attributes: dict | None = None,
    deleteOrphanInitiators: bool | None = None,
) -> Row:
    with cluster.all_or_nothing():
        return _modify_group(
            cluster, volumeAccessGroupID, name, initiators, volumes, attributes, deleteOrphanInitiators
        )


def _modify_group(
    cluster: Cluster,
    number: int,
    name: str | None,
    initiators: list | None,
    volumes: list | None,
    attributes: dict | None,
    drop_orphans: bool | None,
) -> Row:
    group = group_of(cluster, number)
    before, initiators_before = list(group["volumes"]), list(group["initiators"])
    if name is not None:
        cluster.hold_name("volumeAccessGroup", name)
        group["name"] = name
    if initiators is not None:
        group["initiators"] = []
        _admit_initiators(cluster, group, initiators, strict=False)
    if volumes is not None:
        group["volumes"] = []
        _admit_volumes(cluster, group, volumes, strict=False)
    if attributes is not None:
        group["attributes"] = hold_attributes(attributes)
    _drop_orphans(cluster, initiators_before, drop_orphans)
    for volume in {*before, *group["volumes"]}:
        cluster.on_change(volume)
    return {"volumeAccessGroup": _group(cluster, group)}


@api
def AddVolumesToVolumeAccessGroup(cluster: Cluster, volumeAccessGroupID: int, volumes: list) -> Row:
    group = group_of(cluster, volumeAccessGroupID)
    _admit_volumes(cluster, group, volumes, strict=True)
    _changed(cluster, group)
    return {"volumeAccessGroup": _group(cluster, group)}


@api
def RemoveVolumesFromVolumeAccessGroup(cluster: Cluster, volumeAccessGroupID: int, volumes: list) -> Row:
    group = group_of(cluster, volumeAccessGroupID)
    for number in volumes:
        if number not in group["volumes"]:
            raise ApiError("xNotInVolumeAccessGroup", f"VolumeID {number} is not in the group.")
    group["volumes"] = [number for number in group["volumes"] if number not in volumes]
    for number in volumes:
        cluster.on_change(number)
    return {"volumeAccessGroup": _group(cluster, group)}


@api
def AddInitiatorsToVolumeAccessGroup(cluster: Cluster, volumeAccessGroupID: int, initiators: list) -> Row:
    group = group_of(cluster, volumeAccessGroupID)
    _admit_initiators(cluster, group, initiators, strict=True)
    _changed(cluster, group)
    return {"volumeAccessGroup": _group(cluster, group)}


@api
def RemoveInitiatorsFromVolumeAccessGroup(
    cluster: Cluster, volumeAccessGroupID: int, initiators: list, deleteOrphanInitiators: bool | None = None
) -> Row:
    group = group_of(cluster, volumeAccessGroupID)
    for item in initiators:
        row = _initiator_of(cluster, item) if isinstance(item, int) else _initiator_named(cluster, str(item))
        if row is None or row["initiatorID"] not in group["initiators"]:
            raise ApiError("xNotInVolumeAccessGroup", f"{item} is not in the group.")
        group["initiators"].remove(row["initiatorID"])
        _drop_orphans(cluster, [row["initiatorID"]], deleteOrphanInitiators)
    _changed(cluster, group)
    return {"volumeAccessGroup": _group(cluster, group)}


@api
def DeleteVolumeAccessGroup(
    cluster: Cluster, volumeAccessGroupID: int, deleteOrphanInitiators: bool | None = None, force: bool = False
) -> Row:
    group = group_of(cluster, volumeAccessGroupID)
    del cluster.groups[volumeAccessGroupID]
    _drop_orphans(cluster, group["initiators"], deleteOrphanInitiators)
    _changed(cluster, group)
    return {}


def _drop_orphans(cluster: Cluster, initiators: Iterable[int], wanted: bool | None) -> None:
    """Those that have been in a group and are in none now. The documents do not agree on what goes without saying."""
    if cluster.drops_orphans if wanted is None else wanted:
        grouped = {number for group in cluster.groups.values() for number in group["initiators"]}
        for number in set(initiators) - grouped:
            cluster.initiators.pop(number, None)


@api
def ListVolumeAccessGroups(
    cluster: Cluster,
    startVolumeAccessGroupID: int = 0,
    limit: int = 0,
    volumeAccessGroups: list | None = None,
) -> Row:
    if volumeAccessGroups is not None:
        missing = [number for number in volumeAccessGroups if number not in cluster.groups]
        found = [_group(cluster, cluster.groups[id]) for id in volumeAccessGroups if id in cluster.groups]
        return {"volumeAccessGroups": found, "volumeAccessGroupsNotFound": missing}
    found = [_group(cluster, row) for id, row in sorted(cluster.groups.items()) if id >= startVolumeAccessGroupID]
    return {"volumeAccessGroups": found[:limit] if limit else found}


@api
def GetVolumeAccessGroupLunAssignments(cluster: Cluster, volumeAccessGroupID: int) -> Row:
    group = group_of(cluster, volumeAccessGroupID)
    assigned = [{"volumeID": number, "lun": lun} for lun, number in enumerate(group["volumes"])]
    return {
        "volumeAccessGroupLunAssignments": {
            "volumeAccessGroupID": volumeAccessGroupID,
            "lunAssignments": assigned,
            "deletedLunAssignments": [],
        }
    }
