"""
The tables that hold the states of all workspaces in one PostgreSQL schema, and their formats.

A table `lunform_format` with the format's number is by what a schema of ours is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from planner.errors import StateError
from planner.state.document import foreign, newer
from planner.state.rows import Row, Rows
from planner.state.tables import COLUMNS

if TYPE_CHECKING:
    from planner.state.postgres_server import Session

_FORMATS = (
    """
    CREATE TABLE lunform_format (version INTEGER NOT NULL);
    INSERT INTO lunform_format VALUES (0);
    CREATE TABLE meta (
        state BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace TEXT COLLATE "C" NOT NULL UNIQUE,
        lineage TEXT NOT NULL, serial BIGINT NOT NULL
    );
    CREATE TABLE object (
        state BIGINT, address TEXT COLLATE "C", provider TEXT, attributes TEXT NOT NULL, dependencies TEXT NOT NULL,
        revision BIGINT NOT NULL, protected BOOLEAN NOT NULL, PRIMARY KEY (state, address)
    );
    CREATE TABLE output (
        state BIGINT, name TEXT COLLATE "C", value TEXT NOT NULL, sensitive BOOLEAN NOT NULL, PRIMARY KEY (state, name)
    );
    CREATE TABLE run (
        state BIGINT, number BIGINT GENERATED ALWAYS AS IDENTITY, id TEXT NOT NULL, operation TEXT NOT NULL,
        started TEXT NOT NULL, who TEXT NOT NULL, finished TEXT, summary TEXT NOT NULL, origin TEXT,
        PRIMARY KEY (state, number), UNIQUE (state, id)
    );
    -- What may or may not have happened: a row goes when its step's outcome is known.
    CREATE TABLE intent (
        state BIGINT, run BIGINT, step INTEGER, address TEXT NOT NULL, payload TEXT NOT NULL, job TEXT NOT NULL,
        begun BOOLEAN NOT NULL, PRIMARY KEY (state, run, step)
    );
    -- What did happen, kept for history.
    CREATE TABLE outcome (
        state BIGINT, run BIGINT, step INTEGER, address TEXT NOT NULL, status TEXT NOT NULL, error TEXT NOT NULL,
        verb TEXT NOT NULL, PRIMARY KEY (state, run, step)
    );
    -- What plans were made from. Most runs of a state have the same configuration as the run before.
    CREATE TABLE origin (state BIGINT, digest TEXT, content TEXT NOT NULL, PRIMARY KEY (state, digest));
    """,
)
"""Script n makes format n + 1 of format n; all of them together fill an empty schema."""


class Schema:
    """
    Args:
        may_be_made: the schema itself, where it is missing.

    Attributes:
        prefix: before the names of its tables.
    """

    def __init__(self, name: str, may_be_made: bool) -> None:
        self.name = name
        self.prefix = f"{self._quoted}."
        self._may_be_made = may_be_made

    @property
    def present(self) -> int:
        """The format that this Lunform reads and writes."""
        return len(_FORMATS)

    def version(self, session: Session) -> int:
        """
        The format of the tables; 0 when there are none.

        Raises:
            ForeignState: there are tables, and they are another program's.
            NewerState: this Lunform does not know their format.
        """
        found = session.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
            " WHERE nspname = %s AND relkind IN ('r', 'p', 'v', 'm', 'f')",
            (self.name,),
        ).fetchall()
        if not found:
            return 0
        place = f'The PostgreSQL schema "{self.name}"'
        if ("lunform_format",) not in found:
            raise foreign(place, "has tables of another program")
        versions = session.execute(f"SELECT version FROM {self.prefix}lunform_format").fetchall()
        if len(versions) != 1:
            raise foreign(place, "is damaged (lunform_format must have one row)")
        ((version,),) = versions
        if version > self.present:
            raise newer(place, version, self.present)
        return int(version)

    def upgrade(self, session: Session) -> None:
        """
        Bring the tables to the present format, in the transaction that is open; make them where there are none.

        Raises:
            StateError: there is no schema of this name, and none is to be made.
        """
        if self.version(session) == self.present:
            return
        # Another workspace's holder may be doing the same just now.
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"lunform {self.name}",))
        if session.execute("SELECT FROM pg_namespace WHERE nspname = %s", (self.name,)).fetchone() is None:
            if not self._may_be_made:
                raise StateError(
                    "The state has no schema",
                    f'There is no PostgreSQL schema "{self.name}", and skip_schema_creation is set. Check schema_name, '
                    "or have the schema created.",
                )
            session.execute(f"CREATE SCHEMA {self._quoted}")
        scripts = _FORMATS[self.version(session) :]
        session.execute(f"SET LOCAL search_path TO {self._quoted}")
        for script in scripts:
            session.execute(script)
        session.execute("UPDATE lunform_format SET version = %s", (self.present,))

    def tables(self, session: Session, workspace: str) -> PostgresTables | None:
        """Those of the workspace's state; None when it has none."""
        row = session.execute(f"SELECT state FROM {self.prefix}meta WHERE workspace = %s", (workspace,)).fetchone()
        return None if row is None else self.tables_of(session, row[0])

    def tables_of(self, session: Session, state: int) -> PostgresTables:
        return PostgresTables(session, self.prefix, state)

    def erase(self, session: Session, workspace: str) -> None:
        tables = self.tables(session, workspace) if self.version(session) else None
        if tables is not None:
            for table in (*COLUMNS, "meta"):
                tables.clear(table)

    @property
    def _quoted(self) -> str:
        return '"' + self.name.replace('"', '""') + '"'


class PostgresTables:
    """
    The rows of one state. See `planner.state.tables.Tables`.

    Many rows go in one COPY, and many keys in one statement: what takes the time is each statement's way to the server
    and back.
    """

    def __init__(self, session: Session, prefix: str, state: int) -> None:
        self._session = session
        self._prefix = prefix
        self._state = state

    def select(self, query: str, *parameters: Any) -> Rows:
        of_this_state = ", ".join(
            f"{table} AS (SELECT * FROM {self._prefix}{table} WHERE state = {self._state})"
            for table in ("meta", *COLUMNS)
        )
        statement = f"WITH {of_this_state} {query.replace('?', '%s')}"
        return self._session.execute(statement.encode(), parameters).fetchall()

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        statement = f"COPY {self._prefix}{table} (state, {', '.join(COLUMNS[table])}) FROM STDIN"
        if rows:
            with self._session.cursor() as cursor, cursor.copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row((self._state, *row))

    def update(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Row]) -> None:
        changed = ", ".join(f"{column} = %s" for column in columns)
        same = "".join(f" AND {column} = %s" for column in key)
        statement = f"UPDATE {self._prefix}{table} SET {changed} WHERE state = {self._state}{same}"
        with self._session.cursor() as cursor:
            cursor.executemany(statement.encode(), rows)

    def delete(self, table: str, key: Sequence[str], rows: Sequence[Row]) -> None:
        # In binary, since psycopg leaves it to the server to guess the type of texts, and of a list it cannot.
        lists, names = ", ".join(["%b"] * len(key)), ", ".join(key)
        same = "".join(f" AND there.{column} = gone.{column}" for column in key)
        statement = (
            f"DELETE FROM {self._prefix}{table} AS there USING unnest({lists}) AS gone ({names})"
            f" WHERE there.state = {self._state}{same}"
        )
        if rows:
            self._session.execute(statement.encode(), [list(values) for values in zip(*rows, strict=True)])

    def clear(self, table: str) -> None:
        self._session.execute(f"DELETE FROM {self._prefix}{table} WHERE state = {self._state}".encode())
