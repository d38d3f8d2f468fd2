"""
The state in one SQLite file, and the default backend.

- Reading makes and changes no file: plans work in a fresh directory and on a read-only one. Hence a rollback journal
  and not a write-ahead log, which readers must write to and which network file systems cannot hold.
- Every write is one transaction with synchronous=FULL: when a call has returned, it survives a power cut.
- A file that is not ours, or damaged, or empty is an error. Only a missing file is an empty state.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from planner.addresses import InstanceAddress
from planner.errors import ForeignState, NewerState, StateError
from planner.resources.schema import Argument
from planner.state import rows, text
from planner.state.document import StateDocument
from planner.state.lock import hold
from planner.state.model import Intent, Origin, Outcome, OutputValue, RecordedObject, Run, Snapshot
from planner.state.rows import document_of, object_row, origin_of, origin_row, outcome_of, snapshot_of
from planner.state.store import DEFAULT_WORKSPACE, BackendDefinition, Cipher, NoCipher, StateStore

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


class SqliteStore:
    """See the module and `planner.state.store.StateStore`."""

    def __init__(self, path: Path, cipher: Cipher) -> None:
        self._path = path
        self._cipher = cipher
        self._may_write = False
        self._writer: sqlite3.Connection | None = None

    # Reading

    def read(self) -> Snapshot:
        with self._reading() as reader:
            if reader is None:
                return Snapshot("", 0)
            return snapshot_of(self._decode, *_fetch(reader, rows.SNAPSHOT))

    def document(self) -> StateDocument:
        with self._reading() as reader:
            if reader is None:
                return StateDocument()
            return document_of(self._decode, *_fetch(reader, rows.DOCUMENT))

    def runs(self) -> Sequence[Run]:
        with self._reading() as reader:
            return () if reader is None else tuple(Run(*row) for row in reader.execute(rows.RUNS))

    def outcomes(self, run: str) -> Sequence[Outcome]:
        with self._reading() as reader:
            if reader is None:
                return ()
            found = reader.execute(f"SELECT * FROM ({rows.OUTCOMES}) WHERE id = ?", (run,))
            return tuple(outcome_of(row) for row in found)

    def origin(self, run: str) -> Origin | None:
        with self._reading() as reader:
            if reader is None:
                return None
            row = reader.execute(f"SELECT content FROM ({rows.ORIGINS}) WHERE id = ?", (run,)).fetchone()
            return None if row is None else origin_of(row[0], self._decode)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection in a read transaction, in the present format; None when there is no file."""
        with _told_of(self._path), contextlib.ExitStack() as connections:
            if not self._path.exists():
                yield None
                return
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
            try:
                yield reader
            except (ValueError, TypeError) as error:
                raise _foreign(self._path, f"holds a row that is damaged ({error})") from error

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

    def begin(self, run: Run, intents: Sequence[Intent], origin: Origin | None = None) -> str:
        with self._writing() as (writer, _):
            number = self._insert_run(writer, run, origin)
            writer.executemany(
                "INSERT INTO intent (run, step, address, payload) VALUES (?, ?, ?, ?)",
                ((number, intent.step, intent.address, self._encode(intent.payload)) for intent in intents),
            )
            (lineage,) = writer.execute("SELECT lineage FROM meta").fetchone()
            return str(lineage)

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        changed: dict[InstanceAddress, RecordedObject | None] = {}
        for outcome in outcomes:
            if outcome.removed or outcome.object is not None:
                changed[outcome.address] = outcome.object
        with self._writing() as (writer, serial):
            numbers = {run: _number(writer, run) for run in {outcome.run for outcome in outcomes}}
            writer.executemany(
                "REPLACE INTO outcome (run, step, address, status, error, verb) VALUES (?, ?, ?, ?, ?, ?)",
                [(numbers[o.run], o.step, str(o.address), o.status, o.error, o.verb) for o in outcomes],
            )
            writer.executemany(
                "DELETE FROM intent WHERE run = ? AND step = ?",
                [(numbers[o.run], o.step) for o in outcomes if o.status in ("done", "failed")],
            )
            writer.executemany(
                "UPDATE intent SET begun = 1, job = ? WHERE run = ? AND step = ?",
                [(o.job, numbers[o.run], o.step) for o in outcomes if o.status in ("pending", "unknown")],
            )
            writer.executemany(
                "DELETE FROM object WHERE address = ?",
                [(str(address),) for address, object in changed.items() if object is None],
            )
            self._put_objects(writer, [(object, serial) for object in changed.values() if object is not None])

    def finish(self, run: Run, outputs: Mapping[str, OutputValue] | None) -> None:
        with self._writing() as (writer, _):
            number = _number(writer, run.id)
            writer.execute(
                "UPDATE run SET finished = ?, summary = ? WHERE number = ?", (run.finished, run.summary, number)
            )
            writer.execute("DELETE FROM intent WHERE run = ? AND begun = 0", (number,))
            if outputs is not None:
                self._put_outputs(writer, outputs)

    def replace(self, document: StateDocument) -> None:
        with self._writing() as (writer, _):
            for table in ("object", "output", "intent", "outcome", "run", "origin"):
                writer.execute(f"DELETE FROM {table}")
            writer.execute("UPDATE meta SET lineage = ?, serial = ?", (document.lineage, document.serial))
            self._put_objects(writer, [(object, object.revision) for object in document.objects.values()])
            self._put_outputs(writer, document.outputs)
            numbers = {
                run.id: self._insert_run(writer, run, document.origins.get(run.id)) for run in document.runs.values()
            }
            writer.executemany(
                "INSERT INTO intent (run, step, address, payload, job, begun) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (numbers[i.run], i.step, i.address, self._encode(i.payload), i.job, key in document.begun)
                    for key, i in document.intents.items()
                ],
            )
            writer.executemany(
                "INSERT INTO outcome (run, step, address, status, error, verb) VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (numbers[o.run], o.step, str(o.address), o.status, o.error, o.verb)
                    for o in document.outcomes.values()
                ],
            )

    def _insert_run(self, writer: sqlite3.Connection, run: Run, origin: Origin | None) -> int | None:
        """The run's number."""
        digest = None
        if origin is not None:
            digest, content = origin_row(origin, self._encode)
            writer.execute("INSERT OR IGNORE INTO origin (digest, content) VALUES (?, ?)", (digest, content))
        return writer.execute(
            "INSERT INTO run (id, operation, started, who, finished, summary, origin) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (run.id, run.operation, run.started, run.who, run.finished, run.summary, digest),
        ).lastrowid

    def _put_objects(self, writer: sqlite3.Connection, objects: Sequence[tuple[RecordedObject, int]]) -> None:
        """Objects with their revisions."""
        writer.executemany(
            "REPLACE INTO object (address, provider, attributes, dependencies, revision, protected)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [object_row(object, revision, self._encode) for object, revision in objects],
        )

    def _put_outputs(self, writer: sqlite3.Connection, outputs: Mapping[str, OutputValue]) -> None:
        writer.execute("DELETE FROM output")
        writer.executemany(
            "INSERT INTO output (name, value, sensitive) VALUES (?, ?, ?)",
            [
                (name, self._encode(None if output.sensitive else output.value), output.sensitive)
                for name, output in sorted(outputs.items())
            ],
        )

    def _encode(self, value: Any) -> str:
        return self._cipher.seal(text.encode(value))

    def _decode(self, sealed: str) -> Any:
        return text.decode(self._cipher.open(sealed))

    def close(self) -> None:
        if self._writer is not None:
            # The journal is kept between commits for speed; nothing but the state stays behind.
            with contextlib.closing(self._writer) as writer, contextlib.suppress(sqlite3.Error):
                self._writer = None
                writer.execute("PRAGMA journal_mode = DELETE")

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        """A connection in a write transaction, and the serial that this transaction gets."""
        if not self._may_write:
            raise StateError("The state is written to without its lock", "This is a bug in lunform.")
        with _told_of(self._path):
            writer = self._writer = self._writer or self._open_writer()
            writer.execute("BEGIN IMMEDIATE")
            try:
                writer.execute("UPDATE meta SET serial = serial + 1")
                (serial,) = writer.execute("SELECT serial FROM meta").fetchone()
                yield writer, serial
                writer.execute("COMMIT")
            except BaseException:
                if writer.in_transaction:  # a full disk has rolled back already
                    writer.execute("ROLLBACK")
                raise

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
        raise _foreign(path, what)
    if version > len(_FORMATS):
        raise NewerState(
            "The state was written by a newer Lunform",
            f"{path} has state format {version}; this Lunform knows formats up to {len(_FORMATS)}. "
            "Use the newer Lunform. The file was not touched.",
        )
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
            raise _foreign(path, f"is damaged or of another kind ({error})") from error
        raise StateError("The state cannot be read or written", f"{path}: {error}.") from error
    except OSError as error:
        raise StateError("The state cannot be read or written", f"{path}: {error.strerror}.") from error


def _foreign(path: Path, what: str) -> ForeignState:
    return ForeignState(
        "Not a Lunform state",
        f"{path} {what}. It was not touched. Restore it from a copy, or move it away if nothing is recorded in it.",
    )


# Rows


def _number(connection: sqlite3.Connection, run: str) -> int:
    row = connection.execute("SELECT number FROM run WHERE id = ?", (run,)).fetchone()
    if row is None:
        raise StateError("The state knows no such run", f'Run "{run}" was not begun. This is a bug in lunform.')
    return int(row[0])


def _fetch(reader: sqlite3.Connection, queries: Sequence[str]) -> Sequence[rows.Rows]:
    """All rows of each; the transaction is over then, so that no commit waits while they are decoded."""
    fetched = [reader.execute(query).fetchall() for query in queries]
    reader.execute("COMMIT")
    return fetched


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
