"""
Neither the password of an Element cluster, nor the header that carries it, nor any CHAP secret of its accounts is said
or left anywhere: a life through the command, with the log at trace level and the libraries below told to tell all, with
lost answers, a refused login, a bug, and a cluster and a host that repeat what they know.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.command import ROOT
from tests.emulators.running import USER, Element, running_element
from tests.secrecy.blabbing import make_findable
from tests.secrecy.evidence import left_in, search

PASSWORD = 'p4ss"wörd/with+all of\\it€'
WRONG = "a wrong/password+1"
TALKATIVE = """
import http.client, logging
http.client.HTTPConnection.debuglevel = 1
logging.basicConfig(level=logging.DEBUG)
"""
"""As `sitecustomize`: what somebody does who looks for a mistake in the transport."""

MAIN = """
variable "password" {
  type      = string
  sensitive = true
}

provider "solidfire" {
  endpoint = "ENDPOINT"
  username = "USER"
  password = var.password
  ca_file  = "CERTIFICATE"
  access   = "ACCESS"
}

provider "blabbing" {}

disk_offering "media" {
  min_iops   = 500
  max_iops   = CEILING
  burst_iops = 9000
}

pool "san" {
  provider = solidfire
}

host "kvm" {
  for_each  = toset(["kvm1", "kvm2"])
  provider  = blabbing
  address   = "10.0.0.1"
  initiator = "iqn.1993-08.org.debian:01:${each.key}"
}

volume "db" {
  for_each = host.kvm
  offering = disk_offering.media
  size     = "1GiB"
  attach {
    host = host.kvm[each.key]
    vm   = "blab-${each.key}"
  }
}
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Element]:
    (tmp_path / "cluster").mkdir()
    with running_element(tmp_path / "cluster", password=PASSWORD) as element:
        yield element


def sent_with(password: str) -> dict[str, str]:
    return {"the password": password, "the header": base64.b64encode(f"{USER}:{password}".encode()).decode()}


@dataclass(slots=True)
class Life:
    """A directory in which commands run; all that they said, and what of it they should not have."""

    folder: Path
    cluster: Element
    access: str
    said: str = ""
    found: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("work", "home", "tmp", "plugin"):
            (self.folder / name).mkdir()
        make_findable(self.folder / "plugin")
        (self.folder / "plugin" / "sitecustomize.py").write_text(TALKATIVE)
        self.configure(1000)

    def configure(self, ceiling: int) -> None:
        text = MAIN.replace("CEILING", str(ceiling)).replace("ACCESS", self.access).replace("USER", USER)
        text = text.replace("ENDPOINT", self.cluster.endpoint).replace("CERTIFICATE", str(self.cluster.certificate))
        (self.folder / "work" / "main.lun.hcl").write_text(text)

    def secrets(self) -> dict[str, str]:
        wrong = {f"wrong, {name}": secret for name, secret in sent_with(WRONG).items()}
        return {**sent_with(PASSWORD), **wrong, **self.of_accounts()}

    def of_accounts(self) -> dict[str, str]:
        return {
            f"secret {number} of {account['username']}": account[name]
            for account in self.cluster.call("ListAccounts")["accounts"]
            for number, name in enumerate(("initiatorSecret", "targetSecret"))
        }

    def cluster_repeats(self, method: str, known: Mapping[str, str]) -> None:
        """Its next answer to the method is an error that holds what it was asked with, and what it has answered."""
        self.cluster.fail(method, "error", name="xRepeats", message=f"Refused: {json.dumps(known)}")

    def run(self, *words: str, code: int = 0, password: str = PASSWORD) -> None:
        """Run a command and look for secrets in what it said and left behind."""
        title = " ".join(words)
        done = subprocess.run(
            [sys.executable, "-m", "planner.cli.main", *words],
            cwd=self.folder / "work",
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": f"{self.folder / 'plugin'}:{ROOT}",
                "HOME": str(self.folder / "home"),
                "TMPDIR": str(self.folder / "tmp"),
                "LUNFORM_LOG": "trace",
                "LUNFORM_LOG_PATH": "trace.log",
                "LUNFORM_VAR_password": password,
            },
            input=b"",
            capture_output=True,
            check=False,
            timeout=120,
        )
        told = done.stdout.decode() + done.stderr.decode()
        assert done.returncode == code, f"{title}: {done.returncode}\n{told}"
        self.said += told
        self.look(title, {"its output": done.stdout, "its errors": done.stderr})

    def look(self, title: str, said: Mapping[str, bytes]) -> None:
        places = {**said}
        for name in ("work", "home", "tmp"):
            places |= left_in(self.folder / name)
        fields = {name: name for name in ("initiatorSecret", "targetSecret")}  # so is a whole answer about an account
        for line in search({**self.secrets(), **fields}, places):
            self.found.setdefault(line, f"since {title}: {line}")


@pytest.mark.parametrize("access", ["groups", "chap"])
def test_no_secret_of_a_cluster_is_in_any_file_or_said_by_any_command(
    tmp_path: Path, cluster: Element, access: str
) -> None:
    life = Life(tmp_path, cluster, access)
    life.run("plan", "-out=night.plan")
    cluster.fail("CreateVolume", "lost")
    life.run("apply", "night.plan", code=1)  # the hosts refuse all disks
    life.configure(2000)
    life.cluster_repeats("ModifyQoSPolicy", sent_with(PASSWORD))
    life.run("apply", "-auto-approve", "-json", code=1)
    life.run("plan", code=1, password=WRONG)
    cluster.order(set={"limits": {"volumeSizeMin": None}})
    life.run("plan", code=1)
    cluster.order(restore=True)
    if access == "chap":
        life.cluster_repeats("ModifyVolume", {**sent_with(PASSWORD), **life.of_accounts()})
    else:
        life.cluster_repeats("DeleteVolumeAccessGroup", sent_with(PASSWORD))
    life.run("destroy", "-auto-approve", "-allow-data-loss", code=1)
    assert not life.found, "\n".join(life.found.values())

    # It was about secrets, and each way that one could have got out was gone.
    log = (tmp_path / "work" / "trace.log").read_text()
    assert len(life.of_accounts()) == (6 if access == "chap" else 2)
    for evidence in (
        "xRepeats",
        "(secret)",
        "does not let the user in",
        "ended with TypeError",
        "urllib3.connectionpool",
    ):
        assert evidence in life.said
    for evidence in ("grant_access(", "The answer to CreateVolume was lost", "let the user in", "TypeError"):
        assert evidence in log
    if access == "chap":
        assert "Credentials(" in log
        assert "iscsiadm -p (sensitive value)" in life.said
