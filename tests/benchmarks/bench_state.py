"""
The state in SQLite, plain and encrypted, and in PostgreSQL, and the scheduler alone. Run by hand:
`python -m tests.benchmarks.bench_state`.

Prints seconds, each the best of three: to store 30,000 intents, then the outcomes of 10,000 steps, at once and ten of
them, to read 10,000 volumes, and to schedule 30,000 steps. PostgreSQL is one of the run's own on this machine, with
fsync; it is left out where it is not installed.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from planner.config.model import Encryption, KeySource
from planner.diagnostics import Source, SourceRange
from planner.encryption import cipher_of
from planner.execution.executor import execute
from planner.execution.scheduler import Scheduler, StepDone
from planner.state.memory import MemoryStore
from planner.state.model import Intent, Outcome, Run
from planner.state.postgres import BACKEND as POSTGRES
from planner.state.sqlite import open_sqlite
from planner.state.store import DEFAULT_WORKSPACE, NoCipher, StateStore
from planner.steps.graph import StepGraph, Verb
from tests.benchmarks.bench_execute import Fast, volumes
from tests.rigs.postgres import is_installed, running_postgres

NUMBER = 10_000
CHAIN = (Verb.CREATE, Verb.GRANT, Verb.ATTACH)


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(3):
        before = time.perf_counter()
        work()
        times.append(time.perf_counter() - before)
    return min(times)


def schedule() -> None:
    play = Scheduler(volumes(NUMBER, CHAIN), parallelism=64, deadline=1.0, jitter=lambda: 0.5)
    instructions = play.handle(0.0)
    while instructions:
        instructions = play.handle(0.0, [StepDone(instruction.step) for instruction in instructions])


def measure(name: str, store: StateStore, graph: StepGraph) -> None:
    run, memory = Run("run", "apply", "2026-01-01T00:00:00Z", "bench"), MemoryStore()
    with memory.lock("apply"):
        objects = execute(run, graph, {}, Fast(), memory).objects
    intents = [Intent(run.id, step.id, str(step.address), step.to_json()) for step in graph.steps]
    outcomes = [Outcome(run.id, n, object.address, "done", object=object) for n, object in enumerate(objects.values())]
    runs = iter([replace(run, id=f"run-{n}") for n in range(3)])
    with store.lock("apply"):
        store.begin(run, ())
        print(f"{name}: begin, {len(intents)} intents:     {best(lambda: store.begin(next(runs), intents)):.3f}")
        print(f"{name}: commit of {NUMBER} outcomes: {best(lambda: store.commit(outcomes)):.3f}")
        print(f"{name}: commit of ten outcomes:   {best(lambda: store.commit(outcomes[:10])):.4f}")
        for n in range(3):
            store.finish(replace(run, id=f"run-{n}"), None)
    print(f"{name}: read of {NUMBER} volumes:    {best(store.read):.3f}")


def main() -> None:
    graph = volumes(NUMBER, CHAIN)
    with tempfile.TemporaryDirectory() as folder:
        measure("sqlite  ", open_sqlite(Path(folder) / "bench.state"), graph)
        (Path(folder) / "key").write_text("5eed" * 16)
        key = KeySource("file", ("key",), SourceRange(Source("", ""), 0, 0))
        cipher = cipher_of(Encryption(key), Path(folder), "state")
        measure("sealed  ", open_sqlite(Path(folder) / "sealed.state", cipher), graph)
    if is_installed():
        with running_postgres(fsync=True) as server:
            arguments = {"conn_str": server.conn_str, "schema_name": "lunform", "skip_schema_creation": False}
            measure("postgres", POSTGRES.open(arguments, Path(), NoCipher()).open(DEFAULT_WORKSPACE), graph)
    print(f"schedule of {len(graph.steps)} steps:               {best(schedule):.3f}")


if __name__ == "__main__":
    main()
