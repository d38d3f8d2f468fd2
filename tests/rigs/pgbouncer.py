"""A pgbouncer of a test's own before the PostgreSQL server of the test run."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rigs.postgres import DATABASE, ROLE, Postgres
from tests.rigs.process import free_port, require, start, until


@contextmanager
def running_pgbouncer(server: Postgres, mode: str) -> Iterator[str]:
    """The connection string through it. `mode` is its pool_mode."""
    require("pgbouncer")
    folder, port = Path(tempfile.mkdtemp(prefix="lunform-pgbouncer-")), free_port()
    (folder / "users").write_text(f'"{ROLE}" "{server.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n{DATABASE} = host=127.0.0.1 port={server.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"pool_mode = {mode}\nauth_type = scram-sha-256\nauth_file = {folder}/users\n"
    )
    for path in (folder, *folder.iterdir()):
        shutil.chown(path, "postgres")
    words = ["--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig", "KILL", "--"]
    process = start(["setpriv", *words, "pgbouncer", folder / "pgbouncer.ini"], folder / "log")
    try:
        until(
            "answer of pgbouncer",
            lambda: "process up" in (folder / "log").read_text(),
            alive=lambda: "" if process.poll() is None else (folder / "log").read_text(),
        )
        yield server.conn_str_of(ROLE, port)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder)
