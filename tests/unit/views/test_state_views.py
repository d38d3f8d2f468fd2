"""The state as text and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from planner.addresses import parse_instance
from planner.state.model import Intent, OutputValue, Snapshot
from planner.views.state_json import object_to_json, state_to_json
from planner.views.state_text import render_object, render_outputs, render_state
from planner.views.style import Style
from tests.unit.views.artefacts import KVM1, KVM2, disk, endpoint, existing, expected, object, recorded

CASES = Path(__file__).with_name("state")
PLAIN = Style(color=False)


def snapshot() -> Snapshot:
    """A volume with a disk and a host that may log in, a pool, an offering in a module, and outputs."""
    volume = existing("volume-db", disks=[disk(KVM1, "db-01")])
    volume["access"] |= {KVM2: endpoint(KVM2) | {"portal": "10.0.9.1:3260", "chap_username": "db"}}
    objects = [
        replace(
            object('volume.db["a"]', "solidfire", **volume),
            dependencies=(parse_instance("pool.east-ssd"),),
            protected=True,
        ),
        object("pool.east-ssd", "solidfire", **recorded("pool", "pool.east-ssd", zone="east")),
        object("module.m.module.n[0].disk_offering.d", **recorded("disk_offering", "d", min_iops=1)),
    ]
    return Snapshot(
        "6d1f",
        7,
        {one.address: one for one in objects},
        {"iqn": OutputValue("iqn.x"), "password": OutputValue(None, sensitive=True)},
        (Intent("r", 1, "volume.x", {}),),
    )


def test_the_state_is_shown() -> None:
    text = render_state(snapshot(), PLAIN)

    assert text == expected(CASES / "state.txt", text)


def test_the_state_is_json() -> None:
    text = json.dumps(state_to_json(snapshot()), indent=1) + "\n"

    assert text == expected(CASES / "state.json", text)


def test_an_object_is_shown_as_in_the_state() -> None:
    volume = snapshot().objects[parse_instance('volume.db["a"]')]

    assert render_object(volume, PLAIN) in render_state(snapshot(), PLAIN)
    assert object_to_json(volume) in state_to_json(snapshot())["values"]["root_module"]["resources"]


def test_what_was_done_for_hosts_is_shown_as_attach_blocks() -> None:
    volume = object_to_json(snapshot().objects[parse_instance('volume.db["a"]')])

    assert [(block["host"], block["vm"]) for block in volume["values"]["attach"]] == [(KVM1, "db-01"), (KVM2, None)]
    assert not {"access", "attachments", "intent"} & volume["values"].keys()


def test_modules_are_nested() -> None:
    root = state_to_json(snapshot())["values"]["root_module"]

    [m] = root["child_modules"]
    [n] = m["child_modules"]
    assert (m["address"], n["address"]) == ("module.m", "module.m.module.n[0]")
    assert [resource["address"] for resource in n["resources"]] == ["module.m.module.n[0].disk_offering.d"]


def test_an_empty_state_says_so() -> None:
    assert "empty" in render_state(Snapshot("", 0), PLAIN)


def test_outputs_are_aligned_and_secrets_are_not_shown() -> None:
    outputs = {"b": OutputValue({"x": 1}), "long": OutputValue(None, sensitive=True)}

    assert render_outputs(outputs, PLAIN) == "b    = { x = 1 }\nlong = (sensitive value)\n"
