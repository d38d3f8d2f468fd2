"""How many calls a cluster gets, as it counts them: one more for each volume would show here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.bench_element import CLUSTERS, HOSTS, changes, measure
from tests.emulators.running import Element

VOLUMES = 32
PAGES = 3
"""That list them all, the last one empty."""
OPEN_TWICE = {
    "GetAPI": 2,
    "GetClusterInfo": 2,
    "GetLimits": 2,
    "GetDefaultQoS": 2,
    "GetClusterCapacity": 3,
    "GetClusterFullThreshold": 3,
}
"""By the plan and the apply; and what room there is also by what reads back."""
POLICIES = 2
"""Each is made after its first volume, which is then put under it."""
CREATE = {
    "CreateVolume": VOLUMES,
    "ListVolumes": VOLUMES + 2 + 2 * PAGES,
    "CreateQoSPolicy": POLICIES,
    "ListQoSPolicies": 1 + 2 * POLICIES,
}
ONE_ACCOUNT = {"GetAccountByName": 1, "AddAccount": 1}
JOIN = {"ListInitiators": HOSTS, "CreateInitiators": HOSTS, "ListVolumeAccessGroups": HOSTS + 2}
ACCOUNTS = {"GetAccountByName": HOSTS + 1, "AddAccount": HOSTS + 1}
READ = {
    "GetAPI": 1,
    "GetClusterInfo": 1,
    "GetLimits": 1,
    "GetDefaultQoS": 1,
    "GetClusterCapacity": 1,
    "GetClusterFullThreshold": 1,
}


@pytest.mark.parametrize(
    ("access", "opened", "listed"),
    [
        (
            "groups",
            {
                **ONE_ACCOUNT,
                **JOIN,
                "CreateVolumeAccessGroup": HOSTS,
                "AddVolumesToVolumeAccessGroup": VOLUMES - HOSTS,
                "ModifyVolume": POLICIES,
            },
            "ListVolumeAccessGroups",
        ),
        (
            "cluster",
            {
                **ONE_ACCOUNT,
                **JOIN,
                "CreateVolumeAccessGroup": CLUSTERS,
                "AddInitiatorsToVolumeAccessGroup": HOSTS - CLUSTERS,
                "AddVolumesToVolumeAccessGroup": VOLUMES - CLUSTERS,
                "ModifyVolume": VOLUMES + POLICIES,
            },
            "ListVolumeAccessGroups",
        ),
        ("chap", {**ACCOUNTS, "ModifyVolume": VOLUMES + POLICIES}, "ListAccounts"),
    ],
    ids=["groups", "cluster", "chap"],
)
def test_calls_do_not_grow_unseen(
    element: Element,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    access: str,
    opened: dict[str, int],
    listed: str,
) -> None:
    monkeypatch.setattr("providers.solidfire.volumes.PAGE", VOLUMES // (PAGES - 1))
    figures = measure(element, tmp_path, VOLUMES, access)
    assert figures.apply == {**OPEN_TWICE, **CREATE, **opened}
    assert figures.refresh == {**READ, "ListVolumes": 2 * PAGES, "ListQoSPolicies": 1, listed: 1}
    assert changes(figures.offering) == {"ModifyQoSPolicy": 1}
