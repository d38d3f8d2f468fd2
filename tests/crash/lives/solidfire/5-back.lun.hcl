# What is gone comes back, as it was or larger, with other figures and to another host; what was purged is made anew.

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1200
  burst_iops = 2000
}

disk_offering "own" {
  custom_iops = true
}

volume "db" {
  for_each = { data = "30GiB", wal = "20GiB" }
  offering = disk_offering.fast
  size     = each.value
  attach {
    host = host.kvm["a"]
  }
}

volume "own" {
  offering   = disk_offering.own
  size       = "10GiB"
  min_iops   = 100
  max_iops   = 250
  burst_iops = 300
  on_destroy = "purge"
  attach {
    host = host.kvm["b"]
  }
}

volume "copy" {
  offering   = disk_offering.own
  size       = "20GiB"
  min_iops   = 100
  max_iops   = 200
  burst_iops = 300
}
