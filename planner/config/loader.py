"""
A directory to its declared configuration, with the modules that it calls: finds the files, parses each (from the cache
where it is unchanged), decodes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from planner.config.decoder import decode_module
from planner.config.json_outline import CONFIGURATION
from planner.config.model import Module, ModuleCall
from planner.diagnostics import Diagnostics, Source
from planner.syntax import ast
from planner.syntax.json_syntax import Outline

SUFFIXES = (".lun.hcl", ".lun.json")
MODULES = ".lunform/modules"
"""Where `init` keeps modules that come from elsewhere, seen from the root module."""

Parse = Callable[[Source, Outline], tuple[ast.Body, Diagnostics]]
"""Parses a file in the syntax that its name says."""
Find = Callable[[str], tuple[list[Source], Diagnostics]]
"""The sources of a directory, which is named as the root module sees it: ".", "modules/east"."""

_REMOTE = re.compile(r"git::|git@|[a-z+]+://|[\w.-]+\.[a-z]+/")


def find_sources(root: Path, directory: str = ".") -> tuple[list[Source], Diagnostics]:
    """
    A directory's configuration files, by name. File names in ranges are as the user would type them.

    A file that cannot be read, or is not UTF-8, is a diagnostic, as is a directory without any.
    """
    diagnostics = Diagnostics()
    sources = []
    where = root / directory
    try:
        paths = sorted(path for path in where.iterdir() if _is_configuration(path))
    except OSError as error:
        diagnostics.error("No such directory", f"{where} cannot be read: {error.strerror}.")
        return [], diagnostics
    for path in paths:
        shown = path.name if directory == "." else f"{directory}/{path.name}"
        try:
            sources.append(Source(shown, path.read_bytes().decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            diagnostics.error(
                "Not UTF-8", f"{path} is not UTF-8 text: byte {error.start + 1} is wrong. Save it as UTF-8."
            )
        except OSError as error:
            diagnostics.error("Unreadable file", f"{path} cannot be read: {error.strerror}.")
    if not paths:
        diagnostics.error(
            "No configuration files",
            f"{where.absolute()} holds no files that end in {' or '.join(SUFFIXES)}. Change to the directory with"
            " your configuration, or name it with -chdir.",
        )
    return sources, diagnostics


def load_module(
    find: Find, parse: Parse, version: str, directory: str = ".", callers: tuple[str, ...] = ()
) -> tuple[Module, Diagnostics]:
    """
    Parse and decode a module and all that it calls; the mistakes of every file at once.

    Args:
        callers: directories of the modules on the way here, so that a module that calls itself is found out.
    """
    sources, diagnostics = find(directory)
    files = []
    for source in sources:
        body, mistakes = parse(source, CONFIGURATION)
        diagnostics.extend(mistakes)
        files.append((source, body))
    module, mistakes = decode_module(directory, files, version)
    diagnostics.extend(mistakes)
    calls = {}
    for call in module.calls.values():
        where = _directory_of(call, directory, diagnostics)
        if where in (*callers, directory):
            diagnostics.error(
                "Module calls itself",
                f'"{call.source}" leads back to {where}, which is being loaded. A module cannot contain itself.',
                call.source_range,
            )
        elif where is not None:
            inner, mistakes = load_module(find, parse, version, where, (*callers, directory))
            if is_remote(call) and not inner.sources:
                diagnostics.error(
                    "Module not installed",
                    f'"{call.source}" comes from elsewhere and is not here yet. Fetch it with: lunform init',
                    call.source_range,
                )
            else:
                # What was not found is a mistake of the call, not of a file.
                diagnostics.extend(
                    item if item.subject else replace(item, subject=call.source_range) for item in mistakes
                )
                call = replace(call, module=inner)
        calls[call.name] = call
    return replace(module, calls=calls), diagnostics


def all_sources(module: Module) -> Iterator[Source]:
    """The sources of a module and of all that it calls; one that is called twice comes twice."""
    yield from module.sources
    for call in module.calls.values():
        if call.module is not None:
            yield from all_sources(call.module)


def is_remote(call: ModuleCall) -> bool:
    """The module comes from a repository and not from a directory beside."""
    return _REMOTE.match(call.source) is not None


def remote_calls(module: Module) -> Iterator[ModuleCall]:
    """The calls, in the modules that are there, of modules that come from elsewhere."""
    for call in module.calls.values():
        if is_remote(call):
            yield call
        if call.module is not None:
            yield from remote_calls(call.module)


def installed_at(source: str) -> str:
    """The directory, seen from the root, where `init` puts a module from elsewhere: its repository's copy."""
    repository, _ = split_source(source)
    return f"{MODULES}/{hashlib.sha256(repository.encode()).hexdigest()[:16]}"


def split_source(source: str) -> tuple[str, str]:
    """
    (repository with its ref, directory in it) of `git::https://host/path.git//directory?ref=v1`.
    """
    address, mark, query = source.removeprefix("git::").partition("?")
    scheme, separator, rest = address.partition("://")
    path, _, inside = rest.partition("//") if separator else address.partition("//")
    return (f"{scheme}://{path}" if separator else path) + mark + query, inside


def _directory_of(call: ModuleCall, caller: str, diagnostics: Diagnostics) -> str | None:
    """Where a called module is, seen from the root; None, with a diagnostic, for what cannot be a module."""
    source = call.source
    if source.startswith(("./", "../")) or source in (".", ".."):
        return os.path.normpath(f"{caller}/{source}")
    if is_remote(call):
        _, inside = split_source(source)
        return os.path.normpath(f"{installed_at(source)}/{inside}")
    if source:
        diagnostics.error(
            "Unsupported module source",
            f'"{source}" looks like a registry\'s address, and Lunform has no registry. Write a path that begins with'
            ' "./" or "../", or a git address: "git::https://example.com/modules.git//volume?ref=v1.2.0".',
            call.source_range,
        )
    return None


def _is_configuration(path: Path) -> bool:
    """Editors leave `.x.swp`, `x~` and `#x#` behind; those are not configuration."""
    return path.name.endswith(SUFFIXES) and not path.name.startswith((".", "#")) and path.is_file()
