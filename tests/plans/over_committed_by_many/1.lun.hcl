provider "sandbox" {
  path = "sandbox.db"
}

disk_offering "fast" {
  min_iops   = 600
  max_iops   = 1000
  burst_iops = 2000
}

disk_offering "large" {
  size = "900GiB"
}

pool "a" {
  provider      = sandbox
  capacity      = "1TiB"
  capacity_iops = 1000
}

pool "b" {
  provider      = sandbox
  capacity      = "2TiB"
  capacity_iops = 1000
}

pool "resting" {
  provider = sandbox
  state    = "maintenance"
}

volume "db" {
  count    = 2
  offering = disk_offering.fast
  size     = "100GiB"
}

volume "more" {
  count    = 20
  offering = disk_offering.fast
  size     = "${10 + count.index}GiB"
}

volume "archive" {
  count    = 5
  offering = disk_offering.large
}
