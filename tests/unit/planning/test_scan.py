"""What a scan finds on the systems, and what becomes of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from planner import operations
from planner.errors import StalePlan
from planner.operations import Applied, Scanned
from planner.planning import orphans
from planner.planning.plan import Action
from planner.planning.scan import Others, Scan
from tests.project import Project

CONFIGURATION = """
provider "sandbox" {
  path = PATH
}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 100
  burst_iops = 200
}

compute_offering "small" {
  cpus   = 1
  memory = "1GiB"
  root_disk {
    size       = "1GiB"
    max_iops   = 100
    burst_iops = 100
    min_iops   = 0
  }
}

pool "ssd" {
  provider = sandbox
}

host "kvm" {
  provider  = sandbox
  address   = "10.0.0.11"
  initiator = "iqn.1993-08.org.debian:01:kvm"
}

vm "web" {
  host     = host.kvm
  offering = compute_offering.small
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "1GiB"
}

volume "logs" {
  offering = disk_offering.fast
  size     = "1GiB"
  attach {
    host = host.kvm
    vm   = vm.web.name
  }
}
"""
DATA, WAL = 'volume.db["data"]', 'volume.db["wal"]'
MARKED = "(pool, name, size, lineage, address, intent)"
OTHERS = (
    "INSERT INTO volume (pool, name, size) VALUES ('pool.ssd', 'by-hand', 1024)",
    f"INSERT INTO volume {MARKED} VALUES ('pool.ssd', 'theirs', 1024, 'another state', 'volume.x', '00112233445566aa')",
    "INSERT INTO vm VALUES (NULL, '10.0.0.11', 'theirs', 1, 1024, NULL, NULL, 'another state', 'vm.web', 'intent')",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path, CONFIGURATION)
    assert project.apply().complete
    return project


def change_state(project: Project, *statements: str) -> None:
    with closing(sqlite3.connect(project.directory / "lunform.state")) as state, state:
        for statement in statements:
            state.execute(statement)


def forget(project: Project, *addresses: str) -> None:
    """As after a state was restored from an old copy."""
    change_state(project, *(f"DELETE FROM object WHERE address = '{address}'" for address in addresses))


def twin(project: Project) -> None:
    """A second volume under the mark of DATA, as two arrays that were one may have it."""
    project.outside(
        "INSERT INTO volume (pool, name, size, lineage, address, intent)"
        " SELECT pool, 'twin', size, lineage, address, '00112233445566cc' FROM volume WHERE name = 'volume-db-data'"
    )


def scanned(project: Project) -> Scanned:
    loaded = project.load()
    with closing(operations.store_of(loaded)) as store:
        found, diagnostics = operations.scan(loaded, store)
        assert not diagnostics
        return found


def scan(project: Project) -> Scan:
    return scanned(project).scan


def dispose(project: Project, operation: str, *ids: str, of: Scanned | None = None) -> Applied:
    found = of or scanned(project)
    disposal = orphans.choose(operation, found.scan, ids)
    loaded = project.load()
    with closing(operations.store_of(loaded)) as store:
        return operations.dispose(loaded, store, operations.plan_disposal(found, disposal), found, disposal)


def addresses(scan: Scan) -> list[str]:
    return [str(found.address) for found in scan.found]


def test_nothing_is_found_after_an_apply(project: Project) -> None:
    assert scan(project).is_empty


def test_what_others_made_is_counted_and_is_no_orphan(project: Project) -> None:
    project.outside(*OTHERS)
    found = scan(project)
    assert found.is_empty
    assert set(found.others) == {
        Others("host.kvm", "another state", 1),
        Others("pool.ssd", "another state", 1),
        Others("pool.ssd", None, 1),
    }


def test_what_was_forgotten_is_adopted_as_it_is(project: Project) -> None:
    before = {address: project.recorded(address) for address in (DATA, "volume.logs", "root_disk.web", "vm.web")}
    forget(project, *before)
    assert addresses(scan(project)) == ["root_disk.web", "vm.web", DATA, "volume.logs"]
    calls = project.ask("SELECT count(*) FROM volume")
    assert dispose(project, "adopt").complete
    assert project.ask("SELECT count(*) FROM volume") == calls
    assert scan(project).is_empty
    assert project.plan().count(Action.CREATE) == 0
    assert project.apply().complete
    assert {address: project.recorded(address) for address in before} == before
    assert project.plan().is_empty


def test_what_is_not_declared_any_more_is_not_adopted(project: Project) -> None:
    forget(project, DATA)
    project.write(CONFIGURATION.replace('["data", "wal"]', '["wal"]'))
    found = scan(project)
    assert [orphan.unadoptable for orphan in found.orphans] == ["it is not declared"]
    assert orphans.choose("adopt", found, ()).items == ()


def test_reaped_is_what_this_state_made_and_nothing_else(project: Project) -> None:
    project.outside(*OTHERS)
    forget(project, DATA, WAL)
    orphan = next(orphan for orphan in scan(project).orphans if str(orphan.address) == DATA)
    assert dispose(project, "reap", orphan.id).complete
    left = {name for (name,) in project.ask("SELECT name FROM volume")}
    assert {"by-hand", "theirs", "volume-db-wal", "volume-logs"} <= left
    assert "volume-db-data" not in left
    assert addresses(scan(project)) == [WAL]
    assert dispose(project, "reap", WAL).complete
    assert scan(project).is_empty


def test_an_orphan_that_is_open_to_a_host_is_closed_before_it_is_reaped(project: Project) -> None:
    (volume,) = project.ask("SELECT id FROM volume WHERE name = 'volume-db-data'")
    project.outside(f"INSERT INTO access (volume, endpoint) VALUES ({volume[0]}, 'iqn.1993-08.org.debian:01:kvm')")
    forget(project, DATA)
    (orphan,) = scan(project).orphans
    assert orphan.uses == ("open to host.kvm",)
    assert dispose(project, "reap").complete
    assert project.ask("SELECT count(*) FROM volume WHERE name = 'volume-db-data'") == [(0,)]


def test_an_orphan_that_is_open_to_a_stranger_is_not_reaped(project: Project) -> None:
    (volume,) = project.ask("SELECT id FROM volume WHERE name = 'volume-db-data'")
    project.outside(f"INSERT INTO access (volume, endpoint) VALUES ({volume[0]}, 'iqn.1993-08.org.debian:01:other')")
    forget(project, DATA)
    found = scan(project)
    assert "iqn.1993-08.org.debian:01:other" in found.orphans[0].unreapable
    assert orphans.choose("reap", found, ()).items == ()


def test_what_a_running_vm_has_is_not_reaped(project: Project) -> None:
    forget(project, "volume.logs", "vm.web", "root_disk.web")
    found = scan(project)
    assert all(orphan.unreapable for orphan in found.orphans)
    assert orphans.choose("reap", found, ()).items == ()
    project.outside("UPDATE vm SET running_cpus = NULL, running_memory = NULL")
    assert dispose(project, "reap").complete
    assert project.ask("SELECT name FROM vm") == []
    assert project.ask("SELECT name FROM volume ORDER BY name") == [("volume-db-data",), ("volume-db-wal",)]
    assert scan(project).is_empty


def test_a_twin_is_named_and_can_be_reaped_by_its_id(project: Project) -> None:
    twin(project)
    found = scan(project)
    (orphan,) = found.orphans
    assert [(each.mark, set(each.ids.values())) for each in found.twins] == [(DATA, {None, orphan.address})]
    assert orphan.unadoptable
    assert dispose(project, "reap", orphan.id).complete
    assert scan(project).is_empty
    assert project.plan().is_empty


def test_of_two_orphans_with_one_mark_none_is_adopted(project: Project) -> None:
    twin(project)
    forget(project, DATA)
    found = scan(project)
    assert len(found.orphans) == 2
    assert orphans.choose("adopt", found, ()).items == ()


def test_what_moved_keeps_its_mark_and_is_no_twin(project: Project) -> None:
    project.write(
        CONFIGURATION.replace('["data", "wal"]', '["data"]')
        + 'moved {\n  from = volume.db["wal"]\n  to   = volume.journal\n}\n'
        + 'volume "journal" {\n  offering = disk_offering.fast\n  size     = "1GiB"\n}\n'
    )
    assert project.apply().complete
    names = 'for_each = toset(["data", "wal"])\n  name     = each.key == "wal" ? "another" : null'
    project.write(
        CONFIGURATION.replace('for_each = toset(["data", "wal"])', names)
        + 'volume "journal" {\n  offering = disk_offering.fast\n  size     = "1GiB"\n}\n'
    )
    assert project.apply().complete
    assert scan(project).is_empty


def test_what_is_gone_is_lost(project: Project) -> None:
    project.outside("DELETE FROM volume WHERE name = 'volume-db-data'")
    found = scan(project)
    assert [(str(lost.address), lost.place) for lost in found.lost] == [(DATA, "pool.ssd")]
    assert not found.orphans


@pytest.mark.parametrize("operation", ["adopt", "reap"])
def test_a_disk_that_its_volume_does_not_record_is_a_stray(project: Project, operation: str) -> None:
    project.outside("UPDATE vm SET running_cpus = NULL, running_memory = NULL")
    change_state(
        project,
        "UPDATE object SET attributes = json_set(attributes, '$.attachments', json('[]'))"
        " WHERE address = 'volume.logs'",
    )
    (stray,) = scan(project).strays
    assert (str(stray.address), stray.record["vm"]) == ("volume.logs", "vm-web")
    assert dispose(project, operation).complete
    assert scan(project).is_empty
    assert len(project.recorded("volume.logs")["attachments"]) == (1 if operation == "adopt" else 0)


def test_what_changed_since_the_scan_is_not_reaped(project: Project) -> None:
    forget(project, DATA)
    before = scanned(project)
    assert dispose(project, "adopt").complete
    with pytest.raises(StalePlan):
        dispose(project, "reap", of=before)
    assert project.ask("SELECT count(*) FROM volume WHERE name = 'volume-db-data'") == [(1,)]


def test_a_pool_that_left_the_configuration_is_looked_at(project: Project) -> None:
    forget(project, DATA)
    project.write('provider "sandbox" {\n  path = PATH\n}\n')
    assert addresses(scan(project)) == [DATA]
