"""
A life of a few volumes and VMs: configurations that are applied one after the other, on systems that are read past the
planner. What an undisturbed run leaves is what every other has to leave, too.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.errors import StateLocked
from planner.sdk import HostSpec, PoolSpec
from planner.state.sqlite import open_sqlite
from tests.crash.points import Case
from tests.crash.processes import KILLED, finish, in_a_process, lunform, start, traced

APPLY = ("apply", "-auto-approve", "-allow-data-loss")
_NEW_IN_EVERY_WORLD = frozenset(
    {"id", "intent", "serial", "iqn", "device", "chap_username", "lun", "portal", "deleted_until"}
)


@dataclass(frozen=True, slots=True)
class Besides:
    """
    What an array has that no provider lists.

    Attributes:
        picture: all of it, without what is new in every world.
        ours: what Lunform has made, in the words of `Look.orphans`.
        names: what is told apart by them; no name may be there twice.
    """

    picture: Any = None
    ours: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Systems:
    """
    What the configurations are about, as it is read past the planner. Opened anew for each look, in the process that
    looks.

    Attributes:
        besides: what the array has besides, read past its provider.
        locks: files that are locked while something is done, besides the state's.
        clear: take away all that there is.
    """

    array: Callable[[], Any]
    pools: tuple[PoolSpec, ...]
    hypervisor: Callable[[], Any]
    hosts: tuple[HostSpec, ...]
    besides: Callable[[], Besides] = Besides
    locks: tuple[Path, ...] = ()
    clear: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Look:
    """
    Attributes:
        picture: all there is, on the systems and in the state, without what is new in every world.
        orphans: what carries our mark and nobody records: volumes, VMs, disks, and access that was granted; and what an
            array has besides for none of them.
        lost: what is recorded and is not there.
        twins: what is there twice.
        stale_locks: locks that nobody alive holds.
    """

    picture: Any
    orphans: list[str]
    lost: list[str]
    twins: list[str]
    stale_locks: list[str]


@dataclass(frozen=True, slots=True)
class Result:
    """
    How a case ended.

    Attributes:
        kills: how often a run was killed for it; fewer than it has where a point was not reached.
        difference: how the world is other than an undisturbed run leaves it; empty where it is not.
    """

    case: Case
    kills: int
    difference: str
    look: Look


@dataclass(slots=True)
class Life:
    """
    Attributes:
        declared: folder of the configurations: `site.lun.hcl`, and one for each phase in the order of their names.
        folder: where they are applied.
    """

    name: str
    declared: Path
    folder: Path
    systems: Systems
    variables: Mapping[str, str] = field(default_factory=dict)
    parallelism: int = 2
    undisturbed: dict[str, Look] = field(default_factory=dict)

    @property
    def phases(self) -> list[str]:
        return sorted(path.name.removesuffix(".lun.hcl") for path in self.declared.glob("[0-9]*.lun.hcl"))

    def begin(self) -> None:
        """A new world."""
        self.systems.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)

    def enter(self, phase: str) -> None:
        for name, source in (("site", "site"), ("main", phase)):
            shutil.copy(self.declared / f"{source}.lun.hcl", self.folder / f"{name}.lun.hcl")

    def apply(self, settings: Sequence[str] = ()) -> tuple[str, ...]:
        return (*APPLY, f"-parallelism={self.parallelism}", *(f"-var={setting}" for setting in settings))

    def trace(self, settings: Sequence[str] = ()) -> dict[str, Counter[str]]:
        """Live once without being disturbed; how often each phase passed each point."""
        self.begin()
        passed = {}
        for phase in self.phases:
            self.enter(phase)
            code, answer = in_a_process(traced(self.folder, self.apply(settings), self.variables), self.log)
            assert code == 0 and answer[0] == 0, self.log.read_text()
            passed[phase] = Counter(answer[1])
            look = self.look()
            assert not (look.orphans or look.lost or look.twins or look.stale_locks), look
            differs = _difference(look.picture, self.undisturbed.setdefault(phase, look).picture)
            assert not differs, f"two undisturbed lives differ\n{differs}"
        return passed

    def live(self, cases: Sequence[Case]) -> Iterator[Result]:
        """
        Live on and on until every case has had its turn. A world that is not as it should be is given up for a new one.
        """
        waiting = {phase: [case for case in cases if case.phase == phase] for phase in self.phases}
        while any(waiting.values()):
            self.begin()
            for phase in self.phases:
                case = waiting[phase].pop(0) if waiting[phase] else Case(phase, ())
                result = self.suffer(case)
                if case.kills or result.difference:
                    yield result
                if result.difference or not any(waiting.values()):
                    break

    def suffer(self, case: Case) -> Result:
        """Enter a phase, be killed, apply again, and look. No other command is needed."""
        self.enter(case.phase)
        kills = 0
        for point in case.kills:
            code, answer = self.run(self.apply(case.settings), str(point))
            if code != KILLED:
                if answer != 0:
                    return Result(case, kills, f"exit code {answer}\n{self.log.read_text()}", self.look())
                break
            kills += 1
        return self.recover(case, kills)

    def recover(self, case: Case, kills: int) -> Result:
        code, answer = self.run(self.apply(case.settings))
        said = self.log.read_text()
        look = self.look()
        if (code, answer) != (0, 0):
            return Result(case, kills, f"the next apply ended with {answer}\n{said}", look)
        if look.picture != self.undisturbed[case.phase].picture:
            return Result(case, kills, _difference(look.picture, self.undisturbed[case.phase].picture), look)
        code, answer = self.run(("plan", "-detailed-exitcode", *(f"-var={setting}" for setting in case.settings)))
        return Result(case, kills, "" if answer == 0 else f"the next plan is not empty\n{self.log.read_text()}", look)

    def run(self, words: Sequence[str], crash: str = "") -> tuple[int, Any]:
        """The process's exit code, and the command's."""
        return in_a_process(lunform(self.folder, words, crash, self.variables), self.log)

    def killed_after(self, seconds: float) -> bool:
        """Begin an apply and kill it after so long; False when it was done before."""
        child, reading = start(lunform(self.folder, self.apply(), environment=self.variables), self.log)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)  # it is not waited for yet, so its number is no other's
        return finish(child, reading)[0] == KILLED

    @property
    def log(self) -> Path:
        return self.folder.with_suffix(".log")

    def look(self) -> Look:
        code, answer = in_a_process(self._look, self.folder.with_suffix(".look"))
        assert code == 0, self.folder.with_suffix(".look").read_text()
        return Look(**answer)

    def _look(self) -> dict[str, Any]:
        os.chdir(self.folder)
        stale = [str(path) for path in self.systems.locks if _is_locked(path)]
        with closing(open_sqlite("lunform.state")) as store:
            try:
                with store.lock("look"):
                    pass
            except StateLocked as error:
                stale.append(str(error))
            snapshot, runs = store.read(), store.runs()
        with closing(self.systems.array()) as array, closing(self.systems.hypervisor()) as hypervisor:
            volumes = [volume for pool in self.systems.pools for volume in array.list_volumes(pool)]
            vms = [(host.address, vm) for host in self.systems.hosts for vm in hypervisor.list_vms(host)]
            disks = [(host.address, disk) for host in self.systems.hosts for disk in hypervisor.list_attachments(host)]
        besides = self.systems.besides()

        objects = snapshot.objects.values()
        is_there = snapshot.without_deleted.objects.values()
        recorded = [object.attributes for object in is_there if object.address.type in ("volume", "root_disk")]
        there = {
            **{f"volume {volume.id}": volume.owner for volume in volumes},
            **{f"vm {vm.id}": vm.intent for _, vm in vms},
            **{f"disk {disk.intent} of {disk.vm}": disk.intent for _, disk in disks},
            **{f"access of {name} to {volume.id}": volume.owner for volume in volumes for name in volume.grants},
        }
        ours = {what for what, mark in there.items() if mark is not None} | besides.ours
        known = {
            *(f"volume {one['id']}" for one in recorded),
            *(f"vm {object.attributes['id']}" for object in objects if object.address.type == "vm"),
            *(f"disk {disk['intent']} of {disk['vm']}" for one in recorded for disk in one["attachments"]),
            *(f"access of {path['initiator']} to {one['id']}" for one in recorded for path in one["access"].values()),
        }
        marks = Counter(
            mark
            for volume in volumes
            if volume.owner is not None
            for mark in (f"{volume.owner.address} is there twice", f"{volume.owner.intent} is there twice")
        )
        marks.update(f"disk {disk.vm} {disk.serial} twice" for _, disk in disks)
        marks.update(f"vm {vm.name} twice on {host}" for host, vm in vms)
        marks.update(f"{name} twice" for name in besides.names)
        picture = {
            "volumes": sorted(
                [stem(v.name), v.size, str(v.qos), stem(v.policy), sorted(v.grants), v.owner and v.owner.address]
                for v in volumes
            ),
            "vms": sorted([host, vm.name, vm.cpus, vm.memory, vm.running] for host, vm in vms),
            "disks": sorted([host, d.vm, d.size, str(d.qos), d.read_only, d.live] for host, d in disks),
            "besides": besides.picture,
            "state": {str(o.address): [str(o.provider), _plain(o.attributes)] for o in is_there},
            # The figures of what is deleted are as they were seen last: its policy may have changed meanwhile.
            "deleted": sorted(
                (re.sub("(?<=--deposed)-[0-9a-f]{8}", "", str(o.address)), o.attributes["name"], o.attributes["size"])
                for o in snapshot.deleted
            ),
            "needs": {str(o.address): sorted(map(str, o.dependencies)) for o in is_there},
            "protected": sorted(str(o.address) for o in objects if o.protected),
            "outputs": {name: output.value for name, output in snapshot.outputs.items()},
            "in doubt": [intent.address for intent in snapshot.in_doubt],
            "runs without an end": sum(run.finished is None for run in runs),
            # A journal that is over stays until the next write takes it away.
            "files": sorted(path.name for path in self.folder.glob("lunform.*") if not path.name.endswith("-journal")),
        }
        return {
            "picture": picture,
            "orphans": sorted(ours - known),
            "lost": sorted(known - there.keys()),
            "twins": sorted(mark for mark, times in marks.items() if times > 1),
            "stale_locks": stale,
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        new = {name: "..." for name, item in value.items() if name in _NEW_IN_EVERY_WORLD and item is not None}
        return {
            name: stem(item) if name in ("policy", "name") else _plain(item)
            for name, item in value.items()
            if name not in new
        } | new
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def stem(name: str | None) -> str | None:
    """A name without the digits that tell it from all others."""
    return None if name is None else re.sub(r"(-[0-9a-f]{8})+$", "", name)


def _difference(found: Any, wanted: Any, path: str = "") -> str:
    if isinstance(found, dict) and isinstance(wanted, dict):
        parts = (_difference(found.get(n), wanted.get(n), f"{path}/{n}") for n in sorted({*found, *wanted}))
        return "\n".join(part for part in parts if part)
    return "" if found == wanted else f"{path}: {found}\n  and not {wanted}"


def _is_locked(path: Path) -> bool:
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
