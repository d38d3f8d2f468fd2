"""`console`: evaluate expressions, typed one after the other or read from standard input."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click

from planner import operations
from planner.cli.arguments import takes_inputs, takes_terminal
from planner.cli.terminal import Terminal
from planner.console import Console, open_console
from planner.diagnostics import Diagnostics, Source
from planner.errors import EXIT_ERROR, EXIT_OK
from planner.initialisation import WORK_DIRECTORY
from planner.syntax.scanner import scan_expression
from planner.values.show import console_text
from planner.views.console_json import mistakes_to_json, value_to_json

HISTORY = "console_history"
"""In the directory that `init` makes; without that, nothing is kept."""

_HISTORY_LINES = 1000
_NOTHING = re.compile(r"(?:\s|/\*(?:(?!\*/).)*\*/)*(?:(?:\#|//).*)?", re.DOTALL)

_HELP = """\
Type an expression as it could stand in the configuration, and see its value:

  cidrhost("10.0.0.0/24", 7)
  local.tiers
  volume.db["wal"].iqn
  type(var.size)

Resources are as recorded; what is not created yet is (known after apply).
An open bracket or a heredoc goes on in the next line.
To leave, type exit, or use Ctrl-C or Ctrl-D."""


@click.command("console")
@takes_inputs
@takes_terminal
def console_command(inputs: operations.Inputs, terminal: Terminal) -> int:
    """
    Evaluate expressions with this directory's locals and variables, and with what its state records.

    On a terminal it asks for them; else it takes one from each line of standard input. Changes nothing.

    \b
    Examples:
      lunform console
      echo 'volume.db.iqn' | lunform console
      lunform console -json < expressions.txt
    """
    console = open_console(Path(), inputs)
    if console.diagnostics:
        terminal.diagnostics(console.diagnostics)
        sys.stderr.write("\n")
    # Thousands of expressions may come. What the configuration is made of stays; what each of them leaves behind goes.
    gc.freeze()
    gc.enable()
    session = _Session(console, terminal)
    if terminal.can_ask:
        session.converse()
        return EXIT_OK
    return EXIT_OK if session.answer_lines() or terminal.json else EXIT_ERROR


class _Session:
    def __init__(self, console: Console, terminal: Terminal) -> None:
        self.console = console
        self.terminal = terminal

    def converse(self) -> None:
        """Ask for expressions and answer them until the person leaves."""
        with _line_editing():
            while (text := _ask()) is not None:
                try:
                    if text.strip() == "exit":
                        return
                    if text.strip() == "help":
                        self.terminal.result(_HELP)
                    else:
                        self._answer(Source("<console>", text))
                except KeyboardInterrupt:
                    self.terminal.result("(interrupted)")

    def answer_lines(self) -> bool:
        """Answer each line of standard input; whether all went well."""
        all_well = True
        for number, line in enumerate(sys.stdin.buffer, 1):
            try:
                text = line.decode("utf-8-sig").rstrip("\r\n")
            except UnicodeDecodeError as error:
                mistakes = Diagnostics()
                mistakes.error("Not UTF-8", f"Line {number} is not UTF-8 text: byte {error.start + 1} is wrong.")
                self._show_mistakes(mistakes)
                all_well = False
                continue
            if text.strip() == "exit":
                break
            all_well &= self._answer(Source(f"<line {number}>", text))
        return all_well

    def _answer(self, source: Source) -> bool:
        """Show the value of an expression, or what is wrong with it; whether all went well."""
        if _NOTHING.fullmatch(source.text):
            return True
        answer = self.console.answer(source)
        value = answer.value
        if value is None:
            self._show_mistakes(answer.mistakes)
            return False
        if self.terminal.json:
            self.terminal.result(value_to_json(value))
        else:
            self.terminal.result(value if answer.is_type and isinstance(value, str) else console_text(value))
        return True

    def _show_mistakes(self, mistakes: Diagnostics) -> None:
        if self.terminal.json:
            self.terminal.result(mistakes_to_json(mistakes))
        else:
            self.terminal.diagnostics(mistakes)
            sys.stderr.write("\n")


def _ask() -> str | None:
    """What a person types up to the end of an expression; None for Ctrl-D, and for Ctrl-C where nothing is typed."""
    lines: list[str] = []
    while True:
        try:
            lines.append(input(": " if lines else "> "))
        except EOFError:
            print()
            return None
        except _Interrupted as interrupt:
            print()
            if not lines and not interrupt.typed:
                return None
            if lines:
                print("(multi-line entry canceled)")
            return ""
        text = "\n".join(lines)
        if not scan_expression(Source("<console>", text + "\n")).is_open:
            return text


class _Interrupted(KeyboardInterrupt):
    """Ctrl-C; `typed` is what stands on the line by then."""

    def __init__(self, typed: str) -> None:
        super().__init__()
        self.typed = typed


@contextmanager
def _line_editing() -> Iterator[None]:
    """Arrow keys, what was typed in earlier sessions, and a Ctrl-C that knows what is typed."""
    import readline

    def interrupt(number: int, frame: FrameType | None) -> None:
        # Once input() has given up, the line is gone.
        raise _Interrupted(readline.get_line_buffer())

    before = signal.signal(signal.SIGINT, interrupt)
    # A paste is then what it would be if typed: a line at a time.
    readline.parse_and_bind("set enable-bracketed-paste off")
    path = Path(WORK_DIRECTORY, HISTORY)
    with suppress(OSError):
        # What is no UTF-8 comes from input() as surrogates, and goes back as it was.
        for line in path.read_text("utf-8", "surrogateescape").split("\n")[:-1]:
            readline.add_history(line)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if path.parent.is_dir():
            last = readline.get_current_history_length()
            lines = [readline.get_history_item(number) for number in range(max(1, last - _HISTORY_LINES + 1), last + 1)]
            # Expressions may hold what is secret.
            with suppress(OSError):
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                    os.fchmod(descriptor, 0o600)
                    file.writelines(f"{line}\n" for line in lines)
