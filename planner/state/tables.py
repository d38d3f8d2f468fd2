"""
What each call of a store means as rows, for backends that keep tables. Such a backend adds how its place is opened,
its transactions, and its lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from planner.addresses import InstanceAddress
from planner.errors import StateError
from planner.state import rows, text
from planner.state.document import StateDocument, foreign
from planner.state.model import Intent, Origin, Outcome, OutputValue, RecordedObject, Run, Snapshot
from planner.state.rows import (
    Row,
    Rows,
    document_of,
    intent_row,
    object_row,
    origin_of,
    origin_row,
    outcome_of,
    outcome_row,
    output_row,
    run_row,
    snapshot_of,
)
from planner.state.store import Cipher

COLUMNS = {
    "object": ("address", "provider", "attributes", "dependencies", "revision", "protected"),
    "output": ("name", "value", "sensitive"),
    "run": ("id", "operation", "started", "who", "finished", "summary", "origin"),
    "intent": ("run", "step", "address", "payload", "job", "begun"),
    "outcome": ("run", "step", "address", "status", "error", "verb"),
    "origin": ("digest", "content"),
}
"""Of all tables but `meta`, in the order of their rows. A run has a `number` besides, which the database gives."""


class Tables(Protocol):
    """The tables of one state, in a transaction. `rows` may be many; there may be none."""

    def select(self, query: str, *parameters: Any) -> Rows:
        """All rows. Parameters are question marks in `query`."""
        ...

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Rows with the columns of COLUMNS."""
        ...

    def update(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Row]) -> None:
        """Each of `rows` has new values of `columns`, then the values of `key` that tell which row gets them."""
        ...

    def delete(self, table: str, key: Sequence[str], rows: Sequence[Row]) -> None:
        """Each of `rows` has the values of `key` that tell which rows go."""
        ...

    def clear(self, table: str) -> None: ...


class TableStore:
    """
    The reading and writing of a `planner.state.store.StateStore`.

    Attributes:
        place: names the state in messages.
    """

    def __init__(self, place: str, cipher: Cipher) -> None:
        self.place = place
        self._cipher = cipher

    # What a backend adds

    def _fetch(self, queries: Sequence[str], *parameters: Any) -> Sequence[Rows] | None:
        """
        All rows of each query, read in one transaction, which is over then: nobody waits while they are decoded. None
        where there is no state.
        """
        raise NotImplementedError

    def _writing(self) -> AbstractContextManager[tuple[Tables, int]]:
        """
        The tables in a transaction that writes, and the serial that it gets. Makes what is not there yet.

        Raises (on entering) StateError when the lock is not held.
        """
        raise NotImplementedError

    # Reading

    def read(self) -> Snapshot:
        fetched = self._fetch(rows.SNAPSHOT)
        with self._sound():
            return Snapshot("", 0) if fetched is None else snapshot_of(self._decode, *fetched)

    def document(self) -> StateDocument:
        fetched = self._fetch(rows.DOCUMENT)
        with self._sound():
            return StateDocument() if fetched is None else document_of(self._decode, *fetched)

    def runs(self) -> Sequence[Run]:
        return tuple(Run(*row) for row in self._fetch_one(rows.RUNS))

    def outcomes(self, run: str) -> Sequence[Outcome]:
        with self._sound():
            return tuple(outcome_of(row) for row in self._fetch_one(rows.OUTCOMES_OF_RUN, run))

    def origin(self, run: str) -> Origin | None:
        with self._sound():
            return next((origin_of(row[0], self._decode) for row in self._fetch_one(rows.ORIGIN_OF_RUN, run)), None)

    def _fetch_one(self, query: str, *parameters: Any) -> Rows:
        fetched = self._fetch((query,), *parameters)
        return () if fetched is None else fetched[0]

    @contextmanager
    def _sound(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError) as error:
            raise foreign(self.place, f"holds a row that is damaged ({error})") from error

    # Writing

    def begin(self, run: Run, intents: Sequence[Intent], origin: Origin | None = None) -> str:
        with self._writing() as (tables, _):
            self._insert_runs(tables, [run], {} if origin is None else {run.id: origin})
            number = _number(tables, run.id)
            tables.insert("intent", [intent_row(number, intent, False, self._encode) for intent in intents])
            ((lineage, _),) = tables.select(rows.META)
            return str(lineage)

    def commit(self, outcomes: Sequence[Outcome]) -> None:
        changed: dict[InstanceAddress, RecordedObject | None] = {}
        for outcome in outcomes:
            if outcome.removed:
                changed[outcome.address] = None
            if outcome.object is not None:
                changed[outcome.object.address] = outcome.object
        with self._writing() as (tables, serial):
            numbers = {run: _number(tables, run) for run in {outcome.run for outcome in outcomes}}
            _put(tables, "outcome", 2, [outcome_row(numbers[o.run], o) for o in outcomes])
            tables.delete(
                "intent",
                ("run", "step"),
                [(numbers[o.run], o.step) for o in outcomes if o.status in ("done", "failed")],
            )
            tables.update(
                "intent",
                ("job", "begun"),
                ("run", "step"),
                [(o.job, True, numbers[o.run], o.step) for o in outcomes if o.status in ("pending", "unknown")],
            )
            tables.delete(
                "object", ("address",), [(str(address),) for address, object in changed.items() if object is None]
            )
            _put(
                tables,
                "object",
                1,
                [object_row(object, serial, self._encode) for object in changed.values() if object is not None],
            )

    def finish(self, run: Run, outputs: Mapping[str, OutputValue] | None) -> None:
        with self._writing() as (tables, _):
            number = _number(tables, run.id)
            tables.update("run", ("finished", "summary"), ("number",), [(run.finished, run.summary, number)])
            tables.delete("intent", ("run", "begun"), [(number, False)])
            if outputs is not None:
                tables.clear("output")
                self._insert_outputs(tables, outputs)

    def replace(self, document: StateDocument) -> None:
        with self._writing() as (tables, _):
            for table in COLUMNS:
                tables.clear(table)
            tables.update("meta", ("lineage", "serial"), (), [(document.lineage, document.serial)])
            tables.insert(
                "object", [object_row(object, object.revision, self._encode) for object in document.objects.values()]
            )
            self._insert_outputs(tables, document.outputs)
            self._insert_runs(tables, tuple(document.runs.values()), document.origins)
            numbers: dict[str, int] = dict(tables.select("SELECT id, number FROM run"))
            tables.insert(
                "intent",
                [
                    intent_row(numbers[intent.run], intent, key in document.begun, self._encode)
                    for key, intent in document.intents.items()
                ],
            )
            tables.insert("outcome", [outcome_row(numbers[o.run], o) for o in document.outcomes.values()])

    def _insert_runs(self, tables: Tables, runs: Sequence[Run], origins: Mapping[str, Origin]) -> None:
        made = {run: origin_row(origin, self._encode) for run, origin in origins.items()}
        known = {digest for (digest,) in tables.select("SELECT digest FROM origin")} if made else ()
        tables.insert("origin", [row for row in dict(made.values()).items() if row[0] not in known])
        tables.insert("run", [run_row(run, made[run.id][0] if run.id in made else None) for run in runs])

    def _insert_outputs(self, tables: Tables, outputs: Mapping[str, OutputValue]) -> None:
        tables.insert("output", [output_row(name, output, self._encode) for name, output in sorted(outputs.items())])

    def _encode(self, value: Any) -> str:
        return self._cipher.seal(text.encode(value))

    def _decode(self, sealed: str) -> Any:
        return text.decode(self._cipher.open(sealed))


def _number(tables: Tables, run: str) -> int:
    found = tables.select("SELECT number FROM run WHERE id = ?", run)
    if not found:
        raise StateError("The state knows no such run", f'Run "{run}" was not begun. This is a bug in lunform.')
    return int(found[0][0])


def _put(tables: Tables, table: str, keys: int, rows: Sequence[Row]) -> None:
    """Insert rows in the place of those with the same key, which is their first `keys` columns. The last one counts."""
    last = {row[:keys]: row for row in rows}
    tables.delete(table, COLUMNS[table][:keys], list(last))
    tables.insert(table, list(last.values()))
