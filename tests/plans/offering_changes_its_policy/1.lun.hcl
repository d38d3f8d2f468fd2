provider "sandbox" {
  policies = true
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 1000
}

disk_offering "own" {
  custom_iops = true
}

pool "ssd" {
  provider      = sandbox
  capacity_iops = 10000
}

volume "db" {
  count    = 3
  offering = disk_offering.fast
  size     = "10GiB"
}

volume "log" {
  offering   = disk_offering.own
  size       = "10GiB"
  min_iops   = 50
  max_iops   = 500
  burst_iops = 500
}
