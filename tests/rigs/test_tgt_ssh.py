"""A storage box that is reached over a real ssh connection."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from planner.sdk import Missing, OutcomeUnknown, Pending, PoolSpec, Qos, Unreachable
from planner.sdk.conformance.replies import finish
from providers.tgt.link import Ssh
from providers.tgt.provider import TgtArray
from tests.rigs.conftest import HOST1, SIZE, Array
from tests.rigs.process import until
from tests.rigs.sshd import Sshd, running_sshd
from tests.rigs.tgtd import Tgtd, capacity, storage_daemons

pytestmark = pytest.mark.rig


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    with running_sshd(tmp_path, monkeypatch) as daemon:
        yield daemon


@pytest.fixture
def remote(box: Tgtd, sshd: Sshd) -> Iterator[Array]:
    provider = TgtArray({**box.settings(), "ssh": sshd.destination})
    yield Array(box, provider)
    provider.close()


def test_box_over_ssh_does_all_that_a_local_one_does(remote: Array) -> None:
    volume = remote.create()
    secret = remote.credentials(volume.id, remote.grant(volume.id))
    assert capacity(remote.box.portal, volume.id, str(HOST1.initiator), secret.username, secret.password) == SIZE
    assert remote.resize(volume.id, 2 * SIZE).size == 2 * SIZE
    assert remote.volumes() == remote.on_this_machine().volumes()
    remote.revoke(volume.id)
    remote.delete(volume.id)
    assert remote.box.is_empty
    with pytest.raises(Missing):
        remote.delete(volume.id)


def test_storage_daemon_outlives_the_connection(remote: Array) -> None:
    volume = remote.create(remote.request(qos=Qos(0, 200, 300)))
    daemons = storage_daemons(remote.box.pool)
    remote.provider.close()
    assert storage_daemons(remote.box.pool) == daemons != []
    assert remote.on_this_machine().volumes() == [volume]


def test_volume_begins_with_an_image_on_the_box(remote: Array, tmp_path: Path) -> None:
    image = tmp_path / "image.raw"
    image.write_bytes(b"from the image")
    request = replace(remote.request(), source=str(image))
    reply = remote.provider.create_async(request)
    assert isinstance(reply, Pending)
    remote.provider.close()
    volume = finish(remote.provider, reply, 20)
    with remote.file(volume.id, ".img").open("rb") as file:
        assert file.read(14) == b"from the image"


def test_identity_is_the_same_by_either_way(remote: Array) -> None:
    assert remote.provider.inspect().identity == remote.on_this_machine().provider.inspect().identity


def test_box_that_nobody_knows_is_unreachable(box: Tgtd, sshd: Sshd) -> None:
    array = TgtArray({**box.settings(), "ssh": "root@no-such-box.invalid"})
    with pytest.raises(Unreachable, match=r"no-such-box\.invalid") as refusal:
        array.pool_status(PoolSpec("pool.fast", {"directory": str(box.pool)}))
    assert "ssh root@no-such-box.invalid" in refusal.value.detail


def test_connection_that_breaks_during_a_call_leaves_an_unknown_outcome(remote: Array) -> None:
    request = remote.request()
    remote.volumes()  # connects
    lock = remote.box.pool / ".lunform.lock"
    with ThreadPoolExecutor() as threads, lock.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        call = threads.submit(remote.create, request)
        until("request that waits for the lock", lambda: _is_waited_for(lock))
        link = remote.provider._link
        assert isinstance(link, Ssh) and link._process is not None
        link._process.kill()
        with pytest.raises(OutcomeUnknown):
            call.result()
    # Nobody told the box that its answer is not awaited any more, so it goes on.
    volume = remote.create(request)
    assert [volume] == remote.volumes()


def _is_waited_for(lock: Path) -> bool:
    inode = str(lock.stat().st_ino)
    lines = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return any(line[1] == "->" and line[6].endswith(f":{inode}") for line in lines)
