"""
The hypervisor's own rules: what each request does to the file, or why it is refused.

A simulated host finds targets in the same file as its disks. As in `providers.sandbox.array`, every function runs
inside a transaction, checks before it writes, and finds its work done when it is asked again.
"""

from __future__ import annotations

import hmac
import itertools
import re
import sqlite3
import string
from collections.abc import Iterator, Set

from planner.sdk import (
    AccessPath,
    ActualAttachment,
    Attach,
    Attachment,
    Conflict,
    Credentials,
    Detach,
    HostSpec,
    Missing,
    Qos,
    Rejected,
    UpdateAttachment,
    format_size,
)
from providers.sandbox import vms
from providers.sandbox.array import LUN, chap_digest, endpoint_name, iqn, target_key
from providers.sandbox.database import qos_columns
from providers.sandbox.vms import host_name

SERIAL_LENGTH = 20

_PREFIXES = {"virtio": "vd", "scsi": "sd"}
_DEVICE = re.compile(r"(vd|sd)[a-z]{1,2}")


def list_attachments(connection: sqlite3.Connection, identity: str, host: HostSpec) -> Iterator[ActualAttachment]:
    target = iqn(identity, "vol-")
    rows = connection.execute(
        "SELECT vm, device, volume, serial, intent, size, max_iops, burst_iops, max_bandwidth, read_only,"
        " vm NOT IN (SELECT name FROM vm WHERE host = ?1 AND running_cpus IS NULL) FROM attachment WHERE host = ?1",
        (host_name(host),),
    )
    for vm, device, volume, serial, intent, size, max_iops, burst_iops, bandwidth, read_only, live in rows:
        yield ActualAttachment(
            vm=vm,
            device=device,
            iqn=f"{target}{volume}",
            lun=LUN,
            serial=serial,
            intent=intent,
            size=size if live else None,
            qos=None if max_iops is None else Qos(0, max_iops, burst_iops, bandwidth),
            read_only=bool(read_only),
            live=bool(live),
        )


def check_login(
    connection: sqlite3.Connection, identity: str, path: AccessPath, credentials: Credentials | None
) -> None:
    """Raises Rejected when the target asks for CHAP and `credentials` do not satisfy it."""
    row = connection.execute(
        "SELECT chap_digest FROM volume WHERE id = ?", (target_key(identity, path.iqn),)
    ).fetchone()
    if row is None or row[0] is None:
        return  # without CHAP anybody may log in; a target that is not there is met by `attach` itself
    if (
        credentials is None
        or credentials.username != path.chap_username
        or not hmac.compare_digest(chap_digest(credentials.password), row[0])
    ):
        raise Rejected("The target refused the login", f"{path.iqn} asks for a CHAP account that was not given.")


def attach(connection: sqlite3.Connection, identity: str, request: Attach) -> Attachment:
    host, vm = host_name(request.host), request.vm
    live = vms.runs(connection, request.host, vm)
    row = connection.execute(
        "SELECT device FROM attachment WHERE host = ? AND vm = ? AND intent = ?", (host, vm, request.owner.intent)
    ).fetchone()
    if row is not None:
        return Attachment(row[0], live)
    if len(request.serial) > SERIAL_LENGTH:
        raise Rejected("The serial number is too long", f'"{request.serial}" has more than {SERIAL_LENGTH} characters.')
    volume, size, endpoint = _log_in(connection, identity, request.host, request.path)
    _check_sharing(connection, volume, request)
    taken: dict[str, bool] = dict(
        connection.execute("SELECT device, boot FROM attachment WHERE host = ? AND vm = ?", (host, vm))
    )
    if request.boot and any(taken.values()):
        raise Conflict("The virtual machine has a disk to start from", f"{vm} boots from another volume; detach that.")
    device = _device(request, taken.keys())
    connection.execute(
        "INSERT INTO attachment (host, vm, device, volume, endpoint, serial, intent, size, max_iops, burst_iops,"
        " max_bandwidth, read_only, shareable, boot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(host, vm, device, volume, endpoint),
            *(request.serial, request.owner.intent, size),
            *qos_columns(request.qos)[1:],
            *(request.read_only, request.shareable, request.boot),
        ),
    )
    return Attachment(device, live)


def update_attachment(connection: sqlite3.Connection, identity: str, request: UpdateAttachment) -> Attachment:
    live = vms.runs(connection, request.host, request.vm)
    volume, size, _ = _log_in(connection, identity, request.host, request.path)
    if request.size > size:
        raise Rejected(
            "The disk is smaller than that",
            f"{request.path.iqn} has {format_size(size)}, not {format_size(request.size)}. Grow it there first.",
        )
    disk = (host_name(request.host), request.vm, volume, request.serial)
    row = connection.execute(f"SELECT device FROM attachment WHERE {_THE_DISK}", disk).fetchone()
    if row is None:
        raise Missing("The disk is not attached", f"{request.vm} has no disk {request.serial} from {request.path.iqn}.")
    connection.execute(
        f"UPDATE attachment SET size = ?, max_iops = ?, burst_iops = ?, max_bandwidth = ? WHERE {_THE_DISK}",
        (request.size, *qos_columns(request.qos)[1:], *disk),
    )
    return Attachment(row[0], live)


def detach(connection: sqlite3.Connection, identity: str, request: Detach) -> None:
    connection.execute(
        f"DELETE FROM attachment WHERE {_THE_DISK}",
        (host_name(request.host), request.vm, target_key(identity, request.path.iqn), request.serial),
    )


_THE_DISK = "host = ? AND vm = ? AND volume = ? AND serial = ?"


def _log_in(connection: sqlite3.Connection, identity: str, host: HostSpec, path: AccessPath) -> tuple[int, int, str]:
    """
    (volume's row, its bytes, the host's name at the target).

    Raises:
        Rejected: there is no such target, or it does not let the host in. Targets do not tell which.
    """
    key, endpoint = target_key(identity, path.iqn), endpoint_name(host)
    row = connection.execute(
        "SELECT size FROM volume JOIN access ON volume = id WHERE id = ? AND endpoint = ?", (key, endpoint)
    ).fetchone()
    if row is None or path.lun != LUN:
        raise Rejected("The target refused the login", f"{path.iqn} at {path.portal} does not let {endpoint} in.")
    return key, row[0], endpoint


def _check_sharing(connection: sqlite3.Connection, volume: int, request: Attach) -> None:
    """
    Whether the VM may have the volume, too.

    Raises:
        Conflict: it has it already, or another VM has, and not each of them shares it or only reads it.
    """
    shares = request.shareable or request.read_only
    for host, vm, others_share in connection.execute(
        "SELECT host, vm, shareable OR read_only FROM attachment WHERE volume = ?", (volume,)
    ):
        if (host, vm) == (host_name(request.host), request.vm):
            raise Conflict("The disk is attached already", f"{vm} has {request.path.iqn}, by another request.")
        if not (shares and others_share):
            raise Conflict(
                "The disk is another virtual machine's",
                f"{vm} on {host} has {request.path.iqn}. VMs have a disk together when each has it as `shareable` or "
                "`read_only`.",
            )


def _device(request: Attach, taken: Set[str]) -> str:
    """The device that was asked for, or the first free one of the bus."""
    prefix = _PREFIXES.get(request.bus or "virtio")
    if prefix is None:
        raise Rejected("The bus is unknown", f'"{request.bus}" is none of {", ".join(_PREFIXES)}.')
    if request.device is None:
        free = next((device for device in _devices(prefix) if device not in taken), None)
        if free is None:
            raise Rejected("The virtual machine is full", f"{request.vm} has no free device {prefix}a to {prefix}zz.")
        return free
    if not _DEVICE.fullmatch(request.device) or (request.bus is not None and not request.device.startswith(prefix)):
        raise Rejected("The device name is not allowed", f'"{request.device}" is no name such as "{prefix}b".')
    if request.device in taken:
        raise Conflict("The device is taken", f"{request.vm} has another disk at {request.device}.")
    return request.device


def _devices(prefix: str) -> Iterator[str]:
    for length in (1, 2):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield prefix + "".join(letters)
