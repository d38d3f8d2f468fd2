"""
Encryption at rest: seals the texts of the state, and saved plans, with AES-256-GCM.

A sealed text is JSON, so that it can stand wherever a plain one can:

    {"lunform_sealed":1,"key":"5f0c...","text":"<base64 of 12 bytes nonce, ciphertext, 16 bytes tag>"}

`key` is an id made of the key, by which the right one is found. Key and purpose are authenticated with the text, so
that nothing that was sealed as a plan can be put in a state's place. The nonce is random for each text; one key bears
2**32 of them (NIST SP 800-38D, section 8.3).

There are no passphrases: stretching one takes every command a second, and still keeps only what cannot be guessed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from planner.config.model import Encryption, KeySource
from planner.errors import StateError
from planner.state.store import SEALED, Cipher, NoCipher

if TYPE_CHECKING:  # `cryptography` takes 30 ms to import
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

Purpose = Literal["state", "plan"]

_FORMAT = 1
_KEY_SIZE = 32
_NONCE_SIZE = 12
_COMMAND_TIMEOUT = 60.0
"""Seconds that a key command may take."""

_AGAIN = {
    "state": "Restore it from a copy.",
    "plan": "Make a new one with: lunform plan -out=FILE",
}
_PLAIN = {
    "state": "To encrypt what is there now, run `lunform state reseal`. If it had been encrypted before, find out who"
    " wrote it since.",
    "plan": "It may come from somebody who does not have the key. Make a new one with: lunform plan -out=FILE",
}


def cipher_of(settings: Encryption | None, directory: Path, purpose: Purpose, *, takes_plain: bool = False) -> Cipher:
    """
    What seals and opens as the configuration says. Keys are read when a text is first sealed or opened.

    Args:
        directory: the root module's, from which files are named and in which commands run.
        takes_plain: read also what is not sealed, as while encryption is being taken away.
    """
    if settings is None:
        return NoCipher()
    return Sealing(settings, directory, purpose, takes_plain=takes_plain or settings.key is None)


class Sealing:
    """See the module and `planner.state.store.Cipher`. Also raises StateError when a key cannot be had."""

    def __init__(self, settings: Encryption, directory: Path, purpose: Purpose, *, takes_plain: bool) -> None:
        self._settings = settings
        self._directory = directory
        self._purpose = purpose
        self._takes_plain = takes_plain

    def seal(self, text: str) -> str:
        if self._settings.key is None:
            return text
        id, key = next(iter(self._keys.items()))
        nonce = os.urandom(_NONCE_SIZE)
        sealed = base64.b64encode(nonce + key.encrypt(nonce, text.encode(), self._bound_to(id))).decode()
        return f'{SEALED}{_FORMAT},"key":"{id}","text":"{sealed}"}}'

    def open(self, sealed: str) -> str:
        from cryptography.exceptions import InvalidTag

        if not sealed.startswith(SEALED):
            if self._takes_plain:
                return sealed
            raise StateError(
                f"The {self._purpose} is not encrypted, and the configuration asks for it",
                f"{_PLAIN[self._purpose]} Nothing was changed.",
            )
        try:
            envelope = json.loads(sealed)
            version, id, content = envelope["lunform_sealed"], str(envelope["key"]), base64.b64decode(envelope["text"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged() from error
        if version != _FORMAT:
            raise StateError(
                f"The {self._purpose} was encrypted by a newer Lunform", "Use the newer Lunform. It was not touched."
            )
        key = self._keys.get(id)
        if key is None:
            raise StateError(
                f"The {self._purpose} is encrypted with a key that is not given",
                f"It was sealed with the key of id {id}; the configuration names those of {', '.join(self._keys)}. If"
                " the key was changed, name the one before as an old_key. Nothing was changed.",
            )
        try:
            return key.decrypt(content[:_NONCE_SIZE], content[_NONCE_SIZE:], self._bound_to(id)).decode()
        except (InvalidTag, ValueError) as error:
            raise self._damaged() from error

    @cached_property
    def _keys(self) -> Mapping[str, AESGCM]:
        """By id; the one that seals is the first."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        sources = (self._settings.key, *self._settings.old_keys)
        keys = [read_key(source, self._directory) for source in sources if source is not None]
        return {hmac.digest(key, b"lunform key id", hashlib.sha256)[:8].hex(): AESGCM(key) for key in keys}

    def _bound_to(self, id: str) -> bytes:
        return f"lunform {self._purpose} {_FORMAT} {id}".encode()

    def _damaged(self) -> StateError:
        return StateError(
            f"The {self._purpose} was damaged, or changed by somebody, since it was encrypted",
            f"A part of it does not open with its key. It was not touched. {_AGAIN[self._purpose]}",
        )


# Keys


def read_key(source: KeySource, directory: Path) -> bytes:
    """
    The 32 bytes of a key. No message holds anything of it.

    Raises:
        StateError: it cannot be read, or what is there is no key.
    """
    match source.kind, source.value:
        case "env", (name,):
            text, where = os.environ.get(name), f"the environment variable {name}"
            if text is None:
                raise _no_key(source, f"{where} is not set")
        case "file", (name,):
            where = f"the file {name}"
            try:
                text = (directory / Path(name).expanduser()).read_text()
            except (OSError, UnicodeDecodeError) as error:
                raise _no_key(source, f"{where} cannot be read: {_reason(error)}") from None
        case _:
            text, where = _output_of(source, directory), f"the output of {source.value[0]}"
    key = _key_in(text.strip())
    if key is None:
        raise _no_key(
            source,
            f"{where} is no key, which is {_KEY_SIZE} random bytes in base64 or in hexadecimal digits. Make one with:"
            " openssl rand -base64 32",
        )
    return key


def _key_in(text: str) -> bytes | None:
    if len(text) == 2 * _KEY_SIZE:
        try:
            return bytes.fromhex(text)
        except ValueError:
            return None
    try:
        key = base64.b64decode(text.translate({ord("-"): "+", ord("_"): "/"}), validate=True)
    except ValueError:
        return None
    return key if len(key) == _KEY_SIZE else None


def _output_of(source: KeySource, directory: Path) -> str:
    command = source.value[0]
    try:
        done = _run(source.value, directory)
    except subprocess.TimeoutExpired:
        raise _no_key(source, f"{command} did not end within {_COMMAND_TIMEOUT:.0f} seconds") from None
    except (OSError, UnicodeDecodeError) as error:
        raise _no_key(source, f"{command} cannot be run: {_reason(error)}") from None
    if done.returncode != 0:
        said = done.stderr.strip() or "it said nothing"
        raise _no_key(source, f"{command} ended with exit code {done.returncode}: {said}")
    return done.stdout


@cache
def _run(command: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Once in a process: a vault counts what is asked of it, and may ask a person to touch a token."""
    return subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_COMMAND_TIMEOUT,
    )


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return str(error.strerror) if isinstance(error, OSError) else "it is no text"


def _no_key(source: KeySource, why: str) -> StateError:
    return StateError(
        "A key cannot be had",
        f"For the key at {source.range.filename}:{source.range.line}, {why}. Nothing was changed.",
    )
