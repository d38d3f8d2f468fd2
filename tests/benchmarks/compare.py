"""
The same shapes through Lunform and Terraform, in one run, side by side.

    chain   one block of N volumes; each is created, granted and attached
            (Terraform: three terraform_data blocks with count = N, each copy referring to its copy in the block before)
    flat    N blocks (Terraform: N terraform_data blocks)

Lunform works on its sandbox provider, Terraform on the resource that is built into it, so neither waits for a system.
Each shape is planned, applied, and planned again with nothing to do. Wall time and peak memory are of the whole
command. Every run is in a directory of its own, and Lunform's syntax cache is off.

usage: compare.py [--full]      --full adds Terraform's chain of 1000 (about ten minutes), and Lunform at 10,000
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LUNFORM_HEAD = """
provider "sandbox" {
  path = "sandbox.db"
}
disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}
pool "p" {
  provider      = sandbox
  capacity      = "100PiB"
  capacity_iops = 100000000
}
host "kvm" {
  provider  = sandbox
  initiator = "iqn.1993-08.org.debian:01:kvm"
}
"""

LUNFORM_VOLUME = """
volume "{name}" {{
  {count}
  offering = disk_offering.fast
  size     = "10GiB"
  attach {{
    host = host.kvm
    vm   = "{vm}"
  }}
}}
"""

TERRAFORM_CHAIN = """
resource "terraform_data" "create" {{
  count = {n}
  input = {{ size = "10GiB", name = "v${{count.index}}" }}
}}
resource "terraform_data" "grant" {{
  count = {n}
  input = terraform_data.create[count.index].output
}}
resource "terraform_data" "attach" {{
  count = {n}
  input = terraform_data.grant[count.index].output
}}
"""

TERRAFORM_FLAT = """
resource "terraform_data" "v{n}" {{
  input = {{ offering = "fast", size = "10GiB", vm = "vm-{n}" }}
}}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """Wall time in seconds and peak memory in bytes of one command."""

    seconds: float
    peak: int


def lunform_configuration(shape: str, n: int) -> str:
    if shape == "chain":
        return LUNFORM_HEAD + LUNFORM_VOLUME.format(name="v", count=f"count = {n}", vm="vm-${count.index}")
    return LUNFORM_HEAD + "".join(LUNFORM_VOLUME.format(name=f"v{i}", count="", vm=f"vm-{i}") for i in range(n))


def terraform_configuration(shape: str, n: int) -> str:
    if shape == "chain":
        return TERRAFORM_CHAIN.format(n=n)
    return "".join(TERRAFORM_FLAT.format(n=i) for i in range(n))


def timed(argv: Sequence[str], directory: Path) -> Run:
    environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
    with (directory / "output.txt").open("w") as output:
        began = time.perf_counter()
        process = subprocess.Popen(argv, cwd=directory, stdout=output, stderr=subprocess.STDOUT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(argv)} failed:\n{(directory / 'output.txt').read_text()[-2000:]}")
    return Run(seconds, usage.ru_maxrss * 1024)


def measure(tool: str, shape: str, n: int) -> dict[str, Run]:
    """Plan, apply and plan again in a new directory."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        if tool == "terraform":
            (directory / "main.tf").write_text(terraform_configuration(shape, n))
            subprocess.run(["terraform", "init", "-input=false"], cwd=directory, check=True, capture_output=True)
            plan = ["terraform", "plan", "-input=false", "-no-color"]
            apply = ["terraform", "apply", "-auto-approve", "-input=false", "-no-color"]
        else:
            (directory / "main.lun.hcl").write_text(lunform_configuration(shape, n))
            command = str(Path(sys.executable).with_name("lunform"))
            plan, apply = [command, "plan"], [command, "apply", "-auto-approve"]
        return {"plan": timed(plan, directory), "apply": timed(apply, directory), "no-op plan": timed(plan, directory)}


def row(shape: str, n: int, verb: str, ours: Run, theirs: Run | None) -> str:
    left = f"| {shape} | {n:,} | {verb} | {ours.seconds:.2f} s | {ours.peak / 1e6:.0f} MB |"
    if theirs is None:
        return f"{left} | | | |"
    ratio = theirs.seconds / ours.seconds
    return f"{left} {theirs.seconds:.2f} s | {theirs.peak / 1e6:.0f} MB | {ratio:.1f} | {theirs.peak / ours.peak:.1f} |"


def main() -> None:
    full = "--full" in sys.argv[1:]
    terraform = shutil.which("terraform")
    if terraform is None:
        print("terraform is not installed: only Lunform's figures follow.\n")
    sizes = [("chain", 100), ("chain", 300), ("chain", 1000), ("flat", 100), ("flat", 300), ("flat", 1000)]
    if full:
        sizes += [("chain", 10_000), ("flat", 10_000)]
    print("| shape | N | verb | Lunform | memory | Terraform | memory | times faster | times smaller |")
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|")
    for shape, n in sizes:
        too_slow = n > 1000 or (shape == "chain" and n == 1000 and not full)
        ours = measure("lunform", shape, n)
        theirs = measure("terraform", shape, n) if terraform and not too_slow else {}
        for verb, run in ours.items():
            print(row(shape, n, verb, run, theirs.get(verb)), flush=True)


if __name__ == "__main__":
    main()
