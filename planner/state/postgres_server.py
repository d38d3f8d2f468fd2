"""
How a PostgreSQL server is reached, and what it says in our words. A password is in none of them.

psycopg is imported when it is first needed: it comes with an extra, and most commands do without.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from planner.errors import StateError

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

_UNLESS_GIVEN = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",  # milliseconds
}
"""Of libpq: a server that is gone without a word is given up after half a minute."""

_LONGEST_NAME = 63
"""Bytes that PostgreSQL keeps of an application_name."""


class Server:
    """
    Args:
        conn_str: a URI or key=value pairs, as libpq takes them; what it leaves out comes from libpq's environment.
    """

    def __init__(self, conn_str: str | None) -> None:
        self._conn_str = conn_str or ""

    def connect(self, name: str, *, to_write: bool = False) -> Session:
        """
        A session; each statement is a transaction of its own unless one is begun.

        Args:
            name: shown in pg_stat_activity. Where it is too long, its middle is cut out.
            to_write: of several hosts, the one that takes writes.

        Raises:
            StateError: psycopg is missing, `conn_str` cannot be read, or nobody answers.
        """
        psycopg = _psycopg()
        parameters = {
            **_UNLESS_GIVEN,
            "connect_timeout": os.environ.get("PGCONNECT_TIMEOUT", "10"),  # seconds for each address
            **({"target_session_attrs": "read-write"} if to_write else {}),
            **self._parameters(),
            "application_name": _shortened(name),
            "client_encoding": "utf8",
        }
        with told("The state cannot be reached"):
            session: Session = psycopg.connect(**parameters, autocommit=True)
        level = psycopg.IsolationLevel
        session.isolation_level = level.READ_COMMITTED if to_write else level.REPEATABLE_READ
        return session

    def _parameters(self) -> Mapping[str, Any]:
        psycopg = _psycopg()
        given: dict[str, Any] | None
        try:
            given = psycopg.conninfo.conninfo_to_dict(self._conn_str)
        except psycopg.Error:
            given = None
        if given is None or ("://" in self._conn_str and _is_cut(given)):
            # Without what libpq says: of a URI with a bare "@" or "/" it would quote half of the password.
            raise StateError(
                "conn_str cannot be read",
                "It is neither a URI (postgresql://user@host:5432/database?sslmode=verify-full) nor key=value pairs "
                "(host=... dbname=...). In a URI, characters of the user and the password that are neither letters nor "
                'digits must be percent-encoded: "@" is %40, "/" is %2F.',
            )
        return given


@contextmanager
def told(summary: str, session: Session | None = None) -> Iterator[None]:
    """What PostgreSQL says, as StateErrors. `session` is the one that holds the lock, if there is one."""
    psycopg = _psycopg()
    try:
        yield
    except psycopg.Error as error:
        said = " ".join((error.diag.message_primary or str(error)).split()).rstrip(".?")
        if session is not None and session.closed:
            raise StateError(
                "The connection to the state was lost",
                f"{said}. The lock went with it, so nothing more is written. Nothing is lost: what was under way is "
                "looked up by the next apply, which goes on from there.",
            ) from error
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            said += ". docs/state.md lists the privileges that planning, applying and the first apply need"
        raise StateError(summary, f"PostgreSQL: {said}.") from error


def _psycopg() -> Any:
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as error:
        raise StateError(
            'The backend "postgres" needs psycopg',
            f'It comes with an extra: `pip install "lunform[postgres]"`. ({error})',
        ) from error
    return psycopg


def _is_cut(given: Mapping[str, Any]) -> bool:
    """What was read of a URI shows that a character of its password ended the password."""
    port = str(given.get("port", "1")).replace(",", "")
    return "@" in f"{given.get('host')}{given.get('dbname')}" or not port.isdigit()


def _shortened(name: str) -> str:
    half = _LONGEST_NAME // 2 - 1
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}...{name[-half:]}"
