provider "sandbox" {
  for_each = toset(["east", "west"])
  alias    = "site"
  path     = "${each.key}.db"
}

locals {
  hosts = { a = "192.0.2.1", b = "192.0.2.2" }
}

disk_offering "fast" {
  custom_iops = true
}

pool "site" {
  for_each = toset(["east", "west"])
  provider = sandbox.site[each.key]
  zone     = each.key
}

host "kvm" {
  for_each  = local.hosts
  provider  = sandbox.site["east"]
  address   = each.value
  initiator = "iqn.1993-08.org.debian:01:${each.key}"
}

volume "shared" {
  offering = disk_offering.fast
  size     = "1GiB"

  dynamic "attach" {
    for_each = local.hosts
    iterator = each_host
    content {
      host = host.kvm[each_host.key]
      vm   = "vm-${each_host.key}"
    }
  }

  lifecycle {
    prevent_destroy      = true
    ignore_changes       = [size, attach]
    replace_triggered_by = [disk_offering.fast.tags]

    precondition {
      condition     = length(local.hosts) == 2
      error_message = "There are ${length(local.hosts)} hosts."
    }
    postcondition {
      condition     = self.size != ""
      error_message = "Without a size."
    }
    postcondition {
      condition     = true
      error_message = "Never."
    }
  }
}

volume "ignored" {
  offering = disk_offering.fast
  size     = "1GiB"
  lifecycle {
    ignore_changes = all
  }
}

data "pool" "east" {
  pool       = pool.site["east"]
  depends_on = [volume.shared]
}

check "room" {
  assert {
    condition     = length(data.pool.east.pool) > 0
    error_message = "No room."
  }
}

moved {
  from = volume.old["a b"]
  to   = volume.shared
}

moved {
  from = module.old
  to   = module.new[0]
}

removed {
  from = volume.gone
  lifecycle {
    destroy = false
  }
}

import {
  to = volume.ignored
  id = "vol-${length(local.hosts)}"
}
