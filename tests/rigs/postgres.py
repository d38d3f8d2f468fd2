"""A PostgreSQL server of the test run's own, on the loopback, in a folder of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.rigs.process import free_port, start, until

if TYPE_CHECKING:
    import psycopg

ROLE = "lunform"
DATABASE = "states"


class Postgres:
    """
    Attributes:
        password: of the role `lunform`, which owns the database `states` and is no superuser.
        port: of the server on 127.0.0.1.
    """

    def __init__(self, folder: Path, fsync: bool) -> None:
        self._programs = _programs()[-1]
        self._fsync = "on" if fsync else "off"
        self._folder = folder
        self._log = folder / "postgres.log"
        self.port = free_port()
        self.password = secrets.token_hex(16)
        shutil.chown(folder, "postgres")
        words = ["--auth=trust", "--no-sync", "--username=postgres", f"--pgdata={folder}/data"]
        subprocess.run([*_as_postgres(), self._programs / "initdb", *words], check=True, capture_output=True)
        rules = "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (folder / "data" / "pg_hba.conf").write_text(rules)
        self.start()
        self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.password}'")
        self.sql(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")

    @property
    def conn_str(self) -> str:
        return self.conn_str_of(ROLE)

    def conn_str_of(self, role: str, port: int | None = None) -> str:
        return f"postgresql://{role}:{self.password}@127.0.0.1:{port or self.port}/{DATABASE}"

    def new_schema(self) -> str:
        """A name that nobody used yet."""
        return f"state_{secrets.token_hex(6)}"

    def sql(self, *statements: str, database: str = "postgres") -> list[Any]:
        """The rows of the last statement, asked as a superuser, past the backend."""
        with closing(self._connect(database)) as session:
            for statement in statements:
                cursor = session.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        words = ["-D", self._folder / "data", "-p", str(self.port), "-k", self._folder, "-c", f"fsync={self._fsync}"]
        # An immediate shutdown takes its shared memory with it, which a killed server would leave.
        argv = [*_as_postgres("--pdeathsig", "QUIT"), self._programs / "postgres", *words]
        self._process = start([*argv, "-c", "listen_addresses=127.0.0.1"], self._log)
        until("answer of PostgreSQL", self._answers, alive=self._obituary)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait()

    def _answers(self) -> bool:
        import psycopg

        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _connect(self, database: str) -> psycopg.Connection[tuple[Any, ...]]:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname=database, autocommit=True, connect_timeout=10
        )

    def _obituary(self) -> str:
        return "" if self._process.poll() is None else f"PostgreSQL ended\n{self._log.read_text()}"


def is_installed() -> bool:
    return bool(_programs()) and os.geteuid() == 0


@contextmanager
def running_postgres(*, fsync: bool = False) -> Iterator[Postgres]:
    """A server. Without `fsync` it survives what tests do, and no power cut."""
    # Not in pytest's folder for temporary files: nobody but root may enter that.
    folder = Path(tempfile.mkdtemp(prefix="lunform-postgres-"))
    try:
        server = Postgres(folder, fsync)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def _programs() -> Sequence[Path]:
    """Folders with the programs of a server, which Debian keeps out of PATH; the newest is the last."""
    return sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def _as_postgres(*more: str) -> Sequence[str]:
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *more, "--"]
