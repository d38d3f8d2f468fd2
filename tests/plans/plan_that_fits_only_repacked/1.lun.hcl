lunform {
  placement = "headroom"
}

provider "sandbox" {
  path = "sandbox.db"
}

disk_offering "own" {
  size        = "10GiB"
  custom_iops = true
}

pool "a" {
  provider      = sandbox
  capacity_iops = 1300
}

pool "b" {
  provider      = sandbox
  capacity_iops = 1100
}

# By headroom: 600 and 500 to a, 500 and 400 to b; then 200 are left in each, and 400 are asked for.
volume "v" {
  for_each   = { p = 600, q = 500, r = 500, s = 400, t = 400 }
  offering   = disk_offering.own
  min_iops   = each.value
  max_iops   = 1000
  burst_iops = 1000
}
