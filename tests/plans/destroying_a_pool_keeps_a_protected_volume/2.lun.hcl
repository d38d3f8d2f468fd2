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
  name          = "a"
  capacity_iops = 1000
}

host "kvm1" {
  provider  = sandbox
  address   = "10.0.0.11"
  initiator = "iqn.1993-08.org.debian:01:kvm1"
}

volume "db" {
  offering = disk_offering.fast
  size     = "10GiB"
  lifecycle {
    prevent_destroy = true
  }
}

volume "log" {
  offering = disk_offering.fast
  size     = "10GiB"
}
