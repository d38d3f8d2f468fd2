"""
What a full Element cluster costs in calls: 4,000 volumes, each let in to one host, made by one apply, read by one plan,
and given other figures by their offering. The cluster is the emulated one, which counts what it is asked.

    apply       calls for each volume by method; those that come once, or once for each host, account or policy, are
                told beside them
    refresh     all calls of a plan that finds nothing to do
    offering    all calls that change something when an offering of half of the volumes gets other figures

Times say little of a real cluster: the emulated one is a Python program on the same machine.

usage: bench_element.py [VOLUMES [groups|cluster|chap]]     without arguments the whole table
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from planner import operations
from planner.planning.builder import PlanRequest
from tests.emulators.running import PASSWORD, USER, Element, running_element

VOLUMES = 4000
ACCESS = ("groups", "cluster", "chap")
HOSTS = 16
CLUSTERS = 4
READS = ("Get", "List")
"""How the names of methods begin that change nothing."""

CONFIGURATION = """
provider "solidfire" {{
  endpoint = {endpoint}
  username = {user}
  password = {password}
  ca_file  = {ca_file}
  access   = {access}
}}
provider "sandbox" {{}}
disk_offering "films" {{
  min_iops   = 50
  max_iops   = {ceiling}
  burst_iops = 2000
}}
disk_offering "music" {{
  min_iops   = 50
  max_iops   = 1000
  burst_iops = 2000
}}
pool "san" {{
  provider      = solidfire
  capacity_iops = 1000000
}}
host "kvm" {{
  count     = {hosts}
  provider  = sandbox
  address   = "10.0.0.${{count.index + 1}}"
  initiator = "iqn.1993-08.org.debian:01:kvm${{count.index}}"
  cluster   = "rack-${{count.index % {clusters}}}"
}}
volume "films" {{
  count    = {half}
  offering = disk_offering.films
  size     = "10GiB"
  attach {{
    host = host.kvm[count.index % {hosts}]
  }}
}}
volume "music" {{
  count    = {half}
  offering = disk_offering.music
  size     = "10GiB"
  attach {{
    host = host.kvm[count.index % {hosts}]
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """Calls by method, and seconds, of an apply, of a plan that finds nothing to do, and of an offering's change."""

    apply: Counter[str]
    refresh: Counter[str]
    offering: Counter[str]
    seconds: tuple[float, float, float]


def measure(element: Element, directory: Path, volumes: int, access: str) -> Figures:
    """On an empty cluster, in an empty directory."""
    counts, seconds = [], []
    for ceiling, is_applied in ((1000, True), (1000, False), (1500, True)):
        given = {"endpoint": element.endpoint, "user": USER, "password": PASSWORD, "ca_file": str(element.certificate)}
        texts = {name: json.dumps(value) for name, value in (given | {"access": access}).items()}
        (directory / "main.lun.hcl").write_text(
            CONFIGURATION.format(**texts, ceiling=ceiling, half=volumes // 2, hosts=HOSTS, clusters=CLUSTERS)
        )
        element.order(forget=True)
        began = time.perf_counter()
        project = operations.load(directory, operations.Inputs(environment={}))
        with closing(operations.store_of(project)) as store:
            plan, _ = operations.plan(project, store, PlanRequest())
            if is_applied:
                applied = operations.apply(project, store, plan)
                if not applied.complete or applied.diagnostics:
                    sys.exit(f"the apply is incomplete: {applied.result and applied.result.failed[:1]}")
            elif not plan.is_empty:
                sys.exit("the second plan is not empty")
        seconds.append(time.perf_counter() - began)
        counts.append(Counter(element.calls()))
    apply, refresh, offering = counts
    return Figures(apply, refresh, offering, (seconds[0], seconds[1], seconds[2]))


def changes(calls: Counter[str]) -> Counter[str]:
    return Counter({method: number for method, number in calls.items() if not method.startswith(READS)})


def main() -> None:
    volumes = int(sys.argv[1]) if len(sys.argv) > 1 else VOLUMES
    print("| access | volumes | for each volume | of them | else | refresh | offering, changing | apply | refresh |")
    print("|---|---:|---:|---|---:|---:|---|---:|---:|")
    for access in sys.argv[2:3] or ACCESS:
        with tempfile.TemporaryDirectory() as scratch:
            directory, cluster = Path(scratch) / "configuration", Path(scratch) / "cluster"
            directory.mkdir()
            cluster.mkdir()
            with running_element(cluster) as element:
                f = measure(element, directory, volumes, access)
        each = {method: round(number / volumes) for method, number in sorted(f.apply.items()) if number > volumes / 2}
        methods = ", ".join(f"{number} {method}" for method, number in each.items())
        changing = ", ".join(f"{number} {method}" for method, number in sorted(changes(f.offering).items()))
        print(
            f"| {access} | {volumes:,} | {sum(each.values())} | {methods}"
            f" | {f.apply.total() - volumes * sum(each.values())} | {f.refresh.total()} | {changing}"
            f" | {f.seconds[0]:.1f} s | {f.seconds[1]:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
