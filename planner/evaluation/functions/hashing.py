"""Digests, and what else comes from cryptography. Libraries that only one function needs are imported by it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable

from planner.evaluation.functions.encoding import from_base64, to_base64
from planner.evaluation.functions.signature import ArgumentFault, CallFault, Family, Parameter
from planner.evaluation.functions.text import whole_number
from planner.values.types import NUMBER, STRING, Number, Value

FUNCTIONS = Family()

_STRING = Parameter("str")
_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}


def hexadecimal(algorithm: str) -> Callable[[bytes], str]:
    """Bytes to their digest in hexadecimal."""
    return lambda data: hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def in_base64(algorithm: str) -> Callable[[bytes], str]:
    """Bytes to their digest in Base64."""
    return lambda data: to_base64(hashlib.new(algorithm, data, usedforsecurity=False).digest())


DIGESTS: dict[str, Callable[[bytes], str]] = {
    "md5": hexadecimal("md5"),
    "sha1": hexadecimal("sha1"),
    "sha256": hexadecimal("sha256"),
    "sha512": hexadecimal("sha512"),
    "base64sha256": in_base64("sha256"),
    "base64sha512": in_base64("sha512"),
}
"""Functions of a text by name; `file` before the name is the same of a file's contents."""


def _of_text(digest: Callable[[bytes], str]) -> Callable[[str], Value]:
    return lambda text: digest(text.encode())


for _name, _digest in DIGESTS.items():
    FUNCTIONS.add(_name, _STRING, returns=STRING)(_of_text(_digest))


@FUNCTIONS.add("bcrypt", _STRING, variadic=Parameter("cost", NUMBER), most=2, returns=STRING, pure=False)
def bcrypt_hash(text: str, *cost: Number) -> Value:
    import bcrypt

    rounds = whole_number(cost[0], 1) if cost else 10
    if not 4 <= rounds <= 31:
        raise ArgumentFault(1, "the cost must be from 4 to 31")
    data = text.encode()
    if len(data) > 72:
        raise ArgumentFault(0, "bcrypt takes at most 72 bytes")
    return bcrypt.hashpw(data, bcrypt.gensalt(rounds, b"2a")).decode("ascii")


@FUNCTIONS.add("rsadecrypt", Parameter("ciphertext"), Parameter("privatekey"), returns=STRING)
def rsa_decrypt(ciphertext: str, private_key: str) -> Value:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    data = from_base64(ciphertext, 0)
    pem = private_key.encode()
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in pem else load_pem_private_key
    try:
        key = load(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ArgumentFault(1, "it is not a private key in PEM format without a passphrase") from None
    if not isinstance(key, RSAPrivateKey):
        raise ArgumentFault(1, "it is not an RSA key")
    try:
        return key.decrypt(data, PKCS1v15()).decode()
    except ValueError:
        raise CallFault("the text was not encrypted for this key, or is not UTF-8") from None


@FUNCTIONS.add("uuid", returns=STRING, pure=False)
def random_uuid() -> Value:
    return str(uuid.uuid4())


@FUNCTIONS.add("uuidv5", Parameter("namespace"), Parameter("name"), returns=STRING)
def named_uuid(namespace: str, name: str) -> Value:
    space = _NAMESPACES.get(namespace)
    if space is None:
        try:
            space = uuid.UUID(namespace)
        except ValueError:
            names = ", ".join(_NAMESPACES)
            raise ArgumentFault(0, f'"{namespace}" is neither a UUID nor one of {names}') from None
    return str(uuid.uuid5(space, name))
