"""`import` as a user meets it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import lunform_here as lunform

CONFIGURATION = """
provider "sandbox" {}

disk_offering "plain" {}

pool "a" {
  provider = sandbox
}

variable "size" {
  type = string
}

volume "db" {
  offering = disk_offering.plain
  size     = var.size
}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    lunform("plan", "-var=size=1GiB", directory=tmp_path)  # makes the array
    lunform("apply", "-auto-approve", "-var=size=1GiB", directory=tmp_path)
    lunform("destroy", "-auto-approve", "-allow-data-loss", "-var=size=1GiB", directory=tmp_path)
    with closing(sqlite3.connect(tmp_path / "sandbox.db")) as database, database:
        database.execute("INSERT INTO volume (pool, name, size) VALUES ('pool.a', 'legacy', 2147483648)")
    return tmp_path


def test_an_import_shows_what_it_records_and_records_it(directory: Path) -> None:
    done = lunform("import", "-var=size=3GiB", "-lock-timeout=1s", "volume.db", "legacy", directory=directory).output
    assert done.startswith('Import: volume.db from "vol-2".\n')
    assert "    size         = 2GiB\n" in done
    assert "Recorded with it, since it names them: disk_offering.plain, pool.a.\n" in done
    assert done.endswith("Import complete! 1 imported.\n")
    assert "2GiB -> 3GiB" in lunform("plan", "-var=size=3GiB", directory=directory).output


def test_an_import_in_json_is_a_stream_that_counts_it(directory: Path) -> None:
    words = ("import", "-json", "-var=size=3GiB", "volume.db", "vol-2")
    lines = [json.loads(line) for line in lunform(*words, directory=directory).output.splitlines()]
    (planned,) = [
        line["change"]
        for line in lines
        if line["type"] == "planned_change" and line["change"]["resource"]["addr"] == "volume.db"
    ]
    assert planned["action"] == "record"
    assert [line["changes"]["import"] for line in lines if line["type"] == "change_summary"] == [1, 1]


def test_a_refused_import_records_nothing(directory: Path) -> None:
    before = (directory / "lunform.state").read_bytes()
    for words, said in (
        (("volume.dc", "legacy"), 'Did you mean "volume.db"?'),
        (("volume.db", "other"), 'no volume with the id or name "other"'.replace("no volume", "has a volume")),
        (("db", "legacy"), "is not an address such as volume.db"),
        (("-refresh=false", "volume.db", "legacy"), "-refresh=false"),
    ):
        refused = lunform("import", "-var=size=3GiB", *words, directory=directory, code=1)
        assert said in " ".join(refused.errors.split()), words
    assert (directory / "lunform.state").read_bytes() == before
