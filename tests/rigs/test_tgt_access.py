"""Who gets in: asked of a real tgtd by libiscsi's own client, which has nothing to do with the providers or QEMU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from planner.sdk import Endpoint, Rejected
from providers.tgt.machine import LocalMachine, Result
from tests.rigs.conftest import HOST1, HOST2, SIZE, Array
from tests.rigs.tgtd import CHAP_KEY, capacity, log_in

pytestmark = pytest.mark.rig

NOT_FOUND = "Target not found"


def refusal(array: Array, volume: str, initiator: str | None, username: str = "", password: str = "") -> str:
    assert initiator is not None
    return log_in(array.box.portal, volume, initiator, username, password)


def test_granted_name_with_the_secret_gets_in(array: Array) -> None:
    volume = array.create().id
    secret = array.credentials(volume, array.grant(volume))
    assert refusal(array, volume, HOST1.initiator, secret.username, secret.password) == ""
    assert capacity(array.box.portal, volume, str(HOST1.initiator), secret.username, secret.password) == SIZE


def test_nobody_gets_in_before_a_grant(array: Array) -> None:
    volume = array.create().id
    secret = array.secret(volume)
    assert NOT_FOUND in refusal(array, volume, HOST1.initiator, secret.username, secret.password)


def test_granted_address_does_not_let_other_names_in(array: Array) -> None:
    volume = array.create().id
    secret = array.credentials(volume, array.grant(volume, HOST1))
    assert NOT_FOUND in refusal(array, volume, HOST2.initiator, secret.username, secret.password)


def test_granted_name_without_the_secret_does_not_get_in(array: Array) -> None:
    volume, other = array.create().id, array.create().id
    secret = array.credentials(volume, array.grant(volume))
    of_other = array.credentials(other, array.grant(other))
    for username, password in (
        ("", ""),
        (secret.username, "not-the-password"),
        ("somebody", secret.password),
        (of_other.username, of_other.password),
    ):
        assert refusal(array, volume, HOST1.initiator, username, password) != ""


def test_host_without_a_name_gets_in_by_its_address(array: Array) -> None:
    volume = array.create().id
    here, there = Endpoint("kvm1", "127.0.0.1", None), Endpoint("kvm2", "127.0.0.2", None)
    secret = array.credentials(volume, array.grant(volume, there))
    assert NOT_FOUND in refusal(array, volume, HOST1.initiator, secret.username, secret.password)
    array.grant(volume, here)
    assert refusal(array, volume, HOST1.initiator, secret.username, secret.password) == ""


def test_revoked_host_does_not_get_in_and_others_do(array: Array) -> None:
    volume = array.create().id
    array.grant(volume, HOST2)
    secret = array.credentials(volume, array.grant(volume, HOST1))
    array.revoke(volume, HOST1)
    assert NOT_FOUND in refusal(array, volume, HOST1.initiator, secret.username, secret.password)
    assert refusal(array, volume, HOST2.initiator, secret.username, secret.password) == ""


def test_grants_bound_by_hand_are_listed_and_can_be_revoked(array: Array) -> None:
    volume = array.create().id
    (heading,) = (line for line in array.box.adm("target", "show").stdout.splitlines() if volume in line)
    tid = heading.split()[1].rstrip(":")
    array.box.adm("target", "bind", "--tid", tid, "--initiator-name", str(HOST2.initiator))
    assert array.volumes()[0].grants == (HOST2.initiator,)
    array.revoke(volume, HOST2)
    assert array.volumes()[0].grants == ()


class EavesdroppingMachine(LocalMachine):
    """Notes what everybody on the box can see: the command lines, and the files in the pool's directory."""

    def __init__(self) -> None:
        self.seen = ""

    def run(self, argv: Sequence[str]) -> Result:
        self.seen += " ".join(argv)
        return super().run(argv)

    def run_relayed(self, argv: Sequence[str], placeholder: str, secret: str, daemon_socket: str) -> Result:
        self.seen += " ".join(argv)
        return super().run_relayed(argv, placeholder, secret, daemon_socket)

    def write(self, path: Path, content: bytes) -> None:
        self.seen += content.decode()
        super().write(path, content)


def test_secret_and_key_are_on_no_command_line_and_in_no_file(array: Array) -> None:
    machine = EavesdroppingMachine()
    watched = array.on(machine)
    volume = watched.create().id
    secret = array.credentials(volume, watched.grant(volume))
    assert refusal(array, volume, HOST1.initiator, secret.username, secret.password) == ""
    assert secret.username in machine.seen
    assert secret.password not in machine.seen
    assert CHAP_KEY not in machine.seen


def test_another_key_is_noticed_while_hosts_hold_the_old_secret(array: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = array.create().id
    path = array.grant(volume)
    old = array.credentials(volume, path)
    settings = {**array.box.settings(), "chap_key": "another provider key"}
    monkeypatch.setattr(array.box, "settings", lambda: settings)
    other = array.on(LocalMachine())
    with pytest.raises(Rejected, match="provider key"):
        other.grant(volume, HOST2)
    with pytest.raises(Rejected, match="provider key"):
        other.provider.credentials(volume, path)
    assert [volume.grants for volume in other.volumes()] == [(HOST1.initiator,)]

    array.revoke(volume)
    new = other.credentials(volume, other.grant(volume))
    assert refusal(array, volume, HOST1.initiator, new.username, new.password) == ""
    assert refusal(array, volume, HOST1.initiator, old.username, old.password) != ""
