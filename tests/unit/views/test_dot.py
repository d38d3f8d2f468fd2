from __future__ import annotations

import re

from planner.addresses import parse_instance
from planner.steps.graph import Step, StepGraph, Verb
from planner.views.dot import resources_to_dot, steps_to_dot
from tests.unit.views.plans import PLANS


def test_arrows_go_from_what_needs_to_what_is_needed() -> None:
    assert resources_to_dot([('volume.db["a"]', "pool.p"), ('volume.db["a"]', "pool.p")]) == (
        'digraph {\n  rankdir = "RL"\n  node [shape = "box"]\n'
        '  "pool.p"\n  "volume.db[\\"a\\"]"\n'
        '  "volume.db[\\"a\\"]" -> "pool.p"\n}\n'
    )


def test_every_step_is_a_node_and_every_requirement_an_arrow() -> None:
    graph = PLANS["first_apply"]().steps

    text = steps_to_dot(graph)

    assert len(re.findall(r"^  \d+ \[", text, re.MULTILINE)) == len(graph.steps)
    arrows = {(int(a), int(b)) for a, b in re.findall(r"^  (\d+) -> (\d+)$", text, re.MULTILINE)}
    assert arrows == {(step.id, need) for step in graph.steps for need in step.requires}
    assert 'label = "volume.db[\\"data\\"]\\ngrant_access kvm1"' in text


def test_a_join_is_a_point() -> None:
    join = Step(0, Verb.JOIN, parse_instance("host.kvm"), None, "")

    assert '0 [shape = point, tooltip = "host.kvm"]' in steps_to_dot(StepGraph((join,)))
