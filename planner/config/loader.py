"""
A directory to its declared configuration: finds the files, parses each (from the cache where it is unchanged), decodes.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from planner.config.decoder import decode_module
from planner.config.model import Module
from planner.diagnostics import Diagnostics, Source
from planner.syntax import ast

SUFFIX = ".lun.hcl"

Parse = Callable[[Source], tuple[ast.Body, Diagnostics]]


def find_sources(directory: Path) -> tuple[list[Source], Diagnostics]:
    """
    The directory's configuration files, by name. File names in ranges are as the user would type them.

    A file that cannot be read, or is not UTF-8, is a diagnostic, as is a directory without any.
    """
    diagnostics = Diagnostics()
    sources = []
    try:
        paths = sorted(path for path in directory.iterdir() if _is_configuration(path))
    except OSError as error:
        diagnostics.error("No such directory", f"{directory} cannot be read: {error.strerror}.")
        return [], diagnostics
    for path in paths:
        try:
            sources.append(Source(path.name, path.read_bytes().decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            diagnostics.error(
                "Not UTF-8", f"{path} is not UTF-8 text: byte {error.start + 1} is wrong. Save it as UTF-8."
            )
        except OSError as error:
            diagnostics.error("Unreadable file", f"{path} cannot be read: {error.strerror}.")
    if not paths:
        diagnostics.error(
            "No configuration files",
            f"{directory.absolute()} holds no files that end in {SUFFIX}. Change to the directory with your"
            " configuration, or name it with -chdir.",
        )
    return sources, diagnostics


def load_module(directory: Path, sources: list[Source], parse: Parse, version: str) -> tuple[Module, Diagnostics]:
    """Parse and decode; the mistakes of every file at once."""
    diagnostics = Diagnostics()
    files = []
    for source in sources:
        body, mistakes = parse(source)
        diagnostics.extend(mistakes)
        files.append((source, body))
    module, mistakes = decode_module(str(directory), files, version)
    diagnostics.extend(mistakes)
    return module, diagnostics


def _is_configuration(path: Path) -> bool:
    """Editors leave `.x.swp`, `x~` and `#x#` behind; those are not configuration."""
    return path.name.endswith(SUFFIX) and not path.name.startswith((".", "#")) and path.is_file()
