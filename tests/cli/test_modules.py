"""Modules from git: fetched by init, and by nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.command import lunform_here as lunform

INNER = """
variable "zone" {
  default = "east"
}

output "zone" {
  value = "${var.zone}%s"
}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a module in `zones/`: one version tagged v1, a later one on its branch."""
    repository = tmp_path / "repository"
    (repository / "zones").mkdir(parents=True)

    def git(*words: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        subprocess.run(["git", "-C", str(repository), *identity, *words], check=True, capture_output=True)

    git("init", "--quiet")
    for text, tag in (("-1", "v1"), ("-2", "v2")):
        (repository / "zones" / "main.lun.hcl").write_text(INNER % text)
        git("add", ".")
        git("commit", "--quiet", "--message", tag)
        git("tag", tag)
    return repository


def calling(repository: Path, query: str, inside: str = "//zones") -> str:
    return f"""
module "zones" {{
  source = "git::file://{repository}{inside}{query}"
}}

output "zone" {{
  value = module.zones.zone
}}
"""


def test_a_module_from_git_is_fetched_once_at_its_reference(tmp_path: Path, repository: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.lun.hcl").write_text(calling(repository, "?ref=v1"))
    assert "lunform init" in lunform("plan", directory=project, code=1).errors
    assert "1 fetched" in lunform("init", directory=project).output
    assert "fetched" not in lunform("init", directory=project).output
    assert 'zone = "east-1"' in lunform("plan", directory=project).output
    (project / "main.lun.hcl").write_text(calling(repository, ""))
    lunform("init", directory=project)
    assert 'zone = "east-2"' in lunform("plan", directory=project).output


def test_a_saved_plan_carries_its_modules(tmp_path: Path, repository: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.lun.hcl").write_text(calling(repository, ""))
    lunform("init", directory=project)
    lunform("plan", "-out=p", directory=project)
    (project / "main.lun.hcl").write_text("")
    lunform("apply", "p", directory=project)
    assert lunform("output", "-raw", "zone", directory=project).output == "east-2\n"


@pytest.mark.parametrize("query", ["?ref=v9"])
def test_what_cannot_be_fetched_is_told_at_the_call_and_leaves_nothing(
    tmp_path: Path, repository: Path, query: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "main.lun.hcl").write_text(calling(repository, query))
    failed = lunform("init", directory=project, code=1)
    assert "main.lun.hcl:3:12" in failed.errors
    assert "v9" in failed.errors
    assert list((project / ".lunform" / "modules").iterdir()) == []


def test_a_registry_address_is_refused_with_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "main.lun.hcl").write_text('module "x" {\n  source  = "acme/volumes/san"\n  version = "1.0"\n}\n')
    failed = lunform("init", directory=tmp_path, code=1)
    assert "no registry" in failed.errors
    assert "main.lun.hcl:3:3" in failed.errors
