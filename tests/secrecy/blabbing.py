"""
A provider that tells everybody what it was given: the sandbox, whose errors hold its password, its address and the CHAP
secrets that it sees. Which error it is, a volume's or a VM's name says.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from planner.sdk import (
    Argument,
    Attach,
    Attachment,
    Credentials,
    HypervisorProvider,
    OutcomeUnknown,
    Rejected,
    Reply,
    Retryable,
    Settings,
    StorageProvider,
)
from planner.sdk.storage import ActualVolume, CreateVolume
from providers.sandbox import PROVIDER as SANDBOX
from providers.sandbox.definition import read_settings
from providers.sandbox.provider import SandboxArray, SandboxHypervisor


def make_findable(folder: Path) -> None:
    """A provider is found by its entry point, wherever its package lies; `folder` is to be among Python's paths."""
    described = folder / "blabbing-1.dist-info"
    described.mkdir(parents=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: blabbing\nVersion: 1\n")
    (described / "entry_points.txt").write_text("[lunform.providers]\nblabbing = tests.secrecy.blabbing:PROVIDER\n")


class BlabbingArray(SandboxArray):
    def __init__(self, settings: Settings) -> None:
        super().__init__(read_settings({name: value for name, value in settings.items() if name not in OWN}))
        self.said = f"admin with {settings['password']!r} at {settings['endpoint']} ({settings['headers']})"
        self.told: set[str] = set()

    def create_async(self, request: CreateVolume) -> Reply[ActualVolume]:
        if "rejected" in request.name:
            raise Rejected(f"No such account: {self.said}", f"POST was refused: {self.said}")
        if "bug" in request.name:
            raise ValueError(self.said)
        if request.name in self.told:
            return super().create_async(request)
        self.told.add(request.name)
        if "busy" in request.name:
            raise Retryable(f"Busy: {self.said}", self.said)
        if "lost" in request.name:
            raise OutcomeUnknown(f"No answer: {self.said}", self.said)
        return super().create_async(request)


class BlabbingHypervisor(SandboxHypervisor):
    def attach(self, request: Attach, credentials: Credentials | None) -> Reply[Attachment]:
        if "blab" in request.vm and credentials is not None:
            raise Rejected(f"iscsiadm -p {credentials.password} ended with 24", f"CHAP: {credentials.password}")
        return super().attach(request, credentials)


def _open_storage(settings: Settings) -> StorageProvider:
    return BlabbingArray(settings)


def _open_hypervisor(settings: Settings) -> HypervisorProvider:
    inner: dict[str, Any] = {name: value for name, value in settings.items() if name not in OWN}
    return BlabbingHypervisor(read_settings(inner))


OWN = ("password", "endpoint", "headers")
PROVIDER = dataclasses.replace(
    SANDBOX,
    name="blabbing",
    settings=(
        *SANDBOX.settings,
        Argument("password", sensitive=True),
        Argument("endpoint"),
        Argument("headers", sensitive=True),
    ),
    open_storage=_open_storage,
    open_hypervisor=_open_hypervisor,
)
