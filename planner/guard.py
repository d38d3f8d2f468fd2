"""
What stands between Lunform and a provider: every call passes here. A provider is another's code, and what it says is
shown, recorded and logged; so secrets that it was given are taken out of its messages.

At trace level each call is logged with its request and its answer, in which no field holds a secret: `Credentials` keep
theirs out of their text, and secrets are among the settings only, which are in no request.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from planner.addresses import ProviderAddress
from planner.log import TRACE, log, stand_in, where
from planner.sdk.errors import ProviderError
from planner.sdk.hypervisor import HypervisorProvider, VmHosts
from planner.sdk.storage import AccessRules, Credentials, DeletedVolumes, QosPolicies, Snapshots, StorageProvider

T = TypeVar("T")

_CALLS = sorted(
    {
        name
        for protocol in (
            *(StorageProvider, QosPolicies, Snapshots, DeletedVolumes, AccessRules),
            *(HypervisorProvider, VmHosts),
        )
        for name in vars(protocol)
        if not name.startswith("_")
    }
)
_HIDDEN = "(sensitive value)"
_SHORTEST = 4
"""Characters of the shortest secret that is looked for: a shorter one is in every other word, and is none."""
_SHOWN = 20
"""Items of a listing that are logged."""


class Secrets:
    """Texts that nobody may be told, as far as a run has come to know them."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self.add(tuple(texts))

    def add(self, value: Any) -> None:
        """All texts in `value`, which is plain data."""
        match value:
            case str() if len(value) >= _SHORTEST:
                self._forms |= {value, quote(value, safe=""), quote(value), json.dumps(value)[1:-1], repr(value)[1:-1]}
            case Mapping():
                self.add(tuple(value.values()))
            case tuple() | list():
                for item in value:
                    self.add(item)

    def hide(self, text: str) -> str:
        for form in sorted(self._forms, key=len, reverse=True):
            text = text.replace(form, _HIDDEN)
        return text


def guarded(provider: T, address: ProviderAddress, secrets: Secrets) -> T:
    """
    The provider, with `secrets` taken out of its errors, and its calls logged at trace level. Listings are read to
    their ends, so that what goes wrong on the way is seen here. CHAP secrets that it gives are added to `secrets`.
    """

    def around(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded_call(*arguments: Any) -> Any:
            is_traced, began = log.isEnabledFor(TRACE), time.monotonic()
            try:
                answer = call(*arguments)
                if name.startswith("list_"):
                    answer = tuple(answer)
            except ProviderError as error:
                _hide_in(error, secrets)
                if is_traced:
                    said = f"{type(error).__name__}: {error} {error.detail}"
                    _trace(address, name, arguments, began, said, secrets)
                raise
            except Exception as error:
                log.debug("%s: %s failed with %s", address, name, where(error))
                raise
            if isinstance(answer, Credentials):
                secrets.add(answer.password)
            if is_traced:
                _trace(address, name, arguments, began, _shown(answer), secrets)
            return answer

        return guarded_call

    return stand_in(provider, _CALLS, around)


def _hide_in(error: ProviderError, secrets: Secrets) -> None:
    summary, detail = secrets.hide(str(error)), secrets.hide(error.detail)
    if (summary, detail) != (str(error), error.detail):
        error.args, error.detail = (summary,), detail


def _trace(
    address: ProviderAddress, name: str, arguments: tuple[Any, ...], began: float, answer: str, secrets: Secrets
) -> None:
    took = time.monotonic() - began
    request = ", ".join(map(repr, arguments))
    log.log(TRACE, "%s", secrets.hide(f"{address}: {name}({request}) -> {answer} in {took:.3f} s"))


def _shown(answer: Any) -> str:
    if isinstance(answer, tuple):
        more = f", and {len(answer) - _SHOWN} more" if len(answer) > _SHOWN else ""
        return f"{len(answer)} items: {', '.join(map(repr, answer[:_SHOWN]))}{more}"
    return repr(answer)
