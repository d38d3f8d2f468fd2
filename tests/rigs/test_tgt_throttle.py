"""What the storage box holds itself, through a storage daemon for each volume, and what becomes of that daemon."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from planner.sdk import ActualVolume, DeleteVolume, Endpoint, PoolSpec, Qos, Rejected, Retryable
from providers.tgt.machine import LocalMachine, Result
from tests.rigs.conftest import HOST1, MIB, SIZE, Array, Vm
from tests.rigs.tgtd import capacity, cut_daemons, kill_daemons, mounts, storage_daemons

pytestmark = pytest.mark.rig

QOS = Qos(0, 200, 200)

LOAD = Endpoint("load", "127.0.0.1", None)
"""qemu-img, which has an initiator name that cannot be chosen."""


def load(array: Array, volume: ActualVolume, requests: int, size: int = 4096) -> float:
    """Writes per second that QEMU's own load gets, 8 at a time. `LOAD` is let in."""
    began = time.monotonic()
    subprocess.run(load_command(array, volume, requests, size), check=True, capture_output=True, timeout=60)
    return requests / (time.monotonic() - began)


def load_command(array: Array, volume: ActualVolume, requests: int, size: int = 4096) -> list[str]:
    secret = array.secret(volume.id)
    disk = f"iscsi://{secret.username}%{secret.password}@{array.box.portal}/{volume.id}/1"
    argv = ["qemu-img", "bench", "-w", "-t", "none", "-f", "raw", "-c", str(requests), "-d", "8", "-s", str(size)]
    return [*argv, disk]


def open_volume(array: Array, qos: Qos | None) -> ActualVolume:
    volume = array.create(array.request(qos=qos))
    array.grant(volume.id, LOAD)
    return volume


# What it holds


def test_pool_says_what_it_holds(array: Array) -> None:
    assert array.provider.pool_status(array.pool).enforces == {"ceiling", "burst", "bandwidth"}
    assert array.provider.pool_status(replace(array, throttle=False).pool).enforces == frozenset()
    assert array.provider.pool_status(PoolSpec("pool.fast", {"directory": str(array.box.pool)})).enforces


def test_box_holds_the_ceiling_and_each_new_one(array: Array) -> None:
    volume = open_volume(array, QOS)
    assert load(array, volume, 600) == pytest.approx(200, rel=0.1)
    array.update_qos(volume.id, Qos(0, 400, 400))
    assert load(array, volume, 1200) == pytest.approx(400, rel=0.1)
    array.update_qos(volume.id, None)
    assert load(array, volume, 1200) > 600


def test_box_lets_a_rested_volume_burst(array: Array) -> None:
    volume = open_volume(array, Qos(0, 100, 500))
    assert load(array, volume, 1000) == pytest.approx(500, rel=0.15)


def test_box_holds_the_bandwidth(array: Array) -> None:
    volume = open_volume(array, Qos(0, 0, 0, 8 * MIB))
    assert load(array, volume, 24, MIB) * MIB == pytest.approx(8 * MIB, rel=0.1)
    assert load(array, volume, 5000) > 1000, "small requests are as many as they like"


def test_one_volume_does_not_slow_another(array: Array) -> None:
    held, free = open_volume(array, Qos(0, 10, 10)), open_volume(array, None)
    alone = load(array, free, 3000)
    with subprocess.Popen(load_command(array, held, 1000), stdout=subprocess.DEVNULL) as greedy:
        beside = load(array, free, 3000)
        greedy.kill()
    assert beside > alone / 3


def test_volume_without_figures_gets_them_live(array: Array, vm: Vm) -> None:
    volume = array.create()
    path = array.grant(volume.id, vm.endpoint)
    device = vm.attach(vm.request(volume, path), array.credentials(volume.id, path)).device
    vm.rig.guest.wait_for_disk(device)
    assert array.volumes()[0].qos is None
    sessions = sessions_of(array)
    assert array.update_qos(volume.id, QOS).qos == QOS
    assert vm.rig.guest.measure_load(device, seconds=3, expected=200) == pytest.approx(200, rel=0.1)
    assert sessions_of(array) == sessions != []


def sessions_of(array: Array) -> list[str]:
    return [line for line in array.box.adm("target", "show").stdout.splitlines() if "I_T nexus:" in line]


@pytest.mark.parametrize(
    "qos",
    [None, Qos(0, 0, 0), Qos(50, 100, 100), Qos(0, 100, 500), Qos(50, 0, 0, MIB), Qos(1, 2, 3, 4), Qos(0, 0, 0, 512)],
)
def test_figures_are_read_from_the_daemon(array: Array, qos: Qos | None) -> None:
    volume = array.create(array.request(qos=Qos(7, 100, 500, MIB)))
    assert array.update_qos(volume.id, qos).qos == qos
    assert array.volumes()[0].qos == qos
    cut_daemons(array.box.pool)
    assert array.volumes()[0].qos == qos, "a new daemon starts with them"


def test_limit_set_by_hand_is_seen_and_repaired(array: Array) -> None:
    volume = array.create(array.request(qos=QOS))
    by_hand = {"path": "/objects/limits", "property": "limits", "value": {"iops-total": 7}}
    LocalMachine().ask_monitor(array.monitor(volume.id), "qom-set", by_hand)
    assert array.volumes()[0].qos == Qos(0, 7, 7)
    assert array.update_qos(volume.id, QOS).qos == QOS
    assert array.volumes()[0].qos == QOS


# Its life


def test_after_a_reboot_one_call_brings_everything_back(array: Array) -> None:
    volumes = [open_volume(array, qos) for qos in (None, QOS, Qos(0, 100, 500, MIB))]
    array.resize(volumes[1].id, 2 * SIZE)
    before = array.volumes()
    array.box.stop()
    cut_daemons(array.box.pool)
    array.box.start()
    assert array.volumes() == before
    assert len(storage_daemons(array.box.pool)) == len(mounts(array.box.pool)) == 3
    account = array.secret(volumes[1].id)
    seen = capacity(array.box.portal, volumes[1].id, str(HOST1.initiator), account.username, account.password)
    assert seen == 2 * SIZE
    assert load(array, volumes[1], 400) == pytest.approx(200, rel=0.1)


def test_guest_gets_its_disk_back_after_its_daemon_was_killed(array: Array, vm: Vm) -> None:
    volume = array.create(array.request(qos=Qos(0, 400, 400)))
    path = array.grant(volume.id, vm.endpoint)
    device = vm.attach(vm.request(volume, path), array.credentials(volume.id, path)).device
    guest = vm.rig.guest
    guest.wait_for_disk(device)
    guest.write(device, "before", offset=MIB)
    guest.run(f"(dd if=/dev/zero of=/dev/{device} bs=4096 count=4000 oflag=direct 2>&1; echo rc $?) > /log &")
    kill_daemons(array.box.pool)
    assert "Input/output error" in guest.run("while ! grep -q rc /log; do usleep 20000; done; cat /log")

    assert array.volumes()[0].qos == Qos(0, 400, 400)
    guest.write(device, "after", offset=2 * MIB)
    assert (guest.read(device, 6, offset=MIB), guest.read(device, 5, offset=2 * MIB)) == ("before", "after")


def test_daemon_whose_mount_was_taken_away_is_replaced(array: Array) -> None:
    volume = open_volume(array, QOS)
    before = storage_daemons(array.box.pool)
    subprocess.run(["umount", "--lazy", mounts(array.box.pool)[0]], check=True)
    assert array.volumes()[0].qos == QOS
    assert len(storage_daemons(array.box.pool)) == 1
    assert storage_daemons(array.box.pool) != before
    assert load(array, volume, 200) == pytest.approx(200, rel=0.2)


def test_daemon_that_does_not_answer_is_left_alone(array: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.tgt.machine.MONITOR_TIMEOUT", 0.2)
    volume = array.create(array.request(qos=QOS))
    (daemon,) = storage_daemons(array.box.pool)
    os.kill(daemon, signal.SIGSTOP)
    try:
        for call in (array.volumes, lambda: array.update_qos(volume.id, None), lambda: array.grant(volume.id)):
            with pytest.raises(Retryable, match="does not answer") as refusal:
                call()
            assert str(array.monitor(volume.id)) in refusal.value.detail
    finally:
        os.kill(daemon, signal.SIGCONT)
    assert storage_daemons(array.box.pool) == [daemon]
    monkeypatch.undo()
    array.update_qos(volume.id, None)
    assert array.volumes()[0].qos is None


def test_daemon_is_asked_by_many_at_once(array: Array) -> None:
    array.create(array.request(qos=QOS))
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: array.volumes()[0].qos, range(48)))
    assert set(answers) == {QOS}


def test_daemon_that_lost_its_socket_is_not_started_twice(array: Array) -> None:
    volume = array.create(array.request(qos=QOS))
    (daemon,) = storage_daemons(array.box.pool)
    array.monitor(volume.id).unlink()
    before = mounts(array.box.pool)
    for call in (array.volumes, lambda: array.update_qos(volume.id, None)):
        with pytest.raises(Retryable, match="does not answer"):
            call()
    assert storage_daemons(array.box.pool) == [daemon]
    assert mounts(array.box.pool) == before
    kill_daemons(array.box.pool)
    assert array.volumes()[0].qos is None


def test_socket_that_nobody_listens_on_ends_nobody(array: Array) -> None:
    volume, other = array.create(), array.create()
    for pid in storage_daemons(array.box.pool):
        if array.monitor(volume.id).name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)
    array.delete(volume.id)
    assert [left.id for left in array.volumes()] == [other.id]
    array.delete(other.id)
    assert array.box.is_empty


def test_damaged_record_does_not_end_daemons(array: Array) -> None:
    volume = array.create(array.request(qos=QOS))
    before = storage_daemons(array.box.pool)
    array.file(volume.id, ".json").write_text("{")
    with pytest.raises(Rejected, match="cannot be read"):
        array.volumes()
    assert storage_daemons(array.box.pool) == before


# The pool's way changes


def test_guest_writes_on_while_its_pool_is_throttled_and_not_any_more(array: Array, vm: Vm) -> None:
    plain = replace(array, throttle=False)
    volume = plain.create(plain.request(qos=QOS))
    path = plain.grant(volume.id, vm.endpoint)
    device = vm.attach(vm.request(volume, path), array.credentials(volume.id, path)).device
    guest = vm.rig.guest
    guest.wait_for_disk(device)
    guest.run(
        f"(while [ ! -e /stop ]; do dd if=/dev/zero of=/dev/{device} bs=4096 count=64 seek=256 oflag=direct "
        "2>/dev/null || echo failed; done; echo ended) > /log &"
    )

    # A look alone brings nothing over, and does not say that a ceiling is held which is not.
    assert plain.volumes()[0].qos == QOS
    assert array.volumes()[0].qos == Qos(0, 0, 0)
    assert storage_daemons(array.box.pool) == []

    assert array.update_qos(volume.id, QOS).qos == QOS
    assert array.volumes()[0].qos == QOS
    guest.run("touch /stop; while ! grep -q ended /log; do usleep 20000; done; rm /stop")
    assert guest.run("cat /log") == "ended\n"
    assert guest.measure_load(device, seconds=2, expected=200) == pytest.approx(200, rel=0.1)

    guest.write(device, "throttled", offset=MIB)
    assert plain.update_qos(volume.id, Qos(0, 900, 900)).qos == Qos(0, 900, 900)
    assert storage_daemons(array.box.pool) == mounts(array.box.pool) == []
    assert guest.read(device, 9, offset=MIB) == "throttled"
    assert guest.measure_load(device, seconds=1, expected=600) > 300


# Where it cannot be


class WithoutDaemon(LocalMachine):
    def run(self, argv: Sequence[str]) -> Result:
        if argv[0] in ("qemu-storage-daemon", "flock"):
            raise FileNotFoundError(2, "No such file or directory", "qemu-storage-daemon")
        return super().run(argv)


def test_pool_that_cannot_throttle_is_refused_and_says_what_to_do(array: Array) -> None:
    without = array.on(WithoutDaemon())
    for call in (lambda: without.provider.pool_status(without.pool), without.create):
        with pytest.raises(Rejected, match="cannot throttle") as refusal:
            call()
        assert "qemu-system-common" in refusal.value.detail
        assert "throttle = false" in refusal.value.detail
    assert array.box.is_empty
    plain = replace(without, throttle=False)
    assert plain.provider.pool_status(plain.pool).enforces == frozenset()
    plain.create()


def test_directory_whose_path_is_too_long_for_sockets_is_refused(array: Array) -> None:
    directory = array.box.pool / ("d" * 100)
    directory.mkdir()
    request = replace(array.request(), pool=PoolSpec("pool.fast", {"directory": str(directory)}))
    try:
        with pytest.raises(Rejected, match="too long") as refusal:
            array.create(request)
        assert "throttle = false" in refusal.value.detail
        plain = replace(request.pool, arguments={"directory": str(directory), "throttle": False})
        volume = array.create(replace(request, pool=plain))
        array.provider.delete_async(DeleteVolume(plain, volume.id))
        assert {path.name for path in directory.iterdir()} == {".lunform.lock"}
    finally:
        subprocess.run(["rm", "-r", str(directory)], check=True)


def test_record_of_an_older_lunform_is_read(array: Array) -> None:
    plain = replace(array, throttle=False)
    volume = plain.create(plain.request(qos=QOS))
    path = array.file(volume.id, ".json")
    record = json.loads(path.read_text())
    record["version"] = 1
    del record["source"], record["qos"]["max_bandwidth"]
    path.write_text(json.dumps(record))
    assert plain.volumes() == [volume]
    assert array.update_qos(volume.id, Qos(0, 1, 1, 512)).qos == Qos(0, 1, 1, 512)


def test_large_writes_that_come_at_once_arrive_as_they_were(array: Array, tmp_path: Path) -> None:
    """qemu-storage-daemon may take writes that come at once into one buffer: see providers/tgt/throttle.py."""
    volume = array.create()
    path = array.grant(volume.id, HOST1)
    account = array.credentials(volume.id, path)
    image = tmp_path / "image.raw"
    image.write_bytes(random.Random(1).randbytes(SIZE))
    target = (
        f"driver=iscsi,transport=tcp,portal={path.portal},target={path.iqn},lun={path.lun},"
        f"initiator-name={HOST1.initiator},user={account.username},password-secret=chap"
    )
    argv = ["qemu-img", "convert", "-n", "-W", "-m", "8", "--object", f"secret,id=chap,data={account.password}"]
    subprocess.run([*argv, "-f", "raw", "--target-image-opts", image, target], check=True, timeout=60)
    assert array.file(volume.id, ".img").read_bytes() == image.read_bytes()
