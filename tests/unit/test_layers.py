"""Imports go down the list of layers, never up: the order of planner/README.md, held by reading the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

LAYERS = (
    ("errors", "diagnostics", "addresses", "units", "values", "dependency", "events", "version", "log"),
    ("syntax",),
    (
        "config",
        "resources",
        "state.model",
        "state.text",
        "state.document",
        "state.transfer",
        "state.store",
        "steps.graph",
    ),
    ("sdk", "encryption"),
    ("placement", "evaluation"),
    ("planning",),
    ("steps",),
    ("planfile",),
    ("execution",),
    ("state", "guard", "plugins", "initialisation", "fetching"),
    ("operations", "bookkeeping", "console", "history", "migration", "views"),
    ("cli",),
)
"""Lowest first; the longest name that fits counts. planner/README.md says why each stands where it does."""


def modules() -> list[Path]:
    return sorted((ROOT / "planner").rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> int | None:
    inside = module.removeprefix("planner").lstrip(".")
    best: tuple[int, int] | None = None
    for level, names in enumerate(LAYERS):
        for name in names:
            if (inside == name or inside.startswith(name + ".")) and (best is None or len(name) > best[1]):
                best = (level, len(name))
    return None if best is None else best[0]


def imports_of(path: Path) -> set[str]:
    """Absolute names of all modules that a file imports, also inside functions and under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_down(path: Path) -> None:
    module = name_of(path)
    own = layer_of(module)
    if module == "planner":
        return
    assert own is not None, f"{module} is in no layer: give it a place in LAYERS and in planner/README.md"
    for imported in imports_of(path):
        if not imported.startswith("planner."):
            continue
        level = layer_of(imported)
        assert level is None or level <= own, f"{module} imports {imported}, which is above it"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_the_planner_imports_no_provider(path: Path) -> None:
    assert not {name for name in imports_of(path) if name == "providers" or name.startswith("providers.")}


@pytest.mark.parametrize("path", sorted((ROOT / "providers").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_providers_import_the_sdk_and_nothing_else_of_the_planner(path: Path) -> None:
    for imported in imports_of(path):
        if imported.startswith("planner"):
            assert imported == "planner.sdk" or imported.startswith("planner.sdk.") or imported == "planner", imported
