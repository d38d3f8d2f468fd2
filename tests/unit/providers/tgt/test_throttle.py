from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from planner.sdk import Qos
from providers.tgt.machine import BoxError, LocalMachine, Result
from providers.tgt.throttle import BURST_SECONDS, check_box, to_limits, to_qos


def limits(ceiling: int, burst: int, length: int, bandwidth: int) -> dict[str, int]:
    return {
        "iops-total": ceiling,
        "iops-total-max": burst,
        "iops-total-max-length": length,
        "bps-total": bandwidth,
    }


@pytest.mark.parametrize(
    ("qos", "told"),
    [
        (None, limits(0, 0, 1, 0)),
        (Qos(50, 0, 0), limits(0, 0, 1, 0)),
        (Qos(0, 200, 200), limits(200, 0, 1, 0)),
        (Qos(50, 200, 500, 1 << 20), limits(200, 500, BURST_SECONDS, 1 << 20)),
        (Qos(0, 0, 0, 512), limits(0, 0, 1, 512)),
    ],
)
def test_figures_as_limits_and_back(qos: Qos | None, told: Mapping[str, int]) -> None:
    assert to_limits(asdict(qos) if qos else None) == told
    assert Qos(**to_qos(qos.min_iops if qos else 0, told)) == (qos or Qos(0, 0, 0))


def test_burst_above_no_ceiling_is_no_limit() -> None:
    """QEMU refuses it: there is nothing to burst above."""
    assert to_limits(asdict(Qos(0, 0, 500))) == limits(0, 0, 1, 0)


def test_figures_of_an_older_record_have_no_bandwidth() -> None:
    assert to_limits({"min_iops": 0, "max_iops": 9, "burst_iops": 9}) == limits(9, 0, 1, 0)


class Helping(LocalMachine):
    """Its storage daemon, if it has one, says that about itself."""

    def __init__(self, help: str | None) -> None:
        self._help = help

    def run(self, argv: Sequence[str]) -> Result:
        if self._help is None:
            raise FileNotFoundError(2, "No such file or directory", argv[0])
        return Result(0, self._help, "")


@pytest.mark.parametrize(
    ("help", "device", "told"),
    [
        (None, True, "qemu-system-common"),
        ("--export [type=]nbd", True, "without FUSE"),
        ("--export [type=]fuse", False, "modprobe fuse"),
    ],
)
def test_box_that_cannot_throttle_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, help: str | None, device: bool, told: str
) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: device)
    with pytest.raises(BoxError, match="cannot throttle") as refusal:
        check_box(Helping(help))
    assert refusal.value.kind == "Rejected"
    assert told in refusal.value.detail
    assert "throttle = false" in refusal.value.detail
