"""The JSON of plans: whole ones beside the test in `plan_json/<case>.json`, and what policies rely on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.values.marks import UNKNOWN, Sensitive
from planner.views.plan_json import plan_to_json, sensitive_mask, unknown_mask
from planner.views.state_json import plain
from tests.unit.views.artefacts import expected
from tests.unit.views.plans import PLANS

CASES = Path(__file__).with_name("plan_json")


@pytest.mark.parametrize("case", PLANS)
def test_a_plan_is_json(case: str) -> None:
    text = json.dumps(plan_to_json(PLANS[case]()), indent=1, ensure_ascii=False) + "\n"

    assert text == expected(CASES / f"{case}.json", text)


def changes(case: str) -> dict[str, Any]:
    return {change["address"]: change for change in plan_to_json(PLANS[case]())["resource_changes"]}


def test_what_is_unknown_is_marked_and_left_out() -> None:
    change = changes("first_apply")['volume.db["data"]']["change"]

    assert change["actions"] == ["create"]
    assert change["before"] is None
    assert "iqn" not in change["after"]
    assert change["after_unknown"]["iqn"] is True
    assert "size" not in change["after_unknown"]
    assert [sorted(mask) for mask in change["after_unknown"]["attach"]] == [["device"], ["device"]]


def test_a_replacement_says_which_attribute_forces_it() -> None:
    change = changes("losses")["volume.db"]

    assert change["change"]["actions"] == ["delete", "create"]
    assert change["change"]["replace_paths"] == [["pool"]]
    assert change["action_reason"] == "replace_because_cannot_update"


def test_a_volume_goes_through_its_pools_provider() -> None:
    assert changes("first_apply")['volume.db["wal"]']["provider_name"] == "solidfire"
    assert changes("first_apply")["disk_offering.media"]["provider_name"] == "lunform"


def test_drift_goes_from_what_was_recorded_to_what_is() -> None:
    drift = {item["address"]: item for item in plan_to_json(PLANS["grow_and_move"]())["resource_drift"]}

    change = drift["volume.db"]["change"]
    assert (change["before"]["size"], change["after"]["size"]) == ("100GiB", "200GiB")
    gone = {item["address"]: item for item in plan_to_json(PLANS["losses"]())["resource_drift"]}
    assert gone["volume.lost"]["change"]["actions"] == ["delete"]


def test_no_sensitive_value_is_in_it() -> None:
    data = plan_to_json(PLANS["first_apply"]())

    assert "hunter2" not in json.dumps(data)
    assert data["output_changes"]["secret"]["after_sensitive"] is True


def test_masks_have_the_shape_of_the_value() -> None:
    value = {"a": UNKNOWN, "b": 1, "c": ({"d": UNKNOWN, "e": 2}, "x"), "f": Sensitive("s")}

    assert unknown_mask(value) == {"a": True, "c": [{"d": True}, False]}
    assert sensitive_mask(value) == {"c": [{}, False], "f": True}
    assert plain(value) == {"b": 1, "c": [{"e": 2}, "x"], "f": None}
