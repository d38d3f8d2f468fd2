provider "sandbox" {
  path = "sandbox.db"
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

pool "a" {
  provider      = sandbox
  name          = "a"
  capacity_iops = 1000
}

host "kvm1" {
  provider  = sandbox
  address   = "10.0.0.11"
  initiator = "iqn.1993-08.org.debian:01:kvm1"
}

module "site" {
  for_each = { east = "10GiB", west = "20GiB" }
  source   = "./modules/site"
  size     = each.value
  pool     = pool.a
}
