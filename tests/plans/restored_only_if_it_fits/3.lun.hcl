provider "sandbox" {
  undelete_for = 28800000
}
disk_offering "fast" {
  min_iops   = 500
  max_iops   = 1000
  burst_iops = 1500
}
pool "ssd" {
  provider = sandbox
  size     = "30GiB"
  iops     = 800
}
host "kvm" {
  for_each  = toset(["a", "b"])
  provider  = sandbox
  address   = "10.0.0.1"
  initiator = "iqn.1993-08.org.debian:01:${each.key}"
}
volume "db" {
  offering = disk_offering.fast
  size     = "8GiB"
  attach {
    host = host.kvm["a"]
    vm   = "db-01"
  }
}
