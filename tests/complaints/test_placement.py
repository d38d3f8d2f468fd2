"""Complaints about where volumes go, and about being told too little of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import lunform

POOLS = """
provider "sandbox" {}

pool "ssd" {
  provider  = sandbox
  size      = "10TiB"
  iops      = 50000
  tags      = ["ssd"]
  exclusive = true
}

pool "small" {
  provider = sandbox
  size     = "1TiB"
  iops     = 90000
}

pool "slow" {
  provider = sandbox
  size     = "20TiB"
  iops     = 2000
}

pool "resting" {
  provider = sandbox
  state    = "maintenance"
}
"""


def offering(name: str, *arguments: str) -> str:
    return "\n".join([f'disk_offering "{name}" {{', *arguments, "}\n"])


def figures(floor: int) -> tuple[str, ...]:
    return (f"min_iops = {floor}", f"max_iops = {2 * floor}", f"burst_iops = {2 * floor}")


def volume(name: str, offering: str, size: str, *arguments: str) -> str:
    return "\n".join(
        [f'volume "{name}" {{', f"offering = disk_offering.{offering}", f'size = "{size}"', *arguments, "}\n"]
    )


def made(directory: Path) -> list[tuple[str, str, int | None]]:
    """(pool, name, floor) of every volume on the array."""
    path = directory / "sandbox.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as array:
        return array.execute("SELECT pool, name, min_iops FROM volume ORDER BY name").fetchall()


def refused(directory: Path, *words: str) -> str:
    """What `plan` says; `apply` says the same, and makes and records nothing."""
    before = made(directory)
    said = lunform("plan", *words, directory=directory, code=1).errors
    assert lunform("apply", "-auto-approve", *words, directory=directory, code=1).errors == said
    assert made(directory) == before
    return said


def rows(said: str, pools: tuple[str, ...]) -> dict[str, str]:
    """What stands beside each pool."""
    lines = [line.split(None, 1) for line in said.splitlines() if line.split()[:1] and line.split()[0] in pools]
    assert len(lines) == len(pools), said
    return {pool: " ".join(rest.split()) for pool, rest in lines}


def test_a_missing_pool_is_never_told_without_its_reasons(tmp_path: Path) -> None:
    configuration = POOLS + offering("fast", *figures(5000)) + volume("db", "fast", "2TiB")
    (tmp_path / "main.lun.hcl").write_text(configuration)
    said = refused(tmp_path)
    assert "No pool can take the volume" in said
    assert "for volume.db" in said
    told = rows(said, ("pool.ssd", "pool.small", "pool.slow", "pool.resting"))
    # Asked, free, and the budget; taken by this plan, by our volumes, and by others.
    assert told["pool.slow"] == "iops 5000 2000 2000 0 0 0"
    assert told["pool.small"] == "space 2 TiB 1 TiB 1 TiB 0 B 0 B 0 B"
    assert told["pool.ssd"] == "tags it is kept for offerings that name one of its tags (ssd)"
    assert told["pool.resting"] == "state it is in maintenance"
    assert not (tmp_path / "lunform.state").exists()


def test_iops_per_gib_grow_with_the_size(tmp_path: Path) -> None:
    main = tmp_path / "main.lun.hcl"
    scaled = POOLS + offering("scaled", "iops_per_gib {", "min = 10", "max = 20", "burst = 30", "}")
    main.write_text(scaled + volume("db", "scaled", "100GiB"))
    lunform("apply", "-auto-approve", directory=tmp_path)
    assert made(tmp_path) == [("pool.small", "volume-db", 1000)]
    main.write_text(scaled + volume("db", "scaled", "200GiB"))
    planned = lunform("plan", directory=tmp_path).output
    for name, before, after in (("floor", 1000, 2000), ("ceiling", 2000, 4000), ("burst", 3000, 6000)):
        assert f"{name:<7} = {before} IOPS -> {after} IOPS" in planned
    lunform("apply", "-auto-approve", directory=tmp_path)
    assert made(tmp_path) == [("pool.small", "volume-db", 2000)]
    # A size whose floor no pool can hold is refused for its floor, and the volume stays what it is.
    main.write_text(scaled.replace("iops     = 90000", "iops     = 3000") + volume("db", "scaled", "500GiB"))
    assert "floor 5000 asked, 3000 of 3000 IOPS left" in " ".join(refused(tmp_path).split())


@pytest.mark.parametrize("pin", [(), ("pool = pool.ssd",)])
def test_a_pool_can_be_kept_for_some_offerings_only(tmp_path: Path, pin: tuple[str, ...]) -> None:
    main = tmp_path / "main.lun.hcl"
    offerings = offering("any", *figures(100)) + offering("fast", *figures(100), 'tags = ["ssd"]')
    ssd = POOLS.partition('pool "small"')[0]
    # It is the only one, and asked for by name: it is refused all the same.
    main.write_text(ssd + offerings + volume("db", "any", "10GiB", *pin))
    said = refused(tmp_path)
    assert rows(said, ("pool.ssd",)) == {"pool.ssd": "tags it is kept for offerings that name one of its tags (ssd)"}
    assert made(tmp_path) == []
    # It has by far the most room, and takes only what names its tag.
    main.write_text(
        POOLS.replace("iops     = 90000", "iops     = 500")
        + offerings
        + volume("db", "any", "10GiB")
        + volume("wal", "fast", "10GiB")
    )
    lunform("apply", "-auto-approve", directory=tmp_path)
    assert made(tmp_path) == [("pool.slow", "volume-db", 100), ("pool.ssd", "volume-wal", 100)]
