"""`state` and `force-unlock`: look into what is recorded, and change the record alone."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import click

from planner import operations
from planner.cli.arguments import boolean, takes_lock_timeout, takes_terminal
from planner.cli.terminal import Terminal
from planner.cli.watching import tell_recovery
from planner.diagnostics import Diagnostics, did_you_mean
from planner.errors import LunformError
from planner.state.model import Snapshot
from planner.state.store import LeasedStore, StateStore
from planner.state.transfer import moved_to


@click.group("state")
def state_command() -> None:
    """
    Look into the state, and change what is recorded without touching any system.

    \b
    Examples:
      lunform state list
      lunform state show 'volume.db["wal"]'
      lunform state mv volume.db volume.data
      lunform state pull > copy.json
    """


@state_command.command("list")
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@takes_terminal
def state_list(addresses: tuple[str, ...], terminal: Terminal) -> None:
    """
    List the addresses of all that is recorded, or of what is at some addresses: copies of a resource, a module.

    A volume that was deleted is listed while its array can restore it. To have it back, declare its block again and
    apply; to have another one in its place, forget it with `state rm` first.

    \b
    Examples:
      lunform state list
      lunform state list volume.db module.east
    """
    from planner.bookkeeping import matching

    snapshot = recorded(terminal)
    named = {at for text in addresses for at in matching(snapshot, text)} if addresses else snapshot.objects
    found = sorted(named)
    if terminal.json:
        terminal.result_json([str(address) for address in found])
    elif found:
        from planner.views.state_text import remark

        deleted = {object.address: remark(object, terminal.style) for object in snapshot.deleted}
        terminal.result("\n".join(f"{at}{deleted.get(at, '')}" for at in found))


@state_command.command("show")
@click.argument("address")
@takes_terminal
def state_show(address: str, terminal: Terminal) -> None:
    """
    Show one recorded object.

    \b
    Example: lunform state show volume.db
    """
    from planner.bookkeeping import address_of

    objects = recorded(terminal).objects
    found = objects.get(address_of(address))
    if found is None:
        raise LunformError(
            f"Nothing is recorded at {address}.", did_you_mean(address, [str(known) for known in objects]).strip()
        )
    if terminal.json:
        from planner.views.state_json import object_to_json

        terminal.result_json(object_to_json(found))
    else:
        from planner.views.state_text import render_object

        terminal.result(render_object(found, terminal.style))


@state_command.command("pull")
@takes_terminal
def state_pull(terminal: Terminal) -> None:
    """
    Write the whole state to standard output as JSON, with its journal: a copy, or what `state push` takes.

    It holds nothing sensitive. The array's names and addresses are in it.

    \b
    Example: lunform state pull > copy.json
    """
    from planner.state.document import to_text
    from planner.state.transfer import unmarked

    with closing(_store()) as store:
        document = store.document()
    tell_moved(moved_to(document.intents.values()), terminal)
    terminal.result(to_text(unmarked(document)))


@state_command.command("push")
@click.argument("file", metavar="FILE|-")
@boolean("-force", False, "Also one of another lineage, an older one, or one that knows nothing of steps in doubt.")
@takes_lock_timeout
@takes_terminal
def state_push(file: str, force: bool, lock_timeout: float, terminal: Terminal) -> None:
    """
    Put a state that was pulled in the place of what is recorded.

    Plans that were saved before and touch what changes are refused afterwards.

    \b
    Examples:
      lunform state push copy.json
      lunform state pull | jq '...' | lunform state push -
    """
    from planner.bookkeeping import push_state
    from planner.state.document import from_text
    from planner.views.bookkeeping_text import push_to_json, render_push

    where = "what was given" if file == "-" else file
    given = from_text(_read(file), where)
    with closing(_store()) as store:
        pushed = push_state(store, given, force=force, timeout=lock_timeout, observer=tell_recovery(terminal))
    if pushed.forgotten:
        mistakes = Diagnostics()
        mistakes.warning(
            "Steps in doubt are forgotten",
            "Nobody knows any more whether they were done: "
            + ", ".join(sorted({intent.address for intent in pushed.forgotten})),
        )
        terminal.diagnostics(mistakes)
    if terminal.json:
        terminal.result_json(push_to_json(pushed))
    else:
        terminal.result(render_push(pushed))


@state_command.command("mv")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@boolean("-dry-run", False, "Only say what would move.")
@takes_lock_timeout
@takes_terminal
def state_mv(source: str, target: str, dry_run: bool, lock_timeout: float, terminal: Terminal) -> None:
    """
    Record an object under another address: a resource with all its copies, one copy, or a module.

    What refers to it does so under its new address. Nothing is changed on any system. A `moved` block does the same
    for everybody who applies the configuration.

    \b
    Examples:
      lunform state mv volume.db volume.data
      lunform state mv -dry-run 'volume.db[0]' 'volume.db["wal"]'
      lunform state mv module.east 'module.site["east"]'
    """
    from planner.bookkeeping import move
    from planner.views.bookkeeping_text import moves_to_json, render_moves

    with closing(_store()) as store:
        moves = move(store, source, target, dry_run=dry_run, timeout=lock_timeout, observer=tell_recovery(terminal))
    if terminal.json:
        terminal.result_json(moves_to_json(moves, dry_run))
    else:
        terminal.result(render_moves(moves, dry_run))


@state_command.command("rm")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@boolean("-dry-run", False, "Only say what would be forgotten.")
@boolean("-force", False, "Also what is protected, and what other objects need.")
@takes_lock_timeout
@takes_terminal
def state_rm(addresses: tuple[str, ...], dry_run: bool, force: bool, lock_timeout: float, terminal: Terminal) -> None:
    """
    Forget objects without destroying them: an object, a resource with all its copies, or a module.

    A volume stays on its array, open and attached as it is, with its data. While its block is declared, the next apply
    makes a new one. A `removed` block does the same for everybody who applies the configuration.

    \b
    Examples:
      lunform state rm 'volume.db["wal"]'
      lunform state rm -dry-run module.east
    """
    from planner.bookkeeping import forget
    from planner.views.bookkeeping_text import forgotten_to_json, render_forgotten

    with closing(_store()) as store:
        found = forget(
            store,
            addresses,
            force=force,
            dry_run=dry_run,
            timeout=lock_timeout,
            observer=tell_recovery(terminal),
        )
    if terminal.json:
        terminal.result_json(forgotten_to_json(found, dry_run))
    else:
        terminal.result(render_forgotten(found, dry_run))


@state_command.command("reseal")
@takes_lock_timeout
@takes_terminal
def state_reseal(lock_timeout: float, terminal: Terminal) -> None:
    """
    Write the state of every workspace anew, as the configuration's `encryption` block says.

    With a `key`, all of it is sealed with that key, whether it was sealed with an `old_key` or not at all. With nothing
    but an `old_key`, all of it is written in plain.

    \b
    Example: lunform state reseal
    """
    from planner.bookkeeping import reseal

    project = operations.load(Path(), operations.Inputs())
    workspaces = reseal(project, timeout=lock_timeout, observer=tell_recovery(terminal))
    encryption = project.module.settings.encryption
    is_sealed = encryption is not None and encryption.key is not None
    if terminal.json:
        terminal.result_json({"workspaces": list(workspaces), "encrypted": is_sealed})
    elif not workspaces:
        terminal.result("There is no state yet; nothing had to be written.")
    else:
        how = "encrypted with the key of the configuration" if is_sealed else "in plain"
        terminal.result(f"Written anew, {how}: {', '.join(workspaces)}")


@click.command("force-unlock")
@click.argument("lock", metavar="ID")
@boolean("-force", False, "Do not ask.")
@boolean("-auto-approve", False, "The same.")
@boolean("-input", True, "-input=false never asks.")
@takes_terminal
def force_unlock_command(lock: str, force: bool, auto_approve: bool, input: bool, terminal: Terminal) -> None:
    """
    Break the lease of somebody who died, before it runs out by itself.

    Who holds it, and its ID, is in the message of who was refused. Most backends have no need of this: their locks die
    with their holders.

    \b
    Example: lunform force-unlock 6f0c1f2e
    """
    from planner.cli.asking import confirm

    with closing(_store()) as store:
        if not isinstance(store, LeasedStore):
            raise LunformError(
                "There is no lock to break.",
                "With this backend the lock ends with the process that holds it. If somebody holds it, that one is"
                " alive: wait for it with -lock-timeout, or end it.",
            )
        if not (force or auto_approve):
            confirm(
                f"Whoever holds the lease {lock} cannot write any more then, also if it is alive.\n\nDo you want to"
                " break it",
                "-force",
                input and terminal.can_ask and not terminal.json,
            )
        store.break_lock(lock)
    if terminal.json:
        terminal.result_json({"broken": lock})
    else:
        terminal.result(
            f"The lease {lock} is broken. What its holder was doing is found out by the next plan or apply."
        )


def recorded(terminal: Terminal) -> Snapshot:
    """The state of the configuration in this directory. Of one that was left for another place, a warning."""
    with closing(_store()) as store:
        snapshot = store.read()
    tell_moved(moved_to(snapshot.in_doubt), terminal)
    return snapshot


def _store() -> StateStore:
    return operations.store_of(operations.load(Path(), operations.Inputs()))


def tell_moved(where: str, terminal: Terminal) -> None:
    if where:
        mistakes = Diagnostics()
        mistakes.warning("The state was moved", f"It is kept in {where}; this is the copy that stayed behind.")
        terminal.diagnostics(mistakes)


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise LunformError(f"{file} cannot be read: {reason}.") from error
