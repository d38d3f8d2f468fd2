"""What a plan for a part is about, and what stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from planner.addresses import InstanceAddress, parse_instance
from planner.diagnostics import Diagnostics
from planner.errors import InvalidConfiguration
from planner.evaluation.program import Program
from planner.planning.builder import PlanRequest
from planner.planning.moves import Moves
from planner.planning.plan import LEFT_OUT, Action, Plan
from planner.planning.selection import Selection, select
from planner.state.model import RecordedObject, Snapshot
from tests.project import Project

Needs = Mapping[str, Sequence[str]]


def selected(
    stays: Needs, recorded: Needs, *, target: str = "", exclude: str = "", moved: Mapping[str, str] | None = None
) -> set[str]:
    """Of all that is declared or recorded, what the plan is about."""
    addresses = {text: parse_instance(text) for text in {*stays, *recorded}}
    objects = {
        addresses[text]: RecordedObject(addresses[text], None, {}, tuple(map(parse_instance, needs)))
        for text, needs in recorded.items()
    }
    previous = {parse_instance(new): parse_instance(old) for old, new in (moved or {}).items()}
    diagnostics = Diagnostics()
    selection = select(
        tuple(map(parse_instance, filter(None, [target]))),
        tuple(map(parse_instance, filter(None, [exclude]))),
        {addresses[text]: tuple(map(parse_instance, needs)) for text, needs in stays.items()},
        Moves(Snapshot("", 0, objects), previous, frozenset()),
        Program(),
        diagnostics,
    )
    assert not diagnostics.has_errors, list(diagnostics)
    return {text for text, address in addresses.items() if not selection.leaves(address)}


DECLARED = {
    "pool.a": (),
    "pool.b": (),
    "volume.one": ("pool.a",),
    'volume.many["x"]': ("pool.b",),
    'volume.many["y"]': ("pool.b", "volume.one"),
    'module.m["k"].volume.inside': ("pool.a",),
}


@pytest.mark.parametrize(
    ("target", "taken"),
    [
        ("volume.one", {"volume.one", "pool.a"}),
        ('volume.many["x"]', {'volume.many["x"]', "pool.b"}),
        ("volume.many", {'volume.many["x"]', 'volume.many["y"]', "pool.b", "volume.one", "pool.a"}),
        ("pool.a", {"pool.a"}),
        ("module.m", {'module.m["k"].volume.inside', "pool.a"}),
        ('module.m["k"]', {'module.m["k"].volume.inside', "pool.a"}),
        ("module.m.volume.inside", {'module.m["k"].volume.inside', "pool.a"}),
    ],
)
def test_a_target_takes_what_it_needs(target: str, taken: set[str]) -> None:
    assert selected(DECLARED, {}, target=target) == taken


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("volume.one", {"volume.one", 'volume.many["y"]'}),
        ("pool.b", {"pool.b", 'volume.many["x"]', 'volume.many["y"]'}),
        ("module.m", {'module.m["k"].volume.inside'}),
        ('volume.many["x"]', {'volume.many["x"]'}),
    ],
)
def test_what_is_excluded_leaves_out_what_needs_it(exclude: str, left: set[str]) -> None:
    assert selected(DECLARED, {}, exclude=exclude) == DECLARED.keys() - left


def test_a_reference_without_a_key_is_to_all_copies() -> None:
    stays: Needs = {'volume.many["x"]': (), 'volume.many["y"]': (), "vm.web": ("volume.many",), "vm.db": ()}
    assert selected(stays, {}, target="vm.web") == {'volume.many["x"]', 'volume.many["y"]', "vm.web"}
    assert selected(stays, {}, exclude='volume.many["x"]') == {'volume.many["y"]', "vm.db"}


def test_a_volume_stays_on_the_pool_that_it_is_on_though_it_names_none() -> None:
    stays: Needs = {"pool.a": (), "pool.b": (), "volume.one": ()}
    recorded: Needs = {"pool.a": (), "volume.one": ("pool.a",)}
    assert selected(stays, recorded, exclude="pool.a") == {"pool.b"}
    assert selected(stays, recorded, target="volume.one") == {"pool.a", "volume.one"}


def test_what_goes_takes_along_what_needs_it() -> None:
    recorded: Needs = {"pool.a": (), "pool.b": (), "volume.one": ("pool.a",), "volume.two": ("volume.one", "pool.b")}
    assert selected({}, recorded, target="pool.a") == {"pool.a", "volume.one", "volume.two"}
    assert selected({}, recorded, target="volume.two") == {"volume.two"}


def test_what_is_kept_back_keeps_what_it_needs_and_nothing_else() -> None:
    recorded: Needs = {"pool.a": (), "volume.one": ("pool.a",), "volume.two": ("pool.a",)}
    assert selected({}, recorded, exclude="volume.one") == {"volume.two"}
    assert selected({}, recorded, exclude="pool.a") == set()


def test_a_volume_may_leave_a_pool_that_stays_for_the_sake_of_another() -> None:
    stays: Needs = {"pool.b": (), "volume.one": ("pool.b",), "volume.two": ("pool.b",)}
    recorded: Needs = {"pool.a": (), "volume.one": ("pool.a",), "volume.two": ("pool.a",)}
    assert selected(stays, recorded, exclude="volume.one") == {"pool.b", "volume.two"}


def test_what_moves_and_what_refers_to_it_stay_together() -> None:
    stays: Needs = {"pool.new": (), "volume.one": ("pool.new",), "volume.two": ("pool.new",), "volume.other": ()}
    recorded: Needs = {"pool.new": (), "volume.one": ("pool.new",), "volume.two": ("pool.new",)}
    moved = {"pool.old": "pool.new"}
    all_of_it = {"pool.new", "volume.one", "volume.two"}
    assert selected(stays, recorded, moved=moved, target="volume.one") == all_of_it
    assert selected(stays, recorded, moved=moved, target="pool.old") == all_of_it
    assert selected(stays, recorded, moved=moved, exclude="volume.one") == {"volume.other"}


def test_a_vm_and_its_root_disk_are_one_and_so_are_a_volume_and_what_it_stepped_aside_for() -> None:
    stays: Needs = {"vm.web": (), "volume.db": ()}
    recorded: Needs = {"vm.web": ("root_disk.web",), "root_disk.web": (), "volume.db": (), "volume.db--deposed-1": ()}
    assert selected(stays, recorded, target="root_disk.web") == {"vm.web", "root_disk.web"}
    assert selected(stays, recorded, exclude="volume.db") == {"vm.web", "root_disk.web"}


def test_copies_that_need_copies_cost_no_edge_for_each_pair() -> None:
    size = 300
    stays: Needs = {f"volume.a[{n}]": () for n in range(size)} | {f"volume.b[{n}]": ("volume.a",) for n in range(size)}
    addresses = {parse_instance(text): tuple(map(parse_instance, needs)) for text, needs in stays.items()}
    moves = Moves(Snapshot("", 0), {}, frozenset())
    selection = select((parse_instance("volume.b[0]"),), (), addresses, moves, Program(), Diagnostics())
    assert sum(map(len, selection.requires.values())) < 6 * size
    assert len(selection.left) == size - 1


def test_everything_is_selected_where_nothing_is_named() -> None:
    assert not Selection().leaves(InstanceAddress("volume", "db"))


# -- whole plans --

CONFIGURATION = """
provider "sandbox" {
  path     = PATH
  policies = true
}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider      = sandbox
  capacity_iops = 1000
}

host "kvm" {
  for_each = { one = "10.0.0.1", two = "10.0.0.2" }
  provider = sandbox
  address  = each.value
}

volume "db" {
  for_each = { one = "1GiB", two = "1GiB" }
  offering = disk_offering.fast
  size     = each.value

  attach {
    host = host.kvm[each.key]
  }
}

volume "none" {
  count    = 0
  offering = disk_offering.fast
  size     = "1GiB"
}

output "sizes" {
  value = { for key, volume in volume.db : key => volume.size }
}

output "ceiling" {
  value = disk_offering.fast.max_iops
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply().complete
    return project


def only(*targets: str) -> PlanRequest:
    return PlanRequest(targets=tuple(map(parse_instance, targets)))


def all_but(*excludes: str) -> PlanRequest:
    return PlanRequest(excludes=tuple(map(parse_instance, excludes)))


def about(plan: Plan) -> set[str]:
    return {str(change.address) for change in plan.changes if change.reason != LEFT_OUT}


def test_a_host_that_is_excluded_leaves_out_only_the_copies_on_it(project: Project) -> None:
    assert about(project.plan(all_but('host.kvm["two"]'))) == {
        "disk_offering.fast",
        "pool.a",
        'host.kvm["one"]',
        'volume.db["one"]',
    }


def test_outputs_that_depend_on_what_is_left_out_keep_their_values(project: Project) -> None:
    project.write(CONFIGURATION.replace('"1GiB"', '"2GiB"').replace("1000\n  burst", "1500\n  burst"))
    plan = project.plan(only('volume.db["one"]'))
    assert plan.outputs.keys() == {"ceiling"}
    outputs = project.apply(plan).outputs
    assert outputs["ceiling"].value == 1500
    assert outputs["sizes"].value == {"one": "1GiB", "two": "1GiB"}
    assert project.apply().outputs["sizes"].value == {"one": "2GiB", "two": "2GiB"}


def test_a_policy_does_not_change_for_a_volume_that_is_left_out(project: Project) -> None:
    project.write(CONFIGURATION.replace("1000\n  burst", "1500\n  burst"))
    assert project.apply(project.plan(only('volume.db["one"]'))).complete
    ceilings = "SELECT max_iops FROM volume ORDER BY name"
    assert project.ask(ceilings) == [(1500,), (1000,)]
    assert project.recorded('volume.db["two"]')["max_iops"] == 1000
    assert project.plan(only('volume.db["one"]')).is_empty
    assert project.apply().complete
    assert project.ask(ceilings) == [(1500,), (1500,)]
    assert project.plan().is_empty


def test_what_is_left_out_is_in_the_plan_as_it_is_recorded(project: Project) -> None:
    project.outside("UPDATE volume SET max_iops = 900")
    plan = project.plan(only('volume.db["one"]'))
    (left,) = [c for c in plan.changes if c.reason == LEFT_OUT and c.address.type == "volume"]
    assert (left.action, left.drift, left.before) == (Action.NO_OP, (), left.after)
    assert left.after == project.recorded('volume.db["two"]')


def test_a_block_without_copies_is_declared_all_the_same(project: Project) -> None:
    assert about(project.plan(only("volume.none"))) == set()
    with pytest.raises(InvalidConfiguration):
        project.plan(only("volume.none[0]"))


def test_an_applied_part_says_so(project: Project) -> None:
    project.write(CONFIGURATION.replace('"1GiB"', '"2GiB"'))
    applied = project.apply(project.plan(only('volume.db["one"]')))
    assert [item.summary for item in applied.diagnostics] == ["Applied in part"]


def test_a_data_source_of_a_pool_that_is_left_out_is_not_read(project: Project) -> None:
    data = """
data "pool" "a" {
  pool = pool.a
}

output "used" {
  value = data.pool.a.used
}
"""
    project.write(CONFIGURATION + data)
    assert project.apply().complete
    project.array.write_text("down")
    for request in (
        all_but("pool.a"),
        replace(all_but("pool.a"), destroy=True),
        replace(all_but("pool.a"), refresh_only=True),
    ):
        plan = project.plan(request)
        assert "used" not in plan.outputs
        assert not [change for change in plan.changes if change.address.type == "volume" and not change.is_empty]
    with pytest.raises(InvalidConfiguration):
        project.plan()
