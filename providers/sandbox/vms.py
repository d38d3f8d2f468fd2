"""
The hosts' own rules about virtual machines: what each request does to the file, or why it is refused.

As in `providers.sandbox.array`, every function runs inside a transaction, checks before it writes, and finds its work
done when it is asked again.

A VM that was made by `create` is a row. Those that a host's argument `vms` names were made elsewhere, and run for ever;
where it is left out, a VM of any other name is there when a disk is attached to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from planner.sdk import (
    ActualVm,
    Conflict,
    CreateVm,
    DeleteVm,
    HostSpec,
    Missing,
    Owner,
    Rejected,
    SetPower,
    UpdateVm,
)

_ELSEWHERE = (1, 1 << 30)
"""CPUs and bytes of memory of a VM that was made elsewhere."""


def list_vms(connection: sqlite3.Connection, host: HostSpec) -> Iterator[ActualVm]:
    made = [_actual(row) for row in connection.execute(f"{_SELECT_VM} WHERE host = ?", (host_name(host),))]
    yield from made
    for name in sorted({*_elsewhere(host)} - {vm.name for vm in made}):
        yield ActualVm(f"elsewhere-{name}", name, *_ELSEWHERE, running=True, owner=None)


def runs(connection: sqlite3.Connection, host: HostSpec, name: str) -> bool:
    """
    Whether a VM runs.

    Raises:
        Missing: the host has none of that name.
    """
    row = connection.execute(
        "SELECT running_cpus IS NOT NULL FROM vm WHERE host = ? AND name = ?", (host_name(host), name)
    ).fetchone()
    if row is not None:
        return bool(row[0])
    if host.arguments.get("vms") is not None and name not in _elsewhere(host):
        raise _missing(host, name)
    return True


def address(connection: sqlite3.Connection, host: HostSpec, name: str) -> tuple[str, ...]:
    """The resource address of a VM that was made for one."""
    row = connection.execute(
        "SELECT coalesce(address, '') FROM vm WHERE host = ? AND name = ?", (host_name(host), name)
    ).fetchone()
    return row or ()


def create(connection: sqlite3.Connection, identity: str, request: CreateVm) -> ActualVm:
    host, name, owner = request.host, request.name, request.owner
    row = connection.execute(f"{_SELECT_VM} WHERE intent = ?", (owner.intent,)).fetchone()
    if row is not None:
        return _actual(row)
    _check_figures(request)
    taken = connection.execute("SELECT 1 FROM vm WHERE host = ? AND name = ?", (host_name(host), name)).fetchone()
    if taken or name in _elsewhere(host):
        raise Conflict("The virtual machine's name is taken", f'Host "{host.name}" has another "{name}".')
    connection.execute(
        "INSERT INTO vm (host, name, cpus, memory, lineage, address, intent) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (host_name(host), name, request.cpus, request.memory, owner.lineage, owner.address, owner.intent),
    )
    return _actual(_row(connection, host, name))


def update(connection: sqlite3.Connection, identity: str, request: UpdateVm) -> ActualVm:
    key = _row(connection, request.host, request.name)[0]
    _check_figures(request)
    connection.execute("UPDATE vm SET cpus = ?, memory = ? WHERE id = ?", (request.cpus, request.memory, key))
    return _actual(_row(connection, request.host, request.name))


def set_power(connection: sqlite3.Connection, identity: str, request: SetPower) -> ActualVm:
    row = _row(connection, request.host, request.name)
    if not request.on:
        connection.execute("UPDATE vm SET running_cpus = NULL, running_memory = NULL WHERE id = ?", (row[0],))
    elif not _actual(row).running:
        _start(connection, row[0], request)
    return _actual(_row(connection, request.host, request.name))


def delete(connection: sqlite3.Connection, identity: str, request: DeleteVm) -> None:
    vm = (host_name(request.host), request.name)
    deleted = connection.execute("DELETE FROM vm WHERE host = ? AND name = ?", vm)  # a trigger takes its disks off
    if deleted.rowcount == 0 and request.name in _elsewhere(request.host):
        raise _made_elsewhere(request.host, request.name)


def host_name(host: HostSpec) -> str:
    """What tells hosts apart in the file: the address of the machine, whatever its block is called."""
    return host.network_address or host.initiator or host.address


_SELECT_VM = "SELECT id, name, cpus, memory, running_cpus, running_memory, lineage, address, intent FROM vm"


def _actual(row: tuple[Any, ...]) -> ActualVm:
    key, name, cpus, memory, running_cpus, running_memory, *owner = row
    running = running_cpus is not None
    return ActualVm(
        id=f"vm-{key}",
        name=name,
        cpus=cpus,
        memory=memory,
        running=running,
        owner=None if owner[2] is None else Owner(*owner),
        needs_restart=running and (cpus, memory) != (running_cpus, running_memory),
    )


def _row(connection: sqlite3.Connection, host: HostSpec, name: str) -> tuple[Any, ...]:
    """
    The row of a VM that must be there.

    Raises:
        Missing: the host has none of that name.
        Rejected: the host's block says that it was made elsewhere.
    """
    row: tuple[Any, ...] | None = connection.execute(
        f"{_SELECT_VM} WHERE host = ? AND name = ?", (host_name(host), name)
    ).fetchone()
    if row is not None:
        return row
    if name in _elsewhere(host):
        raise _made_elsewhere(host, name)
    raise _missing(host, name)


def _elsewhere(host: HostSpec) -> tuple[str, ...]:
    return tuple(host.arguments.get("vms") or ())


def _missing(host: HostSpec, name: str) -> Missing:
    return Missing("The virtual machine is not there", f'Host "{host.name}" has no virtual machine "{name}".')


def _made_elsewhere(host: HostSpec, name: str) -> Rejected:
    return Rejected(
        "The virtual machine was made elsewhere",
        f'Host "{host.name}" names "{name}" among its `vms`; the sandbox changes only those that it made.',
    )


def _check_figures(request: CreateVm | UpdateVm) -> None:
    if request.cpus < 1 or request.memory < 1:
        raise Rejected(
            "A virtual machine needs CPUs and memory",
            f'"{request.name}" was to have {request.cpus} CPUs and {request.memory} bytes.',
        )


def _start(connection: sqlite3.Connection, key: int, request: SetPower) -> None:
    """Give a VM its figures, and its disks the size that their volumes have now."""
    disks = (host_name(request.host), request.name)
    if not connection.execute("SELECT 1 FROM attachment WHERE host = ? AND vm = ? AND boot", disks).fetchone():
        raise Rejected(
            "The virtual machine has nothing to start from",
            f'No disk of "{request.name}" on host "{request.host.name}" is attached as the one that it boots from.',
        )
    connection.execute("UPDATE vm SET running_cpus = cpus, running_memory = memory WHERE id = ?", (key,))
    connection.execute(
        "UPDATE attachment SET size = (SELECT size FROM volume WHERE volume.id = attachment.volume)"
        " WHERE host = ? AND vm = ?",
        disks,
    )
