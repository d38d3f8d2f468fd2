"""`scan`: what the systems have under our mark that the state does not know, and the other way round."""

from __future__ import annotations

import json
from contextlib import closing

import click

from planner import operations
from planner.cli.arguments import Planning, boolean, takes_inputs, takes_planning, takes_terminal
from planner.cli.asking import approve, load_project, warn_without_lock
from planner.cli.terminal import Terminal
from planner.cli.watching import apply_progress, stopping, tell_recovery
from planner.diagnostics import Diagnostics, did_you_mean
from planner.errors import EXIT_CHANGES, EXIT_ERROR, EXIT_OK, InvalidConfiguration, LunformError
from planner.execution.executor import Stop
from planner.planning.orphans import Disposal, choose


@click.command("scan")
@click.argument("ids", nargs=-1, metavar="[ID|ADDRESS]...")
@boolean("-adopt", False, "Record orphans whose address is declared and not recorded.")
@boolean("-reap", False, "Delete orphans of this state: the data of volumes with them.")
@boolean("-auto-approve", False, "Do not ask.")
@boolean("-allow-data-loss", False, "Let volumes be deleted without being asked for their number.")
@takes_inputs
@takes_planning
@takes_terminal
def scan_command(
    ids: tuple[str, ...],
    adopt: bool,
    reap: bool,
    auto_approve: bool,
    allow_data_loss: bool,
    inputs: operations.Inputs,
    planning: Planning,
    terminal: Terminal,
) -> int:
    """
    Look for orphans, lost objects and twins on all pools and hosts.

    Without -adopt and -reap it only reads, takes no lock, and exits with 0 for nothing found, 1 for an error, 2 for
    something found. What other states made, or nobody marked, is counted and never touched.

    \b
    Examples:
      lunform scan
      lunform scan -json | jq '.orphans[].id'
      lunform scan -adopt
      lunform scan -reap vol-7
    """
    if not planning.refresh:
        raise click.UsageError("scan reads what is there, and -refresh=false does not: take it away.")
    if adopt and reap:
        raise click.UsageError("-adopt records what was found, and -reap deletes it: do one after the other.")
    if ids and not (adopt or reap):
        raise click.UsageError("An ID says what -adopt or -reap is to be about: add one of them.")
    if terminal.json and (adopt or reap) and not auto_approve:
        raise click.UsageError("With -json nobody can be asked: add -auto-approve.")
    if adopt or reap:
        warn_without_lock(planning, terminal)
    project = load_project(inputs, planning.may_ask, terminal)
    watch = tell_recovery(terminal)
    with closing(operations.store_of(project)) as store:
        if adopt or reap:
            operations.settle_interrupted(project, store, watch, planning.lock_timeout)
        scanned, diagnostics = operations.scan(project, store, watch, parallelism=planning.parallelism)
    if not (adopt or reap):
        _show(scanned, diagnostics, terminal)
        return EXIT_ERROR if diagnostics.has_errors else EXIT_OK if scanned.scan.is_empty else EXIT_CHANGES
    if diagnostics.has_errors:  # a host that cannot be read may have what would be deleted
        raise InvalidConfiguration(diagnostics)
    _check_ids(ids, scanned)
    disposal = choose("adopt" if adopt else "reap", scanned.scan, ids)
    _show_disposal(disposal, terminal)
    if not disposal.items:
        return EXIT_OK
    plan = operations.plan_disposal(scanned, disposal)
    approve(plan, auto_approve, allow_data_loss, planning.may_ask and terminal.can_ask)
    stop = Stop()
    with closing(operations.store_of(project)) as store, apply_progress(plan, terminal) as progress, stopping(stop):
        applied = operations.dispose(
            project,
            store,
            plan,
            scanned,
            disposal,
            progress,
            parallelism=planning.parallelism,
            lock_timeout=planning.lock_timeout,
            stop=stop,
        )
    terminal.applied(plan, applied)
    return EXIT_OK if applied.complete else EXIT_ERROR


def _show(scanned: operations.Scanned, diagnostics: Diagnostics, terminal: Terminal) -> None:
    if terminal.json:
        from planner.views.scan_json import scan_to_json

        terminal.result_json(scan_to_json(scanned.scan, diagnostics))
        return
    from planner.views.scan_text import render_scan

    terminal.result(render_scan(scanned.scan, terminal.style))
    terminal.diagnostics(diagnostics)


def _show_disposal(disposal: Disposal, terminal: Terminal) -> None:
    if terminal.json:
        from planner.views.scan_json import disposal_to_json

        terminal.result(json.dumps(disposal_to_json(disposal), ensure_ascii=False))  # a line of the stream that follows
        return
    from planner.views.scan_text import render_disposal

    terminal.result(render_disposal(disposal, terminal.style))


def _check_ids(ids: tuple[str, ...], scanned: operations.Scanned) -> None:
    """
    Raises:
        LunformError: something is named that the scan did not find.
    """
    known = {name for found in scanned.scan.found for name in (found.id, str(found.address))}
    for id in ids:
        if id not in known:
            hint = did_you_mean(id, sorted(known)).strip() or "`lunform scan` shows what there is."
            raise LunformError(f'The scan found nothing called "{id}".', hint)
