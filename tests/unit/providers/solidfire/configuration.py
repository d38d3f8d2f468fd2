"""A configuration with volumes on an emulated cluster, open to hosts of the sandbox, planned and applied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from planner import operations
from planner.planning.builder import PlanRequest
from planner.planning.plan import Plan
from tests.emulators.running import PASSWORD, USER, Element

SITE = """
provider "solidfire" {{
  endpoint = {endpoint}
  username = {username}
  password = {password}
  ca_file  = {ca_file}
  {settings}
}}

provider "sandbox" {{}}

disk_offering "fast" {{
  min_iops   = 50
  max_iops   = 1000
  burst_iops = 2000
}}

pool "san" {{
  provider = solidfire
}}

host "kvm" {{
  count     = 3
  provider  = sandbox
  address   = "10.0.0.${{count.index + 1}}"
  initiator = "iqn.1993-08.org.debian:01:kvm${{count.index}}"
  cluster   = "rack"
}}

host "nameless" {{
  provider = sandbox
  address  = "10.0.0.9"
}}
"""
VOLUME = """
volume "{name}" {{
  offering = disk_offering.fast
  size     = "10GiB"
  {attach}
}}
"""


def write(directory: Path, element: Element, settings: str, volumes: Mapping[str, tuple[str, ...]]) -> None:
    """
    Args:
        settings: further arguments of the provider's block.
        volumes: the hosts of each.
    """
    given = {
        "endpoint": element.endpoint,
        "username": USER,
        "password": PASSWORD,
        "ca_file": str(element.certificate),
    }
    text = SITE.format(**{name: json.dumps(value) for name, value in given.items()}, settings=settings)
    for name, hosts in volumes.items():
        text += VOLUME.format(name=name, attach="\n".join(f"attach {{\nhost = host.{host}\n}}" for host in hosts))
    (directory / "main.lun.hcl").write_text(text)


def plan(directory: Path, request: PlanRequest | None = None) -> Plan:
    project = operations.load(directory, operations.Inputs(environment={}))
    with closing(operations.store_of(project)) as store:
        return operations.plan(project, store, request or PlanRequest())[0]


def apply(directory: Path) -> None:
    project = operations.load(directory, operations.Inputs(environment={}))
    with closing(operations.store_of(project)) as store:
        assert operations.apply(project, store, operations.plan(project, store, PlanRequest())[0]).complete
