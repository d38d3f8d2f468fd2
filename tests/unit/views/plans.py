"""Plans for the tests of everything that shows one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planner.placement.model import Enforcement, Rejection
from planner.planning.plan import Action, OutputChange, Plan, TakesEffect
from planner.state.model import OutputValue
from planner.values.marks import UNKNOWN
from tests.unit.views.artefacts import (
    EAST,
    KVM1,
    KVM2,
    WEST,
    assigned,
    change,
    disk,
    endpoint,
    existing,
    output,
    plan,
    recorded,
    wanted,
)

MEDIA = recorded("disk_offering", "disk_offering.media", min_iops=5000, max_iops=10000, burst_iops=15000, tags=("ssd",))


def first_apply() -> Plan:
    """Everything is new, on two pools; one volume is opened to a host without a VM."""
    tags = Rejection("pool.east-hdd", "tags", "it lacks the tag ssd (it has hdd)")
    full = Rejection(WEST, "iops", "floor 5000 asked, 1000 of 9000 IOPS left")
    shared = wanted(
        "backup",
        WEST,
        "1TiB",
        min_iops=0,
        max_iops=2000,
        burst_iops=2000,
        metadata={"team": "media", "purpose": "backups of the databases", "owner": "ann@example.com", "until": "2031"},
    )
    by_two = Enforcement("", "hypervisor", "")
    return plan(
        change(
            "disk_offering.media",
            Action.CREATE,
            None,
            MEDIA,
        ),
        change(
            EAST,
            Action.CREATE,
            None,
            recorded("pool", EAST, zone="east", tags=("ssd",), capacity_iops=250000, account="media"),
            provider="solidfire",
        ),
        change(
            KVM1,
            Action.CREATE,
            None,
            recorded("host", KVM1, **endpoint(KVM1), uri="qemu+ssh://root@10.0.0.11/system"),
            provider="libvirt",
        ),
        change(
            'volume.db["data"]',
            Action.CREATE,
            None,
            wanted("volume-db-data", disks=[disk(KVM1, "db-01"), disk(KVM2, "db-02", read_only=True)]),
            assignment=assigned(rejections=[tags, full]),
        ),
        change(
            'volume.db["wal"]',
            Action.CREATE,
            None,
            wanted("volume-db-wal", disks=[disk(KVM1, "db-01", bus=None)]),
            assignment=assigned(held=Enforcement("reserved", "hypervisor", "none"), rejections=[tags]),
        ),
        change(
            "volume.backup",
            Action.CREATE,
            None,
            shared | {"access": {KVM2: endpoint(KVM2)}},
            assignment=assigned(WEST, by_two, "the only pool that fits"),
        ),
        outputs={
            "iqns": output(None, {"data": UNKNOWN, "wal": UNKNOWN}),
            "pool": output(None, EAST),
            "secret": output(None, "hunter2", sensitive=True),
        },
    )


def grow_and_move() -> Plan:
    """Bigger and faster in place, from one VM to another; one was changed outside."""
    before = existing("volume-db", disks=[disk(KVM1, "db-01")])
    after = existing("volume-db", size="300GiB", disks=[disk(KVM2, "db-02")], min_iops=6000)
    after["attachments"] = tuple(one | {"device": UNKNOWN} for one in after["attachments"])
    held = existing("volume-held", disks=[disk(KVM1, "db-01", qos={"max_iops": 10000, "burst_iops": 10000})])
    told = existing(
        "volume-held", size="201GiB", disks=[disk(KVM1, "db-01", qos={"max_iops": 12000, "burst_iops": 12000})]
    )
    moved_host = existing("volume-rename", disks=[disk(KVM1, "db-03")])
    moved_host["access"] = {KVM1: endpoint(KVM1) | {"initiator": "iqn.old"}}
    return plan(
        change("volume.db", Action.UPDATE, before, after, assignment=assigned(), drift=[("size", "100GiB", "200GiB")]),
        change(
            "volume.held",
            Action.UPDATE,
            held,
            told,
            assignment=assigned(held=Enforcement("", "hypervisor", "")),
            takes_effect=(TakesEffect(KVM1, "db-01", at_once=False),),
        ),
        change("volume.quiet", Action.NO_OP, existing("q"), existing("q"), drift=[("size", "100GiB", "200GiB")]),
        change("volume.rename", Action.UPDATE, moved_host, existing("volume-rename", disks=[disk(KVM1, "db-03")])),
        change(
            "disk_offering.media",
            Action.UPDATE,
            MEDIA,
            MEDIA | {"min_iops": 6000, "tags": None},
        ),
        outputs={"size": output("200GiB", "300GiB"), "same": output(1, 1), "gone": output("x", None)},
    )


def losses() -> Plan:
    """Volumes that are replaced, deleted, purged, forgotten and made again."""
    refused = Rejection(EAST, "zone", "it serves zone east, and the volume is needed in west")
    attached = existing("volume-db", disks=[disk(KVM1, "db-01"), disk(KVM2, "db-02")])
    return plan(
        change(
            "volume.db",
            Action.REPLACE,
            attached,
            wanted("volume-db", WEST, disks=[disk(KVM1, "db-01")]),
            reason="replace_because_cannot_update",
            replace_paths=("pool",),
            assignment=assigned(WEST, rejections=[refused]),
        ),
        change(
            'volume.log["a"]',
            Action.DELETE,
            existing("volume-log-a", size="1TiB", on_destroy="purge"),
            reason="delete_because_each_key",
        ),
        change("volume.log[3]", Action.DELETE, existing("volume-log-3"), reason="delete_because_count_index"),
        change(
            "volume.kept",
            Action.FORGET,
            existing("volume-kept", on_destroy="retain"),
            reason="delete_because_no_resource_config",
        ),
        change("volume.lost", Action.FORGET, existing("volume-lost"), drift=[("", "exists", "gone")]),
        change(
            "volume.vanished",
            Action.CREATE,
            None,
            wanted("volume-vanished"),
            reason="gone_outside",
            drift=[("", "exists", "gone")],
            assignment=assigned(),
        ),
        change(
            "module.old.pool.hdd",
            Action.DELETE,
            recorded("pool", "module.old.pool.hdd"),
            provider="tgt",
            reason="delete_because_no_resource_config",
        ),
    )


def nothing() -> Plan:
    return plan(
        change("volume.db", Action.NO_OP, existing("db"), existing("db")),
        outputs={"a": output(1, 1)},
    )


def nothing_but_settled_drift() -> Plan:
    return plan(change("volume.db", Action.NO_OP, existing("db"), existing("db"), drift=[("min_iops", 100, 5000)]))


def nothing_to_destroy() -> Plan:
    return plan(operation="destroy")


def outputs_alone() -> Plan:
    """Long collections are compared part by part."""
    many: dict[str, Any] = {f"volume-{n}": f"iqn.2010-01.com.example:volume-{n}" for n in range(4)}
    names = [f"a-rather-long-name-of-a-volume-{n}" for n in range(5)]
    return plan(
        outputs={
            "by_name": output(many, {**many, "volume-1": UNKNOWN, "volume-9": "new"}),
            "names": output(tuple(names), (*names[:2], "another", *names[3:])),
            "made": output(None, many),
            "token": output(None, "hunter2", sensitive=True),
        }
    )


def whole_destroy() -> Plan:
    return plan(
        change("volume.db", Action.DELETE, existing("volume-db", disks=[disk(KVM1, "db-01")])),
        outputs={"secret": OutputChange(OutputValue(None, sensitive=True), None)},
        operation="destroy",
    )


def refresh_only() -> Plan:
    """The record follows what was changed outside, and nothing else happens."""
    return plan(
        change(
            "volume.db",
            Action.NO_OP,
            existing("db", size="300GiB"),
            existing("db", size="300GiB"),
            drift=[("size", "200GiB", "300GiB"), ("limits of db-01's vda", {"max_iops": 100, "burst_iops": 100}, None)],
            recorded_anew=True,
        ),
        change(
            "volume.gone",
            Action.FORGET,
            existing("gone"),
            None,
            drift=[("", "exists", "gone")],
            reason="gone_outside",
        ),
        change("volume.same", Action.NO_OP, existing("same"), existing("same")),
        outputs={"size": output("200GiB", "300GiB"), "iqn": output("iqn.2010-01.com.example:gone", None)},
        operation="refresh",
    )


def refresh_of_outputs_alone() -> Plan:
    return plan(
        change("volume.db", Action.NO_OP, existing("db"), existing("db")),
        outputs={"size": output(None, "200GiB")},
        operation="refresh",
    )


def nothing_to_refresh() -> Plan:
    return plan(change("volume.db", Action.NO_OP, existing("db"), existing("db")), operation="refresh")


PLANS: dict[str, Callable[[], Plan]] = {
    made.__name__: made
    for made in (
        first_apply,
        grow_and_move,
        losses,
        nothing,
        nothing_but_settled_drift,
        nothing_to_destroy,
        outputs_alone,
        whole_destroy,
        refresh_only,
        refresh_of_outputs_alone,
        nothing_to_refresh,
    )
}
