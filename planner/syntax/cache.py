"""
Trees of files, kept from one run to the next.

An entry is found by the content of the file, so that a changed file is a miss, and for an unchanged one python-hcl2
need not even be imported. Only trees without diagnostics are kept. A tree holds what the file says: files with secrets
in them, such as values of variables, are not to be given to a cache.

The directory lies in the user's project, and a project may come from anybody. An entry that somebody else has written
could stand for another configuration than the one that was read and reviewed. Each is therefore sealed with a key that
belongs to the user and lies outside the project; one without a valid seal is a miss, as is a damaged one or one of
another version. Behind the seal, unpickling makes nothing but nodes of the syntax tree.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import hashlib
import hmac
import io
import os
import pickle
import secrets
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from planner.diagnostics import Diagnostics, Source, SourceRange
from planner.syntax import ast
from planner.syntax.json_syntax import Outline, is_json, parse_source

_SEAL_SIZE = 32
_SUFFIX = ".tree"
_MOST_ENTRIES = 512
"""More than a project has files; beyond them the entries that were not used for longest are removed."""

_NATIVE = Outline()
"""For files in the native syntax, which need none."""

_NODES: dict[str, type[Any]] = {
    name: node
    for name, node in vars(ast).items()
    if isinstance(node, type) and dataclasses.is_dataclass(node) and node.__module__ == ast.__name__
}


class TreeCache:
    """Trees in `directory`, which is made when the first one is stored, sealed with `key`."""

    def __init__(self, directory: Path, key: bytes) -> None:
        self._directory = directory
        self._key = key

    def load(self, source: Source, outline: Outline = _NATIVE) -> ast.Body | None:
        """The tree of `source`, with its ranges in `source`, or None when there is none to be trusted."""
        name = _entry_name(source, outline)
        path = self._directory / name
        try:
            entry = path.read_bytes()
            seal, payload = entry[:_SEAL_SIZE], entry[_SEAL_SIZE:]
            if not hmac.compare_digest(seal, self._seal(name, payload)):
                return None
            with _no_collection():
                tree = _NodeUnpickler(payload, source).load()
            os.utime(path)
        except (OSError, pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, IndexError):
            return None
        return tree if isinstance(tree, ast.Body) else None

    def store(self, source: Source, tree: ast.Body, outline: Outline = _NATIVE) -> None:
        """Keep `tree` as that of `source`. A directory that cannot be written to is no error."""
        name = _entry_name(source, outline)
        content = io.BytesIO()
        with contextlib.suppress(OSError, RecursionError):
            _NodePickler(content, pickle.HIGHEST_PROTOCOL).dump(tree)
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A temporary file is nobody else's to read or write (0600), and that holds after the renaming.
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                temporary = Path(file.name)
                file.write(self._seal(name, content.getvalue()) + content.getvalue())
            temporary.replace(self._directory / name)
            self._remove_oldest()

    def _seal(self, name: str, payload: bytes) -> bytes:
        seal = hashlib.blake2b(payload, digest_size=_SEAL_SIZE, key=self._key)
        seal.update(name.encode())
        return seal.digest()

    def _remove_oldest(self) -> None:
        entries = list(self._directory.glob("*" + _SUFFIX))
        if len(entries) > _MOST_ENTRIES:
            entries.sort(key=lambda entry: entry.stat().st_mtime)
            for entry in entries[: len(entries) - _MOST_ENTRIES]:
                entry.unlink()


def parse_file_cached(
    source: Source, trees: TreeCache | None, outline: Outline = _NATIVE
) -> tuple[ast.Body, Diagnostics]:
    """As `parse_source`, out of `trees` where it is there, and into it where it is without diagnostics."""
    if trees is None:
        return parse_source(source, outline)
    tree = trees.load(source, outline)
    if tree is not None:
        return tree, Diagnostics()
    tree, diagnostics = parse_source(source, outline)
    if not len(diagnostics):
        trees.store(source, tree, outline)
    return tree, diagnostics


def user_key() -> bytes | None:
    """
    The key of this user, made when there is none yet: 32 bytes in `~/.local/state/lunform/tree-cache.key`.

    None where it cannot be kept (no home, nothing to write to, a file that others may read): then there is no cache.
    """
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        path = Path(state) / "lunform" / "tree-cache.key"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError), open(path, "xb", opener=_private) as file:
            file.write(secrets.token_bytes(_SEAL_SIZE))
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            key = file.read()
    except (OSError, RuntimeError):
        return None
    private = status.st_uid == os.getuid() and not status.st_mode & 0o077
    return key if private and len(key) == _SEAL_SIZE else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@cache
def _version() -> bytes:
    """Tells trees apart that other code has made: of the modules that make them, and of the fields of the nodes."""
    makers = (
        *("adapter.py", "ast.py", "masked.py", "parser.py", "scanner.py", "templates.py"),
        *("json_syntax.py", "json_text.py"),
    )
    digest = hashlib.blake2b(digest_size=16)
    for maker in makers:
        digest.update((Path(__file__).parent / maker).read_bytes())
    return digest.digest()


def _entry_name(source: Source, outline: Outline) -> str:
    text = source.text.encode("utf-8", "surrogatepass")
    # What a JSON file says depends on what it is taken for; a mapping's `repr` keeps its order.
    salt = hashlib.blake2b(repr(outline).encode(), digest_size=16).digest() if is_json(source) else b""
    return hashlib.blake2b(text, digest_size=20, key=_version(), salt=salt).hexdigest() + _SUFFIX


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """
    Without the garbage collector, which would walk over all of the growing tree again and again, and once more at the
    end: that takes several times as long as making it. Freezing and unfreezing makes what is new count as old.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        gc.enable()


class _NodePickler(pickle.Pickler):
    """Writes a node as its class and its fields, each range among them as two offsets."""

    def reducer_override(self, value: object) -> Any:
        node: type[Any] = type(value)
        if node is Fraction:
            return Fraction, value.as_integer_ratio()  # type: ignore[attr-defined]
        if _NODES.get(node.__name__) is not node:
            return NotImplemented
        arguments: list[object] = []
        for field in dataclasses.fields(node):
            part = getattr(value, field.name)
            if isinstance(part, SourceRange):
                arguments += (part.start, part.end)
            else:
                arguments.append(part)
        return node, tuple(arguments)


class _NodeUnpickler(pickle.Unpickler):
    """Makes nodes, with their ranges in `source`, and numbers; refuses to look up anything else."""

    def __init__(self, payload: bytes, source: Source) -> None:
        super().__init__(io.BytesIO(payload))
        self._source = source

    def find_class(self, module: str, name: str) -> Any:
        if module == ast.__name__ and name in _NODES:
            return _maker(name)(self._source)
        if (module, name) == (Fraction.__module__, Fraction.__name__):
            return Fraction
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a syntax tree")


@cache
def _maker(name: str) -> Callable[[Source], Callable[..., object]]:
    """
    A function that makes a function which makes nodes of the class `name`, from what the pickler wrote.

    It is put together as text, once for each class, as `dataclasses` does with a constructor: a large file has some
    hundred thousand nodes and ranges, and setting the slots one by one takes half the time that the constructors do.
    """
    node = _NODES[name]
    names: dict[str, object] = {"new": object.__new__, "node": node, "SourceRange": SourceRange}
    for part in ("source", "start", "end"):
        names[f"set_range_{part}"] = vars(SourceRange)[part].__set__
    parameters: list[str] = []
    body: list[str] = []
    for field in dataclasses.fields(node):
        names[f"set_{field.name}"] = vars(node)[field.name].__set__
        if field.type == SourceRange.__name__:
            parameters += (f"{field.name}_start", f"{field.name}_end")
            body += (
                "part = new(SourceRange)",
                "set_range_source(part, source)",
                f"set_range_start(part, {field.name}_start)",
                f"set_range_end(part, {field.name}_end)",
                f"set_{field.name}(made, part)",
            )
        else:
            parameters.append(field.name)
            body.append(f"set_{field.name}(made, {field.name})")
    lines = "\n        ".join(("made = new(node)", *body, "return made"))
    exec(f"def bind(source):\n    def make({', '.join(parameters)}):\n        {lines}\n    return make", names)
    bind: Callable[[Source], Callable[..., object]] = names["bind"]  # type: ignore[assignment]
    return bind
