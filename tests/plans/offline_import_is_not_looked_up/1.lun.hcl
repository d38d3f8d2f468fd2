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
  provider = sandbox
}

volume "db" {
  offering = disk_offering.fast
  size     = "10GiB"
  attach {
    host = host.kvm1
    vm   = "db-01"
  }
}

volume "legacy" {
  offering = disk_offering.fast
  size     = "6GiB"
}

import {
  to = volume.legacy
  id = "lun-17"
}
