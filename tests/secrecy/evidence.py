"""Looks for secrets in what a run has left behind or said: as they are, and in the forms that programs give texts."""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, quote_plus


def forms(secret: str) -> Mapping[bytes, str]:
    """What each form looks like, and what it is called."""
    raw = secret.encode()
    found = {
        raw: "plain",
        json.dumps(secret)[1:-1].encode(): "JSON",
        json.dumps(secret, ensure_ascii=False)[1:-1].encode(): "JSON",
        repr(secret)[1:-1].encode(): "Python",
        quote(secret).encode(): "URL",
        quote(secret, safe="").encode(): "URL",
        quote_plus(secret).encode(): "URL",
        raw.hex().encode(): "hex",
        raw.hex().upper().encode(): "hex",
        secret.encode("utf-16-le"): "UTF-16",
    }
    for before in range(3):  # a text that a secret is part of is encoded in one of three ways
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * before + raw)
            found[whole[(0, 2, 3)[before] : (before + len(raw)) // 3 * 4]] = "base64"
    return found


def search(secrets: Mapping[str, str], places: Mapping[str, bytes]) -> list[str]:
    """A line for each secret that is in one of the places, which are contents by their name."""
    wanted = [(name, form, kind) for name, secret in secrets.items() for form, kind in forms(secret).items()]
    return sorted(
        {
            f"{name} is in {place}, as {kind}"
            for place, content in places.items()
            for name, form, kind in wanted
            if form in content
        }
    )


def left_in(folder: Path) -> dict[str, bytes]:
    """All files below a folder, and what is packed within them."""
    places = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name, content = str(path.relative_to(folder)), path.read_bytes()
            places[name] = content
            places |= {f"{name}:{part}": text for part, text in _packed(path, content)}
    return places


def _packed(path: Path, content: bytes) -> Iterator[tuple[str, bytes]]:
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield from ((part, archive.read(part)) for part in archive.namelist())
    elif content.startswith(b"SQLite format 3"):  # a long text is cut into pieces, which lie on several pages
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            yield "rows", "\n".join(database.iterdump()).encode()
