from __future__ import annotations

from collections.abc import Sequence

import pytest

from providers.tgt.daemon import Daemon
from providers.tgt.machine import BoxError, LocalMachine, Result
from providers.tgt.show import Target

TARGET = Target(7, "iqn.2026-01.test:db", True, (), (), (), ())


class Answering(LocalMachine):
    """Every command ends in the same way."""

    def __init__(self, result: Result) -> None:
        self._result = result
        self.command = ""

    def run(self, argv: Sequence[str]) -> Result:
        self.command = " ".join(argv)
        return self._result


# What tgtadm 1.0.85 says, and how it exits then; some failures it does not show in its exit code.
@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (107, "failed to send request hdr to tgt daemon, Transport endpoint is not connected", "Unreachable"),
        (0, "tgtd closed the socket", "OutcomeUnknown"),
        (22, "this target is still active", "Rejected"),
        (22, "can't find the target", "Retryable"),
        (22, "invalid request", "Rejected"),
        (22, "", "Rejected"),
    ],
)
def test_refusals_say_what_is_known_of_the_effect(code: int, message: str, kind: str) -> None:
    machine = Answering(Result(code, "", f"tgtadm: {message}\n" if message else ""))
    with pytest.raises(BoxError) as refusal:
        Daemon(3, machine).set_ready(TARGET, True)
    assert refusal.value.kind == kind
    assert machine.command in refusal.value.detail


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("this access control rule already exists", lambda daemon: daemon.let_in(TARGET, "192.0.2.1")),
        ("this access control rule does not exist", lambda daemon: daemon.keep_out(TARGET, "192.0.2.1")),
        ("this account already exists", lambda daemon: daemon.bind_account(TARGET, "user")),
        ("can't find the account", lambda daemon: daemon.delete_account("user")),
        ("can't find the target", lambda daemon: daemon.delete_target(TARGET)),
    ],
)
def test_what_is_so_already_is_no_refusal(message: str, call: object) -> None:
    assert callable(call)
    call(Daemon(3, Answering(Result(22, "", f"tgtadm: {message}\n"))))


@pytest.mark.parametrize(
    ("entry", "option"),
    [
        ("iqn.2026-01.test:kvm1", "--initiator-name"),
        ("eui.02004567A425678D", "--initiator-name"),
        ("192.0.2.1", "--initiator-address"),
        ("2001:db8::1", "--initiator-address"),
    ],
)
def test_names_and_addresses_are_told_apart(entry: str, option: str) -> None:
    machine = Answering(Result(0, "", ""))
    Daemon(3, machine).let_in(TARGET, entry)
    assert machine.command == f"tgtadm -C 3 --lld iscsi --mode target --op bind --tid 7 {option} {entry}"


def test_missing_tgtadm_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BoxError, match="not installed") as refusal:
        Daemon(0, LocalMachine()).show()
    assert refusal.value.kind == "Rejected"
