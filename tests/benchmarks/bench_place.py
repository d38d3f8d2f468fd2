"""
Volumes placed on 100 pools: seconds of CPU, microseconds for each volume, peak memory of the whole process, and how
much longer it took than half as many volumes. Each line is a process of its own.

    mix        20 offerings and 10 sizes, in 4 zones, on hosts of 8 clusters; a tenth of the volumes exist already
    distinct   no two volumes ask for the same size or figures, and hosts come in pairs
    again      the mix, applied and planned again
    too_many   twice as many volumes of the mix as there is room for

    python tests/benchmarks/bench_place.py [SHAPE VOLUMES [WEIGHER]]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from planner.addresses import InstanceAddress
from planner.placement.allocator import place
from planner.placement.model import Candidate, Demand, Host, Placement
from planner.sdk.storage import ArrayInfo, ArrayLimits, PoolSpec, PoolStatus, Qos

POOLS = 100
SIZES = (25_000, 50_000, 100_000)
GIB = 1 << 30
ZONES = ("north", "east", "south", "west")
TIERS = ("nvme", "ssd", "hdd")
HELD = frozenset({"ceiling", "burst", "bandwidth"})
HOSTS = [Host(f"host.kvm[{n}]", ZONES[n % 4], f"cluster-{n % 8}") for n in range(400)]
OFFERINGS = [
    (TIERS[n % 3], 50 * (n + 1), 200 * (n + 1), 300 * (n + 1), "any" if n % 5 else "storage") for n in range(20)
]


def pools(volumes: int, room: float = 2.0) -> list[Candidate]:
    """In each zone some of each tier, of three kinds of arrays; `room` times what the volumes will ask for."""
    made = []
    for number in range(POOLS):
        array = ArrayInfo(f"array-{number // 4}", "array 1.0", frozenset(), ArrayLimits(GIB, 64 << 40, 512))
        status = PoolStatus(
            int(room * volumes * (2 + number % 3) * 300 * GIB / POOLS / 3),
            0,
            int(room * volumes * (2 + number % 5) * 525 / POOLS / 4),
            0,
            HELD | {"floor"} if number // 12 % 2 else HELD,
        )
        made.append(
            Candidate(
                f"pool.p[{number}]",
                PoolSpec(f"pool.p[{number}]"),
                array,
                status,
                tags=frozenset({TIERS[number // 4 % 3]}),
                zone=ZONES[number % 4],
            )
        )
    return made


def mix(volumes: int) -> tuple[list[Demand], list[Candidate]]:
    random, candidates = Random(1), pools(volumes)
    demands = []
    for number in range(volumes):
        tier, low, high, burst, enforcement = random.choice(OFFERINGS)
        host = random.choice(HOSTS)
        demands.append(
            Demand(
                address=InstanceAddress("volume", f"app{number // 1000}", number % 1000),
                size=random.choice((10, 20, 50, 100, 200, 300, 400, 500, 700, 900)) * GIB,
                qos=Qos(low, high, burst),
                tags=frozenset({tier}) if random.random() < 0.7 else frozenset(),
                zone=host.zone,
                hosts=frozenset({host}) if random.random() < 0.8 else frozenset(),
                enforcement=enforcement,
                hypervisor_enforces=HELD,
            )
        )
    fixed = place(demands[: volumes // 10], candidates)
    return applied(fixed, demands, candidates)


def distinct(volumes: int) -> tuple[list[Demand], list[Candidate]]:
    random = Random(2)
    demands = []
    for number in range(volumes):
        zone = random.randrange(4)
        low = 10 + number % 1009
        demands.append(
            Demand(
                address=InstanceAddress("volume", "v", f"{random.randrange(1 << 60):x}"),
                size=10 * GIB + number * 4096,
                qos=Qos(low, low + 1 + number, low + number + 1 + number % 7, number * 1000),
                tags=frozenset({random.choice(TIERS)}),
                hosts=frozenset(HOSTS[4 * random.randrange(100) + zone] for _ in range(2)),
                hypervisor_enforces=HELD,
            )
        )
    return demands, pools(volumes)


def again(volumes: int) -> tuple[list[Demand], list[Candidate]]:
    demands, candidates = mix(volumes)
    return applied(place(demands, candidates), demands, candidates)


def too_many(volumes: int) -> tuple[list[Demand], list[Candidate]]:
    return mix(volumes)[0], pools(volumes, 0.5)


SHAPES: Mapping[str, Callable[[int], tuple[list[Demand], list[Candidate]]]] = {
    shape.__name__: shape for shape in (mix, distinct, again, too_many)
}


def applied(
    placement: Placement, demands: list[Demand], candidates: list[Candidate]
) -> tuple[list[Demand], list[Candidate]]:
    """What a plan finds after it was applied: volumes on their pools, which hold them."""
    used = {candidate.id: [0, 0] for candidate in candidates}
    kept = []
    for demand in demands:
        assignment = placement.assignments.get(demand.address)
        if assignment is not None and demand.prior is None:
            used[assignment.pool][0] += demand.size
            used[assignment.pool][1] += demand.floor
            demand = replace(demand, prior=assignment.pool, holds=(demand.size, demand.floor))
        kept.append(demand)
    grown = []
    for candidate in candidates:
        bytes, iops = used[candidate.id]
        status = candidate.status
        grown.append(replace(candidate, status=replace(status, used=status.used + bytes, floors=status.floors + iops)))
    return kept, grown


def measure(shape: str, volumes: int, weigher: str) -> None:
    """Print seconds of CPU, MB at the peak, and how many volumes found no place."""
    demands, candidates = SHAPES[shape](volumes)
    start = time.process_time()
    placement = place(demands, candidates, weigher)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(seconds, peak, len(placement.unplaced))


def run(shape: str, volumes: int, weigher: str) -> tuple[float, float, int]:
    command = [sys.executable, __file__, shape, str(volumes), weigher]
    seconds, peak, unplaced = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), float(peak), int(unplaced)


def table() -> Iterator[str]:
    yield "shape      weigher    volumes      CPU     each     peak  unplaced  against half"
    for shape, weigher in (*((shape, "headroom") for shape in SHAPES), ("mix", "pack"), ("mix", "first")):
        before = 0.0
        for volumes in SIZES:
            seconds, peak, unplaced = run(shape, volumes, weigher)
            yield (
                f"{shape:<10} {weigher:<9} {volumes:>8,} {seconds:>6.2f} s {seconds / volumes * 1e6:>5.1f} us"
                f" {peak:>5.0f} MB {unplaced:>9,}{f'  x {seconds / before:.2f}' if before else ''}"
            )
            before = seconds


def main() -> None:
    if len(sys.argv) > 1:
        shape, volumes, *weigher = sys.argv[1:]
        measure(shape, int(volumes), *(weigher or ["headroom"]))
        return
    for line in table():
        print(line, flush=True)


if __name__ == "__main__":
    main()
