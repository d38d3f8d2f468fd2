"""
Accounts: what volumes belong to. Where hosts are let in by CHAP, each host has one, and its secret.

Answers hold secrets. They are taken apart here, and go nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from planner.sdk import Conflict, Credentials, Endpoint, Rejected
from providers.solidfire.endpoints import own_name
from providers.solidfire.volumes import OWNER, own_marks
from providers.solidfire.wire import ApiError, Wire

_UNKNOWN = "xUnknownAccount"


@dataclass(frozen=True, slots=True)
class Account:
    """
    Attributes:
        volumes: how many belong to it.
        endpoint: the host that it is for, by its initiator name or else its address; None for any other account.
    """

    number: int
    username: str
    volumes: int
    endpoint: str | None


class Accounts:
    """Each is read once: whom an account is for does not change, and its volumes are counted from then on."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._making = threading.Lock()
        self._room: dict[int, int] = {}
        self._known: dict[str, Account] = {}

    def of(self, numbers: Collection[int]) -> Mapping[int, Account]:
        """The accounts of these numbers, as far as they are there. One call where any of them is new, else none."""
        with self._making:
            known = self._by_number()
            if not known.keys() >= set(numbers):
                rows = self._wire.read("ListAccounts", includeStorageContainers=False)["accounts"]
                self._known |= {row["username"]: _account(row) for row in rows}
                known = self._by_number()
        return {number: known[number] for number in numbers if number in known}

    def with_room(self, name: str, most: int) -> int:
        """The account of that name, or of the first of `name-2`, `name-3`, ... that has fewer than `most` volumes."""
        with self._making:
            suffix = 1
            while True:
                account = self._hold(name if suffix == 1 else f"{name}-{suffix}", None)
                left = self._room.setdefault(account.number, most - account.volumes)
                if left > 0:
                    self._room[account.number] -= 1
                    return account.number
                suffix += 1

    def is_full(self, number: int) -> None:
        """The cluster says so: others have used it since it was counted."""
        with self._making:
            self._room[number] = 0

    def of_host(self, prefix: str, endpoint: Endpoint) -> Account:
        """
        The account of a host; it is made, with secrets that the cluster chooses, when there is none.

        Raises:
            Conflict: one of its name is somebody else's, who may know the secret.
        """
        username, known_by = own_name(prefix, endpoint), endpoint.initiator or endpoint.address
        with self._making:
            account = self._hold(username, known_by)
        if account.endpoint != known_by:
            raise Conflict(
                "The host's account is somebody else's",
                f'The cluster has an account "{username}", which is not marked as the one of {known_by}. Remove it, or'
                ' give provider "solidfire" another account.',
            )
        return account

    def credentials(self, username: str) -> Credentials:
        """
        Raises:
            Rejected: there is no such account.
        """
        try:
            account = self._wire.read("GetAccountByName", username=username)["account"]
        except ApiError as error:
            if error.name != _UNKNOWN:
                raise
            raise Rejected("The account is gone", f'The cluster has no account "{username}". Plan again.') from error
        return Credentials(username, account["initiatorSecret"])

    def _by_number(self) -> dict[int, Account]:
        return {account.number: account for account in self._known.values()}

    def _hold(self, username: str, endpoint: str | None) -> Account:
        if username not in self._known:
            self._known[username] = self._find_or_make(username, endpoint)
        return self._known[username]

    def _find_or_make(self, username: str, endpoint: str | None) -> Account:
        try:
            return _account(self._wire.read("GetAccountByName", username=username)["account"])
        except ApiError as error:
            if error.name != _UNKNOWN:
                raise
        marks = {OWNER: {"endpoint": endpoint} if endpoint else {}}
        try:
            number = self._wire.change("AddAccount", username=username, attributes=marks)["accountID"]
        except ApiError as error:
            if error.name != "xDuplicateUsername":
                raise
            return _account(self._wire.read("GetAccountByName", username=username)["account"])
        return Account(number, username, 0, endpoint)


def _account(row: Mapping[str, Any]) -> Account:
    endpoint = own_marks(row.get("attributes") or {}).get("endpoint")
    return Account(row["accountID"], row["username"], len(row.get("volumes") or ()), endpoint)
