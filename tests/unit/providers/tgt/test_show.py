"""`targets.txt` was printed by tgtadm 1.0.85."""

from __future__ import annotations

from pathlib import Path

from providers.tgt.show import Lun, Session, Target, find_target, parse_targets, target_ids

TEXT = Path(__file__).with_name("targets.txt").read_text()

OURS = Target(
    tid=7,
    iqn="iqn.2026-01.lunform:db-wal-4f1c9a0e77b2d385",
    ready=True,
    sessions=(
        Session(5, "iqn.2026-01.test:kvm1", "192.0.2.11", (0,)),
        Session(12, "iqn.2026-01.test:kvm2", "192.0.2.12", (0, 1)),
    ),
    luns=(Lun(1, "/srv/luns/db-wal-4f1c9a0e77b2d385.img", "4f1c9a0e77b2d385"),),
    accounts=("lunform-3abceed7a5dc6fcf",),
    acl=("192.0.2.12", "iqn.2026-01.test:kvm1"),
)
FOREIGN = Target(12, "iqn.2026-01.test:by-hand", ready=False, sessions=(), luns=(), accounts=(), acl=())


def test_all_targets_are_read() -> None:
    assert list(parse_targets(TEXT)) == [OURS, FOREIGN]


def test_one_target_is_found_by_its_whole_name() -> None:
    assert find_target(TEXT, OURS.iqn) == OURS
    assert find_target(TEXT, FOREIGN.iqn) == FOREIGN
    assert find_target(TEXT, "iqn.2026-01.test:by") is None
    assert find_target(TEXT, "by-hand") is None


def test_name_of_an_initiator_is_no_target() -> None:
    assert find_target(TEXT, "iqn.2026-01.test:kvm2") is None
    assert find_target(TEXT, "none") is None


def test_taken_ids_are_those_of_targets() -> None:
    assert target_ids(TEXT) == {7, 12}


def test_nothing_is_no_target() -> None:
    assert list(parse_targets("")) == []
