from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from planner.sdk import Pending, Qos, Rejected, Retryable, Unreachable
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


# files of other versions


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A sandbox with two volumes, of which one is attached, and a job that is due at 4,000,000,000 s."""
    path = tmp_path / "sandbox.db"
    connection = sqlite3.connect(path)
    connection.executescript(Path(__file__).with_name("version_1.sql").read_text())
    connection.close()
    return path


def schema(path: Path) -> set[tuple[object, ...]]:
    """Tables with their columns, indexes and triggers; the order of columns left out, and comments."""
    with closing(sqlite3.connect(path)) as connection:
        things = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        described = {(type, name, sql) for type, name, sql in things if type != "table"}
        for name in (name for type, name, _ in things if type == "table"):
            described |= {(name, *column[1:]) for column in connection.execute(f"PRAGMA table_info({name})")}
        return described | {("version", *connection.execute("PRAGMA user_version").fetchone())}


def test_a_file_of_version_1_becomes_one_of_this_version(version_1: Path, open_site: Callable[..., Any]) -> None:
    (volume, other) = open_site().array.list_volumes(open_site().pool)
    assert (volume.name, volume.qos, len(volume.grants)) == ("v1", Qos(100, 200, 300), 1)
    assert (other.name, other.qos) == ("v2", None)
    (disk,) = open_site().hypervisor.list_attachments(open_site().host())
    assert (disk.vm, disk.qos, disk.live) == ("db-01", Qos(0, 200, 300), True)
    assert open_site().array.pool_status(open_site().pool).floors == 100
    new = open_site(policies=True).create("new", qos=Qos(50, 60, 70, 80), policy="gold")
    assert new.id == "vol-4"
    assert open_site().array.pool_status(open_site().pool).floors == 150
    made = version_1.with_name("made.db")
    type(open_site())(made, {}).create()
    assert schema(version_1) == schema(made)


def test_jobs_of_a_file_of_version_1_go_on(
    version_1: Path, open_site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(open_site().array.poll("job-1"), Pending)
    monkeypatch.setattr(time, "time", lambda: 4_000_000_001.0)
    assert open_site().array.poll("job-1").value.qos == Qos(1, 2, 3)


def test_those_who_find_a_file_of_version_1_at_once_share_one(version_1: Path, open_site: Callable[..., Any]) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda number: open_site().create(f"new-{number}").id, range(8)))
    assert len(set(made)) == 8


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(version_1: Path, open_site: Callable[..., Any]) -> None:
    with closing(sqlite3.connect(version_1)) as connection:
        connection.execute("CREATE TABLE vm (name TEXT)")  # somebody's own
    before = schema(version_1)
    with pytest.raises(sqlite3.OperationalError):
        open_site().names()
    assert schema(version_1) == before


def test_a_file_of_a_later_version_is_refused(site: Any, open_site: Callable[..., Any]) -> None:
    site.create()
    site.write("PRAGMA user_version = 4")
    with pytest.raises(Rejected, match="another version") as caught:
        open_site().names()
    assert "has version 4 and this Lunform reads version 3" in caught.value.detail


def insert(name: str) -> Callable[[sqlite3.Connection], str]:
    """A work that makes a volume, and answers its name; for the name "bad" it raises after that."""

    def work(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO volume (pool, name, size) VALUES ('pool.fast', ?, 1)", (name,))
        if name == "bad":
            raise ZeroDivisionError
        return name

    return work


def test_a_work_that_raises_leaves_nothing(site: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        Database(site.path).write(insert("bad"))
    assert site.names() == []
    site.create("bad")


class Queue(list[Any]):
    """Tells when `number` are waiting."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        self.is_full = threading.Event()

    def append(self, item: Any) -> None:
        super().append(item)
        if len(self) == self.number:
            self.is_full.set()


@pytest.mark.parametrize(("names", "transactions"), [("abc", 1), (["a", "bad", "b"], 4)])
def test_works_that_wait_together_share_a_transaction_and_a_bad_one_spoils_no_other(
    site: Any, names: Sequence[str], transactions: int
) -> None:
    store = Database(site.path)
    store._waiting = queue = Queue(1 + len(names))
    statements: list[str] = []
    entered = threading.Event()

    def hold(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(statements.append)
        entered.set()
        assert queue.is_full.wait(60)

    with ThreadPoolExecutor(1 + len(names)) as threads:
        first = threads.submit(store.write, hold)
        assert entered.wait(60)
        rest = {name: threads.submit(store.write, insert(name)) for name in names}
        first.result()
        assert {name for name, answer in rest.items() if answer.exception() is not None} == {"bad"} & set(names)
    assert sorted(site.names()) == sorted(set(names) - {"bad"})
    assert statements.count("BEGIN IMMEDIATE") == transactions
    assert queue == []


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
