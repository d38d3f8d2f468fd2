"""
Connections to libvirt daemons, one per URI, and what libvirt's errors say of the effect of a call.

libvirt multiplexes calls of several threads over one connection, so threads share it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import libvirt

from planner.sdk import Missing, OutcomeUnknown, Rejected, Retryable, Unreachable

KEEPALIVE_INTERVAL = 5
KEEPALIVE_COUNT = 4
"""A host that has not answered for interval x count seconds is taken to be gone; without, calls would wait for ever."""


class Connections:
    """All connections of one provider."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        _start_event_loop()

    @contextmanager
    def to(self, uri: str) -> Iterator[Any]:
        """
        A living connection; inside, what libvirt raises leaves as a `ProviderError`.

        Raises:
            Unreachable: there is no connection and none can be made.
        """
        connection = self._connect(uri)
        try:
            yield connection
        except libvirt.libvirtError as error:
            raise _explain(error, uri) from error

    def close(self) -> None:
        with self._lock:
            for connection in self._open.values():
                connection.close()
            self._open.clear()

    def _connect(self, uri: str) -> Any:
        with self._lock:
            lock = self._locks.setdefault(uri, threading.Lock())
        with lock:  # of this URI: a host that does not answer holds up nobody else
            connection = self._open.get(uri)
            if connection is not None and connection.isAlive():
                return connection
            try:
                connection = libvirt.open(uri)
                _keep_alive(connection)
            except libvirt.libvirtError as error:
                raise Unreachable(
                    f"The hypervisor host {uri} cannot be reached",
                    f"libvirt said: {error.get_error_message()}. Does its libvirtd run, and may this user connect to "
                    f"it? `virsh -c '{uri}' version` tries the same.",
                ) from None
            self._open[uri] = connection
            return connection


def _keep_alive(connection: Any) -> None:
    try:
        connection.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:  # a driver without a daemon has nobody to ask
            raise


_event_loop: threading.Thread | None = None
_event_loop_lock = threading.Lock()


def _start_event_loop() -> None:
    """Keepalive and the notice that a connection died come through libvirt's event loop, one per process."""
    global _event_loop
    with _event_loop_lock:
        if _event_loop is not None:
            return
        libvirt.registerErrorHandler(lambda _context, _error: None, None)  # it would print every error
        libvirt.virEventRegisterDefaultImpl()

        def run() -> None:
            while True:
                libvirt.virEventRunDefaultImpl()

        _event_loop = threading.Thread(target=run, name="libvirt events", daemon=True)
        _event_loop.start()


def _explain(error: Any, uri: str) -> Exception:
    message = error.get_error_message() or str(error)
    said = f"libvirt at {uri} said: {message}."
    if error.get_error_domain() in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE):
        return OutcomeUnknown(f"The connection to {uri} broke during a call", said)
    match error.get_error_code():
        case libvirt.VIR_ERR_NO_DOMAIN:
            return Missing("The virtual machine is gone", said)
        case libvirt.VIR_ERR_OPERATION_INVALID:
            return Retryable("The virtual machine was started or stopped in this moment", said)
        case libvirt.VIR_ERR_OPERATION_TIMEOUT | libvirt.VIR_ERR_AGENT_UNRESPONSIVE:
            return Retryable("The hypervisor is busy with the virtual machine", said)
        case libvirt.VIR_ERR_AUTH_FAILED | libvirt.VIR_ERR_ACCESS_DENIED | libvirt.VIR_ERR_OPERATION_DENIED:
            return Rejected("The hypervisor does not permit it", said)
        case _:
            return Rejected("The hypervisor refused the call", said)
