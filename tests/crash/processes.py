"""
Runs of `lunform` as processes that can be killed: forked from this one, which has everything imported already, so that
a run costs no more than itself.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import providers.sandbox.provider
import providers.tgt.provider
from planner import operations
from planner.cli.main import main
from planner.execution import faults
from planner.execution.faults import Crash, Watch
from planner.planning.builder import PlanRequest
from planner.state.sqlite import SqliteStore
from providers.libvirt.provider import LibvirtHosts
from providers.solidfire.provider import SolidFireArray
from providers.solidfire.wire import Wire
from providers.tgt.link import Here
from providers.tgt.machine import LocalMachine, Machine

KILLED = -signal.SIGKILL
_ARRAY_VERBS = {"update_policy": "update_qos_policy", "poll": "create_async"}
"""Where the array's word is not the step's. What an Element cluster is polled for are clones."""

_TGT_VERBS = {
    "create": "create_async",
    "resize": "resize_async",
    "update_qos": "update_qos",
    "grant": "grant_access",
    "revoke": "revoke_access",
    "delete": "delete_async",
}
_SOLIDFIRE_VERBS = (
    *("create_async", "resize_async", "update_qos", "update_policy", "delete_async"),
    *("restore_async", "grant_access", "revoke_access", "poll"),
)
_LIBVIRT_VERBS = ("attach", "update_attachment", "detach", "create_vm", "update_vm", "set_power", "delete_vm")
_READS = frozenset(
    {
        *("inspect", "pool_status", "list_volumes", "list_policies", "list_snapshots", "list_deleted"),
        *("list_attachments", "list_vms"),
    }
)


def warm_up(folder: Path) -> None:
    """Plan once in this process, so that runs find all that they need imported and the grammar read."""
    for module in ("cli.apply", "cli.plan", "execution.executor", "execution.readback", "execution.recovery"):
        import_module(f"planner.{module}")
    configuration = 'variable "one" {\n  type = number\n  default = 1\n}\n'
    (folder / "main.lun.hcl").write_text(configuration)
    project = operations.load(folder, operations.Inputs(environment={}))
    operations.plan(project, operations.store_of(project), PlanRequest())


def start(work: Callable[[], Any], log: Path) -> tuple[int, int]:
    """Begin `work` in a process of its own that writes to `log`; its number, and where to read what `work` gave."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        os.close(reading)
        for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)):
            os.dup2(os.open(path, flags, 0o600), descriptor)
        os.dup2(1, 2)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - they end with us
        with os.fdopen(writing, "w") as answer:
            json.dump(work(), answer)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def finish(child: int, reading: int) -> tuple[int, Any]:
    """Its exit code, negative for a signal, and what its work gave; None for one that did not get there."""
    with os.fdopen(reading) as answer:
        text = answer.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), json.loads(text) if text else None


def in_a_process(work: Callable[[], Any], log: Path) -> tuple[int, Any]:
    return finish(*start(work, log))


def lunform(folder: Path, words: Sequence[str], crash: str = "", environment: Mapping[str, str] | None = None) -> Any:
    """Work for `in_a_process`: `lunform WORDS` in a folder, killed at the point `crash`; gives its exit code."""

    def work() -> int:
        os.environ.update(environment or {})
        os.chdir(folder)
        if crash:
            _watch_everything(Crash(crash))
        return _exit_code(words)

    return work


def traced(folder: Path, words: Sequence[str], environment: Mapping[str, str] | None = None) -> Any:
    """Work for `in_a_process`: as `lunform`, and gives its exit code and how often it passed each point."""

    def work() -> tuple[int, dict[str, int]]:
        os.environ.update(environment or {})
        os.chdir(folder)
        passed: list[str] = []  # its `append` is atomic
        _watch_everything(passed.append)
        return _exit_code(words), dict(Counter(passed))

    return work


def _exit_code(words: Sequence[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    raise AssertionError("main always exits")


# Points that the product knows nothing of


def _watch_everything(watch: Watch) -> None:
    """In this process, which is to end with the run."""
    faults.watch_with(watch)
    providers.sandbox.provider.kill_switch = lambda: _Switch(watch)  # type: ignore[assignment, return-value]
    providers.tgt.provider.Here = lambda: _Box(watch)  # type: ignore[misc, assignment, return-value]
    _watch_wire(watch)
    for verb in _LIBVIRT_VERBS:
        setattr(LibvirtHosts, verb, _passing(getattr(LibvirtHosts, verb), f"{verb}:after-effect", watch))
    open_writer = SqliteStore._open_writer

    def watched(store: SqliteStore) -> sqlite3.Connection:
        writer = open_writer(store)
        writer.set_trace_callback(lambda statement: watch("state:COMMIT") if statement == "COMMIT" else None)
        return writer

    SqliteStore._open_writer = watched  # type: ignore[method-assign]


def _passing(method: Any, point: str, watch: Watch) -> Any:
    """A call to libvirt, and the point between its effect and its answer."""

    def call(*arguments: Any) -> Any:
        answer = method(*arguments)
        watch(point)
        return answer

    return call


def _watch_wire(watch: Watch) -> None:
    """Each call that changes an Element cluster is two points of the step that makes it."""
    step, change = threading.local(), Wire.change

    def of_step(verb: str, method: Any) -> Any:
        def call(*arguments: Any) -> Any:
            step.verb = verb
            return method(*arguments)

        return call

    def watched(wire: Wire, method: str, **parameters: Any) -> Mapping[str, Any]:
        watch(f"{step.verb}:before-effect")
        result = change(wire, method, **parameters)
        watch(f"{step.verb}:effect")
        return result

    for name in _SOLIDFIRE_VERBS:
        setattr(SolidFireArray, name, of_step(_ARRAY_VERBS.get(name, name), getattr(SolidFireArray, name)))
    Wire.change = watched  # type: ignore[method-assign]


class _Switch:
    """In the place of the sandbox's own."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def reach(self, verb: str, point: str) -> None:
        if verb not in _READS and verb not in ("credentials", "poll"):
            self._watch(f"{_ARRAY_VERBS.get(verb, verb)}:{point}-effect")


class _Box(Here):
    """A storage box each of whose effects is a point."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def call(self, request: Mapping[str, Any]) -> Any:
        verb = _TGT_VERBS.get(request["operation"])
        return (Here(_Effects(verb, self._watch)) if verb else super()).call(request)


class _Effects(LocalMachine):
    """One thing done to the box after the other."""

    def __init__(self, verb: str, watch: Watch) -> None:
        self._passed = f"{verb}:effect"
        self._watch = watch

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name not in Machine.__dict__:
            return found

        def effect(*arguments: Any, **named: Any) -> Any:
            result = found(*arguments, **named)
            if not _only_looks(name, arguments):
                self._watch(self._passed)
            return result

        return effect


def _only_looks(name: str, arguments: Sequence[Any]) -> bool:
    if name == "run":
        return any(word in ("show", "--version", "--help") for word in arguments[0])
    return name == "ask_monitor" and str(arguments[1]).startswith(("qom-get", "query"))
