"""
The state on a server that speaks Terraform's protocol for states, such as GitLab.

    GET ADDRESS                  200 with the text; 204 or 404 when there is none
    POST ADDRESS?ID=LOCK         the text; 409 or 423 when the lock is another
    LOCK, UNLOCK LOCK_ADDRESS    a lock's description; 409 or 423, with the holder's, when there is another

The protocol has no conditional writes and its locks never run out. Here the lease in the text (`planner.state.leased`)
says when one has, and the id that comes with each writing is the fence, on servers that check it.
Source: https://developer.hashicorp.com/terraform/language/backend/http, and the API of GitLab, which tells of the
holder its id and `Created` only, and refuses a `serial` that it has seen before.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from planner.errors import ForeignState, StateError
from planner.resources.schema import Argument
from planner.state.document import StateDocument
from planner.state.lease import Lease, seconds_of
from planner.state.leased import LEASE_TIME, SHORTEST_LEASE_TIME, LeasedWholeStore
from planner.state.place import Found, Refused, Unanswered
from planner.state.store import DEFAULT_WORKSPACE, BackendDefinition, Cipher
from planner.values.codec import from_plain, to_plain
from planner.values.convert import ConversionError, convert
from planner.values.types import BOOL, NUMBER
from planner.version import VERSION

if TYPE_CHECKING:
    import requests

ENVIRONMENT = "LUNFORM_HTTP_"
"""Before an argument's name in capitals, as `TF_HTTP_` is for Terraform."""

_TIMEOUTS = (10, 60)
"""Seconds to connect, and between two pieces of an answer."""

_COME_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

_HELD = frozenset({409, 412, 423})
"""Another lock is held, or the one that was named is not."""

_NOBODY = "lunform-nobody"
"""A lock's id that nobody has."""

_proven: dict[str, bool] = {}
"""Whether what is at an address is refused to those without the lock."""


class HttpPlace:
    """See `planner.state.place.Place` and `Locks`."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments
        self._address: str = arguments["address"]
        self._lock_address: str = arguments["lock_address"] or ""
        self._session: requests.Session | None = None
        self.name = _shown(self._address)

    # The state

    def get(self) -> Found:
        answer = self._call("GET", self._address)
        if answer.status_code in (204, 404):
            return Found(None, "", _time(answer))
        self._expect(answer, "read the state", 200)
        try:
            return Found(answer.content.decode(), "", _time(answer))
        except UnicodeDecodeError as error:
            raise ForeignState("Not a Lunform state", f"{self.name} is no text. It was not touched.") from error

    def put(self, text: str, version: str, lease: str) -> tuple[str, float | None]:
        answer = self._write(text, lease)
        if answer.status_code in _HELD:
            raise Refused("the server says that the lock is not ours any more")
        self._expect(answer, "write the state", 200, 201, 204)
        return "", _time(answer)

    def keeps_others_out(self, text: Callable[[], str]) -> bool:
        if self._address not in _proven:
            try:
                _proven[self._address] = not self._write(text(), _NOBODY).ok
            except Unanswered as error:
                if error.status != 500:  # which is what GitLab answers to a wrong lock
                    raise
                _proven[self._address] = True
        return _proven[self._address]

    def remove(self, version: str) -> None:
        self._expect(self._call("DELETE", self._address), "delete the state", 200, 204, 404)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    def _write(self, text: str, lease: str) -> requests.Response:
        parts = urlsplit(self._address)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("ID", lease)])
        return self._call(self._arguments["update_method"], urlunsplit(parts._replace(query=query)), text)

    # The lock

    def take(self, lease: Lease) -> Lease | None:
        if not self._lock_address:
            raise StateError(
                "The state cannot be locked",
                f"The backend has no lock_address, so two applies on {self.name} at once would each lose what the other"
                " records. Give the address at which the server locks; it is often the address itself. Nothing was"
                " changed.",
            )
        answer = self._call(self._arguments["lock_method"], self._lock_address, _lock_info(lease))
        if answer.status_code not in _HELD:
            self._expect(answer, "lock the state", 200, 201, 204)
            return None
        other = _lease_of(answer)
        return None if other.id == lease.id else other

    def free(self, id: str) -> None:
        address = self._arguments["unlock_address"] or self._lock_address
        nobody = Lease(id, "", "", 0.0, None)
        answer = self._call(self._arguments["unlock_method"], address, _lock_info(nobody))
        if answer.status_code not in _HELD:
            self._expect(answer, "unlock the state", 200, 201, 204, 404)

    # Calling

    def _call(self, method: str, address: str, text: str | None = None) -> requests.Response:
        import requests

        session = self._session = self._session or self._open()
        body, headers = None, {}
        if text is not None:
            body = text.encode()
            digest = hashlib.md5(body, usedforsecurity=False).digest()
            headers = {"Content-Type": "application/json", "Content-MD5": base64.b64encode(digest).decode()}
        try:
            # A redirection would make a GET of a POST.
            answer = session.request(
                method, address, data=body, headers=headers, timeout=_TIMEOUTS, allow_redirects=method == "GET"
            )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
            raise StateError("Unsuitable value", f"{_shown(address)} is no address of a server.") from None
        except requests.RequestException as error:
            raise Unanswered(_way(error)) from None  # its text has the whole address in it
        if answer.status_code in (401, 403):
            raise StateError(
                "The server does not let us in",
                f"{_shown(address)} answers {answer.status_code} {answer.reason}. Give {ENVIRONMENT}USERNAME and"
                f" {ENVIRONMENT}PASSWORD of somebody who may read and write the state.",
            )
        if answer.status_code in _COME_AGAIN:
            raise Unanswered(f"the server answers {answer.status_code} {answer.reason}", answer.status_code)
        return answer

    def _open(self) -> requests.Session:
        import requests

        given, session = self._arguments, requests.Session()
        session.headers["User-Agent"] = f"lunform/{VERSION}"
        if given["username"]:
            session.auth = (given["username"], given["password"] or "")
        if given["client_certificate"]:
            session.cert = (given["client_certificate"], given["client_private_key"])
        session.verify = given["ca_certificate"] or True
        if given["skip_cert_verification"]:
            import urllib3

            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            session.verify = False
        return session

    def _expect(self, answer: requests.Response, what: str, *statuses: int) -> None:
        if answer.status_code not in statuses:
            raise StateError(
                f"The server does not {what}",
                f"{self.name}: it answers {answer.status_code} {answer.reason} to {answer.request.method}.",
            )


def _lock_info(lease: Lease) -> str:
    """As Terraform describes a lock."""
    return json.dumps(
        {
            "ID": lease.id,
            "Operation": lease.operation,
            "Info": lease.process,
            "Who": lease.who,
            "Version": VERSION,
            "Created": datetime.fromtimestamp(lease.since, UTC).isoformat(timespec="milliseconds"),
            "Path": "",
        }
    )


def _lease_of(answer: requests.Response) -> Lease:
    """Who has the lock, as far as the server says; its end is not known."""
    try:
        info = answer.json()
        known = {name: str(info.get(name) or "") for name in ("ID", "Who", "Operation", "Created")}
    except (ValueError, AttributeError):
        known = dict.fromkeys(("ID", "Who", "Operation", "Created"), "")
    try:
        since = seconds_of(known["Created"])
    except ValueError:
        since = 0.0
    return Lease(known["ID"], known["Who"], known["Operation"], since, None)


def _shown(address: str) -> str:
    """Without a user, a password, or a query: any of them may hold a secret."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _way(error: requests.RequestException) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate of the server is not accepted, or ours is not"
    if isinstance(error, requests.Timeout):
        return "the server does not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server, or it was closed without an answer"
    return f"the answer of the server is cut off or damaged ({type(error).__name__})"


def _time(answer: requests.Response) -> float | None:
    date = answer.headers.get("Date")
    try:
        return None if date is None else parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


class HttpBackend:
    """See `planner.state.store.StateBackend`. The protocol knows one state."""

    def __init__(self, arguments: Mapping[str, Any], cipher: Cipher) -> None:
        self._arguments = arguments
        self._cipher = cipher

    def open(self, workspace: str) -> LeasedWholeStore:
        if workspace != DEFAULT_WORKSPACE:
            raise StateError(
                "No workspaces here",
                f'The http backend keeps one state, that of the workspace "{DEFAULT_WORKSPACE}", and there is none for'
                f' "{workspace}". Give each environment an address of its own.',
            )
        given = self._arguments
        shortest, longest = float(given["retry_wait_min"]), float(given["retry_wait_max"])
        place = HttpPlace(given)
        return LeasedWholeStore(
            place,
            self._cipher,
            seconds=float(given["lease_time"]),
            waits=[min(shortest * 2**number, longest) for number in range(int(given["retry_max"]))],
            locks=place,
        )

    def workspaces(self) -> Sequence[str]:
        return [DEFAULT_WORKSPACE] if self.open(DEFAULT_WORKSPACE).read().lineage else []

    def remove(self, workspace: str) -> None:
        """The address stays, with nothing recorded: not every server deletes what is locked."""
        if workspace in self.workspaces():
            store = self.open(workspace)
            with store.lock("workspace delete"):
                store.replace(StateDocument())


def _open(arguments: Mapping[str, Any], directory: Path, cipher: Cipher) -> HttpBackend:
    given = {argument.name: _given(argument, arguments[argument.name], os.environ) for argument in BACKEND.arguments}
    if not given["address"]:
        raise StateError("The http backend has no address", f"Give address, or {ENVIRONMENT}ADDRESS.")
    if given["lease_time"] < SHORTEST_LEASE_TIME:
        raise StateError("Unsuitable value", f'"lease_time" must be at least {SHORTEST_LEASE_TIME} seconds.')
    return HttpBackend(given, cipher)


def _given(argument: Argument, value: Any, environment: Mapping[str, str]) -> Any:
    """What the configuration gives, or else the environment."""
    text = environment.get(ENVIRONMENT + argument.name.upper())
    if text is None or value != argument.default:
        return value
    try:
        return to_plain(convert(from_plain(text), argument.type))
    except ConversionError as error:
        raise StateError("Unsuitable value", f"{ENVIRONMENT}{argument.name.upper()}: {error}.") from error


BACKEND = BackendDefinition(
    name="http",
    summary="A server with Terraform's protocol for states, such as GitLab.",
    arguments=(
        Argument("address", summary="URL of the state."),
        Argument("update_method", summary="With which the state is written.", default="POST"),
        Argument("lock_address", summary="URL of the lock. Without one, nothing can be applied."),
        Argument("lock_method", summary="With which it is locked.", default="LOCK"),
        Argument("unlock_address", summary="Left out: the lock_address."),
        Argument("unlock_method", summary="With which it is unlocked.", default="UNLOCK"),
        Argument("username", summary="For basic authentication."),
        Argument("password", summary="For basic authentication.", sensitive=True),
        Argument("skip_cert_verification", BOOL, "Trust any certificate.", default=False),
        Argument("ca_certificate", summary="File with the certificates that are trusted. Left out: the system's."),
        Argument("client_certificate", summary="File with our own certificate."),
        Argument("client_private_key", summary="File with its key, unless it is in the same."),
        Argument("retry_max", NUMBER, "How often a call without an answer is repeated.", default=2),
        Argument(
            "retry_wait_min", NUMBER, "Seconds before the first time; each further wait is twice as long.", default=1
        ),
        Argument("retry_wait_max", NUMBER, "The longest of these waits.", default=30),
        Argument(
            "lease_time",
            NUMBER,
            "Seconds after which the lock of a dead holder runs out. It is renewed three times as often.",
            default=LEASE_TIME,
        ),
    ),
    open=_open,
)
