"""
The way to a storage box: this machine, or another one over ssh.

Over ssh the box gets the modules that run there as text, so nothing has to be installed on it besides tgt and Python;
they stay loaded while the connection lasts, and each call is a line there and a line back. Requests travel on standard
input, so nothing secret is on a command line at either end.
"""

from __future__ import annotations

import inspect
import json
import selectors
import shlex
import subprocess
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from planner.sdk import OutcomeUnknown, ProviderError, Rejected, Unreachable, errors
from providers.tgt import box, daemon, image, machine, record, show, throttle

CALL_TIMEOUT = 120.0
"""Seconds for one request, however many commands it is on the box."""

SSH_OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10", "-T")

_BOX_MODULES = (machine, show, daemon, record, throttle, image, box)
"""In the order in which they import each other."""

# The packages are made empty and the modules put into them from the text, so that they import each other as ever.
_BOOTSTRAP = """
import json, sys, types
for name in ("providers", "providers.tgt"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = []
for name, source in json.loads(sys.stdin.readline()):
    sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name, "exec"), sys.modules[name].__dict__)
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(sys.modules["providers.tgt.box"].answer(json.loads(line))), flush=True)
"""


class Link(Protocol):
    @property
    def place(self) -> str:
        """Where the box is, for people."""
        ...

    def call(self, request: Mapping[str, Any]) -> Any:
        """
        Have `providers.tgt.box.answer` carry out a request, and return its value.

        Raises:
            ProviderError: the box refused, failed, or could not be reached.
        """
        ...

    def close(self) -> None: ...


class Here:
    """The box is the machine that this runs on."""

    place = "this machine"

    def __init__(self, on: machine.Machine | None = None) -> None:
        self._machine = on

    def call(self, request: Mapping[str, Any]) -> Any:
        return _value(box.answer(request, self._machine), self.place)

    def close(self) -> None:
        return


class Ssh:
    """
    The box is behind `ssh destination`, with root's rights there.

    Calls from several threads take turns: on the box they would wait for the pool's lock anyway.
    """

    def __init__(self, destination: str) -> None:
        self.place = destination
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def call(self, request: Mapping[str, Any]) -> Any:
        with self._lock:
            process = self._connected()
            try:
                reply = json.loads(self._exchange(process, json.dumps(request)))
            except (OSError, ValueError) as error:
                said = self._end(process, error)
                raise OutcomeUnknown(
                    f"The connection to {self.place} broke",
                    f'The answer to "{request["operation"]}" did not come back: {said}',
                ) from None
        return _value(reply, self.place)

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                self._end(self._process, "")

    def _connected(self) -> subprocess.Popen[str]:
        """A connection with the modules loaded at the other end: until that is said, nothing was asked of the box."""
        if self._process is not None and self._process.poll() is None:
            return self._process
        command = f"python3 -u -c {shlex.quote(_BOOTSTRAP)}"
        argv = ["ssh", *SSH_OPTIONS, "--", self.place, command]
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        except FileNotFoundError:
            raise Rejected("ssh is not installed", f"It is needed to reach the storage box {self.place}.") from None
        try:
            modules = json.dumps([(module.__name__, inspect.getsource(module)) for module in _BOX_MODULES])
            if self._exchange(process, modules) != "ready\n":
                raise ValueError("it did not become ready")
        except (OSError, ValueError) as error:
            said = self._end(process, error)
            if "python3" in said and "not found" in said:
                raise Rejected(f"There is no python3 on {self.place}", "It is needed there, 3.10 or later.") from None
            raise Unreachable(
                f"The storage box {self.place} cannot be reached",
                f"`ssh {self.place}` said: {said} It must log in without a password (a key, or an agent).",
            ) from None
        self._process = process
        return process

    @staticmethod
    def _exchange(process: subprocess.Popen[str], line: str) -> str:
        """Send a line and read one. Raises OSError or ValueError when that fails."""
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(CALL_TIMEOUT):
                raise TimeoutError(f"No answer within {CALL_TIMEOUT:.0f} seconds.")
        answer = process.stdout.readline()
        if not answer.endswith("\n"):
            raise ValueError("The connection ended.")
        return answer

    def _end(self, process: subprocess.Popen[str], reason: object) -> str:
        """End a connection, and tell what was said at its end."""
        process.kill()
        _, said = process.communicate()
        self._process = None
        return " ".join(said.split()) or str(reason)


def _value(reply: Mapping[str, Any], place: str) -> Any:
    if "error" not in reply:
        return reply["value"]
    kind, summary, detail = reply["error"]
    error: type[ProviderError] = getattr(errors, kind)
    raise error(summary, f"{detail} (On {place}.)".lstrip())
