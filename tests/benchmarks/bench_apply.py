"""
A whole apply against the ideal schedule: N volumes, each created, granted and attached on a sandbox whose every call
takes 50 ms, 64 calls at once, with the state in SQLite. Each line is a process of its own.

    at once    every call answers when it is done
    jobs       every change answers `Pending` and is done half a second later; it is then asked for by one more call

The ideal schedule has no engine: the same step graph is played with 64 places, in which a call takes 50 ms to the
microsecond, the next one starts at that very moment, and everything else takes no time. A job gives its place back
between its two calls. The wall time is that of all of `operations.apply`: lock, admission, intents, steps, journal,
reading back.

usage: bench_apply.py [VOLUMES [once|jobs]]     without arguments the whole table
"""

from __future__ import annotations

import heapq
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from planner import operations
from planner.planning.builder import PlanRequest
from planner.steps.graph import LOCAL_VERBS, StepGraph
from planner.views.progress import PlainProgress
from planner.views.style import Style

PARALLELISM = 64
LATENCY = 0.05
JOB = 0.5
SIZES = ((1000, "once"), (3000, "once"), (10_000, "once"), (1000, "jobs"), (3000, "jobs"), (10_000, "jobs"))

CONFIGURATION = """
provider "sandbox" {{
  path        = "sandbox.db"
  latency     = {latency}
  async_after = {job}
}}
disk_offering "fast" {{
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}}
pool "p" {{
  provider      = sandbox
  capacity      = "100PiB"
  capacity_iops = 100000000
}}
host "kvm" {{
  count     = 16
  provider  = sandbox
  initiator = "iqn.1993-08.org.debian:01:kvm${{count.index}}"
}}
volume "v" {{
  count    = {volumes}
  offering = disk_offering.fast
  size     = "10GiB"
  attach {{
    host = host.kvm[floor(count.index / 20) % 16]
    vm   = "vm-${{floor(count.index / 20)}}"
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """
    One apply. Times in seconds.

    Attributes:
        plan, noop: wall time of the plan before it, and of the one after it, which finds nothing to do.
        cpu: of all threads, during the apply.
        threads: most at once, beside the main one.
        peak: bytes of memory.
    """

    steps: int
    plan: float
    ideal: float
    wall: float
    cpu: float
    noop: float
    threads: int = 0
    peak: int = 0


def ideal(graph: StepGraph, parallelism: int, latency: float, job: float) -> float:
    """
    Seconds of the schedule that starts every call as soon as what it requires is done and a place is free. Answered
    jobs go before new steps, and of either the lowest number goes first.
    """
    unmet = [len(step.requires) for step in graph.steps]
    dependents: list[list[int]] = [[] for _ in graph.steps]
    for step in graph.steps:
        for required in step.requires:
            dependents[required].append(step.id)
    # What comes next: (time, step, whether its call has ended; else its job has).
    coming: list[tuple[float, int, bool]] = []
    asks: list[int] = []
    starts = [step.id for step in graph.steps if not step.requires]
    asked: set[int] = set()
    free, now = parallelism, 0.0

    def settle(step: int) -> None:
        for dependent in dependents[step]:
            unmet[dependent] -= 1
            if not unmet[dependent]:
                heapq.heappush(starts, dependent)

    while True:
        while starts and graph.steps[starts[0]].verb in LOCAL_VERBS:
            settle(heapq.heappop(starts))
        if free and (asks or starts):
            free -= 1
            heapq.heappush(coming, (now + latency, heapq.heappop(asks or starts), True))
        elif coming:
            now, step, is_call = heapq.heappop(coming)
            free += is_call
            if not is_call:
                asked.add(step)
                heapq.heappush(asks, step)
            elif job and step not in asked:
                heapq.heappush(coming, (now + job, step, False))
            else:
                settle(step)
        else:
            return now


def measure(volumes: int, job: float) -> Figures:
    """Plan, apply and plan again in a new directory, in this process."""
    with tempfile.TemporaryDirectory() as scratch, (Path(scratch) / "output.txt").open("w") as output:
        directory = Path(scratch)
        sandbox = str(directory / "sandbox.db")
        text = CONFIGURATION.format(latency=LATENCY * 1000, job=job * 1000, volumes=volumes)
        (directory / "main.lun.hcl").write_text(text.replace('"sandbox.db"', json.dumps(sandbox)))
        began = time.perf_counter()
        project = operations.load(directory, operations.Inputs())
        with closing(operations.store_of(project)) as store:
            plan, _ = operations.plan(project, store, PlanRequest())
            planned = time.perf_counter() - began
            progress = PlainProgress(lambda text: print(text, end="", file=output), Style(False))
            cpu, began = time.process_time(), time.perf_counter()
            applied = operations.apply(project, store, plan, progress, parallelism=PARALLELISM)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - began
            if not applied.complete or applied.diagnostics:
                sys.exit(f"the apply is incomplete: {applied.result and applied.result.failed[:1]}")
            began = time.perf_counter()
            again, _ = operations.plan(operations.load(directory, operations.Inputs()), store, PlanRequest())
            noop = time.perf_counter() - began
            if not again.is_empty:
                sys.exit("the second plan is not empty")
        return Figures(len(plan.steps.steps), planned, ideal(plan.steps, PARALLELISM, LATENCY, job), wall, cpu, noop)


def run(volumes: int, kind: str) -> Figures:
    """The same in a process of its own, whose threads are counted from here."""
    command = [sys.executable, __file__, "--measure", str(volumes), kind]
    threads = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        tasks = Path(f"/proc/{process.pid}/task")
        while process.poll() is None:
            threads = max(threads, sum(1 for _ in tasks.iterdir()) - 1)
            time.sleep(0.02)
        assert process.stdout is not None
        found = process.stdout.read()
    if process.returncode:
        sys.exit(process.returncode)
    return Figures(**(json.loads(found) | {"threads": threads}))


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        figures = asdict(measure(int(sys.argv[2]), JOB if sys.argv[3] == "jobs" else 0.0))
        print(json.dumps(figures | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
        return
    sizes = [(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "once")] if len(sys.argv) > 1 else SIZES
    print(
        "| answers | volumes | steps | plan | ideal | wall | ratio | CPU | CPU of ideal | a step | threads | memory"
        " | no-op plan | load |"
    )
    print("|---|" + "---:|" * 13)
    for volumes, kind in sizes:
        f = run(volumes, kind)
        load = Path("/proc/loadavg").read_text().split()[0]
        print(
            f"| {kind} | {volumes:,} | {f.steps:,} | {f.plan:.2f} s | {f.ideal:.2f} s | {f.wall:.2f} s"
            f" | {f.wall / f.ideal:.3f} | {f.cpu:.2f} s | {f.cpu / f.ideal:.0%} | {f.cpu / f.steps * 1e6:.0f} us"
            f" | {f.threads} | {f.peak / 1e6:.0f} MB | {f.noop:.2f} s | {load} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
