"""
JSON-RPC over HTTPS to one cluster. Knows methods by name and nothing of what they mean.

Connections are kept and shared by all threads. What is asked and answered may hold secrets, and is in no message; the
cluster's own words for an error are, without the secrets that are known by then.
"""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth

from planner.sdk import OutcomeUnknown, ProviderError, Rejected, Retryable, Unreachable
from providers.solidfire.settings import SolidFireSettings

OLDEST, NEWEST = (8, 0), (12, 8)
"""API versions that this client knows. Before 8.0 there is no reading of many volumes by their numbers."""

_FIRST_VERSION = "8.0"
"""Every cluster that is still in use answers it; GetAPI then tells the newest."""

RETRYABLE = frozenset(
    {
        "xDBClosing",
        "xDBConnectionLoss",
        "xDBInvalidState",
        "xDBNoServerResponse",
        "xDBOperationTimeout",
        "xDBSessionExpired",
        "xDBSessionMoved",
        "xDBVersionMismatch",
        "xMaxClonesPerNodeExceeded",
        "xMaxClonesPerVolumeExceeded",
        "xMaxSnapshotsPerNodeExceeded",
        "xMaxSnapshotsPerVolumeExceeded",
        "xNoHandler",
        "xNotPrimary",
        "xNotReadyForIO",
        "xRecvTimeout",
        "xSliceNotRegistered",
        "xSnapshotFailed",
    }
)
"""
Names of errors that pass. NetApp's documents advise another try for xDBVersionMismatch; the rest is what the drivers of
OpenStack Cinder and of NetApp's own test tools try again.
"""

SECRETS = frozenset(
    {
        "clusterPairingKey",
        "initiatorSecret",
        "password",
        "scriptParameters",
        "searchBindPassword",
        "targetSecret",
        "volumePairingKey",
    }
)
"""Fields of answers that nobody may be told."""

_READ_TRIES = 4
_HIDDEN = "(secret)"

_CONNECTIONS = 256
"""At most. How much is under way at once is Lunform's to say, by `max_calls`, and it is less than this."""


class ApiError(Rejected):
    """The cluster refused a call. `name` says why in the API's words; nothing happened."""

    def __init__(self, method: str, name: str, message: str) -> None:
        super().__init__(f"{method} was refused: {name}", message)
        self.name = name


class Wire:
    """See the module. All calls raise `planner.sdk` errors; `ApiError` where the cluster itself refuses."""

    def __init__(self, settings: SolidFireSettings) -> None:
        self._settings = settings
        self._session = requests.Session()
        self._session.mount("https://", _Adapter(pool_connections=1, pool_maxsize=_CONNECTIONS, pool_block=True))
        self._ids = itertools.count(1)
        self._version = settings.api_version
        self._negotiation = threading.Lock()
        # As bytes: of a text the library takes Latin-1 only.
        username, password = settings.username.encode(), settings.password.encode()
        self._login = HTTPBasicAuth(username, password)
        basic = base64.b64encode(username + b":" + password).decode()
        self._secrets = {text for text in (settings.password, basic) if text}
        self._learning = threading.Lock()

    def version(self) -> str:
        """Of the API that is spoken: as set, or the newest that both sides know."""
        with self._negotiation:
            if self._version is None:
                self._version = self._newest(self._read(_FIRST_VERSION, "GetAPI", {})["supportedVersions"])
            return self._version

    def read(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """The result of a method that changes nothing: when an answer is lost, it is asked again."""
        return self._read(self.version(), method, parameters)

    def change(self, method: str, **parameters: Any) -> Mapping[str, Any]:
        """The result of a method that changes something: it is sent once."""
        return self._send(self.version(), method, parameters)

    def close(self) -> None:
        self._session.close()

    def _read(self, version: str, method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        for attempt in itertools.count(1):
            try:
                return self._send(version, method, parameters)
            except (OutcomeUnknown, Retryable, Unreachable) as error:
                if attempt == _READ_TRIES:
                    raise _nothing_happened(error) from error
                time.sleep(0.25 * 2**attempt)
        raise AssertionError("count() ends")

    def _send(self, version: str, method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = self._settings
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            answer = self._session.post(
                f"{settings.endpoint}/json-rpc/{version}",
                json={"method": method, "params": given, "id": next(self._ids)},
                auth=self._login,
                timeout=(settings.connect_timeout, settings.timeout),
                verify=settings.verify,  # given with each request, since an environment variable beats the session's
                allow_redirects=False,  # a password is sent to nobody else
            )
        except requests.exceptions.SSLError as error:
            raise self._distrusted() from error
        except requests.exceptions.ConnectTimeout as error:
            raise self._unreachable(f"no connection within {settings.connect_timeout:g} s") from error
        except requests.exceptions.ReadTimeout as error:
            raise self._lost(method, f"no answer within {settings.timeout:g} s") from error
        except requests.exceptions.ConnectionError as error:
            if _was_never_connected(error):
                raise self._unreachable("the connection was refused, or the name is not known") from error
            raise self._lost(method, "the connection ended") from error
        except requests.exceptions.RequestException as error:
            raise self._lost(method, f"the answer broke off ({type(error).__name__})") from error
        return self._result(version, method, answer)

    def _result(self, version: str, method: str, answer: requests.Response) -> Mapping[str, Any]:
        endpoint = self._settings.endpoint
        if answer.status_code in (401, 403):
            raise Rejected(
                "The cluster does not let the user in",
                f'{endpoint} refuses "{self._settings.username}": check username and password of provider "solidfire".',
            )
        if answer.status_code == 404:
            raise Rejected(
                "The cluster does not know this API version",
                f"{endpoint} has no API version {version}: correct api_version, or leave it out.",
            )
        if answer.status_code >= 500:
            raise self._lost(method, f"it answered HTTP {answer.status_code}")
        try:
            body = answer.json()
            error = body.get("error")
            result = body.get("result")
        except (ValueError, AttributeError):
            raise self._strange(method, f"HTTP {answer.status_code} without JSON") from None
        if error is not None:
            name, message = self._said(method, error)
            if name in RETRYABLE:
                raise Retryable(f"{method} was put off: {name}", message)
            raise ApiError(method, name, message)
        if not isinstance(result, dict):
            raise self._strange(method, "JSON without a result")
        if _tells_secrets(method):
            with self._learning:
                self._secrets.update(_secrets_in(result))
        return result

    def _said(self, method: str, error: Mapping[str, Any]) -> tuple[str, str]:
        """Name and message of an error. What is said of accounts is left out: it may hold secrets not seen before."""
        name, message = str(error.get("name", "")), str(error.get("message", ""))
        if "Account" in method:
            message = "What the cluster says of accounts is not shown, since it may hold their secrets."
        with self._learning:
            for secret in self._secrets:
                name, message = name.replace(secret, _HIDDEN), message.replace(secret, _HIDDEN)
        return name, message

    def _newest(self, supported: object) -> str:
        """Of the versions that both sides know; the cluster tells its own as texts or as numbers."""
        offered = supported if isinstance(supported, list) else []
        known = [version for version in map(_parsed, offered) if OLDEST <= version <= NEWEST]
        if not known:
            raise Rejected(
                "The cluster speaks no API version that Lunform knows",
                f"{self._settings.endpoint} offers {', '.join(map(str, offered)) or 'none'}; Lunform knows"
                f" {'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}.",
            )
        return ".".join(map(str, max(known)))

    def _unreachable(self, why: str) -> Unreachable:
        return Unreachable(
            f"{self._settings.endpoint} cannot be reached",
            f'{why[0].upper()}{why[1:]}. Check endpoint of provider "solidfire", and the network.',
        )

    def _distrusted(self) -> Rejected:
        return Rejected(
            "The cluster's certificate is not trusted",
            f"{self._settings.endpoint} shows a certificate that cannot be checked; most clusters have one of their own"
            ' making. Give it to provider "solidfire" as ca_file, or say verify = false if you trust the network.',
        )

    def _lost(self, method: str, why: str) -> OutcomeUnknown:
        return OutcomeUnknown(f"The answer to {method} was lost", f"{self._settings.endpoint}: {why}.")

    def _strange(self, method: str, what: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"{method} was answered with something else",
            f"{self._settings.endpoint} answered {what}. Is it the management address of an Element cluster?",
        )


class _Connection(urllib3.connection.HTTPSConnection):
    debuglevel = 0


class _Pool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    """Its connections print nothing, though all of a program's are told to: it would be the password."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def proxy_manager_for(self, *arguments: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **named)
        manager.pool_classes_by_scheme = {"https": _Pool}
        return manager


def _tells_secrets(method: str) -> bool:
    return "Account" in method or "Initiators" in method


def _secrets_in(answer: object) -> Iterator[str]:
    match answer:
        case dict():
            for name, value in answer.items():
                if name in SECRETS and isinstance(value, str) and value:
                    yield value
                yield from _secrets_in(value)
        case list():
            for item in answer:
                yield from _secrets_in(item)


def _nothing_happened(error: ProviderError) -> ProviderError:
    """What is only read has no effect to be unsure of."""
    if isinstance(error, OutcomeUnknown):
        return Unreachable(str(error), error.detail)
    return error


def _was_never_connected(error: requests.exceptions.ConnectionError) -> bool:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _parsed(version: object) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in str(version).split("."))
    except ValueError:
        return (0,)
