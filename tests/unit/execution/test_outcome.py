"""What each verb's success does to the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from planner.addresses import parse_instance
from planner.execution.outcome import done, fold
from planner.sdk import AccessPath, ActualVolume, Attachment, Owner, Qos
from planner.state.model import RecordedObject
from planner.steps.graph import Step, Verb
from tests.world import ARRAY, FIGURES, GIB, HOSTS, HYPERVISOR, OFFERING, POOL, VOLUME, Steps

MADE = ActualVolume(
    "vol-7", "db-wal", GIB, Qos(500, 1000, 1500), None, None, None, Owner("lineage", str(VOLUME), "00000000000000aa")
)
PATH = AccessPath("10.1.1.1:3260", "iqn.2026-01.test:vol-7", 1, "vol-7")
ENTRY = {
    "portal": PATH.portal,
    "iqn": PATH.iqn,
    "lun": 1,
    "chap_username": "vol-7",
    "address": "10.0.0.1",
    "initiator": "iqn.1993-08.org.debian:01:kvm1",
}
DISK = {
    "host": HOSTS[0],
    "vm": "db-01",
    "device": "vdb",
    "bus": None,
    "read_only": False,
    "serial": "00000000000000aa",
    "intent": "00000000000000bb",
    "qos": {"max_iops": 1000, "burst_iops": 1500},
    "size": GIB,
}
ATTRIBUTES: dict[str, Any] = {
    "offering": str(OFFERING),
    "id": "vol-7",
    "name": "db-wal",
    "size": "1GiB",
    **FIGURES,
    "max_bandwidth": None,
    "pool": POOL,
    "iqn": PATH.iqn,
    "portal": PATH.portal,
    "lun": 1,
    "serial": "00000000000000aa",
    "intent": "00000000000000aa",
    "access": {HOSTS[0]: ENTRY},
    "attachments": (DISK,),
}
RECORDED = RecordedObject(VOLUME, ARRAY, ATTRIBUTES, (OFFERING,), revision=5)


def step(steps: Steps, intent: str = "00000000000000aa") -> Step:
    return replace(steps.graph().steps[-1], intent=intent)


def test_a_create_records_what_the_array_answered() -> None:
    made = fold(None, step(Steps().create()), MADE)
    unserved = {"iqn": None, "portal": None, "lun": None, "access": {}, "attachments": ()}
    assert made == RecordedObject(VOLUME, ARRAY, ATTRIBUTES | unserved, (OFFERING,))


@pytest.mark.parametrize(
    ("steps", "result", "change"),
    [
        pytest.param(Steps().resize(3 * GIB), replace(MADE, size=4 * GIB), {"size": "4GiB"}, id="the-size-it-got"),
        pytest.param(
            Steps().update_qos(),
            replace(MADE, qos=Qos(1, 2, 3, 4096)),
            {"min_iops": 1, "max_iops": 2, "burst_iops": 3, "max_bandwidth": "4KiB/s"},
            id="the-figures-it-got",
        ),
        pytest.param(
            Steps().update_qos(FIGURES), replace(MADE, qos=None), FIGURES, id="figures-that-somebody-else-holds"
        ),
        pytest.param(
            Steps().update_qos(None),
            replace(MADE, qos=None),
            {"min_iops": None, "max_iops": None, "burst_iops": None},
            id="no-figures",
        ),
        pytest.param(
            Steps().grant(HOSTS[1]),
            replace(PATH, lun=2),
            {
                "access": {
                    HOSTS[0]: ENTRY,
                    HOSTS[1]: ENTRY | {"lun": 2, "address": "10.0.0.2", "initiator": "iqn.1993-08.org.debian:01:kvm2"},
                }
            },
            id="one-more-host",
        ),
        pytest.param(
            Steps().grant(HOSTS[0]),
            replace(PATH, chap_username=None),
            {"access": {HOSTS[0]: ENTRY | {"chap_username": None}}},
            id="the-same-host-again",
        ),
        pytest.param(Steps().revoke(), None, {"access": {}}, id="one-host-less"),
        pytest.param(Steps().revoke(HOSTS[1]), None, {}, id="a-host-that-was-not-let-in"),
        pytest.param(
            Steps().attach(vm="db-00"),
            Attachment("vdc", True),
            {"attachments": (DISK | {"vm": "db-00", "device": "vdc", "intent": "00000000000000aa"}, DISK)},
            id="one-more-disk-in-order",
        ),
        pytest.param(
            Steps().attach(),
            Attachment("vdc", False),
            {"attachments": (DISK | {"device": "vdc", "intent": "00000000000000aa"},)},
            id="the-same-disk-again",
        ),
        pytest.param(
            Steps().update_attachment(),
            Attachment("vdz", True),
            {"attachments": (DISK | {"device": "vdz", "qos": None, "size": 2 * GIB},)},
            id="a-disk-changed",
        ),
        pytest.param(Steps().detach(), None, {"attachments": ()}, id="one-disk-less"),
        pytest.param(Steps().detach(vm="db-00"), None, {}, id="a-disk-that-was-not-there"),
        pytest.param(Steps().record(zone="east"), None, {"zone": "east"}, id="what-is-only-recorded"),
    ],
)
def test_a_step_changes_its_part_of_the_record(steps: Steps, result: Any, change: dict[str, Any]) -> None:
    assert fold(RECORDED, step(steps), result) == replace(RECORDED, attributes=ATTRIBUTES | change)


def test_the_first_grant_tells_where_the_volume_is_served() -> None:
    unserved = replace(RECORDED, attributes=ATTRIBUTES | {"iqn": None, "portal": None, "lun": None, "access": {}})
    assert fold(unserved, step(Steps().grant()), PATH) == RECORDED


@pytest.mark.parametrize("steps", [Steps().delete(), Steps().forget()])
def test_what_is_deleted_or_forgotten_is_recorded_no_more(steps: Steps) -> None:
    assert fold(RECORDED, step(steps), None) is None


def test_what_the_step_records_has_the_last_word() -> None:
    made = fold(None, step(Steps().create(size="1024MiB", metadata={"a": "b"})), MADE)
    assert made is not None
    assert made.attributes["size"] == "1024MiB"
    assert made.attributes["metadata"] == {"a": "b"}


def test_a_create_forgets_what_was_there_before() -> None:
    gone = replace(RECORDED, attributes=ATTRIBUTES | {"id": "vol-1", "stale": True})
    made = fold(gone, step(Steps().create()), MADE)
    assert made is not None
    assert made.attributes["id"] == "vol-7"
    assert "stale" not in made.attributes


def test_dependencies_and_protection_come_with_a_change() -> None:
    host = parse_instance(HOSTS[0])
    change = replace(step(Steps().resize()), dependencies=(OFFERING, host), protected=True)
    changed = fold(RECORDED, change, MADE)
    assert changed is not None
    assert (changed.dependencies, changed.protected) == ((OFFERING, host), True)


def test_a_destroy_that_stops_half_way_keeps_its_order() -> None:
    protected = replace(RECORDED, protected=True)
    for steps in (Steps().detach(), Steps().revoke()):
        left = fold(protected, replace(step(steps), dependencies=()), None)
        assert left is not None
        assert (left.dependencies, left.protected) == ((OFFERING,), True)


def test_the_provider_is_that_of_the_array() -> None:
    attached = fold(RECORDED, step(Steps().attach()), Attachment("vdb", True))
    assert attached is not None
    assert attached.provider == ARRAY != HYPERVISOR


def test_a_pool_is_recorded_anew() -> None:
    """Arguments of the provider that it had before must not stay behind and be told to the new one."""
    address = parse_instance("pool.fast")
    before = RecordedObject(address, HYPERVISOR, {"tags": ("ssd",), "an_argument": 1})
    after = fold(before, step(Steps(address).record(tags=(), another="x")), None)
    assert after == RecordedObject(address, ARRAY, {"tags": (), "another": "x"}, (OFFERING,))


def test_a_join_changes_nothing() -> None:
    join = step(Steps().add(Verb.JOIN, None, {}))
    for object in (RECORDED, None):
        assert fold(object, join, None) is object
        outcome = done("run", join, object, object)
        assert (outcome.object, outcome.removed) == (None, False)


@pytest.mark.parametrize(
    ("steps", "result"),
    [(Steps().create(), None), (Steps().grant(), MADE), (Steps().attach(), PATH), (Steps().resize(), "vol-7")],
)
def test_an_answer_of_another_kind_is_not_recorded(steps: Steps, result: Any) -> None:
    with pytest.raises(TypeError):
        fold(RECORDED, step(steps), result)
