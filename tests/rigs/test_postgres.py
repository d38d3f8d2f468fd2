"""What the PostgreSQL backend does with its server; what every backend does is in tests/conformance."""

from __future__ import annotations

import re
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from planner.errors import ForeignState, NewerState, StateError, StateLocked
from planner.events import Event, StepFinished
from planner.state import postgres_schema
from planner.state.conformance import counter, done, new_intents, new_run
from planner.state.model import Snapshot
from planner.state.postgres import BACKEND, PostgresStore
from planner.state.store import NoCipher, StateBackend
from tests.project import Project
from tests.rigs.appliers import campaign
from tests.rigs.pgbouncer import running_pgbouncer
from tests.rigs.postgres import DATABASE, Postgres
from tests.rigs.process import until

pytestmark = pytest.mark.rig


class Place:
    """A schema that is not there yet."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.schema = server.new_schema()

    def backend(self, conn_str: str | None = None, skip_schema_creation: bool = False) -> StateBackend:
        given = {"conn_str": conn_str or self.server.conn_str, "schema_name": self.schema}
        return BACKEND.open({**given, "skip_schema_creation": skip_schema_creation}, Path(), NoCipher())

    def open(self, conn_str: str | None = None, workspace: str = "default") -> PostgresStore:
        store = self.backend(conn_str).open(workspace)
        assert isinstance(store, PostgresStore)
        return store

    def record(self, number: int = 3) -> Snapshot:
        store = self.open()
        with store.lock("apply"):
            store.begin(new_run(), ())
            store.commit([done(step, counter(step, f"db-{step}")) for step in range(number)])
            store.finish(new_run(), {})
        return store.read()

    def sql(self, *statements: str) -> list[Any]:
        return self.server.sql(*(each.replace("$", self.schema) for each in statements), database=DATABASE)

    def picture(self) -> list[Any]:
        """All that is in the schema: its tables with their rows."""
        tables = self.sql("SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text = '$' ORDER BY 1")
        kinds = "SELECT relkind = 'r' FROM pg_class WHERE oid = '$.{}'::regclass"
        return [
            (name, self.sql(f"TABLE $.{name}") if self.sql(kinds.format(name)) == [(True,)] else None)
            for (name,) in tables
        ]

    @contextmanager
    def role(self, *grants: str) -> Iterator[str]:
        """The connection string of a new role with these privileges."""
        name = f"role_{self.schema}"
        self.sql(
            f"CREATE ROLE {name} LOGIN PASSWORD '{self.server.password}'", *(f"{each} TO {name}" for each in grants)
        )
        try:
            yield self.server.conn_str_of(name)
        finally:
            self.sql(f"DROP OWNED BY {name}", f"DROP ROLE {name}")

    def cut(self) -> None:
        """End the session that holds a lock, as an administrator does."""
        ((ended,),) = self.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'lunform: %'"
        )
        assert ended == 1


@pytest.fixture
def place(postgres: Postgres) -> Place:
    return Place(postgres)


# Reading leaves no trace, and takes few rights


def test_reading_and_locking_make_nothing(place: Place) -> None:
    store = place.open()
    assert store.read() == Snapshot("", 0)
    with store.lock("apply"):
        assert store.read() == Snapshot("", 0)
    assert place.backend().workspaces() == ()
    place.backend().remove("default")
    assert place.sql("SELECT FROM pg_namespace WHERE nspname = '$'") == []


def test_a_role_that_may_only_read_can_plan(place: Place) -> None:
    expected = place.record()
    with place.role("GRANT USAGE ON SCHEMA $", "GRANT SELECT ON ALL TABLES IN SCHEMA $") as conn_str:
        store = place.open(conn_str)
        assert store.read() == expected
        with store.lock("apply"), pytest.raises(StateError, match="written") as caught:
            store.begin(new_run("run-2"), ())
        assert "privileges" in caught.value.detail
    assert place.open().read() == expected


def test_a_role_that_may_create_nothing_can_apply(place: Place) -> None:
    place.record()
    rows = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA $"
    with place.role("GRANT USAGE ON SCHEMA $", rows) as conn_str:
        store = place.open(conn_str, "east")
        with store.lock("apply"):
            store.begin(new_run(), new_intents(1))
            store.commit([done(0, counter(1))])
            store.finish(new_run(), {})
        assert len(store.read().objects) == 1
        place.backend(conn_str).remove("east")
    assert place.backend().workspaces() == ("default",)


def test_a_first_run_without_the_right_to_create_makes_nothing(place: Place) -> None:
    with place.role() as conn_str:
        store = place.open(conn_str)
        with store.lock("apply"), pytest.raises(StateError) as caught:
            store.begin(new_run(), ())
        assert "privileges" in caught.value.detail
    assert place.picture() == []


def test_a_schema_is_not_made_where_it_must_be_there(place: Place) -> None:
    store = place.backend(skip_schema_creation=True).open("default")
    with store.lock("apply"), pytest.raises(StateError, match="no schema"):
        store.begin(new_run(), ())
    place.server.sql(f"CREATE SCHEMA {place.schema} AUTHORIZATION lunform", database=DATABASE)
    with store.lock("apply"):
        assert store.begin(new_run(), ())


def test_first_runs_of_many_workspaces_at_once_all_succeed(place: Place) -> None:
    together = threading.Barrier(4)

    def first_run(workspace: str) -> str:
        store = place.open(workspace=workspace)
        with store.lock("apply"):
            together.wait(30)
            return store.begin(new_run(), ())

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(first_run, "abcd"))) == 4
    assert place.backend().workspaces() == ("a", "b", "c", "d")


# What is not ours, or of another time


@pytest.mark.parametrize("workspace", ["default", "another"])
def test_tables_of_another_program_are_an_error_and_stay(place: Place, workspace: str) -> None:
    place.sql("CREATE SCHEMA $", "CREATE TABLE $.object (address TEXT)")
    place.sql("INSERT INTO $.object VALUES ('theirs')", "GRANT ALL ON SCHEMA $ TO lunform")
    before = place.picture()
    store = place.open(workspace=workspace)
    with pytest.raises(ForeignState) as caught:
        store.read()
    assert place.schema in caught.value.detail
    with store.lock("apply"), pytest.raises(ForeignState):
        store.begin(new_run(), ())
    assert place.picture() == before


def test_a_damaged_row_is_an_error(place: Place) -> None:
    place.record()
    place.sql("""UPDATE $.object SET attributes = '{"text": ' WHERE address = 'volume.db-1'""")
    with pytest.raises(ForeignState) as caught:
        place.open().read()
    assert place.schema in caught.value.detail


def test_a_newer_state_names_both_versions_and_stays(place: Place) -> None:
    place.record()
    place.sql("UPDATE $.lunform_format SET version = 99")
    before, store = place.picture(), place.open()
    with pytest.raises(NewerState) as caught:
        store.read()
    assert re.findall(r"\d+", caught.value.detail.replace(place.schema, "")) == [
        "99",
        str(len(postgres_schema._FORMATS)),
    ]
    with store.lock("apply"), pytest.raises(NewerState):
        store.begin(new_run("run-2"), ())
    assert place.picture() == before


def test_an_older_state_is_read_as_it_is_and_upgraded_by_the_first_write(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, before = place.record(), place.picture()
    upgrade = (
        "ALTER TABLE object ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'; ALTER TABLE object DROP COLUMN protected;"
    )
    again = "ALTER TABLE object ADD COLUMN protected BOOLEAN NOT NULL DEFAULT false;"
    monkeypatch.setattr(postgres_schema, "_FORMATS", (*postgres_schema._FORMATS, upgrade, again))
    store = place.open()
    assert store.read() == expected
    assert place.picture() == before
    with store.lock("apply"):
        store.begin(new_run("run-2"), ())
    assert place.sql("SELECT DISTINCT colour FROM $.object") == [("blue",)]
    assert place.sql("TABLE $.lunform_format") == [(len(postgres_schema._FORMATS),)]
    assert store.read().objects == expected.objects


def test_a_run_does_not_write_into_a_format_that_came_while_it_ran(place: Place) -> None:
    with (store := place.open()).lock("apply"):
        store.begin(new_run(), ())
        place.sql("UPDATE $.lunform_format SET version = 99")
        before = place.picture()
        with pytest.raises(StateError):
            store.commit([done(0, counter(1))])
    assert place.picture() == before


def test_an_upgrade_that_fails_changes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.record()
    before = place.picture()
    upgrade = "ALTER TABLE object ADD COLUMN colour TEXT; DROP TABLE no_such_table;"
    monkeypatch.setattr(postgres_schema, "_FORMATS", (*postgres_schema._FORMATS, upgrade))
    with (store := place.open()).lock("apply"), pytest.raises(StateError):
        store.begin(new_run("run-2"), ())
    assert place.picture() == before


# The lock, and the session that holds it


def test_a_holder_that_waits_for_long_is_not_taken_for_idle(place: Place) -> None:
    """Whatever a role or a database sets, the holder's session has its own."""
    place.sql(
        "ALTER ROLE lunform SET statement_timeout = '1min'",
        "ALTER ROLE lunform SET idle_session_timeout = '1min'",
        "ALTER ROLE lunform SET synchronous_commit = off",
    )
    try:
        with (store := place.open()).lock("apply"):
            assert store._held is not None
            names = ("statement_timeout", "idle_session_timeout", "synchronous_commit", "tcp_user_timeout")
            found = [store._held.session.execute(f"SHOW {name}").fetchone() for name in names]
        assert found == [("0",), ("0",), ("on",), ("30000",)]
    finally:
        place.sql("ALTER ROLE lunform RESET ALL")


def test_losing_the_session_is_losing_the_right_to_write(place: Place) -> None:
    with (store := place.open()).lock("apply"):
        store.begin(new_run(), new_intents(2))
        place.cut()
        for _ in range(2):
            with pytest.raises(StateError) as caught:
                store.commit([done(0, counter(1))])
            assert "lock" in caught.value.detail
        with (another := place.open()).lock("apply"):
            assert another.read().in_doubt == tuple(new_intents(2))
            another.commit([done(0, counter(2))])
    assert place.open().read().objects[counter(2).address].attributes == {"value": 2}


def test_a_connection_that_is_lost_in_a_commit_leaves_all_of_it_or_nothing(place: Place) -> None:
    """Here before it took effect: the server process ends itself when it is about to commit."""
    with (store := place.open()).lock("apply"):
        store.begin(new_run(), new_intents(1))
        place.sql(
            "CREATE FUNCTION $.die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
            " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'",
            "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON $.object DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION $.die()",
        )
        with pytest.raises(StateError, match="lost"):
            store.commit([done(0, counter(1))])
    snapshot = place.open().read()
    assert (snapshot.serial, snapshot.objects, len(snapshot.in_doubt)) == (1, {}, 1)


def test_a_commit_whose_answer_is_lost_is_there(place: Place, postgres: Postgres) -> None:
    """It is on disk and waits for a standby that does not come; then its connection is cut."""
    tried = []

    def commit_for_ever() -> None:
        while True:
            tried.append(len(tried))
            store.commit([done(0, counter(tried[-1]))])

    with (store := place.open()).lock("apply"), ThreadPoolExecutor(1) as pool:
        store.begin(new_run(), new_intents(1))
        postgres.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()")
        try:
            commits = pool.submit(commit_for_ever)
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            until("commit that waits", lambda: postgres.sql(waits))
        finally:
            place.cut()
            postgres.sql("ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")
        with pytest.raises(StateError, match="lost"):
            commits.result(30)
    snapshot = place.open().read()
    assert (snapshot.serial, snapshot.in_doubt) == (1 + len(tried), ())
    assert snapshot.objects[counter(0).address].attributes == {"value": tried[-1]}


def test_a_pooler_that_shares_sessions_is_refused_as_a_holder(place: Place, postgres: Postgres) -> None:
    expected = place.record()
    with running_pgbouncer(postgres, "transaction") as conn_str:
        assert place.open(conn_str).read() == expected
        with pytest.raises(StateError, match="pooler"), place.open(conn_str).lock("apply"):
            pass
    with place.open().lock("apply"):
        pass


def test_a_pooler_that_lends_whole_sessions_will_do(place: Place, postgres: Postgres) -> None:
    with running_pgbouncer(postgres, "session") as conn_str:
        with (store := place.open(conn_str)).lock("apply"):
            store.begin(new_run(), ())
            with pytest.raises(StateLocked), place.open().lock("apply"):
                pass
        with place.open(conn_str).lock("apply"):
            pass


# Connecting


@pytest.mark.parametrize(
    "conn_str",
    [
        "postgresql://lunform:SECRET@127.0.0.1:PORT/states",
        "host=127.0.0.1 port=PORT user=lunform dbname=states password=SECRET",
        "postgresql://lunform:x@SECRET@127.0.0.1:PORT/states",
        "postgresql://lunform:x/SECRET@127.0.0.1:PORT/states",
        "postgresql://lunform:12/SECRET@127.0.0.1:PORT/states",
        "postgresql://lunform:%SECRET@127.0.0.1:PORT/states",
        "host=127.0.0.1 SECRET",
        "postgresql://lunform:SECRET@127.0.0.1:1/states",
    ],
)
def test_a_connection_that_fails_shows_no_password(place: Place, conn_str: str) -> None:
    secret = "zq-hidden-zq"
    store = place.open(conn_str.replace("SECRET", secret).replace("PORT", str(place.server.port)))
    with pytest.raises(StateError) as caught:
        store.read()
    assert caught.value.detail
    told = "".join(traceback.format_exception(caught.value)) + caught.value.detail
    assert not {"zq", "hidden"} & set(re.findall(r"\w+", told.replace(secret, "zq hidden")))


def test_what_is_left_out_comes_from_the_environment(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = place.record()
    for name, value in {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(place.server.port),
        "PGUSER": "lunform",
        "PGPASSWORD": place.server.password,
        "PGDATABASE": DATABASE,
    }.items():
        monkeypatch.setenv(name, value)
    for left_out in (None, "", "postgresql://", "application_name=mine"):
        arguments = {"conn_str": left_out, "schema_name": place.schema, "skip_schema_creation": False}
        assert BACKEND.open(arguments, Path(), NoCipher()).open("default").read() == expected


def test_a_missing_driver_names_the_extra(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StateError) as caught:
        place.open().read()
    assert "lunform[postgres]" in caught.value.detail


# A whole apply


CONFIGURATION = """
lunform {
  backend "postgres" {
    conn_str    = "CONN_STR"
    schema_name = "SCHEMA"
  }
}
provider "sandbox" {
  path = PATH
}
pool "fast" {
  provider = sandbox
}
disk_offering "plain" {}
volume "db" {
  count    = 20
  offering = disk_offering.plain
  size     = "1GiB"
}
"""


def test_an_apply_whose_connection_is_cut_is_finished_by_the_next(place: Place, tmp_path: Path) -> None:
    text = CONFIGURATION.replace("CONN_STR", place.server.conn_str).replace("SCHEMA", place.schema)
    project = Project(tmp_path / "project", text)
    seen: list[Event] = []

    def cut_once(event: Event) -> None:
        if isinstance(event, StepFinished) and event.address.type == "volume":
            seen.append(event)
            if len(seen) == 5:
                place.cut()

    with pytest.raises(StateError, match="lost"):
        project.apply(observer=cut_once)
    assert project.apply().complete
    assert project.plan().is_empty
    recorded = {
        (object.attributes["name"], object.attributes["intent"])
        for object in place.open().read().objects.values()
        if object.address.type == "volume"
    }
    there = project.ask("SELECT name, intent FROM volume")
    assert (set(there), len(there)) == (recorded, 20)


def test_applies_by_many_processes_lose_nothing(postgres: Postgres, tmp_path: Path) -> None:
    """`make shared` does 1,000 by 8."""
    figures = campaign(postgres, tmp_path, processes=4, applies=12)
    assert not any(figures.wrong.values()), figures
