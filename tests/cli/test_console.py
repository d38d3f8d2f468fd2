"""`console` as people and programs use it: lines in, values out; and on a terminal of its own."""

from __future__ import annotations

import json
import os
import pty
import select
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command import ROOT, lunform

CONFIGURATION = """
provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider = sandbox
}

variable "size" {
  type    = string
  default = "10GiB"
}

variable "secret" {
  type      = string
  sensitive = true
}

locals {
  tiers = { gold = 3, silver = 2 }
  iqns  = [volume.db.iqn, "and known"]
}

volume "db" {
  offering = disk_offering.fast
  size     = var.size
}

volume "copy" {
  for_each = toset([volume.db.size])
  offering = disk_offering.fast
  size     = each.key
}

module "inner" {
  source = "./inner"
  size   = var.size
}
"""
INNER = """
variable "size" {}

output "size" {
  value = "inner ${var.size}"
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "main.lun.hcl").write_text(CONFIGURATION)
    (tmp_path / "lunform.lunvars.hcl").write_text('secret = "xyzzy"\n')
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "main.lun.hcl").write_text(INNER)
    return tmp_path


def answers(expressions: list[str], *words: str, directory: Path) -> list[dict[str, Any]]:
    """What `console -json` answers to each of them."""
    said = lunform("console", "-json", *words, directory=directory, input="".join(f"{line}\n" for line in expressions))
    return [json.loads(line) for line in said.output.split("\n")[:-1]]


TEXTS = {
    "1 + 1": "2",
    '"a"': '"a"',
    '"a\\nb"': "<<EOT\na\nb\nEOT",
    "[1, {a = true}]": '[\n  1,\n  {\n    "a" = true\n  },\n]',
    "type(1)": "number",
    "type({a = [1]})": "object({\n    a: tuple([\n        number,\n    ]),\n})",
    "local.tiers.gold": "3",
    "var.size": '"10GiB"',
    "var.secret": "(sensitive value)",
    "[var.secret]": "[\n  (sensitive value),\n]",
    "module.inner.size": '"inner 10GiB"',
    "lunform.workspace": '"default"',
    "volume.db": "(known after apply)",
    "volume.copy": "(known after apply)",
    "local.iqns": '[\n  (known after apply),\n  "and known",\n]',
}


def test_each_line_is_answered(project: Path) -> None:
    said = lunform("console", directory=project, input="\n".join(TEXTS))
    assert said.output == "".join(f"{text}\n" for text in TEXTS.values())
    assert said.errors == ""


JSON: dict[str, dict[str, Any]] = {
    "1 + 1": {"value": 2, "type": "number"},
    "null": {"value": None, "type": "dynamic"},
    'toset(["b", "a"])': {"value": ["a", "b"], "type": "set(string)"},
    "tomap({a = 1})": {"value": {"a": 1}, "type": "map(number)"},
    "type(1)": {"value": "number", "type": "string"},
    '"a\\nb"': {"value": "a\nb", "type": "string"},
    "var.secret": {"sensitive": True, "type": "string"},
    "{a = [1, var.secret]}": {
        "value": {"a": [1, None]},
        "type": "object({\n    a: tuple([\n        number,\n        string,\n    ]),\n})",
        "sensitive_paths": [["a", 1]],
    },
    "volume.db.iqn": {"unknown": True},
    "sensitive(volume.db.iqn)": {"unknown": True},
    "local.iqns": {
        "value": [None, "and known"],
        "type": "tuple([\n    dynamic,\n    string,\n])",
        "unknown_paths": [[0]],
    },
}


def test_json_answers(project: Path) -> None:
    assert dict(zip(JSON, answers(list(JSON), directory=project), strict=True)) == JSON


def test_numbers_keep_all_digits_in_json(tmp_path: Path) -> None:
    said = lunform("console", "-json", directory=tmp_path, input="123456789012345678901234567890.125\n1e-30\n")
    first, second = said.output.splitlines()
    assert first.startswith('{"value": 123456789012345678901234567890.125,')
    assert second.startswith('{"value": 0.000000000000000000000000000001,')


def test_an_error_is_an_answer_in_json_and_the_next_line_is_read(tmp_path: Path) -> None:
    lines = ["var.x", "1 +", "[1", 'tonumber("a")', "each.key", "1 / 0", "42"]
    found = answers(lines, directory=tmp_path)
    assert [answer["error"]["summary"] for answer in found[:-1]] == [
        "Reference to something undeclared",
        "Missing value",
        "Unclosed bracket",
        "Invalid function argument",
        "Reference to something undeclared",
        "Value without JSON",
    ]
    assert all(answer["error"]["detail"] for answer in found[:-1])
    assert found[-1] == {"value": 42, "type": "number"}


def test_without_json_an_error_goes_to_standard_error_and_into_the_exit_code(tmp_path: Path) -> None:
    said = lunform("console", directory=tmp_path, input="1\nnope\n2\n", code=1)
    assert said.output == "1\n2\n"
    assert "<line 2>:1:1" in said.errors


def test_nothing_is_answered_with_nothing(tmp_path: Path) -> None:
    lines = "\n  \n# a comment\n// another\n/* a */ /* third */ # b\n/* a */ 7 /* b */\r\nexit\n8\n"
    assert lunform("console", directory=tmp_path, input=lines).output == "7\n"
    assert lunform("console", directory=tmp_path, input="").output == ""


def test_what_is_not_utf_8_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "planner.cli.main", "console", "-json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=b'"\xff"\n' + '"ä"\n'.encode(),
        capture_output=True,
        check=True,
    )
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["error"]["summary"] == "Not UTF-8"
    assert second["value"] == "ä"


def test_a_directory_without_configuration_will_do(tmp_path: Path) -> None:
    said = lunform("console", directory=tmp_path, input='upper("a")\n')
    assert (said.output, said.errors) == ('"A"\n', "")
    assert list(tmp_path.iterdir()) == []


def test_variables_are_given_as_to_other_verbs(project: Path) -> None:
    def size(*words: str, environment: dict[str, str] | None = None) -> str:
        return lunform("console", *words, directory=project, input="var.size", environment=environment).output

    (project / "big.hcl").write_text('size = "20GiB"\n')
    assert size("-var", "size=5GiB") == '"5GiB"\n'
    assert size("-var-file=big.hcl") == '"20GiB"\n'
    assert size(environment={"LUNFORM_VAR_size": "30GiB"}) == '"30GiB"\n'


def test_resources_are_as_recorded(project: Path) -> None:
    lunform("apply", "-auto-approve", directory=project)
    before = (project / "lunform.state").read_bytes()
    lines = ["volume.db.name", "volume.db.lun >= 0", 'volume.copy["10GiB"].size', "disk_offering.fast.max_iops"]
    given = ["-var", "size=20GiB"]
    found = answers([*lines, "volume.db.size", "var.size", "volume.db.nope"], *given, directory=project)
    assert [answer.get("value") for answer in found] == ["volume-db", True, "10GiB", 1000, "10GiB", "20GiB", None]
    assert found[-1]["error"]["summary"] == "Unsupported attribute"
    assert (project / "lunform.state").read_bytes() == before


def test_a_broken_configuration_is_told_and_the_rest_is_answered(project: Path) -> None:
    (project / "more.lun.hcl").write_text(
        'locals {\n  wrong = local.nope\n}\n\nvariable "needed" {}\n\nvolume "x" {\n  size = \n}\n'
    )
    (project / "lunform.state").write_bytes(b"no state of ours, but long enough to be looked at" * 20)
    said = lunform("console", directory=project, input="var.size\nlocal.wrong\nvar.needed\n")
    assert said.output == '"10GiB"\n(known after apply)\n(known after apply)\n'
    for place in ("more.lun.hcl:2:11", "more.lun.hcl:5:1", "more.lun.hcl:8", "lunform.state"):
        assert place in said.errors, place


class Screen:
    """A `lunform console` on a terminal of its own."""

    def __init__(self, directory: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
        command = [sys.executable, "-m", "planner.cli.main", "console"]
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(directory)
            os.execve(sys.executable, command, environment)
        self.until("> ")

    def type(self, text: str, until: str = "\n> ") -> str:
        """Type it, and what the screen shows from there on until it shows `until`."""
        os.write(self.terminal, text.encode())
        return self.until(until)

    def until(self, end: str) -> str:
        shown = ""
        while not shown.endswith(end):
            assert self.shows_something(60), f"nothing more is shown after {shown!r}"
            shown += os.read(self.terminal, 1 << 16).decode().replace("\r\n", "\n")
        return shown

    def interrupt(self) -> None:
        """Press Ctrl-C until it is noticed: just between two looks at the keyboard it may be missed."""
        for _ in range(60):
            os.write(self.terminal, b"\x03")
            if self.shows_something(1):
                return
        raise AssertionError("Ctrl-C is not noticed")

    def shows_something(self, seconds: float) -> bool:
        return bool(select.select([self.terminal], [], [], seconds)[0])

    def end(self) -> None:
        """Hold that it has ended, and well."""
        try:
            while self.shows_something(60) and os.read(self.terminal, 1 << 16):
                pass
        except OSError:
            pass  # how Linux says that the other side is gone
        os.close(self.terminal)
        _, status = os.waitpid(self.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0

    def leave(self, keys: str = "\x04") -> None:
        os.write(self.terminal, keys.encode())
        self.end()


def test_on_a_terminal_an_open_expression_goes_on(tmp_path: Path) -> None:
    screen = Screen(tmp_path)
    assert screen.type("1 + 1\n") == "1 + 1\n2\n> "
    assert screen.type("[1,\n", "\n: ") == "[1,\n: "
    assert screen.type("2]\n") == "2]\n[\n  1,\n  2,\n]\n> "
    assert screen.type("<<EOT\n", "\n: ") == "<<EOT\n: "
    assert screen.type("a\n", "\n: ") == "a\n: "
    assert screen.type("EOT\n") == "EOT\n<<EOT\na\n\nEOT\n> "
    assert "Missing value" in screen.type("1 +\n")
    assert "Mismatched bracket" in screen.type("(1]\n")
    assert screen.type("\n") == "\n> "
    screen.leave(" exit\n")


def test_ctrl_c_drops_what_is_typed_and_leaves_where_nothing_is(tmp_path: Path) -> None:
    screen = Screen(tmp_path)
    screen.type("nonsense", "nonsense")
    screen.interrupt()
    screen.until("\n> ")
    screen.type("{\n", "\n: ")
    screen.interrupt()
    assert "(multi-line entry canceled)" in screen.until("\n> ")
    assert screen.type("3\n") == "3\n3\n> "
    screen.interrupt()
    screen.end()


def test_history_is_kept_where_init_was_run_for_its_owner_alone(tmp_path: Path) -> None:
    screen = Screen(tmp_path)
    screen.type("1 + 1\n")
    screen.leave()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".lunform").mkdir()
    for expression in ("1 + 2", "1 + 3"):
        screen = Screen(tmp_path)
        screen.type(f"{expression}\n")
        screen.leave()
    kept = tmp_path / ".lunform" / "console_history"
    assert kept.read_text() == "1 + 2\n1 + 3\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    screen = Screen(tmp_path)
    assert screen.type("\x10\x10\n").endswith("\n3\n> "), "Ctrl-P twice is the expression before the last"
    screen.leave()
