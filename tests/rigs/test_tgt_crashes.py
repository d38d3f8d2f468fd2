"""
Stopped anywhere, asked again: the same end.

A machine that dies before or after its n-th effect stands for a provider that is killed there. Every operation is cut
at every place, then asked for again by a provider that lives, as the next apply does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from planner.sdk import Missing, Qos
from planner.sdk.conformance.replies import finish
from providers.tgt.machine import LocalMachine, Machine, Result
from tests.rigs.conftest import HOST1, HOST2, SIZE, Array
from tests.rigs.tgtd import capacity, cut_daemons, kill_daemons, log_in, storage_daemons

pytestmark = pytest.mark.rig


class Died(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class MortalMachine:
    """Dies at its n-th effect, counted from 0: before it when `late` is False, right after it otherwise."""

    def __init__(self, at: int, late: bool) -> None:
        self._machine: Machine = LocalMachine()
        self._left = at
        self._late = late

    def _do(self, effect: Callable[..., Any], *arguments: Any) -> Any:
        self._left -= 1
        if self._left < 0 and not self._late:
            raise Died
        result = effect(*arguments)
        if self._left < 0:
            raise Died
        return result

    def run(self, argv: Sequence[str]) -> Result:
        if "show" in argv or "--version" in argv or "--help" in argv:  # a look changes nothing
            return self._machine.run(argv)
        result: Result = self._do(self._machine.run, argv)
        return result

    def run_relayed(self, argv: Sequence[str], placeholder: str, secret: str, daemon_socket: str) -> Result:
        result: Result = self._do(self._machine.run_relayed, argv, placeholder, secret, daemon_socket)
        return result

    def write(self, path: Path, content: bytes) -> None:
        self._do(self._machine.write, path, content)

    def grow(self, path: Path, size: int, thin: bool) -> None:
        self._do(self._machine.grow, path, size, thin)

    def remove(self, path: Path) -> None:
        self._do(self._machine.remove, path)

    def ask_monitor(self, path: Path, command: str, arguments: Mapping[str, Any]) -> Any:
        if command.startswith("qom-get"):
            return self._machine.ask_monitor(path, command, arguments)
        return self._do(self._machine.ask_monitor, path, command, arguments)

    def end_listener(self, path: Path) -> None:
        self._do(self._machine.end_listener, path)


T = TypeVar("T")


def every_death(
    array: Array,
    prepare: Callable[[], T],
    act: Callable[[Array, T], object],
    again: Callable[[Array, T], object] | None = None,
) -> list[T]:
    """
    Cut `act` at every place, each time on what a new `prepare` gave, and do it again (or `again`) without a cut.

    Returns:
        what `prepare` gave each time, also the last times, when nothing was left to cut.
    """
    prepared = []
    for late in (False, True):
        for at in range(100):
            prepared.append(prepare())
            try:
                act(array.on(MortalMachine(at, late)), prepared[-1])
            except Died:
                (again or act)(array, prepared[-1])
            else:
                assert at > 0, "it has effects"
                break
        else:
            pytest.fail("it has no end")
    return prepared


def served(array: Array, volume: str, initiator: str | None = HOST1.initiator) -> int:
    """Bytes that the initiator sees."""
    secret = array.secret(volume)
    return capacity(array.box.portal, volume, str(initiator), secret.username, secret.password)


def test_create(array: Array) -> None:
    requests = every_death(
        array,
        prepare=lambda: array.request(qos=Qos(1, 2, 3)),
        act=lambda array, request: array.create(request),
    )
    volumes = array.volumes()
    assert sorted(volume.owner.intent for volume in volumes if volume.owner) == sorted(
        request.owner.intent for request in requests
    )
    assert {(volume.name, volume.size, volume.qos) for volume in volumes} == {("db-wal", SIZE, Qos(1, 2, 3))}
    assert len(list(array.box.pool.iterdir())) == 4 * len(requests) + 1, "file, record, mount and socket, and the lock"
    assert array.box.adm("target", "show").stdout.count("LUN: 1\n") == len(requests)
    for volume in volumes:
        array.grant(volume.id)
        assert served(array, volume.id) == SIZE


def test_create_that_is_only_looked_for_is_finished_too(array: Array) -> None:
    every_death(
        array,
        prepare=array.request,
        act=lambda array, request: array.create(request),
        again=lambda array, _: array.volumes(),
    )
    for volume in array.volumes():
        array.grant(volume.id)
        assert served(array, volume.id) == SIZE


def test_create_from_an_image(array: Array, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.tgt.provider.IMAGE_POLL", 0.02)
    image = tmp_path / "image.raw"
    image.write_bytes(b"from the image")
    requests = every_death(
        array,
        prepare=lambda: replace(array.request(), source=str(image)),
        act=lambda array, request: finish(array.provider, array.provider.create_async(request), 20),
    )
    volumes = array.volumes()
    assert {volume.owner for volume in volumes} == {request.owner for request in requests}
    for volume in volumes:
        with array.file(volume.id, ".img").open("rb") as file:
            assert file.read(14) == b"from the image"
        array.grant(volume.id)
        assert served(array, volume.id) == SIZE
        array.revoke(volume.id)
        array.delete(volume.id)
    assert array.box.is_empty


def test_update_qos(array: Array) -> None:
    qos = Qos(1, 200, 300, 1 << 20)
    volumes = every_death(array, lambda: array.create().id, lambda array, volume: array.update_qos(volume, qos))
    assert {volume.qos for volume in array.volumes()} == {qos}
    assert len(array.volumes()) == len(volumes)


def test_grant(array: Array) -> None:
    volumes = every_death(array, lambda: array.create().id, lambda array, volume: array.grant(volume))
    assert all(served(array, volume) == SIZE for volume in volumes)
    assert {volume.grants for volume in array.volumes()} == {(HOST1.initiator,)}


def test_resize(array: Array) -> None:
    def prepare() -> str:
        volume = array.create().id
        array.grant(volume)
        return volume

    volumes = every_death(array, prepare, lambda array, volume: array.resize(volume, 2 * SIZE))
    assert all(served(array, volume) == 2 * SIZE for volume in volumes)
    assert {volume.size for volume in array.volumes()} == {2 * SIZE}


def test_revoke(array: Array) -> None:
    def prepare() -> str:
        volume = array.create().id
        array.grant(volume, HOST1)
        array.grant(volume, HOST2)
        return volume

    volumes = every_death(array, prepare, lambda array, volume: array.revoke(volume, HOST1))
    assert {volume.grants for volume in array.volumes()} == {(HOST2.initiator,)}
    for volume in volumes:
        secret = array.secret(volume)
        refusal = log_in(array.box.portal, volume, str(HOST1.initiator), secret.username, secret.password)
        assert "Target not found" in refusal
        assert served(array, volume, HOST2.initiator) == SIZE


def test_delete(array: Array) -> None:
    def delete_again(array: Array, volume: str) -> None:
        with contextlib.suppress(Missing):  # it was gone, and only the answer was lost
            array.delete(volume)

    every_death(array, lambda: array.create().id, lambda array, volume: array.delete(volume), delete_again)
    assert array.box.is_empty


def test_restore(array: Array) -> None:
    """tgtd comes back with nothing, and what puts its targets back is cut as well."""
    for _ in range(2):
        array.grant(array.create().id)
    before = array.volumes()

    def restart() -> None:
        array.box.stop()
        array.box.start()

    every_death(array, restart, lambda array, _: array.volumes())
    assert array.volumes() == before
    assert all(served(array, volume.id) == SIZE for volume in before)


@pytest.mark.parametrize("reboot", [True, False], ids=["reboot", "killed daemon"])
def test_restore_of_the_storage_daemon(array: Array, reboot: bool) -> None:
    """Everything is gone, or the daemon alone and its dead mount is still there."""
    array.grant(array.create(array.request(qos=Qos(0, 300, 300))).id)
    before = array.volumes()

    def cut() -> None:
        if reboot:
            array.box.stop()
            cut_daemons(array.box.pool)
            array.box.start()
        else:
            kill_daemons(array.box.pool)

    every_death(array, cut, lambda array, _: array.volumes())
    assert array.volumes() == before
    assert served(array, before[0].id) == SIZE
    array.revoke(before[0].id)
    array.delete(before[0].id)
    assert array.box.is_empty


@pytest.mark.parametrize("throttle", [True, False])
def test_change_of_the_pools_way(array: Array, throttle: bool) -> None:
    """`throttle` of a pool with volumes is changed, and the call that brings a volume over is cut."""
    before, after = replace(array, throttle=not throttle), replace(array, throttle=throttle)
    qos = Qos(0, 300, 300)

    def prepare() -> str:
        volume = before.create().id
        before.grant(volume)
        return volume

    volumes = every_death(after, prepare, lambda array, volume: array.update_qos(volume, qos))
    assert {volume.qos for volume in after.volumes()} == {qos}
    assert len(storage_daemons(array.box.pool)) == (len(volumes) if throttle else 0)
    assert all(served(after, volume) == SIZE for volume in volumes)
