"""Where words go: results to standard output, diagnostics to standard error, colour only where somebody sees it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO, cast

from planner.diagnostics import Diagnostic
from planner.errors import InvalidConfiguration, LunformError
from planner.views.style import Style

if TYPE_CHECKING:
    from planner.operations import Applied
    from planner.planning.plan import Plan


def colours(stream: TextIO, no_color: bool) -> bool:
    """-no-color and NO_COLOR say no, FORCE_COLOR says yes, else a terminal gets them."""
    if no_color or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


class _Lasting:
    """Standard output that is not missed when nobody reads it any more, or it has no room: nothing is raised then."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._go_on(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._go_on(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _go_on(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError:
            # What waits to be written fails again and again, also at the end of the process, unless it goes somewhere.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextmanager
def lasting_output() -> Iterator[None]:
    """While something is done that must be recorded, whoever listens: a closed pipe or terminal does not end it."""
    with redirect_stdout(cast(TextIO, _Lasting(sys.stdout))):
        yield


@dataclass(frozen=True, slots=True)
class Terminal:
    """How this run speaks."""

    json: bool = False
    no_color: bool = False
    compact_warnings: bool = False

    @property
    def style(self) -> Style:
        return Style(colours(sys.stdout, self.no_color))

    @property
    def width(self) -> int:
        return max(60, min(shutil.get_terminal_size((100, 24)).columns, 120))

    def can_show(self, text: str) -> bool:
        """The characters are in the encoding of standard output."""
        try:
            text.encode(sys.stdout.encoding)
        except UnicodeEncodeError:
            return False
        return True

    @property
    def can_ask(self) -> bool:
        return sys.stdin.isatty() and sys.stdout.isatty()

    def result(self, text: str) -> None:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()

    def result_json(self, data: Any) -> None:
        self.result(json.dumps(data, indent=2, ensure_ascii=False))

    @property
    def is_live(self) -> bool:
        """Lines can be drawn over again."""
        return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"

    def plan(self, plan: Plan, explain: bool = False) -> None:
        """`explain` is for people: programs get all of it anyway."""
        if self.json:
            from planner.views.plan_json import plan_to_json

            self.result_json(plan_to_json(plan))
        else:
            from planner.views.plan_text import render_plan

            self.result(render_plan(plan, self.style, explain=explain))

    def drift(self, plan: Plan) -> None:
        """What a refresh-only plan found."""
        if self.json:
            from planner.views.plan_json import drift_to_json

            self.result_json(drift_to_json(plan))
        else:
            from planner.views.drift_text import render_drift

            self.result(render_drift(plan, self.style))

    def applied(self, plan: Plan, applied: Applied) -> None:
        """The end of an apply: what was done, failed, skipped, and the outputs."""
        if self.json:
            return  # the stream has told all of it
        from planner.views.progress import render_result
        from planner.views.state_text import render_outputs

        self.result("\n" + render_result(plan, applied.result, self.style))
        if applied.outputs and applied.complete and plan.operation not in ("adopt", "reap"):
            self.result("\nOutputs:\n\n" + render_outputs(applied.outputs, self.style))

    def diagnostics(self, diagnostics: Iterable[Diagnostic]) -> None:
        items = list(diagnostics)
        if not items:
            return
        from planner.views.diagnostics_text import render_diagnostics

        style = Style(colours(sys.stderr, self.no_color))
        sys.stdout.flush()
        sys.stderr.write(render_diagnostics(items, style, self.width, self.compact_warnings))


def report_error(error: LunformError) -> None:
    """Words for what stopped a run. Flags are not known here any more; what was asked for in JSON gets JSON."""
    wants_json = any(word in ("-json", "--json", "-json=true", "--json=true") for word in sys.argv)
    terminal = Terminal(no_color=any(word.lstrip("-") == "no-color" for word in sys.argv))
    if isinstance(error, InvalidConfiguration):
        items = list(error.diagnostics)
    else:
        from planner.diagnostics import Severity

        items = [Diagnostic(Severity.ERROR, str(error), error.detail)]
    if wants_json:
        from planner.views.diagnostics_json import diagnostics_to_json

        terminal.result_json(diagnostics_to_json(items))
    else:
        terminal.diagnostics(items)
