"""What the SQLite backend does with files; what every backend does is in tests/conformance."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from planner.addresses import InstanceAddress
from planner.errors import ForeignState, NewerState, StateError
from planner.state import sqlite
from planner.state.model import Outcome, RecordedObject, Run, Snapshot
from planner.state.sqlite import open_sqlite

RUN = Run("run-1", "apply", "2026-01-01T00:00:00Z", "somebody@somewhere:1")


def volume(key: int, text: str = "x" * 500) -> RecordedObject:
    return RecordedObject(InstanceAddress("volume", "db", key), None, {"text": text})


def record(path: Path, number: int = 100) -> Snapshot:
    """Make a state of `number` objects at `path`."""
    store = open_sqlite(path)
    with store.lock("apply"):
        store.begin(RUN, ())
        store.commit([Outcome(RUN.id, key, volume(key).address, "done", object=volume(key)) for key in range(number)])
        store.finish(RUN, {})
    return store.read()


def in_child(work: Callable[[], object]) -> int:
    """Do `work` in a forked process; its exit code, negative for the signal that killed it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of all files."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lunform.state"


# Reading leaves no trace


def test_reading_a_fresh_directory_leaves_nothing_behind(path: Path) -> None:
    assert open_sqlite(path).read() == Snapshot("", 0)
    assert list(path.parent.iterdir()) == []


def test_reading_changes_no_file(path: Path) -> None:
    record(path)
    before = files(path.parent)
    assert open_sqlite(path).runs()
    assert open_sqlite(path).read().objects
    assert files(path.parent) == before


def test_reading_needs_no_right_to_write(path: Path, tmp_path: Path) -> None:
    expected = record(path)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_mode & 0o005 != 0o005:  # pytest keeps its folders to their owner
            folder.chmod(0o755)
    tmp_path.chmod(0o555)
    path.chmod(0o444)

    def read_as_nobody() -> None:
        if os.getuid() == 0:
            os.setuid(65534)
        with pytest.raises(PermissionError):
            (tmp_path / "new").touch()
        assert open_sqlite(path).read() == expected

    assert in_child(read_as_nobody) == 0
    tmp_path.chmod(0o755)


# Files are the owner's, and few


def test_all_files_are_for_their_owner_only(path: Path) -> None:
    seen = {}
    mask = os.umask(0)
    try:
        store = open_sqlite(path)
        with store.lock("apply"):
            store.begin(RUN, ())
            store.commit([Outcome(RUN.id, 0, volume(0).address, "done", object=volume(0))])
            seen.update({file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()})
    finally:
        os.umask(mask)
    assert seen == dict.fromkeys(("lunform.state", "lunform.state-journal", "lunform.state.lock"), 0o600)


def test_a_finished_run_leaves_the_state_and_an_empty_lock_file(path: Path) -> None:
    record(path)
    assert sorted(file.name for file in path.parent.iterdir()) == ["lunform.state", "lunform.state.lock"]
    assert (path.parent / "lunform.state.lock").read_bytes() == b""


def test_folders_are_made_by_the_first_run_only(tmp_path: Path) -> None:
    path = tmp_path / "states" / "east" / "lunform.state"
    assert open_sqlite(path).read().serial == 0
    assert not path.parent.exists()
    assert len(record(path).objects) == 100


def test_a_name_may_hold_what_a_uri_may_not(tmp_path: Path) -> None:
    assert len(record(tmp_path / "a b?mode=memory#%20.state").objects) == 100
    assert (tmp_path / "a b?mode=memory#%20.state").exists()


# What is not ours, or not whole


def another_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE object (address)")
    connection.close()


def damaged(path: Path, *, at: float, bytes: bytes) -> None:
    """A state with `bytes` written over it, at a part of its length."""
    record(path)
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * at) // 4096 * 4096)
        file.write(bytes)


def shortened(path: Path, *, to: float) -> None:
    record(path)
    os.truncate(path, int(path.stat().st_size * to))


def with_a_broken_row(path: Path) -> None:
    record(path)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("""UPDATE object SET attributes = '{"text": ' WHERE rowid = 7""")
    connection.close()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.touch(), id="empty"),
        pytest.param(lambda path: path.write_text('{"version": 4, "serial": 1}\n'), id="text"),
        pytest.param(another_database, id="another-database"),
        pytest.param(lambda path: shortened(path, to=0.001), id="header-cut"),
        pytest.param(lambda path: shortened(path, to=0.5), id="half"),
        pytest.param(lambda path: shortened(path, to=0.99), id="nearly-whole"),
        pytest.param(lambda path: damaged(path, at=0, bytes=bytes(4096)), id="first-page-zeroed"),
        pytest.param(lambda path: damaged(path, at=0.5, bytes=bytes(4096)), id="middle-page-zeroed"),
        pytest.param(lambda path: damaged(path, at=0.5, bytes=b"\xff" * 4096), id="middle-page-garbage"),
        pytest.param(with_a_broken_row, id="broken-row"),
    ],
)
def test_a_file_that_is_not_a_whole_state_is_an_error_and_stays(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    before = path.read_bytes()
    store = open_sqlite(path)
    with pytest.raises(ForeignState) as caught:
        store.read()
    assert str(path) in caught.value.detail
    assert path.read_bytes() == before


@pytest.mark.parametrize("make", [Path.touch, another_database])
def test_a_foreign_file_is_not_written_to(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    before = path.read_bytes()
    store = open_sqlite(path)
    with store.lock("apply"), pytest.raises(ForeignState):
        store.begin(RUN, ())
    assert path.read_bytes() == before


def test_a_path_that_cannot_be_opened_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StateError):
        open_sqlite(path).read()


def test_a_newer_state_names_both_versions(path: Path) -> None:
    record(path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    store = open_sqlite(path)
    with pytest.raises(NewerState) as caught:
        store.read()
    assert re.findall(r"\d+", caught.value.detail.replace(str(path), "")) == ["99", str(len(sqlite._FORMATS))]
    with store.lock("apply"), pytest.raises(NewerState):
        store.begin(RUN, ())
    assert path.read_bytes() == before


def test_an_older_state_is_read_as_it_is_and_upgraded_by_the_first_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = record(path)
    before = path.read_bytes()
    upgrade = "ALTER TABLE object ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'; DROP TABLE outcome;"
    again = "CREATE TABLE outcome (run, step, address, status, error, PRIMARY KEY (run, step));"
    monkeypatch.setattr(sqlite, "_FORMATS", (*sqlite._FORMATS, upgrade, again))
    store = open_sqlite(path)
    assert store.read() == expected
    assert path.read_bytes() == before
    with store.lock("apply"):
        store.begin(replace(RUN, id="run-2"), ())
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT DISTINCT colour FROM object").fetchall() == [("blue",)]
    assert connection.execute("PRAGMA user_version").fetchone() == (len(sqlite._FORMATS),)
    connection.close()
    assert open_sqlite(path).read().objects == expected.objects


def test_an_upgrade_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(path)
    before = path.read_bytes()
    upgrade = "ALTER TABLE object ADD COLUMN colour TEXT; DROP TABLE no_such_table;"
    monkeypatch.setattr(sqlite, "_FORMATS", (*sqlite._FORMATS, upgrade))
    store = open_sqlite(path)
    with store.lock("apply"), pytest.raises(StateError):
        store.begin(replace(RUN, id="run-2"), ())
    assert path.read_bytes() == before


# Crashes


def die_in_the_middle_of_a_commit(path: Path) -> None:
    """Spill changed pages into the file, and be killed before the commit."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = PERSIST")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE object SET attributes = 'spilled'")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_commit_that_was_cut_short_never_was(path: Path) -> None:
    expected = record(path, 1000)
    assert in_child(lambda: die_in_the_middle_of_a_commit(path)) == -signal.SIGKILL
    assert b"spilled" in path.read_bytes(), "the crash came too early to show anything"
    assert open_sqlite(path).read() == expected
    with (store := open_sqlite(path)).lock("apply"):
        store.begin(replace(RUN, id="run-2"), ())
    assert store.read().objects == expected.objects


def test_the_journal_of_a_removed_state_is_not_played_into_a_new_one(path: Path) -> None:
    record(path, 1000)
    in_child(lambda: die_in_the_middle_of_a_commit(path))
    path.unlink()
    assert len(record(path, 10).objects) == 10


def test_a_state_that_was_being_made_when_its_maker_died_is_made_anew(path: Path) -> None:
    path.with_name("lunform.state.new").write_bytes(b"SQLite format 3\0")
    assert len(record(path, 10).objects) == 10
    assert not path.with_name("lunform.state.new").exists()


def test_a_full_disk_is_told_and_the_state_stays(path: Path) -> None:
    before = record(path)
    store = open_sqlite(path)
    with store.lock("apply"):
        store.begin(replace(RUN, id="run-2"), ())
        assert isinstance(store, sqlite.SqliteStore)
        assert store._writer is not None
        store._writer.execute("PRAGMA max_page_count = 1")  # SQLite then takes the disk for full
        with pytest.raises(StateError) as caught:
            store.commit([Outcome("run-2", n, volume(n).address, "done", object=volume(n)) for n in range(100, 300)])
        assert "full" in caught.value.detail
    assert open_sqlite(path).read().objects == before.objects
