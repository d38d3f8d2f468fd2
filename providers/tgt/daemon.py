"""
tgtd on this box, through tgtadm. Runs on the box: standard library only.

What tgtd 1.0.85 really does, where its manual is silent (each was tried):

- With an address and an initiator name both bound to a target, *either* lets an initiator in. With nothing bound nobody
  gets in.
- An account that is unbound from a target while a later one stays bound leaves a hole in tgtd's table, and the next
  `--op show` kills the daemon with all its targets. So a target has one account here, never two.
- tgtadm exits with 0 when tgtd dies under its request; only its message tells.
- A LUN's size is read when its backing file is opened. `--params online=0,path=FILE` opens it again in one request, but
  commands that are under way at that moment may reach no file at all. They are none once the sessions are closed:
  a session leaves the list when its last command has ended.
- While a target's state is "offline" logins are answered with "service unavailable", and initiators (QEMU, open-iscsi)
  go on trying with their commands kept.
"""

from __future__ import annotations

import os
import secrets
import string
import time
from collections.abc import Sequence

from providers.tgt.machine import BoxError, Machine, Result
from providers.tgt.show import Session, Target, find_target, target_ids

SESSION_END_TIMEOUT = 10.0
"""Seconds that the commands of a session that was closed may take to end."""


class Daemon:
    """One tgtd, by its control port (`tgtd -C`)."""

    def __init__(self, control_port: int, machine: Machine) -> None:
        self._port = control_port
        self._machine = machine

    def version(self) -> str:
        return self._run(["tgtadm", "--version"]).output.strip()

    def check(self) -> None:
        """Raise where tgtd does not answer. Unlike `show` it costs the same however many targets there are."""
        self._ask("sys", "show")

    def show(self) -> str:
        """All targets as text, for `providers.tgt.show`: a kilobyte for each."""
        return self._ask("target", "show").output

    def find(self, iqn: str) -> Target | None:
        return find_target(self.show(), iqn)

    def create_target(self, iqn: str, first_choice: int) -> Target:
        """
        Make a target without LUN, account or anybody let in, or find the one of that name.

        Args:
            first_choice: the target id to take if it is free. Between the look and the creation somebody else may take
                an id; tgtd then refuses, and the next free one is tried.
        """
        tid = first_choice
        while True:
            refused = self._ask("target", "new", "--tid", str(tid), "--targetname", iqn, accept="already exists")
            if not refused.error:
                return Target(tid, iqn, ready=True, sessions=(), luns=(), accounts=(), acl=())
            text = self.show()
            target = find_target(text, iqn)
            if target is not None:
                return target
            taken = target_ids(text)
            while tid in taken:
                tid += 1

    def delete_target(self, target: Target) -> None:
        """With its LUNs. tgtd refuses while somebody is logged in."""
        self._ask("target", "delete", "--tid", str(target.tid), accept="can't find the target")

    def set_ready(self, target: Target, ready: bool) -> None:
        """Take logins, or put them off."""
        state = "ready" if ready else "offline"
        self._ask("target", "update", "--tid", str(target.tid), "--name", "state", "--value", state)

    def create_lun(self, target: Target, number: int, path: str) -> None:
        self._ask("logicalunit", "new", *_lun(target, number), "--backing-store", path)

    def delete_lun(self, target: Target, number: int) -> None:
        """
        Have tgtd let go of the backing file, and put logins off until `set_ready`.

        Closes all sessions first, as `reopen_lun` does.
        """
        self._close(target)
        self._ask("logicalunit", "delete", *_lun(target, number), accept="can't find the logical unit")

    def identify_lun(self, target: Target, number: int, serial: str) -> None:
        """Give a LUN an identity of its own: by default it follows from the target id, which restarts change."""
        identity = f"scsi_id={serial},scsi_sn={serial},vendor_id=LUNFORM,product_id=volume"
        self._ask("logicalunit", "update", *_lun(target, number), "--params", identity)

    def reopen_lun(self, target: Target, number: int, path: str) -> None:
        """
        Make tgtd see the size that the backing file has now.

        Closes all sessions first; the initiators log in again by themselves and repeat what was under way. That
        takes QEMU about half a second.
        """
        self._close(target)
        self._ask("logicalunit", "update", *_lun(target, number), "--params", f"online=0,path={path}")
        self.set_ready(target, True)

    def _close(self, target: Target) -> None:
        self.set_ready(target, False)
        now = self.find(target.iqn)
        self.close_sessions(target, now.sessions if now else ())

    def close_sessions(self, target: Target, sessions: Sequence[Session]) -> None:
        """Log initiators out, and wait until their last commands have ended."""
        for session in sessions:
            for connection in session.connections:
                where = ("--tid", str(target.tid), "--sid", str(session.id), "--cid", str(connection))
                self._ask("conn", "delete", *where, accept="can't find the")
        closed = {session.id for session in sessions}
        deadline = time.monotonic() + SESSION_END_TIMEOUT
        while closed:
            now = self.find(target.iqn)
            closed &= {session.id for session in now.sessions} if now else set()
            if closed and time.monotonic() > deadline:
                raise BoxError(
                    "Retryable",
                    f"Sessions of {target.iqn} do not end",
                    f"They were closed {SESSION_END_TIMEOUT:.0f} seconds ago, but commands of theirs are still under "
                    f"way. Look for a slow or failing disk under the pool.",
                )
            if closed:
                time.sleep(0.01)

    def add_account(self, username: str, password: str) -> None:
        """Make a CHAP account; one of that name is taken to be the same."""
        alphabet = string.ascii_letters
        placeholder = "".join(secrets.choice(alphabet) for _ in password)
        argv = self._command("account", "new", "--user", username, "--password", placeholder)
        self._check(self._machine.run_relayed(argv, placeholder, password, self._socket()), argv[:-1], "already exists")

    def delete_account(self, username: str) -> None:
        self._ask("account", "delete", "--user", username, accept="can't find the account")

    def bind_account(self, target: Target, username: str) -> None:
        self._ask("account", "bind", "--tid", str(target.tid), "--user", username, accept="already exists")

    def unbind_account(self, target: Target, username: str) -> None:
        """Only where it is the target's one account: see the top of this module."""
        self._ask("account", "unbind", "--tid", str(target.tid), "--user", username, accept="can't find the account")

    def let_in(self, target: Target, entry: str) -> None:
        """`entry`: an initiator name or an address."""
        self._ask("target", "bind", "--tid", str(target.tid), *_acl(entry), accept="already exists")

    def keep_out(self, target: Target, entry: str) -> None:
        self._ask("target", "unbind", "--tid", str(target.tid), *_acl(entry), accept="does not exist")

    def _ask(self, mode: str, operation: str, *arguments: str, accept: str = "") -> Result:
        argv = self._command(mode, operation, *arguments)
        return self._check(self._run(argv), argv, accept)

    def _command(self, mode: str, operation: str, *arguments: str) -> list[str]:
        return [
            *("tgtadm", "-C", str(self._port), "--lld", "iscsi"),
            *("--mode", mode, "--op", operation),
            *arguments,
        ]

    def _run(self, argv: Sequence[str]) -> Result:
        try:
            return self._machine.run(argv)
        except FileNotFoundError:
            raise BoxError(
                "Rejected", "tgtadm is not installed", 'Install the package "tgt" on the storage box.'
            ) from None

    def _check(self, result: Result, argv: Sequence[str], accept: str) -> Result:
        """
        Raise for a refusal, unless its message has `accept` in it.

        The exit code alone does not tell: see the top of this module.
        """
        message = result.error.strip().replace("tgtadm: ", "")
        if not message and result.code == 0:
            return result
        if accept and accept in message:
            return result
        tried = f"`{' '.join(argv)}` said: {message or f'exit code {result.code}'}"
        if "failed to send request" in message:
            raise BoxError(
                "Unreachable",
                f"The target daemon with control port {self._port} does not answer",
                f"{tried}. Is tgtd running (`systemctl start tgt`), and is this user root?",
            )
        if "closed the socket" in message or "partial response" in message:
            raise BoxError("OutcomeUnknown", "The target daemon died while it worked on a request", tried)
        if "still active" in message:
            raise BoxError("Rejected", "The target is in use", tried)
        if "can't find the target" in message or "can't find the logical unit" in message:
            raise BoxError("Retryable", "The target changed while it was worked on", tried)
        raise BoxError("Rejected", "The target daemon refused a request", tried)

    def _socket(self) -> str:
        return f"{os.environ.get('TGT_IPC_SOCKET', '/var/run/tgtd/socket')}.{self._port}"


def _lun(target: Target, number: int) -> tuple[str, ...]:
    return ("--tid", str(target.tid), "--lun", str(number))


def _acl(entry: str) -> tuple[str, str]:
    is_name = entry.startswith(("iqn.", "eui.", "naa."))
    return ("--initiator-name" if is_name else "--initiator-address", entry)
