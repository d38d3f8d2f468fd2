"""
The simulation's file: its schema, its connections and its transactions.

Every fact is a row, so other processes see it at once, and anybody may write into the file as a second administrator
would: a volume without an intent is a foreign one. Triggers keep a pool's sums, and let a VM's disks go with it,
whoever writes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from planner.sdk import Qos, Rejected, Retryable, Unreachable

T = TypeVar("T")

_APPLICATION_ID = 0x4C554E53
_SCHEMA_VERSION = 3

_POLICIES_AND_VMS = """
CREATE TABLE policy (
    name TEXT PRIMARY KEY,
    min_iops INTEGER NOT NULL,
    max_iops INTEGER NOT NULL,
    burst_iops INTEGER NOT NULL,
    max_bandwidth INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX volume_policy ON volume (policy) WHERE policy IS NOT NULL;

CREATE TABLE vm (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
    host TEXT NOT NULL,
    name TEXT NOT NULL,
    cpus INTEGER NOT NULL,      -- as its next start will have them
    memory INTEGER NOT NULL,    -- bytes
    running_cpus INTEGER,       -- as it has them now; NULL while it is off
    running_memory INTEGER,
    lineage TEXT,               -- the owner: these three or none
    address TEXT,
    intent TEXT UNIQUE,
    UNIQUE (host, name)
);
CREATE TRIGGER vm_deleted AFTER DELETE ON vm BEGIN
    DELETE FROM attachment WHERE host = old.host AND vm = old.name;
END;
"""

_POOL_SUMS = """
CREATE TRIGGER volume_made AFTER INSERT ON volume BEGIN
    INSERT INTO pool (name, used, floors) VALUES (new.pool, new.size, coalesce(new.min_iops, 0))
    ON CONFLICT (name) DO UPDATE SET used = used + excluded.used, floors = floors + excluded.floors;
END;
CREATE TRIGGER volume_changed AFTER UPDATE OF size, min_iops ON volume BEGIN
    UPDATE pool SET
        used = used + new.size - old.size,
        floors = floors + coalesce(new.min_iops, 0) - coalesce(old.min_iops, 0)
    WHERE name = new.pool;
END;
CREATE TRIGGER volume_deleted AFTER DELETE ON volume BEGIN
    UPDATE pool SET used = used - old.size, floors = floors - coalesce(old.min_iops, 0) WHERE name = old.pool;
END;
"""

_SNAPSHOTS_AND_DELETED = """
CREATE TABLE deleted_volume (           -- what can be restored
    id INTEGER PRIMARY KEY,             -- as it was, and all the rest
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    min_iops INTEGER,
    max_iops INTEGER,
    burst_iops INTEGER,
    max_bandwidth INTEGER NOT NULL,
    policy TEXT REFERENCES policy,
    source TEXT,
    lineage TEXT,
    address TEXT,
    intent TEXT,
    metadata TEXT NOT NULL,
    until REAL NOT NULL                 -- seconds since the epoch
);
CREATE TABLE snapshot (                 -- made by others
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    volume INTEGER NOT NULL REFERENCES volume ON DELETE CASCADE,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,              -- bytes that the volume had
    created TEXT NOT NULL               -- ISO 8601 in UTC
);
CREATE INDEX deleted_until ON deleted_volume (until);
CREATE TRIGGER bytes_kept AFTER INSERT ON deleted_volume BEGIN
    UPDATE pool SET used = used + new.size WHERE name = new.pool;
END;
CREATE TRIGGER bytes_given_back AFTER DELETE ON deleted_volume BEGIN
    UPDATE pool SET used = used - old.size WHERE name = old.pool;
END;
"""

_SCHEMA = f"""
PRAGMA journal_mode = WAL;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};

CREATE TABLE array (identity TEXT NOT NULL);

CREATE TABLE pool (
    name TEXT PRIMARY KEY,
    used INTEGER NOT NULL,      -- bytes: the sum of its volumes' sizes
    floors INTEGER NOT NULL,    -- the sum of their min_iops
    iops INTEGER                -- that it can guarantee, as its block last said; NULL for no limit
) WITHOUT ROWID;

CREATE TABLE volume (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never given twice
    pool TEXT NOT NULL,
    name TEXT NOT NULL,
    size INTEGER NOT NULL,
    min_iops INTEGER,           -- all three or none
    max_iops INTEGER,
    burst_iops INTEGER,
    max_bandwidth INTEGER NOT NULL DEFAULT 0,   -- bytes per second; 0 for no limit
    policy TEXT REFERENCES policy,              -- whose figures these are
    source TEXT,                -- the image, volume or snapshot that it began with
    lineage TEXT,               -- the owner: these three or none
    address TEXT,
    intent TEXT UNIQUE,
    metadata TEXT NOT NULL DEFAULT '{{}}',
    chap_digest TEXT,           -- of the CHAP secret, which is itself nowhere in the file
    UNIQUE (pool, name)
);

CREATE TABLE access (
    volume INTEGER NOT NULL REFERENCES volume,
    endpoint TEXT NOT NULL,     -- initiator name, or address of a host without one
    PRIMARY KEY (volume, endpoint)
) WITHOUT ROWID;

CREATE TABLE attachment (
    host TEXT NOT NULL,
    vm TEXT NOT NULL,
    device TEXT NOT NULL,
    volume INTEGER NOT NULL REFERENCES volume,
    endpoint TEXT NOT NULL,     -- as which the host is logged in
    serial TEXT,
    intent TEXT,
    size INTEGER NOT NULL,      -- as the VM sees it: the volume may have grown since
    max_iops INTEGER,           -- held by the hypervisor
    burst_iops INTEGER,
    max_bandwidth INTEGER NOT NULL DEFAULT 0,
    read_only INTEGER NOT NULL,
    shareable INTEGER NOT NULL DEFAULT 0,
    boot INTEGER NOT NULL DEFAULT 0,            -- the VM starts from it
    PRIMARY KEY (host, vm, device),
    UNIQUE (host, vm, intent)
) WITHOUT ROWID;
CREATE INDEX attachment_volume ON attachment (volume);

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request TEXT NOT NULL,
    due REAL NOT NULL,          -- seconds since the epoch
    answer TEXT                 -- NULL while it runs
);
CREATE INDEX job_due ON job (due) WHERE answer IS NULL;

CREATE TABLE fault (
    rule TEXT PRIMARY KEY,
    hits INTEGER NOT NULL
) WITHOUT ROWID;
{_POLICIES_AND_VMS}{_POOL_SUMS}{_SNAPSHOTS_AND_DELETED}"""

_FROM_1 = f"""
ALTER TABLE pool ADD COLUMN iops INTEGER;
ALTER TABLE volume ADD COLUMN max_bandwidth INTEGER NOT NULL DEFAULT 0;
ALTER TABLE volume ADD COLUMN policy TEXT REFERENCES policy;
ALTER TABLE volume ADD COLUMN source TEXT;
ALTER TABLE attachment ADD COLUMN max_bandwidth INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attachment ADD COLUMN shareable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attachment ADD COLUMN boot INTEGER NOT NULL DEFAULT 0;
{_POLICIES_AND_VMS}
DROP TRIGGER volume_made;
DROP TRIGGER volume_changed;
DROP TRIGGER volume_deleted;
{_POOL_SUMS}
"""

_FROM_2 = f"""
{_SNAPSHOTS_AND_DELETED}
UPDATE job SET request = json_object('$', 'Delete', 'request', json(request), 'keep', 0)
WHERE answer IS NULL AND json_extract(request, '$."$"') = 'DeleteVolume';
"""

_UPGRADES = {1: _FROM_1, 2: _FROM_2}
"""What makes a file of each version one of the next."""

FIGURES = "min_iops, max_iops, burst_iops, max_bandwidth"
"""The columns of a `Qos`, in the order of `qos_columns`."""

_WRITERS = threading.RLock()
"""Threads queue here for the file's one writer: SQLite's own waiting, needed between processes, sleeps."""

_BUSY_TIMEOUT = 30.0
"""Seconds to wait for writers of other processes."""


class _Change:
    """A thread's work that waits for the writer, and what became of it."""

    __slots__ = ("answer", "error", "is_done", "work")

    def __init__(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        self.work = work
        self.answer: Any = None
        self.error: Exception | None = None
        self.is_done = False


class Database:
    """
    One simulation file, for any number of threads; made on first use. Each thread reads by a connection of its own, and
    all of them write by one, which keeps what it knows of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._identity: str | None = None
        self._thread = threading.local()
        self._writer: sqlite3.Connection | None = None
        self._waiting: list[_Change] = []
        self._connections: list[sqlite3.Connection] = []

    @property
    def identity(self) -> str:
        """Names this array for ever: 12 hexadecimal digits. A file that is not there yet has some of its path's."""
        if self._identity is None and self.path.exists():
            with self.reading() as connection:
                self._identity = str(connection.execute("SELECT identity FROM array").fetchone()[0])
        return self._identity or hashlib.sha256(str(self.path.absolute()).encode()).hexdigest()[:12]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """
        A connection for single statements, each of which sees one state of the file.

        A file that is not there yet reads as an empty array, and stays not there: looking changes nothing.
        """
        with _plain_errors(self.path):
            if self.path.exists() or not self.path.parent.is_dir():
                yield self._connection()
            else:
                with closing(sqlite3.connect(":memory:")) as empty:
                    empty.executescript(_SCHEMA)
                    yield empty

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Carry `work` out in a transaction: all that it changes is there afterwards, or nothing when it raises.

        The works of threads that wait at the same time share one. When one of them raises, that is taken back and each
        gets its own: a work may be carried out twice, so it changes nothing but the file.
        """
        change = _Change(work)
        self._waiting.append(change)
        with _WRITERS:
            try:
                if not change.is_done:
                    self._carry_out([waiting for waiting in self._waiting if not waiting.is_done])
            finally:
                self._waiting.remove(change)
        if change.error is not None:
            raise change.error
        answer: T = change.answer
        return answer

    def _carry_out(self, changes: Sequence[_Change]) -> None:
        culprit = None
        try:
            with _plain_errors(self.path), self._transaction() as connection:
                for culprit in changes:
                    culprit.answer = culprit.work(connection)
                culprit = None
        except Exception as error:
            if culprit is not None and len(changes) > 1:
                for change in changes:
                    self._carry_out([change])
                return
            for change in changes:
                change.error = error
        for change in changes:
            change.is_done = True

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._writer = self._writer or self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise

    def close(self) -> None:
        """Close every thread's connection. Nothing is lost by not closing; a later call opens anew."""
        with _WRITERS:
            connections, self._connections = self._connections, []
            self._thread, self._writer = threading.local(), None
        for connection in connections:
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        try:
            connection: sqlite3.Connection = self._thread.connection
        except AttributeError:
            connection = self._thread.connection = self._open()
        return connection

    def _open(self) -> sqlite3.Connection:
        if not self.path.exists():
            _make(self.path)
        # Threads share nothing but `close`, which may run in another thread than the connection's own.
        connection = sqlite3.connect(self.path, _BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        # What is committed but not flushed survives the death of the process, though not that of the machine. That is
        # all a simulation needs; FULL, which flushes each commit, makes a call take some seven times as long.
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        try:
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        with _WRITERS:
            self._connections.append(connection)
        return connection

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raises Rejected when the file is no sandbox that this version reads; an older one is upgraded."""
        if _pragma(connection, "application_id") != _APPLICATION_ID:
            raise Rejected(
                "The file is not a sandbox",
                f"{self.path} is a database, but no sandbox's. Name another file in `path`.",
            )
        version = _pragma(connection, "user_version")
        if version in _UPGRADES:
            with _WRITERS:
                version = _upgrade(connection)
        if version != _SCHEMA_VERSION:
            raise Rejected(
                "The sandbox is of another version",
                f"{self.path} has version {version} and this Lunform reads version {_SCHEMA_VERSION}. Use the Lunform "
                "that made it, or name another file in `path`.",
            )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _upgrade(connection: sqlite3.Connection) -> int:
    """
    Make a file of an older version one of this version, whole or not at all, unless another process came first.

    Returns:
        the version that the file has then.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(_pragma(connection, "user_version"), _SCHEMA_VERSION):
            for statement in _statements(f"{_UPGRADES[version]} PRAGMA user_version = {version + 1};"):
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise
    return _pragma(connection, "user_version")


def _statements(script: str) -> Iterator[str]:
    """What `executescript` would carry out, which however ends the transaction that it is in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def qos_columns(qos: Qos | None) -> tuple[int | None, int | None, int | None, int]:
    """min_iops, max_iops, burst_iops, max_bandwidth as the file has them; the first three are NULL for no figures."""
    return (None, None, None, 0) if qos is None else (qos.min_iops, qos.max_iops, qos.burst_iops, qos.max_bandwidth)


def _make(path: Path) -> None:
    """
    Make the file, whole or not at all: it is built beside its place and then linked there.

    When two processes do so at once, the first one's file stays.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = sqlite3.connect(draft)
        try:
            connection.executescript(_SCHEMA)
            with connection:
                connection.execute("INSERT INTO array VALUES (?)", (secrets.token_hex(6),))
        finally:
            connection.close()
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """SQLite's and the system's failures, said in the words of providers. The transaction has had no effect."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        # The module's own errors, such as a use after `close`, have no code; the upper bits are further detail.
        match getattr(error, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_BUSY:
                sentence = f"Other processes held {path} for {_BUSY_TIMEOUT:.0f} s."
                raise Retryable("The sandbox is busy", sentence) from error
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                sentence = f"{path}: {error}. Name another file in `path`."
                raise Rejected("The file is not a sandbox", sentence) from error
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_FULL | sqlite3.SQLITE_READONLY:
                raise Unreachable(f"The sandbox {path} cannot be reached", f"SQLite says: {error}.") from error
            case _:
                raise
    except OSError as error:
        raise Unreachable(f"The sandbox {path} cannot be reached", f"The system says: {error.strerror}.") from error
