"""The providers' settings by themselves: what an apply needs of a configuration, however many volumes it has."""

from __future__ import annotations

from pathlib import Path

from tests.project import Project

ROOT = """
variable "latencies" { default = { east = 20, west = 30 } }
locals { seed = "${module.site.name}-seed" }
module "site" {
  source = "./site"
  name   = "east"
}
provider "sandbox" {
  for_each  = var.latencies
  alias     = "by_site"
  path      = PATH
  latency   = each.value
  chap_seed = local.seed
}
volume "v" {
  count    = 3
  offering = disk_offering.fast
  size     = "1GiB"
}
disk_offering "fast" { max_iops = 100 }
pool "p" { provider = sandbox.by_site["east"] }
"""

SITE = """
variable "name" {}
output "name" { value = upper(var.name) }
"""


def test_they_are_as_in_a_whole_evaluation_and_nothing_else_is_worked_out(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "main.lun.hcl").write_text(SITE)
    evaluator = Project(tmp_path, ROOT).load().evaluator
    whole = evaluator.evaluate(lambda instance: instance.attributes)
    alone = evaluator.evaluate(lambda instance: instance.attributes, providers_only=True)
    assert not [*evaluator.diagnostics, *whole.diagnostics, *alone.diagnostics]
    assert len(whole.graph.instances) == 5
    assert not alone.graph.instances
    assert {settings["chap_seed"] for settings in alone.graph.providers.values()} == {"EAST-seed"}
    assert alone.graph.providers == whole.graph.providers
