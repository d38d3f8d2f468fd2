"""
Accounts: what volumes belong to. Where hosts are let in by CHAP, each host has one, and its secret.

Answers hold secrets. They are taken apart here, and go nowhere else.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.sdk import Conflict, Credentials, Endpoint, Rejected
from providers.solidfire.volumes import OWNER
from providers.solidfire.wire import ApiError, Wire

_UNKNOWN = "xUnknownAccount"
_NAME_LENGTH = 55
"""Of a host's account, before the digits: a cluster takes 64 characters."""


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
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._making = threading.Lock()
        self._room: dict[int, int] = {}

    def all(self) -> Mapping[int, Account]:
        rows = self._wire.read("ListAccounts", includeStorageContainers=False)["accounts"]
        return {row["accountID"]: _account(row) for row in rows}

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
        known_by = endpoint.initiator or endpoint.address
        # Hosts may have one name, and come out with one name when it is cut.
        digits = hashlib.sha256(str(known_by).encode()).hexdigest()[:8]
        username = f"{f'{prefix}-{endpoint.name}'[:_NAME_LENGTH]}-{digits}"
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

    def _hold(self, username: str, endpoint: str | None) -> Account:
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
    marks = (row.get("attributes") or {}).get(OWNER)
    endpoint = marks.get("endpoint") if isinstance(marks, dict) else None
    return Account(row["accountID"], row["username"], len(row.get("volumes") or ()), endpoint)
