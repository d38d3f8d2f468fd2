from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from planner.evaluation.errors import Fault
from planner.evaluation.functions.registry import standard_functions
from planner.values.marks import Sensitive

FUNCTIONS = standard_functions(Path(), plan_time=datetime(2026, 1, 31, tzinfo=UTC))
KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, form: PrivateFormat) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


@pytest.mark.parametrize("form", [PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8, PrivateFormat.OpenSSH])
def test_a_text_encrypted_for_a_key_is_read_with_it(form: PrivateFormat) -> None:
    encrypted = b64encode(KEY.public_key().encrypt(b"secret", padding.PKCS1v15())).decode()
    assert FUNCTIONS["rsadecrypt"].call([encrypted, Sensitive(pem(KEY, form))]) == Sensitive("secret")


@pytest.mark.parametrize(
    ("ciphertext", "key", "operand"),
    [
        ("!", pem(KEY, PrivateFormat.PKCS8), 0),
        ("YQ==", "no key", 1),
        ("YQ==", pem(ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8), 1),
        ("YQ==", pem(KEY, PrivateFormat.PKCS8), None),
    ],
)
def test_what_cannot_be_decrypted(ciphertext: str, key: str, operand: int | None) -> None:
    with pytest.raises(Fault) as caught:
        FUNCTIONS["rsadecrypt"].call([ciphertext, key])
    assert caught.value.operand == operand


def test_a_bcrypt_hash_fits_its_text() -> None:
    hashed = FUNCTIONS["bcrypt"].call(["secret", 4])
    assert isinstance(hashed, str)
    assert hashed.startswith("$2a$04$")
    assert bcrypt.checkpw(b"secret", hashed.encode())


@pytest.mark.parametrize("cost", [3, 32])
def test_a_bcrypt_cost_has_bounds(cost: int) -> None:
    with pytest.raises(Fault) as caught:
        FUNCTIONS["bcrypt"].call(["x", cost])
    assert caught.value.operand == 1
