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

from planner.sdk import StorageProvider
from providers.solidfire import PROVIDER

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "admin", "element-password"


@dataclass(frozen=True, slots=True)
class Element:
    """
    Attributes:
        folder: with the certificate, and the volumes where they are served.
        pid: of the process.
        password: of its administrator.
    """

    port: int
    folder: Path
    pid: int
    password: str = PASSWORD

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

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method, as an administrator beside Lunform would call it."""
        answer = requests.post(
            f"{self.endpoint}/json-rpc/12.3",
            json={"method": method, "params": parameters},
            auth=(USER.encode(), self.password.encode()),
            verify=str(self.certificate),
            timeout=30,
        ).json()
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def account(self, username: str) -> int:
        """The number of an account, made when there is none."""
        for account in self.call("ListAccounts")["accounts"]:
            if account["username"] == username:
                return int(account["accountID"])
        return int(self.call("AddAccount", username=username)["accountID"])

    def clear(self) -> None:
        """A cluster as it was when it was new: nothing on it and nothing set, no faults and no log."""
        self.order(empty=True, restore=True, forget=True)

    def calls(self) -> dict[str, int]:
        """How often each method was called since the last `order(forget=True)`."""
        counted: dict[str, int] = self.order()["calls"]
        return counted


def open_array(element: Element, **settings: Any) -> StorageProvider:
    """The Element provider, as a `provider "solidfire"` block with these settings opens it."""
    own = {"endpoint": element.endpoint, "username": USER, "password": PASSWORD, "ca_file": str(element.certificate)}
    left_out = {argument.name: argument.default for argument in PROVIDER.settings}
    assert PROVIDER.open_storage is not None
    return PROVIDER.open_storage(left_out | own | settings)


@contextmanager
def running_element(folder: Path, *arguments: str, password: str = PASSWORD) -> Iterator[Element]:
    command = [sys.executable, "-m", "tests.emulators.element", "--folder", str(folder), "--password", password]
    command += arguments
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield Element(int(process.stdout.readline()), folder, process.pid, password)
        finally:
            process.terminate()
            process.wait()
