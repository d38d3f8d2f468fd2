"""
Many processes that apply to one PostgreSQL state at once, and what became of it: `make shared` does 1,000 applies by 8
processes, and a test does a few.

Each process makes, moves and deletes volumes of its own, at random, and takes those of the others for what it has read
of them just before its plan. So plans meet: some are refused as stale, and some undo what another has just done.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from planner import operations
from planner.errors import StalePlan
from planner.planning.builder import PlanRequest
from planner.state.store import StateStore
from tests.project import Project
from tests.rigs.postgres import DATABASE, ROLE, Postgres, running_postgres
from tests.world import Instead

CONFIGURATION = """
lunform {
  backend "postgres" {
    schema_name = "SCHEMA"
  }
}
variable "vms" {
  type = map(string)
}
provider "sandbox" {
  path = PATH
}
pool "fast" {
  provider = sandbox
}
host "kvm1" {
  provider  = sandbox
  initiator = "iqn.1993-08.org.debian:01:kvm1"
}
disk_offering "plain" {}
volume "db" {
  for_each = var.vms
  offering = disk_offering.plain
  size     = "1GiB"
  attach {
    host = host.kvm1
    vm   = each.value
  }
}
# Copies come and go here, and none is another's new name.
removed {
  from = volume.db
}
"""
"""Where the server is, processes learn from their environment."""

PATIENCE = 600.0
"""Seconds that an apply waits for the state."""

VOLUMES = 3
"""That each process has at the most."""


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Attributes:
        applies: that changed something and were done.
        stale: plans that were refused, since another apply had changed what they touch.
        seconds: from the first to the last.
        made: volumes that were ever made.
        wrong: what must be empty, by name.
    """

    applies: int
    stale: int
    seconds: float
    made: int
    wrong: Mapping[str, Set[Any]]

    def __str__(self) -> str:
        wrong = ", ".join(f"{len(found)} {name}" for name, found in self.wrong.items())
        return (
            f"{self.applies} applies in {self.seconds:.0f} s, {self.stale} plans refused as stale,"
            f" {self.made} volumes made: {wrong}"
        )


def campaign(server: Postgres, folder: Path, processes: int, applies: int) -> Figures:
    """
    Args:
        applies: of all processes together.
    """
    environment = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": ROLE,
        "PGPASSWORD": server.password,
        "PGDATABASE": DATABASE,
    }
    with patch.dict(os.environ, environment):
        project = Project(folder / "project", CONFIGURATION.replace("SCHEMA", server.new_schema()))
        (project.directory / operations.WORK_DIRECTORY).mkdir()  # as `init` does: the configuration is parsed once
        project.apply(vms="{}")
        context = multiprocessing.get_context("spawn")
        refused = context.SimpleQueue()
        shares = [applies // processes + (number < applies % processes) for number in range(processes)]
        workers = [
            context.Process(target=apply_again_and_again, args=(project, number, share, refused.put), daemon=True)
            for number, share in enumerate(shares)
        ]
        began = time.monotonic()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        seconds = time.monotonic() - began
        assert [worker.exitcode for worker in workers] == [0] * processes, "an apply failed"
        with closing(operations.store_of(project.load())) as store:
            wrong = what_is_wrong(store, project, applies + 1)
        ((made,),) = project.ask("SELECT seq FROM sqlite_sequence WHERE name = 'volume'")
        return Figures(applies, sum(refused.get() for _ in workers), seconds, made, wrong)


def apply_again_and_again(project: Project, number: int, times: int, tell: Callable[[int], None]) -> None:
    """Apply `times` times, each time another choice of volumes, and tell how many plans were refused meanwhile."""
    chance, refused = random.Random(number), 0
    with closing(operations.store_of(project.load(vms="{}"))) as store:
        alone: Any = Instead(store, lock=partial(locked_alone, project.directory / "held"))
        while times:
            ours = {f"{number}-{key}": f"vm-{chance.randrange(2)}" for key in range(VOLUMES) if chance.random() < 0.6}
            others = {
                str(address.key): "".join(disk["vm"] for disk in object.attributes["attachments"]) or "vm-0"
                for address, object in store.read().objects.items()
                if address.type == "volume" and not str(address.key).startswith(f"{number}-")
            }
            loaded = project.load(vms=json.dumps(others | ours))
            plan, _ = operations.plan(loaded, store, PlanRequest())
            if plan.is_empty:
                continue
            try:
                done = operations.apply(loaded, alone, plan, lock_timeout=PATIENCE)
            except StalePlan:
                refused += 1
                continue
            assert done.complete, done.result
            times -= 1
    tell(refused)


@contextmanager
def locked_alone(marker: Path, lock: Callable[..., Any], *arguments: Any) -> Iterator[None]:
    """The state's lock, and proof that nobody else has it: whoever comes second fails."""
    with lock(*arguments):
        marker.touch(exist_ok=False)
        try:
            yield
        finally:
            marker.unlink()


def what_is_wrong(store: StateStore, project: Project, runs: int) -> Mapping[str, Set[Any]]:
    snapshot = store.read()
    recorded = [object.attributes for object in snapshot.objects.values() if object.address.type == "volume"]
    volumes = {(volume["name"], volume["intent"]) for volume in recorded}
    disks = {(disk["vm"], disk["intent"]) for volume in recorded for disk in volume["attachments"]}
    there = project.ask("SELECT name, intent FROM volume")
    there_disks = project.ask("SELECT vm, intent FROM attachment")
    per_address = Counter(address for (address,) in project.ask("SELECT address FROM volume"))
    ended = [run.id for run in store.runs() if run.finished]
    made = [
        (run, o.step) for run in ended for o in store.outcomes(run) if (o.verb, o.status) == ("create_async", "done")
    ]
    ((created,),) = project.ask("SELECT seq FROM sqlite_sequence WHERE name = 'volume'")
    return {
        "lost": volumes - set(there),
        "orphans": set(there) - volumes,
        "twins": {address for address, number in per_address.items() if number > 1},
        "disks that differ": disks ^ set(there_disks),
        "runs missing in the history": set(range(len(set(ended)), runs)),
        "volumes made and not in the history": set(range(len(set(made)), created)),
        "steps in doubt": set(snapshot.in_doubt),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("-processes", type=int, default=8)
    parser.add_argument("-applies", type=int, default=1000)
    given = parser.parse_args()
    with running_postgres() as server, tempfile.TemporaryDirectory() as folder:
        figures = campaign(server, Path(folder), given.processes, given.applies)
    print(figures)
    sys.exit(any(figures.wrong.values()))


if __name__ == "__main__":
    main()
