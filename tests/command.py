"""The command `lunform` as users run it: a process of its own, in a directory of the test's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Finished:
    output: str
    errors: str


def lunform(
    *words: str, directory: Path, code: int = 0, environment: Mapping[str, str] | None = None, input: str | None = None
) -> Finished:
    """Run `lunform WORDS` and hold its exit code against `code`. Standard input is empty unless given."""
    done = subprocess.run(
        [sys.executable, "-m", "planner.cli.main", *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        input=input if input is not None else "",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = f"lunform {' '.join(words)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == code, said
    assert "Traceback" not in done.stderr, said
    return Finished(done.stdout, done.stderr)
