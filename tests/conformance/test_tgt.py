"""The provider "tgt" passes the conformance suite, with a real tgtd."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from planner.sdk import Endpoint, PoolSpec
from planner.sdk.conformance import ArrayUnderTest, StorageConformance
from providers.tgt.link import Here
from providers.tgt.machine import LocalMachine, Result
from providers.tgt.provider import TgtArray
from tests.rigs.tgtd import Tgtd, cut_daemons

pytestmark = pytest.mark.rig

KVM1 = Endpoint("kvm1", "192.0.2.11", "iqn.1993-08.org.debian:01:kvm1")
KVM2 = Endpoint("kvm2", "192.0.2.12", None)


class CountingMachine(LocalMachine):
    """Counts the commands that the box runs."""

    def __init__(self) -> None:
        self.commands = 0

    def run(self, argv: Sequence[str]) -> Result:
        self.commands += 1
        return super().run(argv)


@pytest.fixture(params=[True, False], ids=["throttled", "not throttled"])
def pool(box: Tgtd, request: pytest.FixtureRequest) -> Iterator[PoolSpec]:
    # In memory: the suite wants a capacity that nobody else changes, and other programs write to other file systems.
    directory = tempfile.mkdtemp(prefix="lunform-pool-", dir="/dev/shm")
    yield PoolSpec("pool.fast", {"directory": directory, "throttle": request.param})
    cut_daemons(Path(directory))
    shutil.rmtree(directory)


class TestArray(StorageConformance):
    @pytest.fixture
    def array(self, box: Tgtd, pool: PoolSpec, tmp_path: Path) -> ArrayUnderTest:
        machine = CountingMachine()
        image = tmp_path / "image.raw"
        image.write_bytes(bytes(1 << 20))

        def add_foreign(name: str) -> None:
            path = Path(pool.arguments["directory"]) / "by-hand.img"
            path.write_bytes(bytes(1 << 20))
            box.adm("target", "new", "--tid", "1", "--targetname", name)
            box.adm("logicalunit", "new", "--tid", "1", "--lun", "1", "--backing-store", str(path))

        return ArrayUnderTest(
            open=lambda: TgtArray(box.settings(), Here(machine)),
            pool=pool,
            endpoints=(KVM1, KVM2),
            missing_pool=PoolSpec("pool.none", {"directory": "/nowhere"}),
            names_unique=False,  # the intent is part of every name on the box
            add_foreign=add_foreign,
            count_calls=lambda: machine.commands,
            image=str(image),
        )
