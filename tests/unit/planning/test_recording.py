"""Refresh-only plans: what was changed outside becomes the record, and nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner import operations, planfile
from planner.config.loader import all_sources
from planner.errors import InvalidConfiguration, StalePlan
from planner.planning.plan import Action
from tests.project import Project, change, text, wrapped

CONFIGURATION = """
provider "sandbox" {
  path     = PATH
  enforces = ["floor", "ceiling"]
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}

host "kvm" {
  provider = sandbox
  address  = "10.0.0.1"
}

volume "db" {
  offering = disk_offering.fast
  size     = "10GiB"

  attach {
    host = host.kvm
    vm   = "db-01"
  }

  lifecycle {
    prevent_destroy = true

    postcondition {
      condition     = self.size == "10GiB"
      error_message = "It has another size."
    }
  }
}

volume "wal" {
  offering = disk_offering.fast
  size     = "5GiB"
}

output "size" {
  value = volume.db.size
}

output "iqns" {
  value = { db = volume.db.iqn, wal = volume.wal.iqn }
}
"""
GROW = "UPDATE volume SET size = 16106127360 WHERE name = 'volume-db'"
SLOW = "UPDATE volume SET max_iops = 900 WHERE name = 'volume-db'"
DETACH = "DELETE FROM attachment"
REVOKE = "DELETE FROM access"
DELETE = "DELETE FROM volume WHERE name = 'volume-wal'"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply().complete
    return project


def drift(project: Project) -> dict[str, list[str]]:
    """By address, the paths that differ."""
    return {str(c.address): [item.path for item in c.drift] for c in project.refresh_only().changes if c.drift}


def test_without_drift_there_is_nothing_to_record(project: Project) -> None:
    plan = project.refresh_only()
    assert plan.is_empty
    assert "No changes." in text(plan)


def test_each_kind_of_drift_is_recorded_and_then_is_drift_no_more(project: Project) -> None:
    project.outside(GROW, SLOW, DETACH, REVOKE, DELETE)
    assert drift(project) == {
        "volume.db": ["size", "max_iops", "access of host.kvm", "disk of db-01"],
        "volume.wal": [""],
    }
    applied = project.apply(project.refresh_only())
    assert applied.complete
    assert not applied.diagnostics
    db = project.recorded("volume.db")
    assert (db["size"], db["max_iops"], db["access"], db["attachments"]) == ("15GiB", 900, {}, ())
    with pytest.raises(KeyError):
        project.recorded("volume.wal")
    assert drift(project) == {}


def test_it_calls_no_provider_but_to_read(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.outside(SLOW, DETACH, DELETE)
    plan = project.refresh_only()
    assert {step.verb.value for step in plan.steps.steps} == {"record", "forget"}

    class Untouchable:
        def __getattr__(self, name: str) -> None:
            raise AssertionError(f"{name} was called")

    monkeypatch.setattr(operations, "OpenProviders", wrapped(lambda _: Untouchable(), lambda _: Untouchable()))
    assert project.apply(plan).complete


def test_afterwards_the_difference_is_the_users_own_change(project: Project) -> None:
    project.outside(SLOW, DETACH, DELETE)
    before = project.plan()
    assert {str(c.address) for c in before.changes if c.drift} == {"volume.db", "volume.wal"}
    project.apply(project.refresh_only())

    plan = project.plan()

    assert not [c for c in plan.changes if c.drift]
    db, wal = change(plan, "volume.db"), change(plan, "volume.wal")
    assert (db.action, db.before["max_iops"], db.after["max_iops"]) == (Action.UPDATE, 900, 1000)
    assert (wal.action, wal.reason) == (Action.CREATE, "")
    assert project.apply(plan).complete
    assert project.plan().is_empty


def test_outputs_follow_and_what_is_gone_is_null_in_them(project: Project) -> None:
    project.outside(GROW, DELETE)
    plan = project.refresh_only()
    iqn = project.recorded("volume.db")["iqn"]
    applied = project.apply(plan)
    assert applied.outputs["size"].value == "15GiB"
    assert applied.outputs["iqns"].value == {"db": iqn, "wal": None}
    assert project.refresh_only().is_empty


def test_an_output_of_what_is_not_made_yet_waits(project: Project) -> None:
    project.write(
        CONFIGURATION
        + 'volume "new" {\n  offering = disk_offering.fast\n  size = "1GiB"\n}\n'
        + 'output "new" {\n  value = volume.new.iqn\n}\noutput "name" {\n  value = volume.db.name\n}\n'
    )
    plan = project.refresh_only()
    assert not plan.steps.steps
    assert "new" not in plan.outputs
    outputs = project.apply(plan).outputs
    assert outputs["name"].value == "volume-db"
    assert "new" not in outputs


def test_a_move_is_not_made_and_outputs_follow_it_all_the_same(project: Project) -> None:
    renamed = CONFIGURATION.replace('volume "db"', 'volume "main"').replace("volume.db", "volume.main")
    project.write(renamed + "moved {\n  from = volume.db\n  to   = volume.main\n}\n")
    assert project.refresh_only().is_empty
    project.outside(GROW)
    assert project.apply(project.refresh_only()).outputs["size"].value == "15GiB"
    assert project.recorded("volume.db")["size"] == "15GiB"


def test_the_configuration_asks_for_nothing(project: Project) -> None:
    """Another size, another pool, a volume more, one less: none of it is in a refresh-only plan."""
    project.outside(SLOW)
    changed = CONFIGURATION.replace('"10GiB"', '"40GiB"').replace('pool "a"', 'pool "b"')
    project.write(changed[: changed.index('volume "wal"')] + 'output "size" {\n  value = volume.db.size\n}\n')
    plan = project.refresh_only()
    db = change(plan, "volume.db")
    assert (db.action, db.after["size"], db.after["max_iops"]) == (Action.NO_OP, "10GiB", 900)
    assert {c.action for c in plan.changes} == {Action.NO_OP}
    assert len(plan.steps.steps) == 1


def test_a_pool_is_read_as_it_is_recorded(project: Project) -> None:
    """Its arguments in the configuration are not applied yet: there its volumes would seem to be gone."""
    project.write(CONFIGURATION.replace('pool "a" {', 'pool "a" {\n  name = "elsewhere"'))
    assert drift(project) == {}
    assert project.refresh_only().is_empty


def test_a_recorded_provider_without_its_block_is_an_error(tmp_path: Path) -> None:
    named = CONFIGURATION.replace("provider = sandbox", "provider = sandbox.east").replace(
        'provider "sandbox" {', 'provider "sandbox" {\n  alias = "east"'
    )
    project = Project(tmp_path, named)
    assert project.apply().complete
    project.write(named.replace("east", "west"))
    with pytest.raises(InvalidConfiguration) as refused:
        project.refresh_only()
    assert {d.address for d in refused.value.diagnostics} == {"host.kvm", "pool.a"}
    assert all("sandbox.east" in d.detail for d in refused.value.diagnostics)


def test_protection_and_dependencies_are_kept(project: Project) -> None:
    project.outside(SLOW)
    project.apply(project.refresh_only())
    with_store = operations.store_of(project.load())
    object = next(o for a, o in with_store.read().objects.items() if str(a) == "volume.db")
    with_store.close()
    assert object.protected
    assert [str(need) for need in object.dependencies] == ["disk_offering.fast", "host.kvm", "pool.a"]


def test_a_saved_one_is_applied_and_refused_when_the_record_moved(project: Project, tmp_path: Path) -> None:
    project.outside(SLOW)
    plan = project.refresh_only()
    planfile.write(tmp_path / "p", plan, tuple(all_sources(project.load().module)))
    saved = planfile.read(tmp_path / "p").plan
    assert (saved.operation, saved.changes, saved.steps) == ("refresh", plan.changes, plan.steps)
    assert project.apply(saved).complete
    project.outside("UPDATE volume SET max_iops = 800 WHERE name = 'volume-db'")
    with pytest.raises(StalePlan):
        project.apply(saved)
    assert project.recorded("volume.db")["max_iops"] == 900


def test_what_a_vm_sees_and_where_is_drift_too(project: Project) -> None:
    project.outside("UPDATE attachment SET device = 'vdc', size = 5368709120")
    (db,) = (c for c in project.refresh_only().changes if c.drift)
    assert [(item.path, item.recorded, item.actual) for item in db.drift] == [
        ("disk of db-01", "vda", "vdc"),
        ("size that db-01 sees", "10GiB", "5GiB"),
    ]
    project.apply(project.refresh_only())
    assert drift(project) == {}
    assert [step.verb.value for step in project.plan().steps.steps] == ["update_attachment"]


def test_a_volume_that_the_array_lists_under_another_name_needs_nothing(project: Project) -> None:
    project.outside("UPDATE volume SET name = 'renamed' WHERE name = 'volume-db'")
    assert drift(project) == {}


def test_nothing_recorded_is_nothing_to_refresh(tmp_path: Path) -> None:
    plan = Project(tmp_path, CONFIGURATION).refresh_only()
    assert plan.is_empty
    assert not plan.changes
