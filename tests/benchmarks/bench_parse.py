"""
How long a flat file of 1.7 MB takes: cold, and out of the cache, beside what python-hcl2 alone takes for its text.

Run it as `python tests/benchmarks/bench_parse.py [number of volumes]`. The ratio to python-hcl2 is what to compare
between machines: it should stay below 2, and the load from the cache below 0.3 s.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from hcl2 import parses_to_tree

from planner.diagnostics import Source
from planner.syntax.cache import TreeCache, parse_file_cached

VOLUME = """volume "db-{number}" {{
  offering = disk_offering.media-performance-disk
  size     = "{number}GiB"
  min_iops = {number}
  name     = "db-${{var.zone}}-{number}"
  attach {{
    host = host.kvm["kvm1"]
    vm   = "db-{number}"
  }}
}}

"""


def measure(count: int) -> None:
    text = "".join(VOLUME.format(number=number) for number in range(count))
    parses_to_tree("a = 1")
    print(f"{len(text) / 1e6:.2f} MB, {count} volumes")

    start = time.perf_counter()
    parses_to_tree(text)
    alone = time.perf_counter() - start
    print(f"python-hcl2 alone   {alone:6.2f} s")

    with tempfile.TemporaryDirectory() as directory:
        trees = TreeCache(Path(directory), b"k" * 32)
        source = Source("volumes.lun.hcl", text)
        start = time.perf_counter()
        body, _ = parse_file_cached(source, None)
        cold = time.perf_counter() - start
        print(f"parse_file          {cold:6.2f} s   ratio {cold / alone:.2f}")

        start = time.perf_counter()
        trees.store(source, body)
        print(f"store in the cache  {time.perf_counter() - start:6.2f} s")

        start = time.perf_counter()
        parse_file_cached(Source("volumes.lun.hcl", text), trees)
        print(f"load from the cache {time.perf_counter() - start:6.2f} s")


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
