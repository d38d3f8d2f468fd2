provider "sandbox" {
  for_each = toset(["east", "west"])
  alias    = "site"
  path     = "${each.key}.db"
}
disk_offering "fast" {
  min_iops   = 500
  max_iops   = 1000
  burst_iops = 1500
}
disk_offering "slow" {
  min_iops   = 50
  max_iops   = 100
  burst_iops = 150
}
pool "site" {
  for_each      = toset(["east", "west"])
  provider      = sandbox.site[each.key]
  capacity_iops = each.key == "east" ? 1000 : 5000
}
volume "golden" {
  for_each = toset(["east", "west"])
  offering = disk_offering.slow
  size     = "10GiB"
  pool     = pool.site[each.key]
}
volume "copy" {
  for_each = volume.golden
  offering = disk_offering.fast
  size     = each.value.size
  source   = each.value
}
