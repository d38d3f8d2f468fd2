"""
The state in SQLite and the scheduler alone. Run by hand: `python -m tests.benchmarks.bench_state`.

Prints seconds, each the best of three: to read 10,000 volumes, to store the intents and then the outcomes of as many,
to commit outcomes in groups of ten, and to schedule 30,000 steps.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from planner.execution.executor import execute
from planner.execution.scheduler import Scheduler, StepDone
from planner.state.memory import MemoryStore
from planner.state.model import Intent, Outcome, Run
from planner.state.sqlite import open_sqlite
from planner.steps.graph import Verb
from tests.benchmarks.bench_execute import Fast, volumes

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


def main() -> None:
    graph, run = volumes(NUMBER, CHAIN), Run("run", "apply", "2026-01-01T00:00:00Z", "bench")
    memory = MemoryStore()
    with memory.lock("apply"):
        objects = execute(run, graph, {}, Fast(), memory).objects
    intents = [Intent(run.id, step.id, str(step.address), step.to_json()) for step in graph.steps[:NUMBER]]
    outcomes = [Outcome(run.id, n, object.address, "done", object=object) for n, object in enumerate(objects.values())]
    with tempfile.TemporaryDirectory() as folder:
        store = open_sqlite(Path(folder) / "bench.state")
        runs = iter([replace(run, id=f"run-{n}") for n in range(3)])
        with store.lock("apply"):
            store.begin(run, ())
            print(f"begin, {NUMBER} intents:          {best(lambda: store.begin(next(runs), intents)):.3f}")
            print(f"commit of {NUMBER} outcomes:      {best(lambda: store.commit(outcomes)):.3f}")
            print(f"commit of ten outcomes:        {best(lambda: store.commit(outcomes[:10])):.4f}")
            for n in range(3):
                store.finish(replace(run, id=f"run-{n}"), None)
        print(f"read of {NUMBER} volumes:         {best(store.read):.3f}")
    print(f"schedule of {len(graph.steps)} steps:      {best(schedule):.3f}")


if __name__ == "__main__":
    main()
