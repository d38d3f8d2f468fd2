"""`init`, `validate`, `providers`, `version`: what needs neither state nor network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.arguments import takes_inputs, takes_terminal
from planner.cli.terminal import Terminal
from planner.errors import EXIT_ERROR, EXIT_OK, InvalidConfiguration

if TYPE_CHECKING:
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
@takes_inputs
@takes_terminal
def init_command(inputs: Inputs, terminal: Terminal) -> None:
    """
    Check the configuration, its providers and its state, and prepare the directory.

    Fetches modules from git. Safe to run again at any time. It makes .lunform/, which may be deleted: init makes it
    again.

    \b
    Example: lunform init
    """
    from planner import operations
    from planner.plugins import installed_providers

    directory = Path()
    project, fetched = operations.fetch_modules(directory, inputs)
    if project.diagnostics.has_errors:
        raise InvalidConfiguration(project.diagnostics)
    store = operations.store_of(project)
    snapshot = store.read()
    store.close()
    work = directory / operations.WORK_DIRECTORY
    (work / "cache").mkdir(parents=True, exist_ok=True)
    (work / ".gitignore").write_text("*\n")
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
                f"State: {project.module.settings.backend}, "
                + (f"{len(snapshot.objects)} objects recorded" if snapshot.lineage else "nothing recorded yet"),
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
