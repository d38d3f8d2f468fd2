"""Fetches modules from git repositories into the project's own directory, for `init`."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import parse_qs

from planner.config.loader import installed_at, split_source
from planner.config.model import ModuleCall
from planner.diagnostics import Diagnostics

_DEADLINE = 300
"""Seconds that one repository may take."""


def fetch(call: ModuleCall, root: Path, diagnostics: Diagnostics) -> bool:
    """
    Put a called module's repository where the loader looks for it; answers whether anything was fetched.

    A repository that is there is left alone. What goes wrong is a diagnostic, and nothing half-fetched stays.
    """
    target = root / installed_at(call.source)
    if target.exists():
        return False
    repository, _ = split_source(call.source)
    address, _, query = repository.partition("?")
    reference = parse_qs(query).get("ref", [""])[0]
    if shutil.which("git") is None:
        diagnostics.error(
            "Module cannot be fetched",
            "git is not installed, and the module is in a git repository.",
            call.source_range,
        )
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        copy = Path(scratch) / "copy"
        commands = [["git", "clone", "--quiet", "--", address, str(copy)]]
        if reference:
            commands.append(["git", "-C", str(copy), "checkout", "--quiet", "--detach", reference])
        for command in commands:
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE, check=False)
                said, failed = done.stderr.strip(), done.returncode != 0
            except subprocess.TimeoutExpired:
                said, failed = f"It did not end within {_DEADLINE} s.", True
            if failed:
                diagnostics.error(
                    "Module cannot be fetched",
                    f"{' '.join(command[:3])} of {address} failed: {said}",
                    call.source_range,
                )
                return False
        copy.rename(target)
    return True
