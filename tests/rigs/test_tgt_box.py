"""What else may happen on a storage box."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from planner.sdk import OutcomeUnknown, PoolSpec, ProviderError, Rejected, Unreachable
from providers.tgt.machine import LocalMachine, Result
from providers.tgt.provider import TgtArray
from tests.rigs.conftest import HOST1, SIZE, Array
from tests.rigs.tgtd import Tgtd

pytestmark = pytest.mark.rig


def test_after_a_restart_all_volumes_are_as_before(array: Array) -> None:
    volumes = [array.create() for _ in range(3)]
    array.grant(volumes[0].id)
    array.resize(volumes[1].id, 2 * SIZE)
    before = array.volumes()
    array.box.stop()
    array.box.start()
    assert array.volumes() == before
    assert array.box.adm("target", "show").stdout.count("LUN: 1\n") == 3


def test_a_call_about_a_volume_after_a_restart_serves_it(array: Array) -> None:
    volume = array.create().id
    array.box.stop()
    array.box.start()
    array.grant(volume)
    assert array.volumes()[0].grants == (HOST1.initiator,)


def test_volume_whose_data_are_gone_is_not_listed_and_not_made_anew(array: Array) -> None:
    request = array.request()
    volume = array.create(request).id
    (backing_file,) = array.box.pool.glob("*.img")
    array.box.stop()
    backing_file.unlink()
    array.box.start()
    assert array.volumes() == []
    with pytest.raises(ProviderError, match="data of the volume"):
        array.create(request)
    assert not backing_file.exists()
    array.delete(volume)
    assert array.box.is_empty


def test_serial_number_outlives_a_restart(array: Array) -> None:
    owner = array.create().owner
    assert owner is not None
    for _ in range(2):
        assert f"SCSI SN: {owner.intent}" in array.box.adm("target", "show").stdout
        array.box.stop()
        array.box.start()
        array.volumes()


def test_target_id_that_somebody_takes_is_passed_over(array: Array) -> None:
    request = array.request()
    taken = str(1 + int(request.owner.intent[:7], 16))
    array.box.adm("target", "new", "--tid", taken, "--targetname", "iqn.2026-01.test:by-hand")
    volume = array.create(request).id
    text = array.box.adm("target", "show").stdout
    assert f"Target {int(taken) + 1}: {volume}\n" in text


def test_two_processes_share_a_box(array: Array) -> None:
    requests = [array.request() for _ in range(8)]
    one, two = array.on_this_machine(), array.on_this_machine()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda at: (one, two)[at % 2].create(requests[at // 2]), range(16)))
    assert len(array.volumes()) == 8


def test_thick_volume_has_its_space(array: Array) -> None:
    array.create(replace(array.request(), thin=False))
    (backing_file,) = array.box.pool.glob("*.img")
    assert backing_file.stat().st_blocks * 512 >= SIZE


def test_volume_that_has_no_room_leaves_nothing(array: Array) -> None:
    with pytest.raises(Rejected, match="no room"):
        array.create(replace(array.request(size=1 << 60), thin=False))
    assert array.box.is_empty


def test_growth_that_has_no_room_changes_nothing(array: Array) -> None:
    volume = array.create(replace(array.request(), thin=False))
    with pytest.raises(Rejected, match="no room"):
        array.resize(volume.id, 1 << 60)
    array.box.stop()
    array.box.start()
    assert array.volumes() == [volume]


def test_damaged_record_stops_the_pool(array: Array) -> None:
    array.create()
    (record,) = array.box.pool.glob("*.json")
    record.write_text("{")
    with pytest.raises(Rejected, match="cannot be read") as refusal:
        array.volumes()
    assert str(record) in str(refusal.value)


def test_daemon_that_does_not_run_is_unreachable(box: Tgtd) -> None:
    array = TgtArray({**box.settings(), "control_port": 999})
    pool = PoolSpec("pool.fast", {"directory": str(box.pool)})
    for call in (array.inspect, lambda: array.pool_status(pool), lambda: array.list_volumes(pool)):
        with pytest.raises(Unreachable, match="control port 999") as refusal:
            call()
        assert "systemctl start tgt" in refusal.value.detail


def test_daemon_that_dies_in_the_middle_leaves_an_unknown_outcome(array: Array) -> None:
    class KillingMachine(LocalMachine):
        def run(self, argv: Sequence[str]) -> Result:
            if "bind" in argv:
                array.box.kill()
            return super().run(argv)

    volume = array.create().id
    with pytest.raises(OutcomeUnknown):
        array.on(KillingMachine()).grant(volume)
    array.box.start()
    assert array.volumes()[0].grants == (HOST1.initiator,)
