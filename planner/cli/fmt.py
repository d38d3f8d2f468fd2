"""`fmt`: files in their canonical layout."""

from __future__ import annotations

import difflib
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from planner.cli.arguments import boolean, takes_terminal
from planner.cli.terminal import Terminal
from planner.diagnostics import Diagnostics, Source
from planner.errors import LunformError
from planner.syntax.formatter import format_source

EXIT_BROKEN = 2
"""A file cannot be parsed; Terraform's code for it."""

EXIT_UNFORMATTED = 3
"""Only with -check."""

_SUFFIXES = (".lun.hcl", ".lunvars.hcl")


@dataclass(frozen=True, slots=True)
class _Formatted:
    """`path` is None for standard input."""

    path: Path | None
    source: Source
    text: str

    @property
    def changed(self) -> bool:
        return self.text != self.source.text


@click.command("fmt")
@click.argument("targets", nargs=-1, metavar="[FILE|DIR|-]...")
@boolean("-check", False, "Change nothing; exit with 3 when something would change.")
@boolean("-diff", False, "Show what would change.")
@boolean("-list", True, "-list=false names no files.")
@boolean("-write", True, "-write=false changes no files.")
@boolean("-recursive", False, "Directories below, too.")
@takes_terminal
def fmt_command(
    targets: tuple[str, ...], check: bool, diff: bool, list: bool, write: bool, recursive: bool, terminal: Terminal
) -> int:
    """
    Put configuration files into their canonical layout; comments stay. Names the files that it changed.

    `-` reads standard input and writes to standard output.

    \b
    Examples:
      lunform fmt -recursive
      lunform fmt -check -diff
      lunform fmt - < main.lun.hcl
    """
    diagnostics = Diagnostics()
    changed = []
    for source, path in _sources(targets or (".",), recursive):
        text, mistakes = format_source(source)
        diagnostics.extend(mistakes)
        if mistakes.has_errors:
            continue
        found = _Formatted(path, source, text)
        if path is None and not (check or diff):
            terminal.result(found.text)
        elif found.changed:
            changed.append(found)
    if terminal.json:
        terminal.result_json({"changed": [item.source.filename for item in changed]})
    for item in changed:
        if list and not terminal.json and item.path is not None:
            terminal.result(item.source.filename)
        if diff and not terminal.json:
            terminal.result(_difference(item))
        if write and not check and item.path is not None:
            _write(item.path, item.text)
    terminal.diagnostics(diagnostics)
    if diagnostics.has_errors:
        return EXIT_BROKEN
    return EXIT_UNFORMATTED if check and changed else 0


def _sources(targets: tuple[str, ...], recursive: bool) -> Iterator[tuple[Source, Path | None]]:
    """
    Raises:
        LunformError: a target is not there, is no configuration file, or is not UTF-8.
    """
    for target in targets:
        if target == "-":
            yield Source("<standard input>", sys.stdin.read()), None
            continue
        path = Path(target)
        if path.is_dir():
            pattern = "**/*" if recursive else "*"
            paths = sorted(found for found in path.glob(pattern) if _is_ours(found.relative_to(path), found))
        elif path.is_file() and path.name.endswith(_SUFFIXES):
            paths = [path]
        elif path.exists():
            raise LunformError(f"{target} is not a file for fmt.", f"Its files end in {' or '.join(_SUFFIXES)}.")
        else:
            raise LunformError(f"There is no file or directory {target}.")
        for found in paths:
            try:
                yield Source(str(found), found.read_bytes().decode("utf-8-sig")), found
            except UnicodeDecodeError:
                raise LunformError(f"{found} is not UTF-8 text.", "Save it as UTF-8.") from None


def _is_ours(relative: Path, path: Path) -> bool:
    """Hidden files and directories, and what editors leave behind, are left alone."""
    hidden = any(part.startswith((".", "~", "#")) for part in relative.parts)
    return not hidden and path.name.endswith(_SUFFIXES) and path.is_file()


def _difference(item: _Formatted) -> str:
    name = item.source.filename
    before, after = item.source.text.splitlines(), item.text.splitlines()
    return "\n".join(difflib.unified_diff(before, after, f"old/{name}", f"new/{name}", lineterm=""))


def _write(path: Path, text: str) -> None:
    """Whole or not at all, with the mode that the file has."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(draft).chmod(path.stat().st_mode)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
