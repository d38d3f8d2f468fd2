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
from collections.abc import Iterator

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
from providers.sandbox.array import LUN, chap_digest, endpoint_name, iqn, target_key

SERIAL_LENGTH = 20

_PREFIXES = {"virtio": "vd", "scsi": "sd"}
_DEVICE = re.compile(r"(vd|sd)[a-z]{1,2}")


def list_attachments(connection: sqlite3.Connection, identity: str, host: HostSpec) -> Iterator[ActualAttachment]:
    for vm, device, volume, serial, intent, size, max_iops, burst_iops, read_only in connection.execute(
        "SELECT vm, device, volume, serial, intent, size, max_iops, burst_iops, read_only"
        " FROM attachment WHERE host = ?",
        (host_name(host),),
    ):
        yield ActualAttachment(
            vm=vm,
            device=device,
            iqn=iqn(identity, f"vol-{volume}"),
            lun=LUN,
            serial=serial,
            intent=intent,
            size=size,
            qos=None if max_iops is None else Qos(0, max_iops, burst_iops),
            read_only=bool(read_only),
            live=True,
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
    vms = request.host.arguments.get("vms")
    if vms is not None and vm not in vms:
        raise Missing("The virtual machine is not there", f'Host "{request.host.name}" has no virtual machine "{vm}".')
    row = connection.execute(
        "SELECT device FROM attachment WHERE host = ? AND vm = ? AND intent = ?", (host, vm, request.owner.intent)
    ).fetchone()
    if row is not None:
        return Attachment(device=row[0], live=True)
    if len(request.serial) > SERIAL_LENGTH:
        raise Rejected("The serial number is too long", f'"{request.serial}" has more than {SERIAL_LENGTH} characters.')
    volume, size, endpoint = _log_in(connection, identity, request.host, request.path)
    taken: dict[str, int] = dict(
        connection.execute("SELECT device, volume FROM attachment WHERE host = ? AND vm = ?", (host, vm))
    )
    if volume in taken.values():
        raise Conflict("The disk is attached already", f"{vm} has {request.path.iqn}, by another request.")
    device = _device(request, taken)
    connection.execute(
        "INSERT INTO attachment VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(host, vm, device, volume, endpoint),
            *(request.serial, request.owner.intent, size),
            *_qos_columns(request.qos),
            request.read_only,
        ),
    )
    return Attachment(device=device, live=True)


def update_attachment(connection: sqlite3.Connection, identity: str, request: UpdateAttachment) -> Attachment:
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
        f"UPDATE attachment SET size = ?, max_iops = ?, burst_iops = ? WHERE {_THE_DISK}",
        (request.size, *_qos_columns(request.qos), *disk),
    )
    return Attachment(device=row[0], live=True)


def detach(connection: sqlite3.Connection, identity: str, request: Detach) -> None:
    connection.execute(
        f"DELETE FROM attachment WHERE {_THE_DISK}",
        (host_name(request.host), request.vm, target_key(identity, request.path.iqn), request.serial),
    )


def host_name(host: HostSpec) -> str:
    """What tells hosts apart in the file: the address of the machine, whatever its block is called."""
    return host.network_address or host.initiator or host.address


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


def _device(request: Attach, taken: dict[str, int]) -> str:
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


def _qos_columns(qos: Qos | None) -> tuple[int | None, int | None]:
    return (None, None) if qos is None else (qos.max_iops, qos.burst_iops)
