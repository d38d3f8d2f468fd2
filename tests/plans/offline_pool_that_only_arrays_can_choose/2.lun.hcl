provider "sandbox" {
  enforces = ["floor"]
  policies = true
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1500
  burst_iops = 2000
}

host "kvm1" {
  provider = sandbox
  address  = "10.0.0.11"
}

pool "a" {
  provider = sandbox
}

volume "db" {
  offering = disk_offering.fast
  size     = "20GiB"
  attach {
    host = host.kvm1
    vm   = "db-01"
  }
}

pool "b" {
  provider      = sandbox
  capacity_iops = 5000
}

pool "cold" {
  provider = sandbox
  tags     = ["cold"]
}

disk_offering "cold" {
  tags = ["cold"]
}

volume "new" {
  offering = disk_offering.fast
  size     = "1TiB"
}

volume "pinned" {
  offering = disk_offering.fast
  size     = "1TiB"
  pool     = pool.b
}

volume "archive" {
  offering = disk_offering.cold
  size     = "1TiB"
}
