provider "sandbox" {
  enforces = ["floor"]
  policies = true
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

host "kvm1" {
  provider = sandbox
  address  = "10.0.0.11"
}

pool "a" {
  provider      = sandbox
  capacity      = "10TiB"
  capacity_iops = 1000
}

pool "b" {
  provider      = sandbox
  capacity      = "10TiB"
  capacity_iops = 950
}

volume "db" {
  offering = disk_offering.fast
  size     = "10GiB"
  pool     = pool.a
}
