"""
Syntax trees kept between runs, by the content of the file and the version of the tree's form.

The directory is the user's own, and anybody who can write a project can write there: so an entry is read by an
unpickler that knows the tree's classes and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tempfile
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast
from planner.syntax.parser import parse_file
from planner.version import VERSION

_CLASSES = {
    (kind.__module__, kind.__qualname__): kind
    for kind in (*(found for found in vars(ast).values() if isinstance(found, type)), Source, SourceRange, Fraction)
    if kind.__module__ in (ast.__name__, "planner.diagnostics", "fractions")
}


def parse_cached(source: Source, directory: Path) -> tuple[ast.Body, Diagnostics]:
    """As `parse_file`, from an entry in `directory` where there is one. A file with mistakes gets no entry."""
    name = hashlib.sha256(f"{VERSION}\0{source.filename}\0{source.text}".encode()).hexdigest()
    path = directory / name
    body = _read(path)
    if body is not None:
        return body, Diagnostics()
    body, diagnostics = parse_file(source)
    if not diagnostics:
        _write(path, body)
    return body, diagnostics


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        found = _CLASSES.get((module_name, global_name))
        if found is None:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} is no part of a syntax tree")
        return found


def _read(path: Path) -> ast.Body | None:
    """The tree of an entry; None when there is none, or it is damaged, foreign or of another form."""
    try:
        body = _Unpickler(io.BytesIO(path.read_bytes())).load()
    except OSError:
        return None
    except Exception:  # a damaged pickle raises whatever it likes; all of it means "no entry"
        return None
    return body if isinstance(body, ast.Body) else None


def _write(path: Path, body: ast.Body) -> None:
    """Whole or not at all. That it could not be written is no mistake: the cache only saves time."""
    with suppress(OSError):
        handle, draft = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                pickle.dump(body, file, protocol=pickle.HIGHEST_PROTOCOL)
            Path(draft).rename(path)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise
