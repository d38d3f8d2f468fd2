"""
The state in one SQLite file, and the default backend.

- Reading makes and changes no file: plans work in a fresh directory and on a read-only one. Hence a rollback journal
  and not a write-ahead log, which readers must write to and which network file systems cannot hold.
- Every write is one transaction with synchronous=FULL: when a call has returned, it survives a power cut.
- A file that is not ours, or damaged, or empty is an error. Only a missing file is an empty state.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from planner.errors import StateError
from planner.resources.schema import Argument
from planner.state.document import StateDocument, foreign, newer
from planner.state.lock import hold
from planner.state.rows import Row, Rows
from planner.state.store import DEFAULT_WORKSPACE, BackendDefinition, Cipher, NoCipher, StateStore
from planner.state.tables import COLUMNS, Tables, TableStore

DEFAULT_PATH = "lunform.state"

_APPLICATION_ID = 0x4C756E66
"""`Lunf`, in the file's header: `file lunform.state` shows it too."""

_FORMATS = (
    """
    CREATE TABLE meta (lineage TEXT NOT NULL, serial INTEGER NOT NULL);
    INSERT INTO meta VALUES (lower(hex(randomblob(16))), 0);
    CREATE TABLE object (
        address TEXT PRIMARY KEY, provider TEXT, attributes TEXT NOT NULL, dependencies TEXT NOT NULL,
        revision INTEGER NOT NULL, protected INTEGER NOT NULL
    );
    CREATE TABLE output (name TEXT PRIMARY KEY, value TEXT NOT NULL, sensitive INTEGER NOT NULL);
    CREATE TABLE run (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, operation TEXT NOT NULL, started TEXT NOT NULL,
        who TEXT NOT NULL, finished TEXT, summary TEXT NOT NULL
    );
    -- What may or may not have happened: a row goes when its step's outcome is known.
    CREATE TABLE intent (
        run INTEGER NOT NULL, step INTEGER NOT NULL, address TEXT NOT NULL, payload TEXT NOT NULL,
        job TEXT NOT NULL DEFAULT '', begun INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (run, step)
    ) WITHOUT ROWID;
    -- What did happen, kept for history.
    CREATE TABLE outcome (
        run INTEGER NOT NULL, step INTEGER NOT NULL, address TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL,
        PRIMARY KEY (run, step)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE outcome ADD COLUMN verb TEXT NOT NULL DEFAULT '';
    -- What plans were made from. Most runs of a state have the same configuration as the run before.
    CREATE TABLE origin (digest TEXT PRIMARY KEY, content TEXT NOT NULL);
    ALTER TABLE run ADD COLUMN origin TEXT;
    """,
)
"""Script n makes format n + 1 of format n; all of them together make a new file."""

_WAIT = 30.0
"""Seconds that a reader waits for a commit under way, and a commit for readers; both take milliseconds."""


def open_sqlite(path: str | Path, cipher: Cipher | None = None) -> StateStore:
    """The state in the file at `path`, which need not exist: the first `begin` makes it, readable by its owner only."""
    return SqliteStore(Path(path).resolve(), cipher or NoCipher())


class SqliteBackend:
    """
    The state at `path`, and those of further workspaces in a folder beside it: `lunform.state.d/east.state`.
    See `planner.state.store.StateBackend`.
    """

    def __init__(self, path: Path, cipher: Cipher) -> None:
        self._path = path
        self._cipher = cipher

    def open(self, workspace: str) -> StateStore:
        return open_sqlite(self._of(workspace), self._cipher)

    def workspaces(self) -> Sequence[str]:
        names = [path.name.removesuffix(".state") for path in self._folder.glob("*.state")]
        return sorted(names + [DEFAULT_WORKSPACE] * self._path.exists())

    def remove(self, workspace: str) -> None:
        path = self._of(workspace)
        with _told_of(path), hold(_lock_of(path), "workspace delete", 0.0):
            path.unlink(missing_ok=True)

    @property
    def _folder(self) -> Path:
        return self._path.with_name(self._path.name + ".d")

    def _of(self, workspace: str) -> Path:
        return self._path if workspace == DEFAULT_WORKSPACE else self._folder / f"{workspace}.state"


class SqliteStore(TableStore):
    """See the module and `planner.state.store.StateStore`."""

    def __init__(self, path: Path, cipher: Cipher) -> None:
        super().__init__(str(path), cipher)
        self._path = path
        self._may_write = False
        self._writer: sqlite3.Connection | None = None

    # Reading

    def _fetch(self, queries: Sequence[str], *parameters: Any) -> Sequence[Rows] | None:
        with _told_of(self._path), contextlib.ExitStack() as connections:
            if not self._path.exists():
                return None
            reader = connections.enter_context(contextlib.closing(_connect(self._path, "ro")))
            try:
                version = _format(reader, self._path)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_READONLY_ROLLBACK:
                    raise
                # A commit was cut short. What it had written must be taken back first, which only a writer may do.
                reader = connections.enter_context(contextlib.closing(_connect(self._path, "rw")))
                version = _format(reader, self._path)
            if version < len(_FORMATS):
                copy = connections.enter_context(contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)))
                reader.backup(copy)
                _upgrade(copy, version)
                reader = copy
            reader.execute("BEGIN")
            tables = _SqliteTables(reader)
            return [tables.select(query, *parameters) for query in queries]

    # Writing

    @contextmanager
    def lock(self, operation: str, timeout: float = 0.0) -> Iterator[None]:
        with hold(_lock_of(self._path), operation, timeout), self.unlocked():
            yield

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        self._may_write = True
        try:
            yield
        finally:
            self._may_write = False
            self.close()

    def replace(self, document: StateDocument) -> None:
        super().replace(document)
        # What was deleted still lies in the file's free pages, perhaps as plain text that is sealed by now.
        with _told_of(self._path):
            self._open().execute("VACUUM")

    def close(self) -> None:
        if self._writer is not None:
            # The journal is kept between commits for speed; nothing but the state stays behind.
            with contextlib.closing(self._writer) as writer, contextlib.suppress(sqlite3.Error):
                self._writer = None
                writer.execute("PRAGMA journal_mode = DELETE")

    @contextmanager
    def _writing(self) -> Iterator[tuple[Tables, int]]:
        if not self._may_write:
            raise StateError("The state is written to without its lock", "This is a bug in lunform.")
        with _told_of(self._path):
            writer = self._open()
            writer.execute("BEGIN IMMEDIATE")
            try:
                writer.execute("UPDATE meta SET serial = serial + 1")
                (serial,) = writer.execute("SELECT serial FROM meta").fetchone()
                yield _SqliteTables(writer), serial
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:  # a full disk has rolled back already
                    writer.execute("ROLLBACK")
                raise

    def _open(self) -> sqlite3.Connection:
        self._writer = self._writer or self._open_writer()
        return self._writer

    def _open_writer(self) -> sqlite3.Connection:
        if not self._path.exists():
            _make(self._path)
        writer = _connect(self._path, "rw")
        try:
            version = _format(writer, self._path)
            writer.execute("PRAGMA journal_mode = PERSIST")
            writer.execute("PRAGMA synchronous = FULL")
            writer.execute("PRAGMA cache_size = -65536")  # KiB: a big transaction does not spill before its commit
            if version < len(_FORMATS):
                _upgrade(writer, version)
        except BaseException:
            writer.close()
            raise
        return writer


class _SqliteTables:
    """See `planner.state.tables.Tables`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def select(self, query: str, *parameters: Any) -> Rows:
        return self._connection.execute(query, parameters).fetchall()

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        columns = COLUMNS[table]
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def update(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Row]) -> None:
        changed = ", ".join(f"{column} = ?" for column in columns)
        where = f" WHERE {_equal(key)}" if key else ""
        self._connection.executemany(f"UPDATE {table} SET {changed}{where}", rows)

    def delete(self, table: str, key: Sequence[str], rows: Sequence[Row]) -> None:
        self._connection.executemany(f"DELETE FROM {table} WHERE {_equal(key)}", rows)

    def clear(self, table: str) -> None:
        self._connection.execute(f"DELETE FROM {table}")


def _equal(key: Sequence[str]) -> str:
    return " AND ".join(f"{column} = ?" for column in key)


# The file


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """`mode` is SQLite's: "ro" or "rw". Transactions are begun and ended by hand."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_WAIT,
        isolation_level=None,
        check_same_thread=False,
    )


def _format(connection: sqlite3.Connection, path: Path) -> int:
    """
    The format version of the file.

    Raises:
        ForeignState: it is not a Lunform state.
        NewerState: this Lunform does not know its format.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION_ID:
        what = "is empty" if path.stat().st_size == 0 else "is a database of another program"
        raise foreign(str(path), what)
    if version > len(_FORMATS):
        raise newer(str(path), version, len(_FORMATS))
    return int(version)


def _make(path: Path) -> None:
    """
    Make a new state at `path`, whole or not at all: a file that is there and empty would be taken for a damaged one.
    """
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with contextlib.closing(_connect(new, "rw")) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        _upgrade(connection, 0)
    # The journal of a state that was removed by hand after a crash would be played back into the new one.
    path.with_name(path.name + "-journal").unlink(missing_ok=True)
    new.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from format `version` to the present one, in one transaction."""
    steps = "".join(_FORMATS[version:])
    connection.executescript(
        f"BEGIN IMMEDIATE; {steps} PRAGMA application_id = {_APPLICATION_ID};"
        f" PRAGMA user_version = {len(_FORMATS)}; COMMIT;"
    )


@contextmanager
def _told_of(path: Path) -> Iterator[None]:
    """What SQLite or the system says of the file at `path`, in our words."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise foreign(str(path), f"is damaged or of another kind ({error})") from error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise _full(path) from error
        if code == sqlite3.SQLITE_BUSY:
            raise StateError(
                "The state is busy",
                f"{path}: another process has had it open for writing for {_WAIT:.0f} s, and it is none of Lunform's. "
                "End it, and run the same command again.",
            ) from error
        raise StateError("The state cannot be read or written", f"{path}: {error}.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _full(path) from error
        raise StateError("The state cannot be read or written", f"{path}: {error.strerror}.") from error


def _full(path: Path) -> StateError:
    return StateError(
        "There is no room for the state",
        f"{path}: the disk is full. Make room, and run the same command again: it finds out what was done.",
    )


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _open(arguments: Mapping[str, Any], directory: Path, cipher: Cipher) -> SqliteBackend:
    return SqliteBackend((directory / arguments["path"]).resolve(), cipher)


BACKEND = BackendDefinition(
    name="sqlite",
    summary="One file beside the configuration, or wherever you like.",
    arguments=(Argument("path", summary="The state's file.", default=DEFAULT_PATH),),
    open=_open,
)
