"""
The state as rows, for backends that keep tables: the queries that read them, and what their rows mean.

`decode` and `encode` below are those of `planner.state.text`, with the texts unsealed and sealed on the way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from planner.addresses import InstanceAddress, ProviderAddress, parse_instance, parse_provider
from planner.state import text
from planner.state.document import StateDocument
from planner.state.model import Intent, Origin, Outcome, OutputValue, RecordedObject, Run, Snapshot

Row = tuple[Any, ...]
Rows = Sequence[Row]
Decode = Callable[[str], Any]
Encode = Callable[[Any], str]

META = "SELECT lineage, serial FROM meta"
OBJECTS = "SELECT address, provider, attributes, dependencies, revision, protected FROM object ORDER BY address"
OUTPUTS = "SELECT name, value, sensitive FROM output ORDER BY name"
INTENTS = (
    "SELECT run.id, step, address, payload, job, begun FROM intent JOIN run ON run.number = intent.run"
    " ORDER BY run.number, step"
)
RUNS = "SELECT id, operation, started, who, finished, summary FROM run ORDER BY number"
OUTCOMES = (
    "SELECT run.id, step, address, status, error, verb FROM outcome JOIN run ON run.number = outcome.run"
    " ORDER BY run.number, step"
)
ORIGINS = "SELECT run.id, content FROM run JOIN origin ON origin.digest = run.origin ORDER BY run.number"

OUTCOMES_OF_RUN = f"SELECT * FROM ({OUTCOMES}) AS found WHERE id = ?"
ORIGIN_OF_RUN = f"SELECT content FROM ({ORIGINS}) AS found WHERE id = ?"

SNAPSHOT = (META, OBJECTS, OUTPUTS, INTENTS)
DOCUMENT = (*SNAPSHOT, RUNS, OUTCOMES, ORIGINS)


def snapshot_of(decode: Decode, meta: Rows, objects: Rows, outputs: Rows, intents: Rows) -> Snapshot:
    """From the rows of `SNAPSHOT`, read in one transaction."""
    ((lineage, serial),) = meta
    return Snapshot(
        lineage=lineage,
        serial=serial,
        objects=_objects(objects, decode),
        outputs={name: OutputValue(decode(value), bool(sensitive)) for name, value, sensitive in outputs},
        in_doubt=tuple(
            Intent(run, step, address, decode(payload), job) for run, step, address, payload, job, _ in intents
        ),
    )


def document_of(
    decode: Decode, meta: Rows, objects: Rows, outputs: Rows, intents: Rows, runs: Rows, outcomes: Rows, origins: Rows
) -> StateDocument:
    """From the rows of `DOCUMENT`, read in one transaction."""
    snapshot = snapshot_of(decode, meta, objects, outputs, intents)
    return StateDocument(
        lineage=snapshot.lineage,
        serial=snapshot.serial,
        objects=snapshot.objects,
        outputs=snapshot.outputs,
        runs={row[0]: Run(*row) for row in runs},
        intents={(intent.run, intent.step): intent for intent in snapshot.in_doubt},
        begun=frozenset((row[0], row[1]) for row in intents if row[5]),
        outcomes={(row[0], row[1]): outcome_of(row) for row in outcomes},
        origins={run: origin_of(content, decode) for run, content in origins},
    )


def outcome_of(row: Row) -> Outcome:
    run, step, address, status, error, verb = row
    return Outcome(run, step, parse_instance(address), status, error, verb=verb)


def origin_of(content: str, decode: Decode) -> Origin:
    sources, variables = decode(content)
    return Origin(sources, variables)


# What follows makes rows, in the order of `planner.state.tables.COLUMNS`. `run` is the run's number.


def run_row(run: Run, origin: str | None) -> Row:
    return (run.id, run.operation, run.started, run.who, run.finished, run.summary, origin)


def intent_row(run: int, intent: Intent, begun: bool, encode: Encode) -> Row:
    return (run, intent.step, intent.address, encode(intent.payload), intent.job, begun)


def outcome_row(run: int, outcome: Outcome) -> Row:
    # PostgreSQL's texts hold no NUL, and a provider's answer must not be what stands in the way of recording it.
    error = outcome.error.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return (run, outcome.step, str(outcome.address), outcome.status, error, outcome.verb)


def origin_row(origin: Origin, encode: Encode) -> tuple[str, str]:
    """Its digest and its text. Runs whose plans were made from the same share one row."""
    content = (origin.sources, origin.variables)
    return hashlib.sha256(text.encode(content).encode()).hexdigest(), encode(content)


def output_row(name: str, output: OutputValue, encode: Encode) -> Row:
    return (name, encode(None if output.sensitive else output.value), output.sensitive)


def object_row(object: RecordedObject, revision: int, encode: Encode) -> Row:
    return (
        str(object.address),
        str(object.provider) if object.provider else None,
        encode(object.attributes),
        _dependencies(object.dependencies),
        revision,
        object.protected,
    )


@lru_cache(maxsize=1024)  # thousands of volumes depend on the same few pools and offerings
def _dependencies(addresses: tuple[InstanceAddress, ...]) -> str:
    return text.encode([str(address) for address in addresses])


def _objects(rows: Iterable[Row], decode: Decode) -> dict[InstanceAddress, RecordedObject]:
    # Thousands of volumes depend on the same few pools and offerings.
    providers: dict[str | None, ProviderAddress | None] = {None: None}
    dependencies: dict[str, tuple[InstanceAddress, ...]] = {}
    objects = {}
    for name, provider, attributes, depends, revision, protected in rows:
        if provider not in providers:
            providers[provider] = parse_provider(provider)
        if depends not in dependencies:
            dependencies[depends] = tuple(parse_instance(dependency) for dependency in json.loads(depends))
        address = parse_instance(name)
        objects[address] = RecordedObject(
            address, providers[provider], decode(attributes), dependencies[depends], revision, bool(protected)
        )
    return objects
