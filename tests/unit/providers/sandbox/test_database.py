from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import Rejected, Retryable, Unreachable
from providers.sandbox import database
from providers.sandbox.database import Database


def test_the_file_and_what_lies_beside_it_are_the_owners_only(open_site: Callable[..., Any], tmp_path: Path) -> None:
    site = open_site()
    site.create()
    files = list(tmp_path.iterdir())
    assert len(files) > 1
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_closing_leaves_one_file_and_a_later_call_opens_it_again(open_site: Callable[..., Any], tmp_path: Path) -> None:
    site = open_site()
    site.create()
    site.array.close()
    assert [file.name for file in tmp_path.iterdir()] == ["sandbox.db"]
    assert site.names() == ["v"]


def test_identity_stays_with_the_file(open_site: Callable[..., Any], tmp_path: Path) -> None:
    site = open_site()
    site.create()
    identity = site.array.inspect().identity
    site.array.close()
    (tmp_path / "sandbox.db").rename(tmp_path / "moved.db")
    assert Database(tmp_path / "moved.db").identity == identity
    anew = open_site()
    anew.create()
    assert anew.array.inspect().identity != identity


def test_directory_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="nowhere"), Database(tmp_path / "nowhere" / "sandbox.db").reading():
        pass


def test_directory_in_the_files_place_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        _ = Database(tmp_path).identity


@pytest.mark.parametrize("text", [b"state of something else\n" * 100, b""])
def test_a_file_that_is_no_sandbox_is_refused_and_not_touched(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "lunform.state"
    path.write_bytes(text)
    with pytest.raises(Rejected):
        _ = Database(path).identity
    assert path.read_bytes() == text


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE array (identity TEXT)")
    connection.close()
    with pytest.raises(Rejected):
        _ = Database(path).identity


def test_a_transaction_that_raises_leaves_nothing(site: Any) -> None:
    store = Database(site.path)
    with pytest.raises(ZeroDivisionError), store.writing() as connection:
        connection.execute("INSERT INTO volume (pool, name, size) VALUES ('pool.fast', 'v', 1)")
        _ = 1 / 0
    assert site.names() == []
    site.create("v")


def test_a_writer_that_never_ends_makes_calls_retryable(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_TIMEOUT", 0.01)
    site.create("first")
    holder = sqlite3.connect(site.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert site.names() == ["first"]  # reading goes on
    with pytest.raises(Retryable):
        site.create("second")
    holder.execute("ROLLBACK")
    holder.close()
    site.create("second")
