"""
What the provider asks of a storage box, carried out on the box. Standard library only.

`answer` takes a request and gives a reply, both plain data, so that a call to a box over ssh is one round trip however
many commands it takes. Whatever changes something holds the directory's lock from its first look to its last command.

Everything that makes a volume usable is in `_serve`, which compares the record with what tgtd has and does what is
missing: a create, a grant, a finished crash and the first call after a reboot are all the same fold.
"""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from providers.tgt.daemon import Daemon
from providers.tgt.image import Image, ImageFailed, ImageUnderWay, check_image
from providers.tgt.machine import BoxError, LocalMachine, Machine
from providers.tgt.record import LUN, SUFFIX_THROTTLED, Grant, Pool, Record
from providers.tgt.show import Lun, Target, find_target, parse_targets
from providers.tgt.throttle import Throttle, check_box, check_directory, mounts, to_qos

LOGOUT_GRACE = 2.0
"""Seconds that a session may outlast the grant that was taken from it: QEMU logs out a moment after a detach."""


def answer(request: Mapping[str, Any], machine: Machine | None = None) -> dict[str, Any]:
    """
    Carry out a request.

    Args:
        request: "operation" names a public method of `Box`, "control_port" the box's daemon, "directory" and "throttle"
            are of the pool, "arguments" the rest.

    Returns:
        {"value": ...}, or {"error": (class of `planner.sdk.errors`, summary, detail)}.
    """
    try:
        box = Box(request["control_port"], request["directory"], request["throttle"], machine or LocalMachine())
        return {"value": getattr(box, request["operation"])(**request["arguments"])}
    except BoxError as error:
        return {"error": (error.kind, error.summary, error.detail)}
    except subprocess.TimeoutExpired as error:
        return {"error": ("OutcomeUnknown", "A command on the storage box did not end in time", str(error.cmd))}
    except OSError as error:
        return {"error": _explain(error)}


class Box:
    """
    One request's view of a daemon and a pool.

    Args:
        directory: None where a request is about no pool.
        throttle: volumes are to be served through daemons that hold their figures. A volume that is served the other
            way stays so until something about it is changed: it is brought over then, and not by a look.
    """

    def __init__(self, control_port: int, directory: str | None, throttle: bool, machine: Machine) -> None:
        self._machine = machine
        self._daemon = Daemon(control_port, machine)
        self._directory = directory
        self._throttle = throttle

    def inspect(self) -> dict[str, str]:
        self._daemon.show()
        machine_id = Path("/etc/machine-id")
        machine = machine_id.read_text().strip() if machine_id.exists() else os.uname().nodename
        return {"version": self._daemon.version(), "machine": machine}

    def status(self) -> dict[str, int]:
        """
        Bytes and floors of the pool.

        `capacity` is what volumes may come to fill: what is free, and what the pool takes already. Other files on the
        file system lower it.
        """
        pool = self._pool()
        if self._throttle:
            check_box(self._machine)
        records = list(pool.records())
        foreign = self._foreign(pool, records, parse_targets(self._daemon.show()))
        with os.scandir(pool.directory) as entries:
            # A throttled file is the backing file once more, and hangs whoever looks at it when its daemon hangs.
            taken = sum(entry.stat().st_blocks for entry in entries if not entry.name.endswith(SUFFIX_THROTTLED)) * 512
        file_system = os.statvfs(pool.directory)
        return {
            "capacity": file_system.f_bavail * file_system.f_frsize + taken,
            "used": sum(record.size for record in records) + sum(_size(path) for _, path in foreign),
            "floors": sum(record.qos["min_iops"] for record in records if record.qos),
        }

    def list(self) -> dict[str, Any]:
        """`volumes`, and which of them tgtd does not serve (`unserved`): those are the provider's to `restore`."""
        pool = self._pool()
        records = list(pool.records())
        targets = {target.iqn: target for target in parse_targets(self._daemon.show())}
        mounted = mounts()
        volumes, unserved = [], []
        for record in records:
            if record.made and not record.deleting and not pool.backing_file(record.iqn).exists():
                continue  # its data are gone: it is no volume any more
            target = targets.get(record.iqn)
            volume, served = self._look(pool, record, target, mounted)
            volumes.append(volume)
            if not served and not record.deleting:
                unserved.append(record.iqn)
        for name, path in self._foreign(pool, records, targets.values()):
            volumes.append(
                {"id": name, "name": name, "size": _size(path), "qos": None, "owner": None, "grants": (), "account": ""}
            )
        return {"volumes": volumes, "unserved": unserved}

    def restore(self, accounts: Mapping[str, tuple[str, str]]) -> None:
        """
        Serve again what has a record and no target: after a reboot, a restart of tgtd, or a crash in the middle.

        Args:
            accounts: CHAP user and password by volume, for the volumes to restore.
        """
        with self._locked() as pool:
            targets = self._daemon.show()
            for iqn, (account, password) in accounts.items():
                record = pool.find(iqn)
                if record is not None and not record.deleting:
                    with suppress(ImageUnderWay, ImageFailed):  # whoever wants to use it is told
                        self._serve(pool, record, find_target(targets, iqn), account, password)

    def create(
        self,
        iqn: str,
        name: str,
        size: int,
        thin: bool,
        owner: Mapping[str, str],
        qos: Mapping[str, int] | None,
        metadata: Mapping[str, str],
        source: str | None,
        account: str,
        password: str,
    ) -> dict[str, Any] | None:
        """None while the volume's image is being copied: `finish` tells then when it is done."""
        with self._locked() as pool:
            record = pool.find_intent(owner["intent"])
            if record is not None and record.deleting:
                raise BoxError("Rejected", f"The volume {name} is being deleted", "Let the delete end first.")
            if record is None:
                if source is not None:
                    check_image(self._machine, source, size)
                record = pool.write(Record(iqn, name, size, thin, owner, qos, metadata, account, source=source))
            return self._finish(pool, record, account, password)

    def finish(self, iqn: str, account: str, password: str) -> dict[str, Any] | None:
        """As `create`, which was asked before."""
        with self._locked() as pool:
            return self._finish(pool, self._find(pool, iqn), account, password)

    def _finish(self, pool: Pool, record: Record, account: str, password: str) -> dict[str, Any] | None:
        try:
            return self._describe(pool, *self._serve(pool, record, None, account, password))
        except ImageUnderWay:
            return None
        except (BoxError, OSError):
            if not record.made:
                self._remove(pool, record, self._daemon.find(record.iqn))
            raise

    def resize(self, iqn: str, size: int, account: str, password: str) -> dict[str, Any]:
        with self._locked() as pool:
            record = self._find(pool, iqn)
            if size < record.size:
                raise BoxError(
                    "Rejected",
                    "A volume cannot shrink",
                    f"{record.name} has {record.size} bytes, {size} were asked for. What lies beyond would be lost.",
                )
            target = self._daemon.find(iqn)
            try:
                grown = record if size == record.size else pool.write(replace(record, size=size))
                return self._describe(pool, *self._serve(pool, grown, target, account, password))
            except OSError:
                pool.write(record)  # there is no room for it, and will not be later either
                raise

    def update_qos(self, iqn: str, qos: Mapping[str, int] | None, account: str, password: str) -> dict[str, Any]:
        with self._locked() as pool:
            record = pool.write(replace(self._find(pool, iqn), qos=qos))
            record, target = self._serve(pool, record, self._daemon.find(iqn), account, password)
            if self._throttle:
                Throttle(pool, record, self._machine).set_limits(qos)
            return self._describe(pool, record, target)

    def delete(self, iqn: str) -> None:
        with self._locked() as pool:
            record = self._find(pool, iqn)
            target = self._daemon.find(iqn)
            admitted = sorted({grant.entry for grant in record.grants} | set(target.acl if target else ()))
            if admitted:
                raise BoxError("Rejected", f"The volume {record.name} is granted", f"To: {', '.join(admitted)}.")
            Image(pool, record, self._machine).check_settled()
            deadline = time.monotonic() + LOGOUT_GRACE
            while target is not None and target.sessions:
                if time.monotonic() > deadline:
                    users = ", ".join(f"{session.initiator} from {session.address}" for session in target.sessions)
                    raise BoxError("Rejected", f"The volume {record.name} is in use", f"Logged in: {users}.")
                time.sleep(0.02)
                target = self._daemon.find(iqn)
            self._remove(pool, pool.write(replace(record, deleting=True)), target)

    def grant(self, iqn: str, name: str, entry: str, account: str, password: str) -> dict[str, Any]:
        with self._locked() as pool:
            record = self._find(pool, iqn)
            target = self._daemon.find(iqn)
            if all(grant.entry != entry for grant in record.grants):
                # The account is settled while nobody new is in: see `_serve_account`.
                record, target = self._serve(pool, record, target, account, password)
                record = pool.write(replace(record, grants=(*record.grants, Grant(name, entry))))
            return self._describe(pool, *self._serve(pool, record, target, account, password))

    def revoke(self, iqn: str, entry: str) -> None:
        """Also ends the sessions of whoever was let in by `entry`."""
        with self._locked() as pool:
            record = self._find(pool, iqn)
            grants = tuple(grant for grant in record.grants if grant.entry != entry)
            if grants != record.grants:
                pool.write(replace(record, grants=grants))
            target = self._daemon.find(iqn)
            if target is None:
                return
            if entry in target.acl:
                self._daemon.keep_out(target, entry)
                target = self._daemon.find(iqn) or target
            theirs = [
                session
                for session in target.sessions
                if entry in (session.initiator, session.address)
                and not {session.initiator, session.address} & set(target.acl)
            ]
            self._daemon.close_sessions(target, theirs)

    def _serve(
        self, pool: Pool, record: Record, target: Target | None, account: str, password: str
    ) -> tuple[Record, Target]:
        """
        Make tgtd have what the record says.

        Logins are put off until all of it is there: an initiator that comes back after a restart of tgtd waits, instead
        of finding a target without its LUN and failing its guest's I/O.

        Args:
            target: as tgtd has it now; None where it has none, or where that is not known.

        Returns:
            record and target as they are then.

        Raises:
            ImageUnderWay, ImageFailed: nothing else was done yet.
        """
        Image(pool, record, self._machine).bring_in()
        path = pool.backing_file(record.iqn)
        if not path.exists() and record.made:
            raise BoxError(
                "Missing",
                f"The data of the volume {record.name} are gone",
                f"{path} does not exist on the storage box. Bring it back, or move its record away as well.",
            )
        if target is None:
            # From the intent, so that it is rarely taken and mostly the same after a restart.
            target = self._daemon.create_target(record.iqn, 1 + int(record.owner["intent"][:7], 16))
        lun = target.lun(LUN)
        throttle = Throttle(pool, record, self._machine)
        opened = throttle.path if self._throttle else path
        if lun is not None and lun.path not in (str(path), str(throttle.path)):
            raise BoxError("Conflict", f"The target {record.iqn} serves another file", f"{lun.path}, not {path}.")
        throttled = throttle.limits(mounts()) is not None
        if lun is not None and lun.path == str(throttle.path) and not throttled:
            throttle.end()  # what is under way there would not end otherwise
        if lun is not None and (lun.path != str(opened) or self._throttle != throttled):
            self._daemon.delete_lun(target, LUN)
            lun = None
        if lun is None:
            self._daemon.set_ready(target, False)
        if _size(path) < record.size or not (record.made or record.thin):  # an image leaves holes
            self._machine.grow(path, record.size, record.thin)
        size = _size(path)
        # Only while there is no LUN: one that was opened through an earlier daemon leads nowhere.
        if lun is None and not self._throttle:
            throttle.remove()
        elif lun is None and not throttled:
            throttle.start(record.qos)
        if self._throttle:
            throttle.grow(size)
        self._serve_account(record, target, account, password)
        if lun is None:
            self._daemon.create_lun(target, LUN, str(opened))
        if lun is None or lun.serial != record.serial:
            self._daemon.identify_lun(target, LUN, record.serial)
        if lun is not None and record.served != size:
            self._daemon.reopen_lun(target, LUN, str(opened))
        missing = tuple(grant.entry for grant in record.grants if grant.entry not in target.acl)
        for entry in missing:
            self._daemon.let_in(target, entry)
        if lun is None or not target.ready:
            self._daemon.set_ready(target, True)
        served = replace(record, account=account, served=size, made=True)
        return record if served == record else pool.write(served), replace(
            target,
            ready=True,
            luns=(Lun(LUN, str(opened), record.serial),),
            accounts=(account,),
            acl=(*target.acl, *missing),
        )

    def _serve_account(self, record: Record, target: Target, account: str, password: str) -> None:
        """
        Make `account` the target's one account.

        An account of another provider key is replaced only while nobody is let in: those who are would not get in
        again with the secret that they have.
        """
        if account in target.accounts:
            return
        if record.account != account and (record.grants or target.acl):
            raise BoxError(
                "Rejected",
                "The provider key is not the one that the volume was granted with",
                f"Hosts log in to {record.name} with a secret made from another `chap_key`. Use that key, or take the "
                f"volume from all hosts before the key changes.",
            )
        if len(target.accounts) > 1:
            raise BoxError(
                "Conflict",
                f"The target {record.iqn} has foreign accounts",
                f"Bound by hand: {', '.join(target.accounts)}. Unbind them, the last one first.",
            )
        for other in target.accounts:
            self._daemon.unbind_account(target, other)
            self._daemon.delete_account(other)
        self._daemon.add_account(account, password)
        self._daemon.bind_account(target, account)

    def _remove(self, pool: Pool, record: Record, target: Target | None) -> None:
        if target is not None:
            self._daemon.delete_target(target)
        self._daemon.delete_account(record.account)
        Throttle(pool, record, self._machine).remove()
        Image(pool, record, self._machine).remove()
        pool.remove(record.iqn)

    def _find(self, pool: Pool, iqn: str) -> Record:
        record = pool.find(iqn)
        if record is not None:
            return record
        if self._daemon.find(iqn) is not None:
            raise BoxError(
                "Rejected", f"The target {iqn} was not made by Lunform", f"It has no record in {pool.directory}."
            )
        raise BoxError("Missing", f"There is no volume {iqn}", f"{pool.directory} has no record of it.")

    def _pool(self) -> Pool:
        pool = Pool(self._directory or "", self._machine)
        if self._throttle:
            check_directory(pool)
        return pool

    @contextmanager
    def _locked(self) -> Iterator[Pool]:
        """The pool, for this request alone, and with a daemon that answers."""
        pool = self._pool()
        descriptor = os.open(pool.directory / ".lunform.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._daemon.check()
            try:
                yield pool
            except BoxError as error:
                if error.kind == "Unreachable":  # in the middle: nobody knows what was done before
                    raise BoxError("OutcomeUnknown", error.summary, error.detail) from None
                raise
        finally:
            os.close(descriptor)

    def _look(
        self, pool: Pool, record: Record, target: Target | None, mounted: frozenset[str]
    ) -> tuple[dict[str, Any], bool]:
        """
        A volume as the provider is told of it, and whether it is served: who logs in gets at the data, through the
        volume's daemon too where the LUN leads there.

        `qos` is what that daemon holds. A volume without one has no limits in a pool that throttles; in another it has
        what it was given, and others hold that. `grants` are those that tgtd has, or will have once it is served.
        """
        throttle = Throttle(pool, record, self._machine)
        lun = target.lun(LUN) if target is not None and target.ready else None
        leads_there = lun is not None and lun.path == str(throttle.path)
        limits = throttle.limits(mounted) if leads_there else None
        served = lun is not None and (limits is not None or not leads_there)
        qos = record.qos
        if limits is not None or self._throttle:
            qos = to_qos((qos or {}).get("min_iops", 0), limits or {})
        return {
            "id": record.iqn,
            "name": record.name,
            "size": record.served or record.size,
            "qos": qos if record.qos or any((qos or {}).values()) else None,
            "owner": dict(record.owner),
            "grants": target.acl if target and served else tuple(grant.entry for grant in record.grants),
            "account": record.account,
        }, served

    def _describe(self, pool: Pool, record: Record, target: Target) -> dict[str, Any]:
        return self._look(pool, record, target, mounts())[0]

    @staticmethod
    def _foreign(pool: Pool, records: Iterable[Record], targets: Iterable[Target]) -> Iterator[tuple[str, Path]]:
        """(name, backing file) of LUNs in the pool's directory that have no record."""
        ours = {path for record in records for path in (pool.backing_file(record.iqn), pool.throttled_file(record.iqn))}
        for target in targets:
            for lun in target.luns:
                path = Path(lun.path)
                if path.parent == pool.directory and path not in ours:
                    yield (target.iqn if lun.number == LUN else f"{target.iqn}/{lun.number}"), path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _explain(error: OSError) -> tuple[str, str, str]:
    what = error.strerror or str(error)
    where = f"{what}: {error.filename}." if error.filename else f"{what}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ("Rejected", "The pool's file system has no room for it", where)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ("Rejected", "The storage box does not permit it", f"{where} The provider needs to be root there.")
    return ("OutcomeUnknown", "The storage box failed in the middle", where)
