"""The command `lunform` as users run it: a process of its own, in a directory of the test's."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import pty
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from planner.cli.main import main

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


def lunform_here(
    *words: str, directory: Path, code: int = 0, environment: Mapping[str, str] | None = None, input: str | None = None
) -> Finished:
    """The same in this process, which is much cheaper; for all that neither kills the process nor needs a terminal."""
    output, errors = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(directory),
        mock.patch.dict(os.environ, environment or {}),
        mock.patch.object(sys, "argv", ["lunform", *words]),
        mock.patch.object(sys, "stdin", io.StringIO(input or "")),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        try:
            main(words)
        except SystemExit as done:
            said = f"lunform {' '.join(words)}: exit code {done.code}\n{output.getvalue()}\n{errors.getvalue()}"
            assert done.code == code, said
        finally:
            gc.enable()
    return Finished(output.getvalue(), errors.getvalue())


def lunform_at_a_terminal(*words: str, directory: Path, answers: Sequence[tuple[str, str]] = (), code: int = 0) -> str:
    """
    Run `lunform WORDS` at a terminal; what the terminal shows.

    Args:
        answers: what is typed, each when the text before it is shown.
    """
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "planner.cli.main", *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "NO_COLOR": "1"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown, waiting = "", list(answers)
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        while select.select([terminal], [], [], 60)[0]:
            try:
                shown += terminal.read(65536).decode(errors="replace")
            except OSError:  # that is how Linux says that the other end was closed
                break
            if waiting and waiting[0][0] in shown:
                terminal.write((waiting.pop(0)[1] + "\n").encode())
        else:
            process.kill()
    assert process.wait(timeout=60) == code, shown
    assert not waiting, shown
    return shown
