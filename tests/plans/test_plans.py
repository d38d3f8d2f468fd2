"""
Plans as a user sees them. A case is a folder:

    1.lun.hcl, 2.lun.hcl, ...   configurations, applied one after the other; the last one is only planned
    modules/                    optional: modules that they call
    flags.txt                   optional: flags of the last plan, one a line, as they are typed but for quotes
    outside.py                  optional: what somebody changes behind Lunform's back before the last plan
    plan.txt                    the plan's text, or the diagnostics

Everything runs on the sandbox provider. With -offline, the last plan opens no provider, and is not applied.
"""

from __future__ import annotations

import re
import runpy
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from planner import operations
from planner.cli.arguments import addresses
from planner.errors import InvalidConfiguration
from planner.planning.builder import PlanRequest
from planner.views.diagnostics_text import render_diagnostics
from planner.views.plan_text import render_plan
from planner.views.style import Style

CASES = sorted(path for path in Path(__file__).parent.iterdir() if path.is_dir() and not path.name.startswith("_"))
PLAIN = Style(False)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_plan(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected) -> None:
    monkeypatch.chdir(tmp_path)
    if (case / "modules").exists():
        shutil.copytree(case / "modules", tmp_path / "modules")
    *before, last = sorted(case.glob("*.lun.hcl"))
    for configuration in before:
        project = load(configuration)
        store = operations.store_of(project)
        plan, _ = operations.plan(project, store, PlanRequest())
        assert operations.apply(project, store, plan).complete
    if (case / "outside.py").exists():
        runpy.run_path(str(case / "outside.py"))
    project = load(last)
    request = (
        request_of((case / "flags.txt").read_text().split("\n")) if (case / "flags.txt").exists() else PlanRequest()
    )
    if request.offline:
        monkeypatch.setattr(operations, "OpenProviders", None)
    try:
        plan, diagnostics = operations.plan(project, operations.store_of(project), request)
    except InvalidConfiguration as error:
        expected(render_diagnostics(error.diagnostics, PLAIN), case / "plan.txt")
        return
    expected(settled(render_plan(plan, PLAIN) + render_diagnostics(diagnostics, PLAIN)), case / "plan.txt")
    if plan.is_empty or request.offline:
        return
    # What was planned can be done, and then there is nothing left to do.
    assert operations.apply(project, operations.store_of(project), plan).complete
    again, _ = operations.plan(load(last), operations.store_of(project), replace(request, replaces=frozenset()))
    assert again.is_empty, render_plan(again, PLAIN)


def request_of(flags: Iterable[str]) -> PlanRequest:
    given = defaultdict(list)
    for flag, _, value in (line.partition("=") for line in flags if line):
        given[flag].append(value)
    named = {flag: addresses(flag, given.pop(flag, ())) for flag in ("-target", "-exclude", "-replace")}
    request = PlanRequest(
        destroy=given.pop("-destroy", None) == [""],
        read=given.pop("-refresh", None) != ["false"],
        refresh_only=given.pop("-refresh-only", None) == [""],
        targets=named["-target"],
        excludes=named["-exclude"],
        replaces=frozenset(named["-replace"]),
        offline=given.pop("-offline", None) == [""],
    )
    assert not given, given
    return request


def settled(text: str) -> str:
    """Without what is new in each run: the array's identity, serials, times, and what depends on who was first."""
    text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    text = re.sub(r"\bvd[a-z]\b", "vdX", re.sub(r"vol-\d+", "vol-N", text))
    return re.sub(r'"[0-9a-f]{16}"', '"SERIAL"', re.sub(r"sandbox\.[0-9a-f]{12}", "sandbox.ARRAY", text))


def load(configuration: Path) -> operations.Project:
    Path("main.lun.hcl").write_text(configuration.read_text())
    return operations.load(Path(), operations.Inputs(environment={}))
