"""
No secret is in any file, and none is said: a whole life of a configuration with secrets wherever they can be given,
with a kill, failures of all kinds and a provider that repeats what it hears; and after each command, a search in all
that it left and said.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from providers.sandbox.array import chap_secret
from tests.command import ROOT
from tests.secrecy.blabbing import make_findable
from tests.secrecy.evidence import left_in, search

SECRETS = {
    "password": 'p4ss"wörd/with+all of\\it',
    "chap_seed": "seed-7c1f0e83b6",
    "token": "t0ken&for=%the api",
    "inner": "inn3r of a map",
    "other": "another-inner-one",
    "key": "0123456789abcdef" * 4,
}

MAIN = """
variable "password" {
  type      = string
  sensitive = true
}
variable "seed" {
  type      = string
  sensitive = true
}
variable "token" {
  type      = string
  sensitive = true
  validation {
    condition     = length(var.token) > 3
    error_message = "No token: ${var.token}"
  }
}
variable "accounts" {
  type      = map(object({ key = string }))
  sensitive = true
}
variable "size" {
  default = "1GiB"
}

locals {
  endpoint = "https://admin:${var.token}@array.test/"
}

provider "blabbing" {
  chap_seed = var.seed
  password  = var.password
  endpoint  = local.endpoint
  headers   = jsonencode({ for name, account in var.accounts : name => base64encode(account.key) })
  policies  = true
}

pool "ssd" {
  provider = blabbing
}
host "kvm" {
  provider  = blabbing
  initiator = "iqn.1993-08.org.debian:01:kvm"
}
disk_offering "fast" {
  min_iops   = 0
  max_iops   = 100
  burst_iops = 100
}

volume "db" {
  for_each = toset(["a", "b", "busy", "lost"])
  offering = disk_offering.fast
  size     = var.size
  attach {
    host = host.kvm
    vm   = "vm-${each.key}"
  }
  lifecycle {
    postcondition {
      condition     = var.token != "never"
      error_message = "The token is ${var.token}."
    }
  }
}
FAILING

module "inner" {
  source = "./inner"
  secret = var.password
}

check "token" {
  assert {
    condition     = var.token == "another"
    error_message = "The token is ${var.token}."
  }
}

output "secret" {
  value     = { password = var.password, endpoint = local.endpoint }
  sensitive = true
}
output "from_a_module" {
  value     = module.inner.secret
  sensitive = true
}
output "targets" {
  value = [for volume in volume.db : volume.iqn]
}
"""
FAILING = """
volume "failing" {
  for_each = toset(["rejected", "bug"])
  offering = disk_offering.fast
  size     = var.size
}
volume "blab" {
  offering = disk_offering.fast
  size     = var.size
  attach {
    host = host.kvm
    vm   = "blab"
  }
}
"""
ENCRYPTION = """
lunform {
  encryption {
    key { env = "THE_KEY" }
  }
}
"""
INNER = """
variable "secret" {
  type = string
}
output "secret" {
  value = "the password is ${var.secret}"
}
"""


@dataclass(slots=True)
class Life:
    """A directory in which commands run; what was found in what they said and left."""

    folder: Path
    secrets: dict[str, str] = field(default_factory=lambda: dict(SECRETS))
    found: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("work/inner", "home", "tmp"):
            (self.folder / name).mkdir(parents=True)
        make_findable(self.folder / "plugin")
        (self.work / "inner" / "main.lun.hcl").write_text(INNER)
        # Given from outside, and no business of Lunform's.
        accounts = {"a": {"key": SECRETS["inner"]}, "b": {"key": SECRETS["other"]}}
        values = {"accounts": accounts, "seed": SECRETS["chap_seed"]}
        (self.folder / "values.lunvars.json").write_text(json.dumps(values))
        (self.folder / "typo.lunvars.json").write_text(json.dumps({**values, "pasword": SECRETS["password"]}))
        (self.folder / "type.lunvars.json").write_text(json.dumps({**values, "accounts": SECRETS["inner"]}))
        self.configure(FAILING)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def configure(self, failing: str, main: str = MAIN) -> None:
        text = main.replace("FAILING", failing)
        (self.work / "main.lun.hcl").write_text(text)

    def run(
        self,
        *words: str,
        code: int = 0,
        values: str = "values",
        inputs: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command and look for secrets in what it said and left behind."""
        title = " ".join(words)
        given = [f"-var-file=../{values}.lunvars.json", f"-var=token={SECRETS['token']}"] if inputs else []
        done = subprocess.run(
            [sys.executable, "-m", "planner.cli.main", words[0], *given, *words[1:]],
            cwd=self.work,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{ROOT}:{self.folder / 'plugin'}",
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder / "tmp"),
                "LUNFORM_LOG": "trace",
                "LUNFORM_LOG_PATH": "trace.log",
                "LUNFORM_VAR_password": SECRETS["password"],
                "THE_KEY": SECRETS["key"],
                **(environment or {}),
            },
            input=b"",
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == code, f"{title}: {done.returncode}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        self.look(title, {"its output": done.stdout, "its errors": done.stderr})
        return (done.stdout + done.stderr).decode()

    def look(self, title: str, said: Mapping[str, bytes]) -> None:
        if (self.work / "sandbox.db").exists():
            self.learn_chap_secrets()
        places = {**said}
        for name in ("work", "home", "tmp"):
            places |= left_in(self.folder / name)
        for line in search(self.secrets, places):
            self.found.setdefault(line, f"since {title}: {line}")

    def learn_chap_secrets(self) -> None:
        with closing(sqlite3.connect(self.work / "sandbox.db")) as array:
            (identity,) = array.execute("SELECT identity FROM array").fetchone()
            for (id,) in array.execute("SELECT id FROM volume").fetchall():
                self.secrets[f"CHAP secret of {id}"] = chap_secret(SECRETS["chap_seed"], identity, str(id))


def live(life: Life) -> str:
    """From the first plan to the last; what all commands said."""
    said = life.run("init", inputs=False) + life.run("validate")
    said += life.run("plan", "-out=night.plan")
    killed = {"LUNFORM_SANDBOX_KILL": "grant_access:after:2"}
    said += life.run("apply", "night.plan", code=-signal.SIGKILL, environment=killed)
    said += life.run("plan", "-json", "-out=night.plan")
    said += life.run("apply", "-auto-approve", "-json", code=1)
    life.configure("")
    said += life.run("apply", "-auto-approve", "-allow-data-loss")
    with closing(sqlite3.connect(life.work / "sandbox.db")) as array, array:
        array.execute("UPDATE volume SET max_iops = 50")
    said += life.run("drift", code=2) + life.run("refresh")
    for verb in (("show", "-json"), ("output", "-json"), ("state", "list")):
        said += life.run(*verb, inputs=False)
    said += life.run("plan", values="type", code=1)
    life.configure("", MAIN.replace("policies  = true", "latency = var.token"))
    said += life.run("plan", code=1)
    life.configure("", MAIN + ENCRYPTION)
    said += life.run("state", "reseal", inputs=False) + life.run("plan", "-out=night.plan", values="typo")
    return said


def test_no_secret_is_in_any_file_or_said_by_any_command(tmp_path: Path) -> None:
    life = Life(tmp_path)
    said = live(life)
    assert not life.found, "\n".join(life.found.values())
    # It was about secrets, and each way that one could have got out was gone.
    assert said.count("(sensitive value)") > 5
    for evidence in (
        "Recovered",
        "ValueError",
        "No such account",
        "iscsiadm -p",
        "The configuration declares no variable",
    ):
        assert evidence in said
    log = (life.work / "trace.log").read_text()
    for evidence in ("create_async(", "Credentials(", "Busy: admin", "No answer: admin", "ValueError", "state: begin"):
        assert evidence in log


# -- the search itself --


@pytest.mark.parametrize(
    "hidden",
    [
        lambda secret: f"password={secret}".encode(),
        lambda secret: json.dumps({"password": secret}).encode(),
        lambda secret: repr({"password": secret}).encode(),
        lambda secret: base64.b64encode(f"admin:{secret}:".encode()),
        lambda secret: base64.b64encode(f"user:{secret}".encode()),
        lambda secret: base64.urlsafe_b64encode(f"me:{secret}!".encode()),
        lambda secret: secret.encode().hex().encode(),
    ],
)
@pytest.mark.parametrize("secret", SECRETS.values())
def test_the_search_finds_a_secret_in_every_form(hidden: object, secret: str) -> None:
    assert callable(hidden)
    assert search({"it": secret}, {"here": b"before " + hidden(secret) + b" after"})
    assert not search({"it": secret}, {"here": hidden("something else")})


def test_the_search_looks_into_archives_and_databases(tmp_path: Path) -> None:
    secret = SECRETS["password"]
    with zipfile.ZipFile(tmp_path / "plan", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("plan.json", "x" * 999 + secret)
    with closing(sqlite3.connect(tmp_path / "state")) as database, database:
        database.execute("CREATE TABLE t (c TEXT)")
        database.execute("INSERT INTO t VALUES (?)", ("x" * 4000 + secret * 200,))
    shutil.copy(tmp_path / "plan", tmp_path / "copy")
    found = search({"it": secret}, left_in(tmp_path))
    assert [line.partition(",")[0] for line in found if "plain" in line] == [
        "it is in copy:plan.json",
        "it is in plan:plan.json",
        "it is in state",
        "it is in state:rows",
    ]
