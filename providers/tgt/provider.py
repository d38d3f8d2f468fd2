"""The storage protocol of `planner.sdk`, spoken to a box with tgtd: see the package's docstring for what it does."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
import os
import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from planner.sdk import (
    AccessPath,
    ActualVolume,
    ArrayInfo,
    ArrayLimits,
    CreateVolume,
    Credentials,
    DeleteVolume,
    Done,
    Endpoint,
    GrantAccess,
    Owner,
    Pending,
    PoolSpec,
    PoolStatus,
    Qos,
    Rejected,
    Reply,
    ResizeVolume,
    RevokeAccess,
    Settings,
    UpdateQos,
)
from providers.tgt.link import Here, Link, Ssh
from providers.tgt.record import LUN

CHAP_KEY_VARIABLE = "LUNFORM_TGT_CHAP_KEY"
CHAP_KEY_LENGTH = 16
"""Least characters of a provider key: whoever sees a login on the wire can try keys without asking anybody."""

SECTOR = 512
NAME_LENGTH = 60
"""Of the readable part of file and target names; an IQN has 223 characters at most."""

RESTORED_AT_ONCE = 100
"""Volumes in a call after a reboot: each takes about 0.1 s, and a call may not take long."""

INITIATOR_PREFIXES = ("iqn.", "eui.", "naa.")

IMAGE_POLL = 0.5
"""Seconds between two questions whether an image is in."""

IQN_PREFIX = "iqn.2026-01.lunform"

_MACHINE_NAMESPACE = uuid.UUID("5f0c2b8e-6d0f-4f39-9a55-3b1a2c6c7a10")


class TgtArray:
    """One tgtd as an array. Its pools are directories of the box."""

    def __init__(self, settings: Settings, link: Link | None = None) -> None:
        self._portal: str = settings["portal"]
        self._control_port = int(settings.get("control_port") or 0)
        self._iqn_prefix: str = settings.get("iqn_prefix") or IQN_PREFIX
        self._key: str = settings.get("chap_key") or os.environ.get(CHAP_KEY_VARIABLE, "")
        destination = settings.get("ssh")
        self._link: Link = link or (Ssh(destination) if destination else Here())

    def inspect(self) -> ArrayInfo:
        self._chap_key()  # a plan that apply could not carry out is no plan
        box = self._call("inspect", None)
        # The machine's id itself is not for showing around: see machine-id(5).
        identity = uuid.uuid5(_MACHINE_NAMESPACE, f"{box['machine']}/{self._control_port}")
        return ArrayInfo(
            identity=f"tgt-{identity}",
            product=f"tgt {box['version']} on {self._link.place}",
            supports=frozenset({"resize", "chap", "acl", "update_qos", "image"}),
            limits=ArrayLimits(min_size=SECTOR, size_granularity=SECTOR),
        )

    def pool_status(self, pool: PoolSpec) -> PoolStatus:
        status = self._call("status", pool)
        enforces = frozenset({"ceiling", "burst", "bandwidth"}) if _throttle(pool) else frozenset[str]()
        return PoolStatus(status["capacity"], status["used"], None, status["floors"], enforces)

    def list_volumes(self, pool: PoolSpec) -> Iterable[ActualVolume]:
        listed = self._call("list", pool)
        if listed["unserved"]:
            accounts = [(volume, self._account(volume)) for volume in listed["unserved"]]
            for at in range(0, len(accounts), RESTORED_AT_ONCE):
                self._call("restore", pool, accounts=dict(accounts[at : at + RESTORED_AT_ONCE]))
            listed = self._call("list", pool)
        return [self._actual(volume) for volume in listed["volumes"]]

    def create_async(self, request: CreateVolume) -> Reply[ActualVolume]:
        if request.size < SECTOR or request.size % SECTOR:
            raise Rejected("The size is not possible", f"{request.size} bytes are not a multiple of {SECTOR}.")
        iqn = f"{self._iqn_prefix}:{_slug(request.name)}-{request.owner.intent}"
        account, password = self._account(iqn)
        volume = self._call(
            "create",
            request.pool,
            iqn=iqn,
            name=request.name,
            size=request.size,
            thin=request.thin,
            owner=asdict(request.owner),
            qos=asdict(request.qos) if request.qos else None,
            metadata=dict(request.metadata),
            source=request.source,
            account=account,
            password=password,
        )
        return self._made(volume, request.pool, iqn)

    def resize_async(self, request: ResizeVolume) -> Reply[ActualVolume]:
        if request.size % SECTOR:
            raise Rejected("The size is not possible", f"{request.size} bytes are not a multiple of {SECTOR}.")
        account, password = self._account(request.volume)
        volume = self._call(
            "resize", request.pool, iqn=request.volume, size=request.size, account=account, password=password
        )
        return Done(self._actual(volume))

    def update_qos(self, request: UpdateQos) -> Reply[ActualVolume]:
        account, password = self._account(request.volume)
        volume = self._call(
            "update_qos",
            request.pool,
            iqn=request.volume,
            qos=asdict(request.qos) if request.qos else None,
            account=account,
            password=password,
        )
        return Done(self._actual(volume))

    def delete_async(self, request: DeleteVolume) -> Reply[str | None]:
        self._call("delete", request.pool, iqn=request.volume)
        return Done(None)

    def grant_access(self, request: GrantAccess) -> Reply[AccessPath]:
        account, password = self._account(request.volume)
        volume = self._call(
            "grant",
            request.pool,
            iqn=request.volume,
            name=request.endpoint.name,
            entry=_entry(request.endpoint),
            account=account,
            password=password,
        )
        return Done(AccessPath(self._portal, volume["id"], LUN, volume["account"]))

    def revoke_access(self, request: RevokeAccess) -> Reply[None]:
        self._call("revoke", request.pool, iqn=request.volume, entry=_entry(request.endpoint))
        return Done(None)

    def credentials(self, volume: str, path: AccessPath) -> Credentials | None:
        if path.chap_username is None:
            return None
        account, password = self._account(volume)
        if path.chap_username != account:
            raise Rejected(
                "The provider key is not the one that access was granted with",
                f"{volume} asks for the account {path.chap_username}; the present `chap_key` makes {account}.",
            )
        return Credentials(account, password)

    def poll(self, job: str) -> Reply[ActualVolume]:
        try:
            directory, throttle, volume = json.loads(job)
            pool = PoolSpec("", {"directory": directory, "throttle": throttle})
            account, password = self._account(volume)
        except (ValueError, TypeError):
            raise Rejected("There is no such job", f'"{job}" is none of this provider.') from None
        return self._made(self._call("finish", pool, iqn=volume, account=account, password=password), pool, volume)

    def _made(self, volume: dict[str, Any] | None, pool: PoolSpec, iqn: str) -> Reply[ActualVolume]:
        """The answer to a create, which takes its time while an image is copied."""
        if volume is not None:
            return Done(self._actual(volume))
        return Pending(json.dumps([pool.arguments["directory"], _throttle(pool), iqn]), IMAGE_POLL)

    def close(self) -> None:
        self._link.close()

    def _call(self, operation: str, pool: PoolSpec | None, **arguments: Any) -> Any:
        return self._link.call(
            {
                "operation": operation,
                "control_port": self._control_port,
                "directory": pool.arguments["directory"] if pool else None,
                "throttle": _throttle(pool) if pool else False,
                "arguments": arguments,
            }
        )

    def _actual(self, volume: dict[str, Any]) -> ActualVolume:
        owner, qos = volume["owner"], volume["qos"]
        return ActualVolume(
            id=volume["id"],
            name=volume["name"],
            size=volume["size"],
            qos=Qos(**qos) if qos else None,
            iqn=volume["id"].partition("/")[0],
            portal=self._portal,
            lun=int(volume["id"].partition("/")[2] or LUN),
            owner=Owner(**owner) if owner else None,
            grants=tuple(volume["grants"]),
            chap_username=volume["account"] or None,
        )

    def _account(self, volume: str) -> tuple[str, str]:
        """
        CHAP user and password of a volume, from the provider key and the intent that ends the volume's id.

        The user's name depends on the key as well, so that a wrong key is noticed instead of locking hosts out. The
        password has 16 characters: some initiators take no more.
        """
        key, intent = self._chap_key(), volume[-16:]
        name = hmac.digest(key, f"user {intent}".encode(), "sha256").hex()[:16]
        secret = hmac.digest(key, f"password {intent}".encode(), "sha256")[:12]
        return f"lunform-{name}", base64.urlsafe_b64encode(secret).decode()

    def _chap_key(self) -> bytes:
        if len(self._key) < CHAP_KEY_LENGTH:
            raise Rejected(
                "The provider tgt has no usable chap_key",
                f"CHAP secrets are made from it. Set `chap_key`, or {CHAP_KEY_VARIABLE} in the environment, to "
                f"{CHAP_KEY_LENGTH} characters or more, and keep it: the same key is needed ever after.",
            )
        return self._key.encode()


def _throttle(pool: PoolSpec) -> bool:
    return pool.arguments.get("throttle") is not False


def _entry(endpoint: Endpoint) -> str:
    """
    What an endpoint is let in by. Not by both: tgtd lets in whoever matches one entry, so an address beside the name
    would open the volume to every initiator at that address.
    """
    if endpoint.initiator is not None:
        if not endpoint.initiator.startswith(INITIATOR_PREFIXES):
            raise Rejected(
                "The host cannot be let in",
                f'The initiator "{endpoint.initiator}" of host "{endpoint.name}" is no iSCSI name; those begin with '
                f"{', '.join(INITIATOR_PREFIXES)}.",
            )
        return endpoint.initiator
    if endpoint.address is None:
        raise Rejected(
            "The host cannot be let in",
            f'Host "{endpoint.name}" has neither an initiator name nor an address; give its block one of them.',
        )
    try:
        return str(ipaddress.ip_address(endpoint.address))
    except ValueError:
        raise Rejected(
            "The host cannot be let in",
            f'The address "{endpoint.address}" of host "{endpoint.name}" is no IP address, and tgtd looks up no names. '
            f"Write its IP address, or give the host an `initiator`.",
        ) from None


def _slug(name: str) -> str:
    """The part of a name that a target's name may have (RFC 3722): small letters, digits, "-" and "."."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")[:NAME_LENGTH] or "volume"
