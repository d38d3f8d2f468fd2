provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 1
  max_iops   = 2
  burst_iops = 3
}

pool "a" {
  provider = sandbox
}

host "kvm" {
  provider = sandbox
  address  = "192.0.2.1"
}
volume "db" {
  count    = 2
  for_each = toset(["a"])
  offering = disk_offering.fast
  size     = "1GiB"
}
