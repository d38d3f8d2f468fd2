locals {
  sites = {
    east = "sandbox-east.db"
    west = "sandbox-west.db"
  }
}

provider "sandbox" {
  alias    = "site"
  for_each = local.sites
  path     = each.value
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "ssd" {
  for_each = local.sites
  provider = sandbox.site[each.key]
  name     = "ssd"
  zone     = each.key
}

volume "db" {
  for_each = local.sites
  offering = disk_offering.fast
  size     = "10GiB"
  zone     = each.key
}
