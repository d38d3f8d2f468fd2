"""The settings of a `provider "solidfire"` block, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from planner.sdk import Rejected, Settings


@dataclass(frozen=True, slots=True)
class SolidFireSettings:
    """
    Attributes:
        endpoint: `https://host[:port]`, without a path.
        verify: as `requests` takes it: whether to check the certificate, or by which file.
        connect_timeout, timeout: seconds.
        access: how hosts are let in: "groups", by a group for each; "cluster", by one for all of a cluster; "chap", by
            an account for each.
    """

    endpoint: str
    username: str
    password: str = field(repr=False)
    api_version: str | None
    verify: bool | str
    connect_timeout: float
    timeout: float
    access: str
    account: str
    foreign_groups: bool

    @property
    def by_chap(self) -> bool:
        return self.access == "chap"


def read_settings(settings: Settings) -> SolidFireSettings:
    """
    Raises:
        Rejected: an argument says what no cluster could mean.
    """
    ca_file = settings["ca_file"]
    if ca_file is not None and not Path(ca_file).is_file():
        raise Rejected("ca_file is not there", f'Provider "solidfire": there is no file {ca_file}.')
    return SolidFireSettings(
        endpoint=_endpoint(settings["endpoint"]),
        username=settings["username"],
        password=settings["password"],
        api_version=settings["api_version"],
        verify=settings["verify"] and (ca_file or True),
        connect_timeout=float(settings["connect_timeout"]),
        timeout=float(settings["timeout"]),
        access=settings["access"],
        account=settings["account"],
        foreign_groups=settings["foreign_groups"],
    )


def _endpoint(text: str) -> str:
    """A host's name alone will do. A user and a password in it would show in messages."""
    parts = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.username or parts.query:
        raise Rejected(
            "endpoint is no cluster's address",
            'Provider "solidfire": write it as "https://san-east.example.com"; user and password have arguments of'
            " their own.",
        )
    return f"https://{parts.netloc}"
