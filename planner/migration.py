"""
`init`: which backend a directory uses from now on, and what becomes of the states at the one that it used before.

A migration carries one workspace after the other, under the locks of both places: it is stored, read back, and only
then marked as left where it was. Last, the directory is said to use the new place. Killed anywhere in between, the same
command goes on: what was carried is recognised, and as long as it has not ended the directory uses neither place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from planner.config.json_outline import VALUES
from planner.config.model import Settings
from planner.diagnostics import Diagnostics, Source
from planner.errors import InvalidConfiguration, LunformError, StateError
from planner.events import Observer, ignore
from planner.initialisation import Initialised, configured, initialised, record_initialised, still_given
from planner.operations import Project, finished, locked, new_run
from planner.plugins import backend_definition, open_backend
from planner.state.store import StateBackend
from planner.state.transfer import carry, marked, moved_to, obstacle
from planner.syntax import ast

_OPERATION = "init -migrate-state"


@dataclass(frozen=True, slots=True)
class Initialisation:
    """
    What `init` finds.

    Attributes:
        before: what the directory was initialised with; None where it never was, and for `-reconfigure`.
        now: what it is to use.
        backend: that, opened.
        lost: sensitive arguments that were given to this command alone.
    """

    directory: Path
    settings: Settings
    environment: Mapping[str, str]
    before: Initialised | None
    now: Initialised
    backend: StateBackend
    lost: tuple[str, ...]

    @property
    def moves(self) -> bool:
        """The configuration names another place than the one that was used."""
        return self.before is not None and not self.before.is_at(self.now)

    def record(self) -> None:
        record_initialised(self.directory, self.now)


@dataclass(frozen=True, slots=True)
class Carried:
    """
    A workspace to be carried over.

    Attributes:
        obstacle: why that takes a person's word, as a sentence; empty where it does not.
    """

    workspace: str
    objects: int
    obstacle: str


def backend_config(texts: Sequence[str]) -> Mapping[str, Any]:
    """
    Values of `-backend-config`, each `NAME=VALUE` or a file with such lines; the last one given wins.

    Raises:
        InvalidConfiguration: a file cannot be read, or does not only give plain values.
    """
    from planner.syntax.json_syntax import parse_source

    given: dict[str, Any] = {}
    mistakes = Diagnostics()
    for text in texts:
        name, equals, value = text.partition("=")
        if equals:
            given[name.strip()] = value
            continue
        try:
            body, unread = parse_source(Source(text, Path(text).read_text("utf-8-sig")), VALUES)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            mistakes.error("Unreadable backend configuration", f"{text} cannot be read: {reason}.")
            continue
        mistakes.extend(unread)
        for argument in body.arguments:
            if isinstance(argument.value, ast.Literal):
                given[argument.name] = argument.value.value
            else:
                mistakes.error("Unsuitable value", f"{argument.name} must be a plain value.", argument.value.range)
        for block in body.blocks:
            mistakes.error("Block in a backend configuration", "Only name = value is of use here.", block.header_range)
    if mistakes.has_errors:
        raise InvalidConfiguration(mistakes)
    return given


def prepare(project: Project, given: Mapping[str, Any], *, reconfigure: bool = False) -> Initialisation:
    """
    Args:
        given: by `-backend-config`; what was given before still holds where this gives nothing.
        reconfigure: what was used before is of no interest.

    Raises:
        InvalidConfiguration: the backend cannot be opened with what is given.
        LunformError: the record of what was initialised is damaged.
    """
    settings, environment = project.module.settings, project.environment
    before = None if reconfigure else initialised(project.directory)
    if given and settings.backend_body is None:
        raise LunformError(
            "There is no backend to configure.",
            "-backend-config completes a backend block. Write one into the lunform block, which may be empty:"
            ' backend "sqlite" {}',
        )
    given = given or still_given(before, settings)
    now, mistakes = configured(settings, given, environment)
    backend, _ = open_backend(settings, project.directory, given=given, environment=environment)
    if now is None or backend is None:
        raise InvalidConfiguration(mistakes)
    lost = tuple(name for name in given if name not in now.arguments)
    return Initialisation(project.directory, settings, environment, before, now, backend, lost)


def refuse_moving(found: Initialisation) -> None:
    """
    Raises:
        LunformError: the configuration names another place than the one that was used.
    """
    if found.moves:
        raise LunformError(
            "The backend has changed.",
            f"The state of this directory is in {found.before}, and the configuration now names {found.now}. To carry"
            " the state over: lunform init -migrate-state. To leave it there, and use what is at the new place:"
            " lunform init -reconfigure",
        )


def survey(found: Initialisation) -> Sequence[Carried]:
    """
    What a migration would carry. Only reads.

    Raises:
        LunformError: one of both places cannot be read, or the old one was left for a third.
    """
    old = _opened_before(found)
    carried = []
    for workspace in old.workspaces():
        with closing(old.open(workspace)) as source, closing(found.backend.open(workspace)) as target:
            here, there = source.document(), target.document()
        carried.append(Carried(workspace, len(here.objects), obstacle(here, there)))
    return carried


def migrate(
    found: Initialisation, carried: Sequence[Carried], timeout: float = 0.0, observer: Observer = ignore
) -> None:
    """
    Carry workspaces over, leave the old ones marked, and record that the new place is used.

    Args:
        carried: from `survey`; a person has agreed to their obstacles.

    Raises:
        StateError: what is there has changed meanwhile, or what was stored does not read back the same. What has been
            carried stays so; the same command goes on.
    """
    old = _opened_before(found)
    for item in carried:
        with (
            closing(old.open(item.workspace)) as source,
            closing(found.backend.open(item.workspace)) as target,
            locked(source, _OPERATION, timeout, observer),
            locked(target, _OPERATION, timeout, observer),
        ):
            here, there = source.document(), target.document()
            if (why := obstacle(here, there)) and why != item.obstacle:
                raise StateError("The state at the new place has changed meanwhile", f"{item.workspace}: {why}.")
            run = new_run(_OPERATION)
            stored = carry(here, there, run)
            if stored is not None:
                target.replace(stored)
                if target.document() != stored:
                    raise StateError(
                        "The state does not read back as it was stored",
                        f"Workspace {item.workspace} in {found.now}. The one in {found.before} is still in use.",
                    )
            if not moved_to(here.intents.values()):
                source.replace(marked(here, finished(run, f"to {found.now}"), str(found.now)))
    if new := set(old.workspaces()) - {item.workspace for item in carried}:
        raise StateError("A workspace was made meanwhile", f"{', '.join(sorted(new))}. Run the same command again.")
    found.record()


def _opened_before(found: Initialisation) -> StateBackend:
    """The place that was used before. What is sensitive about it is in the environment, or as it is for the new one."""
    before = found.before
    if before is None or backend_definition(before.backend) is None:
        raise LunformError(
            "The state cannot be carried over.",
            f"It is in {before}, a backend that is not installed any more." if before else "Nothing says where it is.",
        )
    settings = replace(found.settings, backend=before.backend, backend_body=None)
    given = {name: value for name, value in before.arguments.items() if value is not None}
    backend, mistakes = open_backend(settings, found.directory, given=given, environment=found.environment)
    if backend is None:
        raise InvalidConfiguration(mistakes)
    return backend
