provider "sandbox" {
  path             = "sandbox.db"
  size_granularity = "1MiB"
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

volume "db" {
  offering = disk_offering.fast
  size     = "1GB"
}
