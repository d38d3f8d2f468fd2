"""
A state at a place that several machines write to, under a lease.

- The lease lies in the same text as the state. Whoever renews it, takes it over or breaks it writes that text anew, so
  a holder that was paused, or cut off, for longer than its lease cannot write any more: the place sees that it does not
  know what is there. That is the fencing, and it needs no clock.
- A server that has locks of its own (`Locks`) is asked for one first. The lease then says when that lock has run out,
  which the server does not know; whoever finds that unlocks it, and its holder is refused from then on.
- A writing whose answer was lost is looked up before it is repeated.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from planner.errors import StateError, StateLocked
from planner.state.document import StateDocument, Texts, from_text
from planner.state.lease import Lease, new_lease
from planner.state.place import Locks, Place, Refused, Stored, Unanswered, read_stored
from planner.state.store import Cipher
from planner.state.whole import WholeStore

T = TypeVar("T")

_LONGEST_WAIT = 1.0
"""Seconds between two looks at a lease that somebody else holds."""

LEASE_TIME = 60
SHORTEST_LEASE_TIME = 3
"""Seconds: servers tell the time in whole ones, and it must be renewed several times before it runs out."""


class _Lost(StateError):
    """Somebody else has written."""


@dataclass
class _Held:
    """
    What the holder knows.

    Attributes:
        stored: what the place holds, as last written or read.
        document: the same, opened.
        serial: of the last writing that was tried. None is tried twice with different texts.
        is_sure: `stored` is what the place holds. It is not after a writing whose effect is unknown.
        lost: why nothing can be written any more.
    """

    lease: Lease
    stored: Stored
    document: StateDocument
    serial: int
    is_sure: bool = True
    lost: StateError | None = None


class LeasedWholeStore(WholeStore):
    """
    A store, and a `planner.state.store.LeasedStore`.

    Args:
        seconds: of a lease.
        waits: seconds before each further try of a call that was not answered.
        locks: of the server, where it has them.
    """

    def __init__(
        self, place: Place, cipher: Cipher, *, seconds: float, waits: Sequence[float], locks: Locks | None = None
    ) -> None:
        self._place = place
        self._cipher = cipher
        self._seconds = seconds
        self._waits = waits
        self._locks = locks
        self._texts = Texts()
        self._ahead = time.time() - time.monotonic()  # until the server has said its time
        self._held: _Held | None = None
        self._writing = threading.RLock()

    def close(self) -> None:
        self._place.close()

    # Reading

    def document(self) -> StateDocument:
        held = self._held
        return held.document if held else self._open(self._get())

    def _get(self) -> Stored:
        stored = read_stored(self._ask(self._place.get), self._place.name)
        self._hear(stored.now)
        return stored

    def _open(self, stored: Stored) -> StateDocument:
        if not stored.state:
            return StateDocument()
        return from_text(self._cipher.open(stored.state), self._place.name)

    # The lock

    @contextmanager
    def lock(self, operation: str, timeout: float = 0.0) -> Iterator[None]:
        self._held = self._acquire(operation, timeout)
        ended = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(ended,), name="lease", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            ended.set()
            keeper.join()
            held, self._held = self._held, None
            with contextlib.suppress(StateError):  # else it runs out by itself
                self._release(held)

    def unlocked(self) -> AbstractContextManager[None]:
        raise StateError(
            "The state is not written to without its lock",
            f"{self._place.name} holds the lock and the state in one, and what is written without the lock would take"
            " it from its holder. Nothing was done. Wait for the holder with -lock-timeout; if it is dead for certain,"
            " lunform force-unlock breaks its lock.",
        )

    def break_lock(self, id: str) -> None:
        while True:
            mine = new_lease("force-unlock", self._now(), self._seconds)
            other, stored = self._take(mine)
            if other is None or other.id != id:
                if other is None:
                    self._unlock(mine.id)
                has = f"It is held for {other}" if other else "Nobody holds it."
                raise StateError("There is no such lock", f"{self._place.name} is not held under the id {id}. {has}")
            with contextlib.suppress(_Lost):  # its holder has just written
                self._free(other, stored)
                return

    def _acquire(self, operation: str, timeout: float) -> _Held:
        until, wait, freed = time.monotonic() + timeout, 0.05, set()
        while True:
            lease = new_lease(operation, self._now(), self._seconds)
            other, stored = self._take(lease)
            try:
                if other is None:
                    return self._enter(lease, stored)
                if other.is_over(stored.now) and other.id not in freed:
                    freed.add(other.id)  # a server may say yes and do nothing
                    self._free(other, stored)
                    continue
            except _Lost:
                continue  # another one was quicker, and is in the way now
            left = until - time.monotonic()
            if left <= 0:
                raise self._locked(other)
            time.sleep(min(wait * random.uniform(0.5, 1.0), left))
            wait = min(wait * 1.5, _LONGEST_WAIT)

    def _take(self, lease: Lease) -> tuple[Lease | None, Stored]:
        """Who is in the way, if anybody, and what the place holds. A lock of the server is ours when nobody is."""
        if self._locks is None:
            stored = self._get()
            return stored.lease, stored
        other = self._ask(partial(self._locks.take, lease))
        try:
            stored = self._get()
        except BaseException:
            if other is None:
                self._unlock(lease.id)
            raise
        if other is None:
            return None, stored
        if stored.lease is not None and stored.lease.id == other.id:
            return stored.lease, stored
        if other.is_ours and other.since:  # its holder has not written its lease yet, and may have died before
            other = replace(other, until=other.since + self._seconds)
        return other, stored

    def _enter(self, lease: Lease, stored: Stored) -> _Held:
        """
        Write the lease.

        Raises:
            _Lost: another one has written its own before.
        """
        try:
            held = _Held(lease, stored, self._open(stored), stored.serial)
            self._put(held, stored.state or self._seal(held.document))
        except BaseException:  # what is there may be none of ours, and is not touched
            self._unlock(lease.id)
            raise
        try:
            if not self._ask(partial(self._place.keeps_others_out, held.stored.text)):
                if self._locks is None:
                    raise StateError(
                        "The state is not safe here",
                        f"The server of {self._place.name} takes writings whose condition does not hold (If-Match,"
                        " If-None-Match), so two applies at once could not be told from one. Keep the state on a server"
                        " with conditional writes. Nothing was changed.",
                    )
                # Whoever has lost its lock could still write: so it is never lost, unless a person says so.
                held.lease = replace(lease, until=None)
                self._put(held)
        except BaseException:
            with contextlib.suppress(StateError):
                self._release(held)
            raise
        return held

    def _release(self, held: _Held) -> None:
        with self._writing:
            if held.lost:
                return
            if self._locks is None:
                self._make_sure(held)
            if self._locks is not None or held.document.lineage:
                self._free(held.lease, held.stored)
            else:  # nothing was ever recorded
                with contextlib.suppress(Refused):
                    self._ask(partial(self._place.remove, held.stored.version))

    def _free(self, lease: Lease, stored: Stored) -> None:
        """
        Take a lease away.

        Raises:
            _Lost: another one has written since it was `stored`.
        """
        if self._locks is None:
            self._store(stored, replace(stored, serial=stored.serial + 1, lease=None), lease.id)
        self._unlock(lease.id)

    def _unlock(self, id: str) -> None:
        if self._locks is not None:
            self._ask(partial(self._locks.free, id))

    def _keep(self, ended: threading.Event) -> None:
        """Renew the lease until the lock is let go."""
        while not ended.wait(self._seconds / 3):
            with self._writing:
                held = self._held
                if held is None or held.lost or held.lease.until is None:
                    return
                if held.lease.until - self._now() > self._seconds * 3 / 4:
                    continue  # something was just committed
                with contextlib.suppress(StateError):  # the next writing, or renewal, looks what became of it
                    self._make_sure(held)
                    self._put(held)

    # Writing

    def _change(self, fold: Callable[[StateDocument], StateDocument]) -> StateDocument:
        with self._writing:
            held = self._held
            if held is None:
                raise StateError("The state is written to without its lock", "This is a bug in lunform.")
            self._make_sure(held)
            document = fold(held.document)
            self._put(held, self._seal(document), document)
            return document

    def _seal(self, document: StateDocument) -> str:
        return self._cipher.seal(self._texts.of(document))

    def _make_sure(self, held: _Held) -> None:
        """
        Find out what became of a writing whose effect is unknown.

        Raises:
            StateError: the lease is lost.
        """
        if held.lost:
            raise held.lost
        if held.is_sure:
            return
        stored = self._get()
        if stored.lease is None or stored.lease.id != held.lease.id:
            held.lost = self._loss(stored.lease)
            raise held.lost
        held.stored, held.document, held.is_sure = stored, self._open(stored), True
        held.serial = max(held.serial, stored.serial)

    def _put(self, held: _Held, state: str | None = None, document: StateDocument | None = None) -> None:
        """
        Write a state, or what is there, with a lease as from now on.

        Raises:
            StateError: it may be there, or not: `_make_sure` has to find out.
        """
        until = None if held.lease.until is None else self._now() + self._seconds
        lease = replace(held.lease, until=until)
        document = document or held.document
        held.serial += 1
        new = Stored(
            serial=held.serial,
            lineage=document.lineage,
            lease=lease,
            state=held.stored.state if state is None else state,
        )
        held.is_sure = False
        try:
            held.stored = self._store(held.stored, new, lease.id)
        except _Lost as error:
            held.lost = error
            raise
        held.lease, held.document, held.is_sure = lease, document, True

    def _store(self, old: Stored, new: Stored, lease: str) -> Stored:
        """
        Put `new` in the place of `old`.

        Raises:
            _Lost: something else is there by now.
        """
        text = new.text()
        for wait in (*self._waits, None):
            refusal = ""
            try:
                version, now = self._place.put(text, old.version, lease)
                self._hear(now)
                return replace(new, version=version)
            except Refused as error:
                refusal = str(error)
            except Unanswered as error:
                if wait is None:
                    raise self._unreachable(error) from None
                time.sleep(wait)
            found = self._get()
            if found.writing == new.writing:  # its answer was lost, its effect was not
                return replace(new, version=found.version)
            if found.writing != old.writing:
                raise self._loss(found.lease)
            if refusal:
                raise StateError("The state cannot be written", f"{self._place.name}: {refusal}.")
        raise AssertionError("the last try returns or raises")

    # Asking

    def _ask(self, call: Callable[[], T]) -> T:
        """What `call` answers; where it does not, it is repeated, which must do no harm."""
        for wait in self._waits:
            try:
                return call()
            except Unanswered:
                time.sleep(wait)
        try:
            return call()
        except Unanswered as error:
            raise self._unreachable(error) from None

    def _now(self) -> float:
        return time.monotonic() + self._ahead

    def _hear(self, now: float | None) -> None:
        if now is not None:
            self._ahead = now - time.monotonic()

    # What is said

    def _unreachable(self, error: Unanswered) -> StateError:
        return StateError("The state cannot be reached", f"{self._place.name}: {error}.")

    def _loss(self, lease: Lease | None) -> _Lost:
        has = f"It is held now for {lease}" if lease else "It was broken, or it ran out and the next holder is done."
        return _Lost(
            "The state's lock is lost",
            f"{self._place.name}: {has} This run was paused or cut off for longer than its lease of"
            f" {self._seconds:.0f} seconds, or a person broke its lock; it has written nothing since. What it was doing"
            " is on record: the next plan or apply finds out what became of it.",
        )

    def _locked(self, other: Lease) -> StateLocked:
        return StateLocked(
            "The state is locked",
            f"{self._place.name} is held for {other} Wait for it with -lock-timeout. If its holder is dead for"
            f" certain: lunform force-unlock {other.id}",
            other.who,
        )
