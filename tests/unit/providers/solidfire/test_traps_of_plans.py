"""
Traps that a whole plan has to see, with an Element cluster as its array: a test for each, named after what must not
happen. The numbers are those of the list in `test_traps.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from planner import operations
from planner.errors import InvalidConfiguration, NoRoom
from planner.planning.plan import Action
from planner.planning.scan import Scan
from planner.views.diagnostics_text import render_diagnostics
from planner.views.progress import render_result
from planner.views.style import Style
from tests import lies
from tests.emulators.running import PASSWORD, USER, Element
from tests.project import Project, change, text
from tests.unit.providers.solidfire.asking import GIB, KVM1, KVM2, groups, made_by_others, sent, there

CONFIGURATION = """
provider "solidfire" {
  endpoint = "ENDPOINT"
  username = "USER"
  password = "PASSWORD"
  ca_file  = "CERTIFICATE"
}

provider "sandbox" {
  path = PATH
}

disk_offering "media" {
  min_iops        = FLOOR
  max_iops        = 1000
  burst_iops      = 1500
  qos_enforcement = "storage"
  OFFERING
}

pool "san" {
  provider = solidfire
  POOL
}

host "kvm" {
  provider  = sandbox
  address   = "10.0.0.11"
  initiator = "INITIATOR"
}

volume "db" {
  offering = disk_offering.media
  size     = "SIZE"
  VOLUME
  attach {
    host = host.kvm
    VM
  }
}
"""
OWN = """
disk_offering "custom" {
  custom_iops = true
}
volume "own" {
  offering   = disk_offering.custom
  size       = "1GiB"
  min_iops   = 500
  max_iops   = 1000
  burst_iops = 1500
}
"""
BUDGET = "capacity_iops = 1200"


class Site(Project):
    """A directory with a volume on the emulated cluster."""

    def __init__(self, directory: Path, element: Element) -> None:
        self.element = element
        super().__init__(directory, self.filled())

    def filled(self, more: str = "", **given: str) -> str:
        values = {
            "ENDPOINT": self.element.endpoint,
            "USER": USER,
            "PASSWORD": PASSWORD,
            "CERTIFICATE": str(self.element.certificate),
            "FLOOR": "500",
            "SIZE": "1GiB",
            "INITIATOR": str(KVM1.initiator),
            **dict.fromkeys(("OFFERING", "POOL", "VOLUME", "VM"), ""),
            **given,
        }
        filled = CONFIGURATION + more
        for name, value in values.items():
            filled = filled.replace(name, value)
        return filled

    def configure(self, more: str = "", **given: str) -> None:
        self.write(self.filled(more, **given))

    def refusal(self) -> str:
        """What the plan is refused with, in one line."""
        with pytest.raises(InvalidConfiguration) as refused:
            self.plan()
        return " ".join(render_diagnostics(refused.value.diagnostics, Style(False)).split())

    def scan(self) -> Scan:
        project = self.load()
        with closing(operations.store_of(project)) as store:
            found, diagnostics = operations.scan(project, store)
        assert not diagnostics
        return found.scan

    def number(self) -> int:
        return int(self.recorded("volume.db")["id"].rpartition(":")[2])

    def row(self) -> dict[str, Any]:
        (row,) = (row for row in there(self.element) if row["volumeID"] == self.number())
        return dict(row)


@pytest.fixture
def site(tmp_path: Path, element: Element) -> Site:
    return Site(tmp_path, element)


@pytest.fixture
def applied(site: Site) -> Site:
    assert site.apply().complete
    return site


# 1. Identity is the number, ownership is an attribute


def test_what_is_recorded_is_the_cluster_and_the_number(applied: Site, element: Element) -> None:
    uuid = element.call("GetClusterInfo")["clusterInfo"]["uuid"]
    assert applied.recorded("volume.db")["id"] == f"{uuid}:{there(element)[0]['volumeID']}"
    assert applied.row()["attributes"]["lunform"]["address"] == "volume.db"


def test_hosts_with_dots_in_their_names_have_groups_of_their_own(site: Site, element: Element) -> None:
    more = """
host "dotted" {
  for_each  = { "a.example.com" = "iqn.1993-08.org.debian:01:a", "b.example.com" = "iqn.1993-08.org.debian:01:b" }
  provider  = sandbox
  address   = "10.0.0.12"
  initiator = each.value
}
volume "each" {
  for_each = host.dotted
  offering = disk_offering.media
  size     = "1GiB"
  attach {
    host = host.dotted[each.key]
  }
}
"""
    site.configure(more)
    assert site.apply().complete
    assert [(len(group["initiators"]), len(group["volumes"])) for group in groups(element)] == [(1, 1)] * 3
    for key in ("kvm", "a-example-com", "b-example-com"):
        assert any(group["name"].startswith(f"lunform-{key}") for group in groups(element))


# 5. What changes in place, and what is another volume


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"SIZE": "2GiB"}, "totalSize"), ({"FLOOR": "600"}, "qos"), ({"INITIATOR": str(KVM2.initiator)}, None)],
    ids=["size", "figures", "access"],
)
def test_no_volume_is_replaced_for_what_changes_in_place(
    applied: Site, element: Element, changed: dict[str, str], field: str | None
) -> None:
    before = applied.row()
    applied.configure(**changed)
    plan = applied.plan()
    assert change(plan, "volume.db").action is Action.UPDATE
    assert applied.apply(plan).complete
    after = applied.row()
    assert after["volumeID"] == before["volumeID"]
    assert {name for name in before if before[name] != after[name]} - {"volumeAccessGroups", "qosPolicyID"} == (
        {field} if field else set()
    )
    if field is None:
        assert [group["initiators"] for group in groups(element)] == [[KVM2.initiator]]
    assert applied.plan().is_empty


def test_no_volume_shrinks(applied: Site, element: Element) -> None:
    applied.configure(SIZE="2GiB")
    assert applied.apply().complete
    applied.configure(SIZE="1GiB")
    assert "shr" in applied.refusal().lower()
    assert applied.row()["totalSize"] == 2 * GIB


def test_another_name_is_never_taken_for_a_change_in_place(applied: Site) -> None:
    applied.configure(VOLUME='name = "another"')
    planned = change(applied.plan(), "volume.db")
    assert (planned.action, planned.replace_paths, planned.loses_data) == (Action.REPLACE, ("name",), True)


# 6. Sizes are whole mebibytes within the cluster's limits


def test_a_rounded_size_is_no_change_of_the_second_plan(site: Site) -> None:
    site.configure(SIZE="1GB")
    plan = site.plan()
    assert "954MiB" in text(plan)
    assert site.apply(plan).complete
    assert site.row()["totalSize"] == 1_000_341_504
    assert site.plan().is_empty


@pytest.mark.parametrize("size", ["500MB", "17TiB"])
def test_a_size_beyond_the_clusters_limits_is_seen_by_the_plan(site: Site, element: Element, size: str) -> None:
    site.configure(SIZE=size)
    assert "its array makes no volume" in site.refusal()
    assert there(element) == []


# 7. QoS is three integers, always all sent


@pytest.mark.parametrize("floor", ["20000", "49", "1100", "null"], ids=["too-high", "too-low", "disorder", "left-out"])
def test_figures_are_refused_by_the_plan_and_never_made_up(site: Site, element: Element, floor: str) -> None:
    site.configure(FLOOR=floor)
    said = site.refusal()
    assert ("limit" in said or "figures" in said) and "volume.db" in said
    assert there(element) == []


def test_the_plan_shows_all_three_figures_and_who_holds_them(site: Site) -> None:
    shown = " ".join(text(site.plan()).split())
    for figure, iops in (("floor", 500), ("ceiling", 1000), ("burst", 1500)):
        assert f"{figure} = {iops} IOPS # held by storage" in shown


# 8. Admission by IOPS is ours


def test_floors_of_others_refuse_a_plan_that_the_cluster_would_take(site: Site, element: Element) -> None:
    made_by_others(element, "theirs", qos={"minIOPS": 800, "maxIOPS": 900, "burstIOPS": 1000})
    site.configure(POOL=BUDGET)
    said = site.refusal()
    for figure in ("iops", "500", "1200", "800"):
        assert figure in said
    assert [row["name"] for row in there(element)] == ["theirs"]


def test_floors_that_others_take_between_plan_and_apply_are_seen(site: Site, element: Element) -> None:
    site.configure(POOL=BUDGET)
    plan = site.plan()
    made_by_others(element, "theirs", qos={"minIOPS": 800, "maxIOPS": 900, "burstIOPS": 1000})
    with pytest.raises(NoRoom):
        site.apply(plan)
    assert [row["name"] for row in there(element)] == ["theirs"]


def test_a_change_of_figures_is_counted_by_its_difference(site: Site) -> None:
    site.configure(POOL=BUDGET, FLOOR="900")
    assert site.apply().complete
    site.configure(POOL="capacity_iops = 1000", FLOOR="1000")
    assert change(site.plan(), "volume.db").action is Action.UPDATE
    site.configure(POOL="capacity_iops = 999", FLOOR="1000")
    assert "floor 1000 asked, 999 of 999 IOPS left" in site.refusal()


# 9. Room is what the cluster would still provision


def test_room_that_a_deleted_volume_still_takes_is_not_given_out(site: Site, element: Element) -> None:
    element.order(set={"raw_bytes": GIB})  # of which five are provisionable
    theirs = made_by_others(element, "theirs", totalSize=4 * GIB)
    element.call("DeleteVolume", volumeID=theirs)
    site.configure(SIZE="2GiB")
    assert "space" in site.refusal()
    element.call("PurgeDeletedVolume", volumeID=theirs)
    assert site.apply().complete


def test_a_cluster_that_takes_no_volumes_is_seen_by_the_plan(site: Site, element: Element) -> None:
    element.order(set={"fullness": "stage4Critical"})
    assert "space" in site.refusal()


# 10. The allocator


def test_volumes_of_one_plan_do_not_all_see_the_same_headroom(site: Site, element: Element) -> None:
    more = 'volume "more" {\n  count = 2\n  offering = disk_offering.media\n  size = "1GiB"\n}\n'
    site.configure(more, POOL=BUDGET)
    assert "iops" in site.refusal()
    assert there(element) == []


def test_a_refusal_names_the_pool_and_its_figures(site: Site) -> None:
    site.configure(POOL="capacity_iops = 400")
    said = site.refusal()
    assert "No pool can take the volume" in said
    assert "pool.san iops 500 400 400" in said


# 11. Tags


def test_an_exclusive_pool_takes_no_offering_without_its_tag(site: Site) -> None:
    site.configure(POOL='tags = ["ssd"]\n  exclusive = true')
    assert "pool.san tags" in site.refusal()
    site.configure(POOL='tags = ["ssd"]\n  exclusive = true', OFFERING='tags = ["ssd"]')
    assert site.apply().complete


def test_an_offering_whose_tags_a_pool_has_not_all_of_is_not_on_it(site: Site) -> None:
    site.configure(POOL='tags = ["ssd"]', OFFERING='tags = ["ssd", "east"]')
    assert "pool.san tags" in site.refusal()


# 14. Order, and what is half made


def test_steps_go_up_in_order_and_down_in_reverse(site: Site) -> None:
    site.configure(VM='vm = "db-01"')
    steps = [step.verb.value for step in site.plan().steps.steps if str(step.address) == "volume.db" and step.provider]
    assert steps == ["create_async", "grant_access", "attach"]


def test_no_volume_is_deleted_before_its_host_is_shut_out(applied: Site, element: Element) -> None:
    element.order(forget=True)
    applied.write(applied.filled().partition('volume "db"')[0])
    assert applied.apply().complete
    log = [method for method, _ in element.order()["log"]]
    assert log.index("DeleteVolumeAccessGroup") < log.index("DeleteVolume")
    assert [row["status"] for row in there(element)] == ["deleted"]
    assert groups(element) == []


def test_what_is_half_made_is_finished_and_not_made_again(site: Site, element: Element) -> None:
    element.fail("CreateVolumeAccessGroup", "error", name="xPermissionDenied")
    assert not site.apply().complete
    (half,) = there(element)
    assert site.apply().complete
    assert [(row["volumeID"], row["volumeAccessGroups"]) for row in there(element)] == [
        (half["volumeID"], [groups(element)[0]["volumeAccessGroupID"]])
    ]
    assert len(sent(element, "CreateVolume")) == 1


def test_a_volume_without_figures_is_no_change_of_every_plan(site: Site, element: Element) -> None:
    """It has the cluster's own, which nobody asked for."""
    none = OWN.replace("min_iops   = 500", "").replace("max_iops   = 1000", "").replace("burst_iops = 1500", "")
    site.configure(none)
    assert site.apply().complete
    assert site.plan().is_empty
    site.configure(OWN)
    assert site.apply().complete
    site.configure(none)
    assert site.apply().complete
    assert site.plan().is_empty
    own = element.call("GetDefaultQoS")
    (row,) = (row for row in there(element) if row["name"] == "volume-own")
    assert {name: row["qos"][name] for name in ("minIOPS", "maxIOPS", "burstIOPS")} == {
        name: own[name] for name in ("minIOPS", "maxIOPS", "burstIOPS")
    }


def test_a_deleted_volume_comes_back_with_its_number(applied: Site, element: Element) -> None:
    (before,) = there(element)
    applied.write(applied.filled().partition('volume "db"')[0])
    assert applied.apply().complete
    assert [row["status"] for row in there(element)] == ["deleted"]
    applied.configure()
    plan = applied.plan()
    assert "volume.db will be restored" in text(plan)
    assert applied.apply(plan).complete
    assert [(row["volumeID"], row["status"]) for row in there(element)] == [(before["volumeID"], "active")]
    assert applied.plan().is_empty


def test_a_volume_that_others_have_deleted_is_restored_and_not_made_anew(applied: Site, element: Element) -> None:
    (before,) = there(element)
    element.call("DeleteVolume", volumeID=before["volumeID"])
    assert "volume.db will be restored" in text(applied.plan())
    assert applied.apply().complete
    assert [(row["volumeID"], row["status"]) for row in there(element)] == [(before["volumeID"], "active")]
    assert applied.plan().is_empty


def test_a_copy_is_whole_before_anything_is_done_with_it(site: Site, element: Element) -> None:
    site.configure("""
volume "copy" {
  offering = disk_offering.media
  size     = "2GiB"
  source   = volume.db
  attach {
    host = host.kvm
  }
}
""")
    element.order(set={"clone_seconds": 0.4})
    assert site.apply().complete
    copy = next(row["volumeID"] for row in there(element) if row["name"] == "volume-copy")
    log = element.order()["log"]
    done = max(place for place, (method, _) in enumerate(log) if method == "GetAsyncResult")
    (granted,) = (place for place, (_, asked) in enumerate(log) if asked.get("volumes") == [copy])
    assert granted > done
    assert site.plan().is_empty


# 17. QoS of the array


def test_a_figure_that_the_cluster_cannot_hold_is_refused_by_the_plan(site: Site, element: Element) -> None:
    site.configure(OFFERING='max_bandwidth = "100MiB/s"')
    assert "bandwidth" in site.refusal()
    assert there(element) == []


def test_figures_that_did_not_arrive_are_found_by_reading_back(
    applied: Site, element: Element, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied.configure(OWN)
    monkeypatch.setattr(operations, "OpenProviders", lies.array_that_ignores_figures())
    plan = applied.plan()
    done = applied.apply(plan)
    assert not done.complete
    assert "told min_iops 500 and reads back 50" in render_result(plan, done.result, Style(False))


# 19. Refresh reads every managed attribute, and a scan finds the rest


def grow(element: Element, number: int) -> None:
    element.call("ModifyVolume", volumeID=number, totalSize=2 * GIB)


def change_figures(element: Element, number: int) -> None:
    element.call("ModifyVolume", volumeID=number, qos={"minIOPS": 60, "maxIOPS": 1000, "burstIOPS": 1500})


def shut_out(element: Element, number: int) -> None:
    (group,) = groups(element)
    element.call(
        "RemoveVolumesFromVolumeAccessGroup", volumeAccessGroupID=group["volumeAccessGroupID"], volumes=[number]
    )


def purge(element: Element, number: int) -> None:
    element.call("DeleteVolume", volumeID=number)
    element.call("PurgeDeletedVolume", volumeID=number)


@pytest.mark.parametrize(
    ("outside", "paths"),
    [
        pytest.param(grow, {"size"}, id="size"),
        pytest.param(change_figures, {"min_iops", "policy"}, id="figures"),
        pytest.param(shut_out, {"access of host.kvm"}, id="access"),
        pytest.param(purge, {""}, id="all-of-it"),
    ],
)
def test_no_change_outside_is_overlooked(
    applied: Site, element: Element, outside: Callable[[Element, int], None], paths: set[str]
) -> None:
    assert applied.refresh_only().is_empty
    outside(element, applied.number())
    plan = applied.refresh_only()
    assert {drift.path for drift in change(plan, "volume.db").drift} == paths


def test_a_scan_tells_ours_from_theirs_and_finds_what_is_lost_or_double(applied: Site, element: Element) -> None:
    made_by_others(element, "theirs")
    made_by_others(element, "another", attributes={"lunform": {"lineage": "x", "address": "volume.x", "intent": "0"}})
    assert applied.scan().is_empty
    row = applied.row()
    twin = made_by_others(element, "twin", attributes=row["attributes"])
    (found,) = applied.scan().twins
    assert {int(id.rpartition(":")[2]) for id in found.ids} == {row["volumeID"], twin}
    for number in (row["volumeID"], twin):
        element.call("DeleteVolume", volumeID=number)
    scan = applied.scan()
    assert [str(lost.address) for lost in scan.lost] == ["volume.db"]
    assert not scan.orphans


def test_what_is_ours_and_in_no_record_is_an_orphan(applied: Site, element: Element) -> None:
    number = applied.number()
    with closing(sqlite3.connect(applied.directory / "lunform.state")) as state, state:
        state.execute("DELETE FROM object WHERE address = 'volume.db'")
    (orphan,) = applied.scan().orphans
    assert (str(orphan.address), orphan.id.rpartition(":")[2]) == ("volume.db", str(number))
