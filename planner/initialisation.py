"""
Where a directory's state is: the backend that its configuration names, as far as it is the one that the directory was
initialised with, and the workspace that is in use.

`.lunform/backend.json` says which backend `init` has accepted, with the arguments of it that are not sensitive. While
it says another than the configuration, no verb opens a state: a block that was edited would else make everything that
is recorded seem not to exist. Without the file there is nothing to compare with but the state that every directory has
without any block. `.lunform/environment` names the workspace; the file is there once one was selected.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planner.config.model import Settings
from planner.diagnostics import Diagnostics
from planner.errors import LunformError
from planner.plugins import backend_arguments, backend_definition, open_backend
from planner.state import text
from planner.state.store import DEFAULT_WORKSPACE, Cipher, StateBackend

WORK_DIRECTORY = ".lunform"
"""
What `init` makes: fetched modules, trees of unchanged files, and what this module keeps. It may be deleted; `init` and
`workspace select` make it again.
"""

WORKSPACE_VARIABLE = "LUNFORM_WORKSPACE"
_WORKSPACE = "environment"
_BACKEND = "backend.json"
_FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,89}")


@dataclass(frozen=True, slots=True)
class Initialised:
    """
    A backend and how it was initialised.

    Attributes:
        arguments: plain values of all that are not sensitive.
        given: those of them that only `-backend-config` gives, so that the next command has them, too.
    """

    backend: str
    arguments: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)

    def is_at(self, other: Initialised) -> bool:
        """It is the same place, wherever its arguments come from."""
        return (self.backend, self.arguments) == (other.backend, other.arguments)

    def __str__(self) -> str:
        """For people: `sqlite (path "lunform.state")`."""
        named = [f"{name} {text.encode(value)}" for name, value in self.arguments.items() if value is not None]
        return f"{self.backend} ({', '.join(named)})" if named else self.backend


# The backend


def open_initialised(
    settings: Settings, directory: Path, environment: Mapping[str, str], cipher: Cipher | None = None
) -> tuple[StateBackend | None, Diagnostics]:
    """
    The backend that the configuration names; None, with diagnostics, where it is another than was initialised.

    Args:
        cipher: as in `planner.plugins.open_backend`.

    Raises:
        LunformError: the record of what was initialised is damaged.
    """
    before = initialised(directory)
    given = still_given(before, settings)
    now, diagnostics = configured(settings, given, environment)
    if before is not None and (before.backend != settings.backend or (now is not None and not before.is_at(now))):
        diagnostics = Diagnostics()
        diagnostics.error(
            "The backend is not the one that was initialised",
            f"The state of this directory is in {before}, and the configuration now names {now or settings.backend}. To"
            " carry the state over: lunform init -migrate-state. To leave it there, and use what is at the new place:"
            " lunform init -reconfigure",
            settings.range,
        )
        return None, diagnostics
    if now is None:
        return None, diagnostics
    return open_backend(settings, directory, cipher, given=given, environment=environment)


def configured(
    settings: Settings, given: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Initialised | None, Diagnostics]:
    """
    What the configuration names now.

    Args:
        given, environment: as in `planner.plugins.backend_arguments`.
    """
    arguments, diagnostics = backend_arguments(settings, given, environment)
    definition = backend_definition(settings.backend)
    if arguments is None or definition is None:
        return None, diagnostics
    kept = {argument.name for argument in definition.arguments if not argument.sensitive}
    return Initialised(
        settings.backend,
        {name: value for name, value in arguments.items() if name in kept},
        {name: arguments[name] for name in given if name in kept},
    ), diagnostics


def initialised(directory: Path) -> Initialised | None:
    """
    What the directory was initialised with. Where nothing says so, that is the state which needs no block and no
    `init`, if there is one; else None.

    Raises:
        LunformError: the record is damaged.
    """
    path = directory / WORK_DIRECTORY / _BACKEND
    try:
        data = text.decode(path.read_text())
        if data["lunform_backend"] != _FORMAT:
            raise ValueError("it is of another version")
        return Initialised(data["backend"], dict(data["arguments"]), dict(data["given"]))
    except FileNotFoundError:
        without_block, _ = open_backend(Settings(), directory)
        if without_block is None or not without_block.workspaces():
            return None
        return configured(Settings(), {}, {})[0]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LunformError(
            "It cannot be told which backend was initialised.",
            f"{path} is damaged ({error}). To use the backend that the configuration names: lunform init -reconfigure",
        ) from error


def still_given(before: Initialised | None, settings: Settings) -> Mapping[str, Any]:
    """What `-backend-config` gave for the block that there is, and still holds."""
    is_same = before is not None and before.backend == settings.backend and settings.backend_body is not None
    return before.given if before is not None and is_same else {}


def record_initialised(directory: Path, now: Initialised) -> None:
    """Say that `now` is what the directory uses. Nothing needs to be said of the state that needs no `init`."""
    if now == configured(Settings(), {}, {})[0]:
        (directory / WORK_DIRECTORY / _BACKEND).unlink(missing_ok=True)
        return
    data = {"lunform_backend": _FORMAT, "backend": now.backend, "arguments": now.arguments, "given": now.given}
    _write(directory, _BACKEND, text.encode(data) + "\n")


# The workspace


def current_workspace(directory: Path, environment: Mapping[str, str]) -> str:
    """
    Raises:
        LunformError: what is selected is no name of a workspace.
    """
    if name := environment.get(WORKSPACE_VARIABLE):
        return checked_workspace(name, f"{WORKSPACE_VARIABLE} says so.")
    path = directory / WORK_DIRECTORY / _WORKSPACE
    try:
        return checked_workspace(path.read_text().strip() or DEFAULT_WORKSPACE, f"{path} says so.")
    except FileNotFoundError:
        return DEFAULT_WORKSPACE
    except (OSError, UnicodeDecodeError) as error:
        raise LunformError("It cannot be told which workspace is selected.", f"{path}: {error}.") from error


def select_workspace(directory: Path, name: str) -> None:
    """Have the next commands use it."""
    _write(directory, _WORKSPACE, name + "\n")


def checked_workspace(name: str, why: str = "") -> str:
    """
    `name`, where it can be one: it becomes part of file names, keys and addresses.

    Raises:
        LunformError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise LunformError(
            f'"{name}" cannot be the name of a workspace.',
            "It takes letters, digits, _, - and ., up to 90 of them, and does not begin with - or a dot."
            f" {why}".rstrip(),
        )
    return name


# The directory


def make_work_directory(directory: Path) -> Path:
    work = directory / WORK_DIRECTORY
    (work / "cache").mkdir(parents=True, exist_ok=True)
    (work / ".gitignore").write_text("*\n")
    return work


def _write(directory: Path, name: str, content: str) -> None:
    """The whole file or nothing, for its owner alone."""
    work = make_work_directory(directory)
    handle, temporary = tempfile.mkstemp(dir=work, prefix=name + ".")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(work / name)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
