"""`capacity`, `plan -explain` and `show -explain` as a user meets them."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import ROOT, lunform, lunform_at_a_terminal

SITE = """
provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 5000
  max_iops   = 10000
  burst_iops = 15000
  tags       = ["ssd"]
}

disk_offering "scaled" {
  iops_per_gib {
    min   = 1
    max   = 10
    burst = 20
  }
}

disk_offering "archive" {
  size       = "1TiB"
  min_iops   = 0
  max_iops   = 500
  burst_iops = 500
}

pool "ssd" {
  provider  = sandbox
  size      = "2TiB"
  iops      = 50000
  tags      = ["ssd"]
  exclusive = true
}

pool "disk" {
  provider = sandbox
  size     = "20TiB"
  iops     = 3000
}
"""
VOLUMES = """
volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "200GiB"
}
"""
WEST = """
provider "sandbox" {
  alias  = "west"
  path   = "west.db"
  faults = [{ verb = "pool_status", effect = "unreachable" }]
}

pool "west" {
  provider = sandbox.west
}
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("applied")
    (directory / "main.lun.hcl").write_text(SITE + VOLUMES)
    lunform("apply", "-auto-approve", directory=directory)
    with closing(sqlite3.connect(directory / "sandbox.db")) as array, array:
        array.executemany(
            "INSERT INTO volume (pool, name, size, min_iops, max_iops, burst_iops) VALUES (?, ?, ?, ?, ?, ?)",
            [("pool.ssd", "by-hand", 300 << 30, 12000, 20000, 20000), ("pool.disk", "old", 21 << 40, 500, 900, 900)],
        )
    return directory


@pytest.fixture
def site(applied: Path, tmp_path: Path) -> Path:
    """Two volumes of ours, and two that somebody made by hand."""
    return shutil.copytree(applied, tmp_path, dirs_exist_ok=True)


CAPACITY = """\
pool               total     ours   others           free
pool.disk  bytes  20 TiB      0 B   21 TiB  over by 1 TiB  0 volumes of ours, 1 of others
pool.disk  IOPS     3000        0      500           2500
pool.ssd   bytes   2 TiB  400 GiB  300 GiB      1.316 TiB  2 volumes of ours, 1 of others
pool.ssd   IOPS    50000    10000    12000          28000

How many volumes still fit, of 100GiB where the offering leaves that open (-size):

disk_offering.archive, 1TiB with no floor: 0
  pool.disk  0  space: 1 TiB asked, 0 B of 20 TiB left (taken: 21 TiB by others)
  pool.ssd   0  tags: it is kept for offerings that name one of its tags (ssd)

disk_offering.fast, 100GiB with a floor of 5000 IOPS: 5
  pool.disk  0  tags: it lacks the tag ssd (it has none)
  pool.ssd   5  then refused by iops

disk_offering.scaled, 100GiB with a floor of 100 IOPS: 0
  pool.disk  0  space: 100 GiB asked, 0 B of 20 TiB left (taken: 21 TiB by others)
  pool.ssd   0  tags: it is kept for offerings that name one of its tags (ssd)
"""


def test_capacity_tells_what_pools_hold_and_what_still_fits(site: Path) -> None:
    said = lunform("capacity", directory=site).output
    assert said == CAPACITY


def test_capacity_counts_at_the_size_that_is_asked_for(site: Path) -> None:
    said = json.loads(lunform("capacity", "-json", "-size=1TiB", "-pool=pool.ssd", directory=site).output)
    assert list(said["pools"]) == ["pool.ssd"]
    assert said["pools"]["pool.ssd"]["bytes"] == {
        "total": 2 << 40,
        "ours": 400 << 30,
        "others": 300 << 30,
        "free": 1348 << 30,
        "declared": None,
        "reported": 2 << 40,
    }
    fast = said["offerings"]["disk_offering.fast"]
    assert (fast["size"], fast["size_is_fixed"], fast["count"]) == (1 << 40, False, 1)
    assert fast["pools"]["pool.ssd"]["refused_by"] == "space"
    assert said["offerings"]["disk_offering.scaled"]["min_iops"] == 1024


def test_so_many_are_planned_and_one_more_is_refused(site: Path) -> None:
    more = 'volume "more" {\n  count    = COUNT\n  offering = disk_offering.fast\n  size     = "100GiB"\n}\n'
    (site / "more.lun.hcl").write_text(more.replace("COUNT", "5"))
    assert "5 to add" in lunform("plan", directory=site).output
    (site / "more.lun.hcl").write_text(more.replace("COUNT", "6"))
    assert "iops     5000  3000   50000" in lunform("plan", directory=site, code=1).errors


def test_a_terminal_gets_bars_unless_it_wants_no_colour(site: Path) -> None:
    at_80 = {"FORCE_COLOR": "1", "COLUMNS": "80"}
    drawn = lunform("capacity", directory=site, environment=at_80).output
    assert re.search(r"\x1b\[32m█+\x1b\[0m\x1b\[33m▒+\x1b\[0m\x1b\[2m░+\x1b\[0m", drawn)
    assert "!\x1b[0m" in drawn
    ascii = lunform("capacity", directory=site, environment=at_80 | {"PYTHONIOENCODING": "ascii"}).output
    assert re.search(r"\x1b\[32m#+\x1b\[0m\x1b\[33m=+\x1b\[0m\x1b\[2m\.+\x1b\[0m", ascii)
    assert "█" not in lunform("capacity", "-no-color", directory=site, environment=at_80).output
    assert "█" not in lunform_at_a_terminal("capacity", directory=site)


def test_capacity_shows_other_pools_when_one_cannot_be_read(site: Path) -> None:
    (site / "west.lun.hcl").write_text(WEST)
    said = lunform("capacity", directory=site, code=1)
    assert "pool.west  could not be read" in said.output
    assert "5  then refused by iops" in said.output
    assert "for pool.west" in said.errors
    assert "west.db" in said.errors
    told = json.loads(lunform("capacity", "-json", directory=site, code=1).output)
    assert (sorted(told["pools"]), told["unread"]) == (["pool.disk", "pool.ssd"], ["pool.west"])
    assert [item["address"] for item in told["diagnostics"]] == ["pool.west"]


def test_capacity_only_reads_and_needs_no_lock(tmp_path: Path) -> None:
    from planner.state.sqlite import open_sqlite

    (tmp_path / "main.lun.hcl").write_text(SITE)
    assert "6  then refused by" not in lunform("capacity", directory=tmp_path).output
    assert [path.name for path in tmp_path.iterdir()] == ["main.lun.hcl"]
    with open_sqlite(tmp_path / "lunform.state").lock("apply"):
        assert "10  then refused by iops" in lunform("capacity", directory=tmp_path).output


def test_capacity_asks_for_nothing_that_does_not_make_sense(site: Path) -> None:
    assert 'Did you mean "pool.ssd"?' in lunform("capacity", "-pool=pool.sdd", directory=site, code=1).errors
    assert 'Write "10GiB"' in lunform("capacity", "-size=10", directory=site, code=1).errors
    assert "no size" in lunform("capacity", "-size=0GiB", directory=site, code=1).errors


EXPLAINED = """\
Why each volume is where it is:

  volume.db["data"] and 1 more: pool.ssd
    it is there already, and a plan never moves a volume by itself

  volume.new[0] and 2 more: pool.ssd
    the only pool that fits
    pool.ssd   chosen  28000 IOPS and 1.316 TiB left
    pool.disk  tags    it lacks the tag ssd (it has none)
    (figures as for volume.new[0])

  volume.pinned: pool.disk
    pinned: the volume asks for pool.disk
    pool.disk  chosen  2500 IOPS and 19 TiB left
    pool.ssd   pin     the volume asks for pool.disk

"""


def test_a_plan_is_explained_fresh_and_saved(site: Path) -> None:
    with closing(sqlite3.connect(site / "sandbox.db")) as array, array:
        array.execute("UPDATE volume SET size = ? WHERE name = 'old'", (1 << 40,))
    (site / "new.lun.hcl").write_text(
        'volume "new" {\n  count    = 3\n  offering = disk_offering.fast\n  size     = "10GiB"\n}\n'
        'volume "pinned" {\n  offering = disk_offering.scaled\n  size     = "10GiB"\n  pool     = pool.disk\n}\n'
    )
    fresh = lunform("plan", "-explain", "-out=p", directory=site).output
    assert EXPLAINED in fresh
    assert "Pools that were refused" not in fresh
    saved = lunform("show", "-explain", "p", directory=site).output
    assert fresh.startswith(saved.rstrip("\n"))
    assert "Why each volume" not in lunform("show", "-explain=false", "p", directory=site).output
    assert "Why each volume" not in lunform("plan", directory=site).output
    placements = json.loads(lunform("show", "-json", "p", directory=site).output)["placements"]
    assert placements["volume.pinned"]["fitting"] == [{"pool": "pool.disk", "iops": 2500, "bytes": 19 << 40}]


def test_explain_without_a_plan_is_refused(site: Path) -> None:
    assert "lunform plan -explain" in lunform("show", "-explain", directory=site, code=1).errors


PAGE = (ROOT / "docs" / "capacity.md").read_text()


def test_the_page_and_the_readme_show_what_is_so(tmp_path: Path) -> None:
    shown = dict(re.findall(r"^```\n\$ ([^\n]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
    shutil.copy(ROOT / "examples" / "quickstart" / "main.lun.hcl", tmp_path)
    assert shown.pop("lunform plan -explain") in lunform("plan", "-explain", directory=tmp_path).output
    lunform("apply", "-auto-approve", directory=tmp_path)
    said = lunform("capacity", directory=tmp_path).output
    assert shown == {"lunform capacity": said}
    readme = (ROOT / "README.md").read_text().partition("## Capacity")[2]
    (block,) = re.findall(r"^```\n(.*?)^```$", readme.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    for part in block.split("\n\n"):
        assert part.strip() in said


def test_every_key_of_the_json_is_described(site: Path) -> None:
    said = json.loads(lunform("capacity", "-json", directory=site).output)
    table = PAGE.partition("### As JSON")[2].partition("\n## ")[0]
    described = set(re.findall(r"`\.?([\w.]+)`", table))
    described = {name.rpartition(".")[2] for name in described}
    pool, offering = said["pools"]["pool.ssd"], said["offerings"]["disk_offering.fast"]
    inside = [pool, pool["volumes"], pool["bytes"], offering, offering["pools"]["pool.ssd"]]
    keys = {*said, *(key for part in inside for key in part)} - {"pools", "offerings"}
    assert keys <= described
