"""
The command `lunform`: finds the verb, and turns what stops a run into words and an exit code.

Verbs are imported when they are called, so that `version` and completion answer at once.
"""

from __future__ import annotations

import gc
import os
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from planner.cli.arguments import normalise
from planner.errors import EXIT_ERROR, LunformError

VERBS = {
    "init": "planner.cli.setup",
    "validate": "planner.cli.setup",
    "fmt": "planner.cli.fmt",
    "plan": "planner.cli.plan",
    "apply": "planner.cli.apply",
    "destroy": "planner.cli.apply",
    "refresh": "planner.cli.apply",
    "import": "planner.cli.apply",
    "drift": "planner.cli.drift",
    "scan": "planner.cli.scan",
    "show": "planner.cli.inspect",
    "capacity": "planner.cli.capacity",
    "output": "planner.cli.inspect",
    "state": "planner.cli.state",
    "force-unlock": "planner.cli.state",
    "workspace": "planner.cli.workspace",
    "history": "planner.cli.history",
    "graph": "planner.cli.inspect",
    "console": "planner.cli.console",
    "providers": "planner.cli.setup",
    "version": "planner.cli.setup",
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(import_module(module), f"{cmd_name.replace('-', '_')}_command")
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0]
        if name not in VERBS:
            from planner.diagnostics import did_you_mean

            raise click.UsageError(f'There is no verb "{name}".{did_you_mean(name, VERBS)} See: lunform -h')
        return super().resolve_command(ctx, args)


@click.command(
    cls=_Verbs,
    context_settings={"help_option_names": ["-h", "-help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.option("-chdir", metavar="DIR", help="Change to this directory first.")
@click.version_option(None, "-version", prog_name="lunform", message="%(prog)s %(version)s", package_name="lunform")
def lunform(chdir: str | None) -> None:
    """
    Block storage, declared: volumes with hard quality of service, each a LUN of its own.

    \b
    lunform init       check the configuration and prepare the directory
    lunform plan       show what would change, and why; changes nothing
    lunform apply      do it
    """
    if chdir is not None:
        try:
            os.chdir(chdir)
        except OSError as error:
            raise click.UsageError(f"-chdir={chdir}: {error.strerror}.") from error


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 1 error, 2 changes (with -detailed-exitcode), 130 stopped by Ctrl-C."""
    given = list(sys.argv[1:] if argv is None else argv)
    # One verb, one process: trees and plans are free of cycles and live to the end, so looking for garbage among them
    # costs a fifth of a plan of a thousand blocks and finds nothing.
    gc.disable()
    try:
        if "LUNFORM_LOG" in os.environ:
            _start_log(given)
        code = lunform.main(normalise(_with_environment(given)), prog_name="lunform", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(EXIT_ERROR)
    except click.ClickException as error:
        text = _unknown_flag(error, given) if isinstance(error, click.NoSuchOption) else error.format_message()
        click.echo(f"Error: {text}", err=True)
        sys.exit(EXIT_ERROR)
    except click.Abort:
        sys.exit(130)
    except LunformError as error:
        from planner.cli.terminal import report_error
        from planner.log import log

        log.error("%s: %s", type(error).__name__, error)
        report_error(error)
        sys.exit(EXIT_ERROR)
    except BrokenPipeError:
        # The reader went away (`lunform show | head`): that is its own business.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)
    except Exception as error:
        from planner.log import log, where

        log.debug("%s", where(error))
        click.echo(
            f"Error: {type(error).__name__}\n\n  This is a bug in lunform. LUNFORM_LOG=debug shows where it happened;"
            " please report it with that.\n  What was done is recorded: the next run goes on from there.",
            err=True,
        )
        sys.exit(EXIT_ERROR)


def _start_log(given: Sequence[str]) -> None:
    from planner.log import configure, log
    from planner.version import VERSION

    configure(os.environ)
    # The verb alone: what stands after it may be `-var password=...`.
    log.info("lunform %s: %s", VERSION, next((word for word in given if word in VERBS), "no verb"))


def _unknown_flag(error: click.NoSuchOption, given: Sequence[str]) -> str:
    """click names only the first letter of a flag with one dash; the user typed a whole word."""
    from planner.diagnostics import did_you_mean

    command = error.ctx.command if error.ctx else lunform
    known = sorted({option for parameter in command.params for option in parameter.opts if option.startswith("-")})
    flags = ["-" + word.lstrip("-").partition("=")[0] for word in given if word.startswith("-") and word != "--"]
    unknown = next((flag for flag in flags if flag not in known), error.option_name)
    path = error.ctx.command_path if error.ctx else "lunform"
    return f"{command.name} has no flag {unknown}.{did_you_mean(unknown, known)} See: {path} -h"


def _with_environment(argv: list[str]) -> list[str]:
    """LUNFORM_CLI_ARGS and LUNFORM_CLI_ARGS_verb go right after the verb, so that what is typed wins."""
    at = next((place for place, word in enumerate(argv) if word in VERBS), None)
    if at is None:
        return argv
    extra = shlex.split(os.environ.get("LUNFORM_CLI_ARGS", ""))
    extra += shlex.split(os.environ.get(f"LUNFORM_CLI_ARGS_{argv[at]}", ""))
    return [*argv[: at + 1], *extra, *argv[at + 1 :]]


if __name__ == "__main__":
    main()
