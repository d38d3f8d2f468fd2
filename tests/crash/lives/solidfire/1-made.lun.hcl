# Under a policy and with figures of their own, open to hosts that log in by themselves.

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

disk_offering "own" {
  custom_iops = true
}

disk_offering "replaced" {
  min_iops   = 100
  max_iops   = 200
  burst_iops = 300
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "10GiB"
  attach {
    host = host.kvm["a"]
  }
}

volume "own" {
  offering   = disk_offering.own
  size       = "10GiB"
  min_iops   = 100
  max_iops   = 200
  burst_iops = 300
  on_destroy = "purge"
  attach {
    host = host.kvm["b"]
  }
}

volume "successor" {
  name     = "successor-1"
  offering = disk_offering.replaced
  size     = "1GiB"
  lifecycle {
    create_before_destroy = true
  }
  attach {
    host = host.kvm["b"]
  }
}

volume "old_name" {
  offering   = disk_offering.own
  size       = "1GiB"
  min_iops   = 100
  max_iops   = 200
  burst_iops = 300
}
