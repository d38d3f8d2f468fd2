"""
The secrets that libvirt keeps so that QEMU can log in.

One per volume and VM, with a UUID made from both: defining it again changes nothing, and detaching one VM takes nothing
from another. A VM that is stored on its host logs in again when it is started without Lunform, so its secret is stored
there too (`/etc/libvirt/secrets`, for root only); nobody can read it back through libvirt. A transient VM's is not.
"""

from __future__ import annotations

import uuid
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import libvirt

from planner.sdk import Credentials

_NAMESPACE = uuid.UUID("d1f6a7a2-0d3b-4d5e-8a39-6b0f2a1c9e44")


def secret_uuid(iqn: str, vm: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, f"{iqn}\n{vm}"))


def define_secret(connection: Any, iqn: str, vm: str, credentials: Credentials, stored: bool) -> str:
    """Make libvirt know the password, and return the secret's UUID."""
    identity = secret_uuid(iqn, vm)
    secret = Element("secret", ephemeral="no" if stored else "yes", private="yes")
    SubElement(secret, "uuid").text = identity
    SubElement(secret, "description").text = f"Lunform: {vm} logs in to {iqn}"
    SubElement(SubElement(secret, "usage", type="iscsi"), "target").text = f"lunform {vm} {iqn}"
    connection.secretDefineXML(ElementTree.tostring(secret, encoding="unicode")).setValue(credentials.password.encode())
    return identity


def forget_secret(connection: Any, iqn: str, vm: str) -> None:
    """Also when there is none, or the driver keeps none."""
    try:
        connection.secretLookupByUUIDString(secret_uuid(iqn, vm)).undefine()
    except libvirt.libvirtError as error:
        if error.get_error_code() not in (libvirt.VIR_ERR_NO_SECRET, libvirt.VIR_ERR_NO_SUPPORT):
            raise
