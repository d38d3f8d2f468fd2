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
  capacity      = "1TiB"
  capacity_iops = 1000
}

host "kvm1" {
  provider  = sandbox
  address   = "10.0.0.11"
  initiator = "iqn.1993-08.org.debian:01:kvm1"
}

module "tier" {
  for_each = toset(["gold"])
  source   = "./modules/tier"
  host     = host.kvm1
  guests = {
    "${each.key}-1" = { data = "10GiB", wal = "1GiB" }
    "${each.key}-2" = { data = "20GiB" }
  }
}

output "iqns" {
  value = module.tier["gold"].iqns["gold-1"]["wal"]
}
