"""Volumes that begin with an image."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from planner.sdk import ActualVolume, CreateVolume, Pending, Rejected, Retryable
from planner.sdk.conformance.replies import finish
from providers.tgt.machine import LocalMachine, Result
from tests.rigs.conftest import MIB, SIZE, Array, Vm
from tests.rigs.process import until

pytestmark = pytest.mark.rig

TEXT = b"from the image"


@pytest.fixture(autouse=True)
def _short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("providers.tgt.provider.IMAGE_POLL", 0.02)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """32 MiB, of which the first and the last bytes are written."""
    path = tmp_path / "image.raw"
    with path.open("wb") as file:
        file.write(TEXT)
        file.truncate(32 * MIB)
        file.seek(32 * MIB - len(TEXT))
        file.write(TEXT)
    return path


def convert(image: Path, *options: str) -> Path:
    made = image.with_name(f"image.{options[1]}")
    subprocess.run(["qemu-img", "convert", *options, image, made], check=True)
    return made


def make(array: Array, request: CreateVolume) -> ActualVolume:
    return finish(array.provider, array.provider.create_async(request), 20)


def request_of(array: Array, source: Path | str) -> CreateVolume:
    return replace(array.request(), source=str(source))


def backing_file(array: Array) -> Path:
    (path,) = array.box.pool.glob("*.img")
    return path


@pytest.mark.parametrize("format", ["raw", "qcow2", "vmdk"])
@pytest.mark.parametrize("throttle", [True, False])
def test_volume_begins_with_the_image_and_stays_sparse(array: Array, image: Path, format: str, throttle: bool) -> None:
    array = replace(array, throttle=throttle)
    source = image if format == "raw" else convert(image, "-O", format)
    volume = make(array, request_of(array, source))
    assert (volume.size, array.volumes()) == (SIZE, [volume])
    with backing_file(array).open("rb") as file:
        content = file.read()
    assert len(content) == SIZE
    assert content == image.read_bytes() + bytes(SIZE - 32 * MIB)
    assert backing_file(array).stat().st_blocks * 512 < MIB
    assert backing_file(array).stat().st_mode & 0o777 == 0o600
    array.delete(volume.id)
    assert array.box.is_empty


def test_thick_volume_has_all_its_space(array: Array, image: Path) -> None:
    make(array, replace(request_of(array, image), thin=False, size=32 * MIB))
    assert backing_file(array).stat().st_blocks * 512 >= 32 * MIB


def test_guest_reads_the_image(array: Array, vm: Vm, image: Path) -> None:
    volume = make(array, request_of(array, image))
    path = array.grant(volume.id, vm.endpoint)
    device = vm.attach(vm.request(volume, path), array.credentials(volume.id, path)).device
    vm.rig.guest.wait_for_disk(device)
    assert vm.rig.guest.read(device, len(TEXT)) == TEXT.decode()


def test_what_was_written_over_the_image_stays(array: Array, image: Path) -> None:
    request = request_of(array, image)
    volume = make(array, request)
    with backing_file(array).open("r+b") as file:
        file.write(b"by the guest  ")
    assert make(array, request) == volume
    array.box.stop()
    array.box.start()
    image.unlink()
    assert make(array, request) == volume
    with backing_file(array).open("rb") as file:
        assert file.read(14) == b"by the guest  "


def test_image_that_cannot_be_is_refused_and_leaves_nothing(array: Array, image: Path, tmp_path: Path) -> None:
    qcow2 = convert(image, "-O", "qcow2")
    broken = tmp_path / "broken.qcow2"
    broken.write_bytes(qcow2.read_bytes()[:16] + b"\xff" * 48)
    overlay = tmp_path / "overlay.qcow2"
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "raw", str(overlay)]
    subprocess.run(argv, check=True)
    for source, summary in (
        ("image.raw", "cannot be"),
        (tmp_path / "nothing.raw", "no image"),
        (tmp_path, "no image"),
        (broken, "is no image"),
        (overlay, "not all there is to it"),
    ):
        with pytest.raises(Rejected, match=summary) as refusal:
            array.create(request_of(array, source))
        assert str(source) in str(refusal.value)
    with pytest.raises(Rejected, match="larger than the volume") as refusal:
        array.create(replace(request_of(array, qcow2), size=16 * MIB))
    assert str(32 * MIB) in refusal.value.detail
    assert array.box.is_empty


class Stopping(LocalMachine):
    """Starts copies that stand still until `go`."""

    def __init__(self, pool: Path) -> None:
        self._pool = pool

    def run(self, argv: Sequence[str]) -> Result:
        return super().run([word.replace("if qemu-img", "kill -STOP $$\nif qemu-img") for word in argv])

    def copier(self) -> Path | None:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended just now
                words = (process / "cmdline").read_bytes()
                if words.startswith(b"sh\0") and b"kill -STOP" in words and bytes(self._pool) in words:
                    return process
        return None

    def signal(self, number: int) -> None:
        process = until("copy that stands still", self._standing)
        os.kill(int(process.name), number)

    def _standing(self) -> Path | None:
        process = self.copier()
        return process if process is not None and ") T " in (process / "stat").read_text() else None


def test_create_is_not_done_before_the_image_is_in(array: Array, image: Path) -> None:
    machine = Stopping(array.box.pool)
    slow, request = array.on(machine), request_of(array, image)
    reply = slow.provider.create_async(request)
    assert isinstance(reply, Pending)
    assert isinstance(array.provider.poll(reply.job), Pending), "of another process too"
    (volume,) = array.volumes()
    assert volume.owner == request.owner, "it is listed while it is made"
    for call in (lambda: array.grant(volume.id), lambda: array.delete(volume.id)):
        with pytest.raises(Retryable, match="not whole"):
            call()
    other = array.create()  # nobody waits for the copy
    machine.signal(signal.SIGCONT)
    assert finish(array.provider, reply, 20) == make(array, request)
    assert len(array.volumes()) == 2
    array.delete(volume.id)
    array.delete(other.id)
    assert array.box.is_empty


def test_copy_that_was_cut_short_is_done_again(array: Array, image: Path) -> None:
    machine = Stopping(array.box.pool)
    request = request_of(array, image)
    reply = array.on(machine).provider.create_async(request)
    assert isinstance(reply, Pending)
    part = next(array.box.pool.glob("*.log")).with_suffix(".part")
    part.write_bytes(b"half of it")
    machine.signal(signal.SIGKILL)
    until("end of the copy", lambda: not machine.copier())
    make(array, request)
    with backing_file(array).open("rb") as file:
        assert file.read(14) == TEXT
    assert not part.exists()


def test_copy_that_fails_says_why_and_leaves_nothing(array: Array, image: Path) -> None:
    machine = Stopping(array.box.pool)
    reply = array.on(machine).provider.create_async(request_of(array, image))
    assert isinstance(reply, Pending)
    image.unlink()
    machine.signal(signal.SIGCONT)
    with pytest.raises(Rejected, match="cannot be copied") as refusal:
        finish(array.provider, reply, 20)
    assert "No such file" in refusal.value.detail
    assert array.box.is_empty


def test_pool_with_an_image_that_failed_is_listed_and_cleared(array: Array, image: Path) -> None:
    """Whoever had asked for it was killed."""
    machine = Stopping(array.box.pool)
    array.on(machine).provider.create_async(request_of(array, image))
    image.unlink()
    machine.signal(signal.SIGCONT)
    until("end of the copy", lambda: list(array.box.pool.glob("*.failed")))
    (volume,) = array.volumes()
    with pytest.raises(Rejected, match="cannot be copied"):
        array.grant(volume.id)
    array.delete(volume.id)
    assert array.box.is_empty


def test_missing_qemu_img_is_named(array: Array, image: Path) -> None:
    class Without(LocalMachine):
        def run(self, argv: Sequence[str]) -> Result:
            if argv[0] == "qemu-img":
                raise FileNotFoundError(2, "No such file or directory", "qemu-img")
            return super().run(argv)

    with pytest.raises(Rejected, match="qemu-img") as refusal:
        array.on(Without()).create(request_of(array, image))
    assert "qemu-utils" in refusal.value.detail
    assert array.box.is_empty
