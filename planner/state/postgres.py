"""
The state in PostgreSQL: one schema has the states of all workspaces.

- The lock is an advisory lock of a session, and only that session writes. Whatever ends it - the holder's death, a
  restart of the server, an administrator - ends the right to write with it. Hence no write is ever made again: when the
  answer to a COMMIT is lost, so is the lock, and the next holder reads what is there and looks up the rest.
- Reading makes and changes nothing: it is one transaction that is rolled back. A schema that is not there is an empty
  state. So a role that may only read can plan.
- The first run makes what is missing, in the transaction that begins it.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.errors import StateError, StateLocked
from planner.resources.schema import Argument
from planner.state.lock import who
from planner.state.postgres_schema import Schema
from planner.state.postgres_server import Server, told
from planner.state.rows import Rows
from planner.state.store import BackendDefinition, Cipher
from planner.state.tables import Tables, TableStore
from planner.values.types import BOOL

if TYPE_CHECKING:
    from planner.state.postgres_server import Session

_NAME = "lunform: "
"""What the names of sessions that hold a lock begin with."""

_SETTINGS = """
SELECT set_config(name, wanted, false)
FROM pg_settings JOIN (VALUES
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3'),
    ('tcp_user_timeout', '30000'),
    ('statement_timeout', '0'), ('transaction_timeout', '0'), ('lock_timeout', '0'),
    ('idle_session_timeout', '0'), ('idle_in_transaction_session_timeout', '0'),
    ('synchronous_commit', 'on')
) AS ours (name, wanted) USING (name)
WHERE name <> 'synchronous_commit' OR setting = 'off'
"""
"""
Of the session that holds the lock, as far as the server knows them. A holder whose host died without a word is noticed
by the server within 30 seconds; one that waits for an array for an hour is not taken for idle; and a commit that has
been answered is on disk.
"""

_HOLDER = """
SELECT application_name, pid FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND (classid::bigint << 32 | objid::bigint) = %s
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class PostgresBackend:
    """See `planner.state.store.StateBackend`."""

    def __init__(self, server: Server, schema: Schema, cipher: Cipher) -> None:
        self._server = server
        self._schema = schema
        self._cipher = cipher

    def open(self, workspace: str) -> PostgresStore:
        return PostgresStore(self._server, self._schema, workspace, self._cipher)

    def workspaces(self) -> Sequence[str]:
        with closing(self._server.connect("lunform")) as session, told("The state cannot be read"):
            if not self._schema.version(session):
                return ()
            found = session.execute(f"SELECT workspace FROM {self._schema.prefix}meta ORDER BY workspace")
            return tuple(name for (name,) in found)

    def remove(self, workspace: str) -> None:
        store = self.open(workspace)
        with store.lock("workspace delete"):
            store.erase()


class PostgresStore(TableStore):
    """See the module and `planner.state.store.StateStore`."""

    def __init__(self, server: Server, schema: Schema, workspace: str, cipher: Cipher) -> None:
        super().__init__(f'Workspace "{workspace}" of the PostgreSQL schema "{schema.name}"', cipher)
        self._server = server
        self._schema = schema
        self._workspace = workspace
        # 64 bits: an advisory lock is all that programs share of a database without knowing of each other.
        digest = hashlib.sha256(f"lunform\0{schema.name}\0{workspace}".encode()).digest()
        self._key = int.from_bytes(digest[:8], signed=True)
        self._held: _Held | None = None
        self._turn = threading.Lock()

    # Reading

    def _fetch(self, queries: Sequence[str], *parameters: Any) -> Sequence[Rows] | None:
        with self._reading() as session:
            if not self._schema.version(session):
                return None
            self._schema.upgrade(session)  # until the transaction is rolled back
            tables = self._schema.tables(session, self._workspace)
            return None if tables is None else [tables.select(query, *parameters) for query in queries]

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        """A session in a transaction that will be rolled back: the one that holds the lock, where there is one."""
        held = self._held
        if held is None:
            with (
                closing(self._server.connect("lunform")) as session,
                told("The state cannot be read"),
                session.transaction(force_rollback=True),
            ):
                yield session
        else:
            with self._transaction("The state cannot be read", discard=True):
                yield held.session

    # Writing

    @contextmanager
    def lock(self, operation: str, timeout: float = 0.0) -> Iterator[None]:
        with self._session(f"{_NAME}{operation} by {who()}") as held:
            with told("The state cannot be locked"):
                self._acquire(held.session, timeout)
            self._held = held
            try:
                yield
            finally:
                self._held = None
                # Closing does it too, but only when the server has noticed.
                with contextlib.suppress(StateError), told("The lock cannot be let go"):
                    held.session.execute("SELECT pg_advisory_unlock(%s)", (self._key,))

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        with self._session("lunform") as held:
            self._held = held
            try:
                yield
            finally:
                self._held = None

    @contextmanager
    def _session(self, name: str) -> Iterator[_Held]:
        """A session to write in, without the lock yet."""
        with closing(self._server.connect(name, to_write=True)) as session:
            with told("The state cannot be locked"):
                backend = self._backend_alone(session)
                session.execute(_SETTINGS)
            yield _Held(session, backend)

    def _backend_alone(self, session: Session) -> int:
        """
        The server's process of a session that nobody else uses.

        A pooler may lend it to others whenever it is idle, and the lock with it: then a session that is opened next has
        the same one.
        """
        backend = _backend(session)
        if session.info.backend_pid != backend:  # somebody is in between
            with closing(self._server.connect("lunform", to_write=True)) as another:
                if _backend(another) == backend:
                    raise StateError(
                        "A lock cannot be held through this pooler",
                        "It shares a session of the server between several clients, as pgbouncer does in transaction "
                        "mode. Let conn_str name the server itself, or a pooler in session mode.",
                    )
        return backend

    def _acquire(self, session: Session, timeout: float) -> None:
        """
        Who waits stands in the server's queue, and has the lock as soon as it is free.

        Raises StateLocked.
        """
        from psycopg.errors import LockNotAvailable

        if timeout > 0:
            milliseconds = min(int(timeout * 1000) + 1, 2**31 - 1)
            session.execute("SELECT set_config('lock_timeout', %s, false)", (str(milliseconds),))
            with contextlib.suppress(LockNotAvailable):
                session.execute("SELECT pg_advisory_lock(%s)", (self._key,))
                session.execute("SET lock_timeout = 0")
                return
        elif session.execute("SELECT pg_try_advisory_lock(%s)", (self._key,)).fetchone() == (True,):
            return
        name, backend = session.execute(_HOLDER, (self._key,)).fetchone() or ("", None)
        holder = name.removeprefix(_NAME) or "a session that has ended just now"
        ends = "The lock ends with the session that holds it"
        raise StateLocked(
            "The state is locked",
            f"{self.place} is held by {holder}. Wait for it to end, or give -lock-timeout. "
            + (f"{ends}: where that hangs, SELECT pg_terminate_backend({backend}) ends it." if backend else f"{ends}."),
            holder,
        )

    @contextmanager
    def _writing(self) -> Iterator[tuple[Tables, int]]:
        with self._transaction() as held:
            if not held.is_ready:
                self._make(held.session)
            schema = self._schema.prefix
            found = held.session.execute(
                f"UPDATE {schema}meta SET serial = serial + 1 FROM {schema}lunform_format"
                " WHERE workspace = %s AND version = %s AND pg_backend_pid() = %s RETURNING state, serial",
                (self._workspace, self._schema.present, held.backend),
            ).fetchone()
            if found is None:
                raise StateError(
                    "The state was taken away",
                    f"{self.place} was removed or upgraded while this run held its lock, or a pooler changed the "
                    "session. Nothing more is written. Plan again.",
                )
            state, serial = found
            yield self._schema.tables_of(held.session, state), serial
        held.is_ready = True

    @contextmanager
    def _transaction(self, failure: str = "The state cannot be written", *, discard: bool = False) -> Iterator[_Held]:
        """In the session that holds the lock, one at a time."""
        held = self._held
        if held is None:
            raise StateError("The state is written to without its lock", "This is a bug in lunform.")
        with self._turn, told(failure, held.session), held.session.transaction(force_rollback=discard):
            yield held

    def _make(self, session: Session) -> None:
        """What is not there yet, or has an older format."""
        self._schema.upgrade(session)
        session.execute(
            f"INSERT INTO {self._schema.prefix}meta (workspace, lineage, serial) VALUES (%s, %s, 0)"
            " ON CONFLICT (workspace) DO NOTHING",
            (self._workspace, uuid.uuid4().hex),
        )

    def erase(self) -> None:
        """Delete all that is recorded, and that the workspace ever was."""
        with self._transaction() as held:
            self._schema.erase(held.session, self._workspace)

    def close(self) -> None:
        pass  # a session lives as long as a lock or a reading


@dataclass(slots=True)
class _Held:
    """
    The session that holds the lock, or goes without.

    Attributes:
        backend: the server's process of it.
        is_ready: the tables are there, in the present format.
    """

    session: Session
    backend: int
    is_ready: bool = False


def _backend(session: Session) -> int:
    ((backend,),) = session.execute("SELECT pg_backend_pid()")
    return int(backend)


def _open(arguments: Mapping[str, Any], directory: Path, cipher: Cipher) -> PostgresBackend:
    schema = Schema(arguments["schema_name"], not arguments["skip_schema_creation"])
    return PostgresBackend(Server(arguments["conn_str"]), schema, cipher)


BACKEND = BackendDefinition(
    name="postgres",
    summary="Tables in a PostgreSQL database, for teams.",
    arguments=(
        Argument("conn_str", summary="A URI or key=value pairs, as for psql. Left out: PGHOST, ...", sensitive=True),
        Argument("schema_name", summary="The schema that has the tables.", default="lunform"),
        Argument("skip_schema_creation", BOOL, "The schema must be there.", default=False),
    ),
    open=_open,
)
