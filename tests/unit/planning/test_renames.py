"""A volume under another name: what the plan prints as answers are answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from planner.addresses import parse_instance
from planner.errors import InvalidConfiguration
from planner.planning.builder import PlanRequest
from planner.planning.plan import Action, Plan
from planner.resources.vm import VOLUME_TYPES
from tests.project import Project

BASE = """
provider "sandbox" {
  path = PATH
}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 1000
  burst_iops = 2000
}

compute_offering "small" {
  cpus   = 1
  memory = "1GiB"

  root_disk {
    size = "5GiB"
  }
}

pool "a" {
  provider      = sandbox
  capacity_iops = 1000
}

host "kvm" {
  provider = sandbox
  address  = "10.0.0.1"
}
"""

OWN = """
disk_offering "own" {
  size = "1GiB"
}

volume "data" {
  for_each = toset(["x", "y"])
  offering = disk_offering.own
}
"""

OUTER = """
module "inner" {
  source = "../inner"
}
"""

ROOTED = OWN.replace("disk_offering.own", "var.offering").replace(
    'disk_offering "own" {\n  size = "1GiB"', 'variable "offering" {'
)


def volume(name: str, more: str = "", size: str = "1GiB") -> str:
    return f'volume "{name}" {{\n  offering = disk_offering.fast\n  size = "{size}"\n{more}\n}}\n'


def module(name: str, source: str, more: str = "") -> str:
    return f'module "{name}" {{\n  source = "./{source}"\n{more}\n}}\n'


def machine(name: str, disk: str) -> str:
    attach = f"attach {{\n  host = host.kvm\n  vm = vm.{name}.name\n}}"
    return f'vm "{name}" {{\n  host = host.kvm\n  offering = compute_offering.small\n}}\n' + volume(disk, attach)


@dataclass(frozen=True)
class Rename:
    before: str
    after: str
    moved: tuple[str, ...]
    volumes: int
    modules: dict[str, str] = field(default_factory=dict)


EACH = "for_each = toset([KEYS])"
RENAMES = {
    "block": Rename(volume("db"), volume("data"), ("volume.db -> volume.data",), 1),
    "all copies of a block": Rename(
        volume("db", "count = 3"), volume("data", "count = 3"), ("volume.db -> volume.data",), 3
    ),
    "some copies of a block": Rename(
        volume("db", "count = 3"),
        volume("db", "count = 1") + volume("data", 'for_each = toset(["a", "b"])'),
        ('volume.db[1] -> volume.data["a"]', 'volume.db[2] -> volume.data["b"]'),
        2,
    ),
    "keys": Rename(
        volume("db", EACH.replace("KEYS", '"a", "b", "c"')),
        volume("db", EACH.replace("KEYS", '"b", "d", "e"')),
        ('volume.db["a"] -> volume.db["d"]', 'volume.db["c"] -> volume.db["e"]'),
        2,
    ),
    "the same keys under another name": Rename(
        volume("db", EACH.replace("KEYS", '"m", "z"')),
        volume("data", EACH.replace("KEYS", '"a", "m"')),
        ('volume.db["m"] -> volume.data["m"]', 'volume.db["z"] -> volume.data["a"]'),
        2,
    ),
    "count to for_each": Rename(
        volume("db", "count = 2"),
        volume("db", EACH.replace("KEYS", '"a", "b"')),
        ('volume.db[0] -> volume.db["a"]', 'volume.db[1] -> volume.db["b"]'),
        2,
    ),
    "module": Rename(module("old", "own"), module("new", "own"), ("module.old -> module.new",), 2, {"own": OWN}),
    "module keys": Rename(
        module("site", "own", EACH.replace("KEYS", '"a", "b"')),
        module("site", "own", EACH.replace("KEYS", '"a", "c"')),
        ('module.site["b"] -> module.site["c"]',),
        2,
        {"own": OWN},
    ),
    "outer module": Rename(
        module("old", "outer"), module("new", "outer"), ("module.old -> module.new",), 2, {"outer": OUTER, "inner": OWN}
    ),
    "into a module": Rename(
        volume("data", EACH.replace("KEYS", '"x", "y"')),
        module("site", "rooted", "offering = disk_offering.fast"),
        ("volume.data -> module.site.volume.data",),
        2,
        {"rooted": ROOTED.replace("offering = var.offering", 'offering = var.offering\n  size = "1GiB"')},
    ),
    "out of a module": Rename(
        module("site", "rooted", "offering = disk_offering.fast"),
        volume("data", EACH.replace("KEYS", '"x", "y"')),
        ("module.site.volume.data -> volume.data",),
        2,
        {"rooted": ROOTED.replace("offering = var.offering", 'offering = var.offering\n  size = "1GiB"')},
    ),
    "vm with its disks": Rename(machine("web", "logs"), machine("www", "logs"), ("vm.web -> vm.www",), 1),
    "vm and its disks": Rename(
        machine("web", "logs"), machine("www", "journal"), ("vm.web -> vm.www", "volume.logs -> volume.journal"), 2
    ),
}


@pytest.fixture(params=RENAMES)
def rename(request: pytest.FixtureRequest) -> Rename:
    return RENAMES[request.param]


def applied(tmp_path: Path, before: str, modules: dict[str, str] | None = None) -> Project:
    project = Project(tmp_path, BASE + before)
    for name, text in (modules or {}).items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.lun.hcl").write_text(text)
    assert project.apply().complete
    return project


def refusal(project: Project, request: PlanRequest | None = None) -> str:
    with pytest.raises(InvalidConfiguration) as error:
        project.plan(request)
    (found,) = [item for item in error.value.diagnostics if item.summary == "Volume under another name"]
    return found.detail


def volumes(plan: Plan, *actions: Action) -> int:
    return sum(change.action in actions for change in plan.changes if change.address.type in VOLUME_TYPES)


def test_the_moved_blocks_that_are_printed_keep_all_data(tmp_path: Path, rename: Rename) -> None:
    project = applied(tmp_path, rename.before, rename.modules)
    project.write(BASE + rename.after)
    said = refusal(project)
    blocks = re.findall(r" moved \{\n    from = (.*)\n    to   = (.*)\n  \}", said)
    assert tuple(f"{source} -> {target}" for source, target in blocks) == rename.moved
    project.write(BASE + rename.after + "".join(re.findall(r" moved \{[^}]*\}\n", said)))
    plan = project.plan()
    assert volumes(plan, Action.CREATE, Action.DELETE, Action.REPLACE, Action.FORGET) == 0
    assert project.apply(plan).complete
    assert project.plan().is_empty


def test_the_removed_blocks_that_are_printed_let_the_old_ones_go(tmp_path: Path, rename: Rename) -> None:
    project = applied(tmp_path, rename.before, rename.modules)
    project.write(BASE + rename.after)
    project.write(BASE + rename.after + "".join(re.findall(r"removed \{[^}]*\}\n?", refusal(project))))
    plan = project.plan()
    assert volumes(plan, Action.DELETE) == volumes(plan, Action.CREATE) == rename.volumes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (volume("db"), volume("data", size="2GiB")),
        (volume("db"), volume("data", "attach {\n  host = host.kvm\n}")),
        (volume("db"), volume("data", 'name = "data"')),
        (volume("db"), ""),
        ("", volume("data")),
    ],
)
def test_what_is_not_equal_is_no_rename(tmp_path: Path, before: str, after: str) -> None:
    project = applied(tmp_path, before)
    project.write(BASE + after)
    project.plan()


def test_a_volume_that_would_only_be_forgotten_is_asked_about_too(tmp_path: Path) -> None:
    project = applied(tmp_path, volume("db", 'on_destroy = "retain"'))
    project.write(BASE + volume("data"))
    assert "volume.db -> volume.data" in refusal(project)


def test_a_name_that_is_kept_is_looked_for(tmp_path: Path) -> None:
    project = applied(tmp_path, volume("a", 'name = "one"') + volume("b", 'name = "two"'))
    project.write(BASE + volume("c", 'name = "two"') + volume("d"))
    said = refusal(project)
    assert "volume.b -> volume.c" in said
    assert "volume.a -> volume.d" in said


def test_a_volume_that_was_deleted_outside_is_not_renamed(tmp_path: Path) -> None:
    project = applied(tmp_path, volume("db"))
    project.outside("DELETE FROM volume")
    project.write(BASE + volume("data"))
    project.plan()
    refusal(project, PlanRequest(read=False))


def test_what_changed_outside_does_not_hide_a_rename(tmp_path: Path) -> None:
    project = applied(tmp_path, volume("db"))
    project.outside("UPDATE volume SET max_iops = 900")
    project.write(BASE + volume("data"))
    assert "volume.db -> volume.data" in refusal(project)


def test_what_is_left_out_is_not_asked_about(tmp_path: Path) -> None:
    project = applied(tmp_path, volume("a") + volume("b"))
    project.write(BASE + volume("c") + volume("d"))
    said = refusal(project, PlanRequest(excludes=(parse_instance("volume.a"),)))
    assert "volume.b -> volume.c" in said
    assert "volume.a" not in said
