"""An emulated cluster as a process, and how a test orders faults of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "admin", "element-password"


@dataclass(frozen=True, slots=True)
class Element:
    """
    Attributes:
        folder: with the certificate, and the volumes where they are served.
        pid: of the process.
    """

    port: int
    folder: Path
    pid: int

    @property
    def endpoint(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.folder / "cluster.crt"

    def order(self, **what: Any) -> dict[str, Any]:
        """See `tests.emulators.element.server`."""
        answer = requests.post(f"{self.endpoint}/emulator", json=what, verify=str(self.certificate), timeout=30)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def fail(self, method: str, effect: str, **more: Any) -> None:
        """The next call of `method` has a fault."""
        self.order(fault={"method": method, "effect": effect, **more})

    def calls(self) -> dict[str, int]:
        """How often each method was called since the last `order(forget=True)`."""
        counted: dict[str, int] = self.order()["calls"]
        return counted


@contextmanager
def running_element(folder: Path, *arguments: str) -> Iterator[Element]:
    command = [sys.executable, "-m", "tests.emulators.element", "--folder", str(folder), *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Element(int(process.stdout.readline()), folder, process.pid)
        finally:
            process.terminate()
            process.wait()
