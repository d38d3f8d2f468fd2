"""`init`, `validate`, `providers`, `version`: what needs neither state nor network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.arguments import boolean, takes_inputs, takes_lock_timeout, takes_terminal
from planner.cli.terminal import Terminal
from planner.errors import EXIT_ERROR, EXIT_OK, InvalidConfiguration

if TYPE_CHECKING:
    from planner import migration
    from planner.operations import Inputs


@click.command("version")
@takes_terminal
def version_command(terminal: Terminal) -> None:
    """
    Show Lunform's version.

    \b
    Example: lunform version -json
    """
    from planner.version import VERSION

    if terminal.json:
        terminal.result_json({"lunform_version": VERSION})
    else:
        terminal.result(f"Lunform v{VERSION}")


@click.command("providers")
@takes_terminal
def providers_command(terminal: Terminal) -> None:
    """
    List the installed providers and what each does.

    \b
    Example: lunform providers
    """
    from planner.plugins import installed_providers, provider_definition

    rows = []
    for name, distribution in installed_providers().items():
        definition = provider_definition(name)
        if definition is None:
            continue
        kinds = [
            kind
            for kind, does in (("storage", definition.open_storage), ("hypervisor", definition.open_hypervisor))
            if does
        ]
        rows.append({"name": name, "kinds": kinds, "from": distribution, "summary": definition.summary})
    if terminal.json:
        terminal.result_json(rows)
        return
    for row in rows:
        terminal.result(f"{row['name']:<12} {' and '.join(row['kinds']):<24} {row['from']:<16} {row['summary']}")


@click.command("init")
@click.option(
    "-backend-config",
    "settings",
    multiple=True,
    metavar="NAME=VALUE|FILE",
    help="Give the backend an argument that its block leaves out. May be repeated.",
)
@boolean("-migrate-state", False, "Carry the states of all workspaces to the backend that is configured now.")
@boolean("-force-copy", False, "The same, and do not ask.")
@boolean("-reconfigure", False, "Use the backend that is configured now, and leave the states where they are.")
@boolean("-input", True, "-input=false never asks.")
@takes_lock_timeout
@takes_inputs
@takes_terminal
def init_command(
    settings: tuple[str, ...],
    migrate_state: bool,
    force_copy: bool,
    reconfigure: bool,
    input: bool,
    lock_timeout: float,
    inputs: Inputs,
    terminal: Terminal,
) -> None:
    """
    Check the configuration, its providers and its state, and prepare the directory.

    Fetches modules from git. Safe to run again at any time. It makes .lunform/, which may be deleted: init makes it
    again.

    \b
    Examples:
      lunform init
      lunform init -backend-config=path=/srv/lunform/east.state
      lunform init -migrate-state
    """
    from planner import migration, operations
    from planner.cli.asking import confirm
    from planner.cli.state import tell_moved
    from planner.cli.watching import tell_recovery
    from planner.initialisation import make_work_directory
    from planner.plugins import installed_providers
    from planner.state.transfer import moved_to
    from planner.views.initialisation_text import render_initialised, render_question

    if reconfigure and (migrate_state or force_copy):
        raise click.UsageError("-reconfigure leaves the states where they are, and -migrate-state carries them over.")
    directory = Path()
    project, fetched = operations.fetch_modules(directory, inputs)
    if project.diagnostics.has_errors:
        raise InvalidConfiguration(project.diagnostics)
    found = migration.prepare(project, migration.backend_config(settings), reconfigure=reconfigure)
    carried: Sequence[migration.Carried] = ()
    if found.moves and (migrate_state or force_copy):
        carried = migration.survey(found)
        if carried and not force_copy:
            confirm(render_question(found, carried), "-force-copy", input and terminal.can_ask and not terminal.json)
        migration.migrate(found, carried, lock_timeout, tell_recovery(terminal))
    else:
        migration.refuse_moving(found)
        found.record()
    with closing(found.backend.open(project.workspace)) as store:
        snapshot = store.read()
    tell_moved(moved_to(snapshot.in_doubt), terminal)
    make_work_directory(directory)
    used = sorted(
        {address.name for address in project.module.providers}
        | {resource.provider.name for resource in project.module.resources.values() if resource.provider}
    )
    installed = installed_providers()
    missing = [name for name in used if name not in installed]
    if missing:
        project.evaluator.diagnostics.extend(project.diagnostics)
        raise InvalidConfiguration(project.evaluator.diagnostics)
    if terminal.json:
        terminal.result_json(
            {
                "providers": {name: installed[name] for name in used},
                "modules_fetched": fetched,
                "backend": project.module.settings.backend,
                "workspace": project.workspace,
                "migrated": [item.workspace for item in carried],
                "resources_recorded": len(snapshot.objects),
            }
        )
        return
    lines = [f"  {name:<12} {installed[name]}" for name in used]
    if fetched:
        terminal.result(f"Modules: {fetched} fetched\n")
    terminal.result(
        "\n".join(
            [
                "Providers:",
                *(lines or ["  none"]),
                "",
                *render_initialised(found, carried, project.workspace, snapshot),
                "",
                terminal.style.create("Ready.") + " Next: lunform plan",
            ]
        )
    )


@click.command("validate")
@takes_inputs
@takes_terminal
def validate_command(inputs: Inputs, terminal: Terminal) -> int:
    """
    Find what is wrong with the configuration, without any provider.

    \b
    Example: lunform validate -json
    """
    from planner import operations
    from planner.views.diagnostics_json import diagnostics_to_json
    from planner.views.diagnostics_text import summary_line

    diagnostics = operations.validate(operations.load(Path(), inputs))
    if terminal.json:
        terminal.result_json(diagnostics_to_json(diagnostics))
    else:
        terminal.diagnostics(diagnostics)
        if diagnostics.has_errors:
            terminal.result(f"The configuration is not valid: {summary_line(diagnostics)}.")
        else:
            terminal.result(terminal.style.create("The configuration is valid."))
    return EXIT_ERROR if diagnostics.has_errors else EXIT_OK
