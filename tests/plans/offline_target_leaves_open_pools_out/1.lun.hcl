provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 1000
}

pool "a" {
  provider = sandbox
}

pool "b" {
  provider = sandbox
}

volume "new" {
  offering = disk_offering.fast
  size     = "1GiB"
}

volume "other" {
  offering = disk_offering.fast
  size     = "1GiB"
  pool     = pool.a
}
