"""What a cluster would refuse is told by the plan, at the `attach` block that it is about, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from planner.diagnostics import Severity
from planner.errors import InvalidConfiguration
from planner.planning.builder import PlanRequest
from tests.benchmarks.bench_element import READS
from tests.emulators.running import Element
from tests.unit.providers.solidfire.configuration import apply, plan, write


def refused(directory: Path, element: Element) -> list[tuple[str, str]]:
    """What each error is about: its address, and the text that its range begins with."""
    element.order(forget=True)
    with pytest.raises(InvalidConfiguration) as caught:
        plan(directory)
    assert all(method.startswith(READS) for method in element.calls())
    told = []
    for one in caught.value.diagnostics:
        if one.severity is Severity.WARNING:
            continue  # of the password, which stands in the file
        assert one.subject is not None
        rest = one.subject.source.text[one.subject.start :]
        told.append((one.address, " ".join(rest.split()[:5])))
    return told


@contextmanager
def limits(element: Element, **figures: int) -> Iterator[None]:
    before = element.call("GetLimits")
    element.order(set={"limits": figures})
    try:
        yield
    finally:
        element.order(set={"limits": {name: before[name] for name in figures}})


def at(host: str) -> str:
    return f"attach {{ host = host.{host}"


@pytest.mark.parametrize(
    ("settings", "figures", "volumes", "expected"),
    [
        ("", {}, {"a": ("kvm[0]", "nameless")}, [("volume.a", at("nameless"))]),
        (
            "",
            {"volumeAccessGroupsPerVolumeCountMax": 2},
            {"a": ("kvm[0]", "kvm[1]"), "b": ("kvm[0]", "kvm[1]", "kvm[2]")},
            [("volume.b", 'volume "b" { offering =')],
        ),
        (
            'access = "cluster"',
            {"initiatorsPerVolumeAccessGroupCountMax": 2},
            {"a": ("kvm[0]", "kvm[1]"), "b": ("kvm[1]",), "c": ("kvm[0]", "kvm[2]"), "d": ("kvm[2]",)},
            [("volume.c", at("kvm[2]"))],
        ),
        (
            "",
            {"volumesPerVolumeAccessGroupCountMax": 1},
            {"a": ("kvm[0]",), "b": ("kvm[1]", "kvm[0]")},
            [("volume.b", at("kvm[0]"))],
        ),
        ("", {"volumeAccessGroupCountMax": 1}, {"a": ("kvm[0]",), "b": ("kvm[1]",)}, [("volume.b", at("kvm[1]"))]),
        ('access = "chap"', {}, {"a": ("kvm[0]", "kvm[1]"), "b": ("nameless",)}, [("volume.a", at("kvm[1]"))]),
    ],
    ids=["no_initiator", "groups_of_a_volume", "initiators_of_a_group", "volumes_of_a_group", "groups", "chap"],
)
def test_what_breaks_a_rule_is_no_plan(
    element: Element,
    tmp_path: Path,
    settings: str,
    figures: dict[str, int],
    volumes: dict[str, tuple[str, ...]],
    expected: list[tuple[str, str]],
) -> None:
    write(tmp_path, element, settings, volumes)
    with limits(element, **figures):
        assert refused(tmp_path, element) == expected


def test_a_host_in_a_group_of_others_is_told_once_and_only_where_it_is_let_in(element: Element, tmp_path: Path) -> None:
    foreign: dict[str, Any] = {"name": "theirs", "initiators": ["iqn.1993-08.org.debian:01:kvm0"]}
    element.call("CreateVolumeAccessGroup", **foreign)
    volumes = {"a": ("kvm[1]", "kvm[0]"), "b": ("kvm[0]",), "c": ("kvm[1]",)}
    write(tmp_path, element, "", volumes)
    assert refused(tmp_path, element) == [("volume.a", at("kvm[0]"))]
    assert plan(tmp_path, PlanRequest(offline=True)).changes, "nobody is asked"
    write(tmp_path, element, "foreign_groups = true", volumes)
    apply(tmp_path)
    write(tmp_path, element, "", {**volumes, "d": ("kvm[1]",)})
    apply(tmp_path)


def test_what_goes_makes_room_for_what_comes(element: Element, tmp_path: Path) -> None:
    write(tmp_path, element, "", {"a": ("kvm[0]",), "b": ("kvm[0]", "kvm[1]")})
    apply(tmp_path)
    with limits(element, volumesPerVolumeAccessGroupCountMax=2, volumeAccessGroupsPerVolumeCountMax=2):
        write(tmp_path, element, "", {"a": ("kvm[0]",), "b": ("kvm[1]", "kvm[2]"), "c": ("kvm[0]",)})
        assert not plan(tmp_path).is_empty
        write(tmp_path, element, "", {"a": ("kvm[0]",), "b": ("kvm[0]", "kvm[1]"), "c": ("kvm[0]",)})
        assert refused(tmp_path, element) == [("volume.c", at("kvm[0]"))]
