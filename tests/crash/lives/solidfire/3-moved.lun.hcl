# What one host had goes to another, and the other way round: either loses what it has while it is given more.

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1500
  burst_iops = 2000
}

disk_offering "own" {
  custom_iops = true
}

disk_offering "replaced" {
  min_iops   = 100
  max_iops   = 250
  burst_iops = 300
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "20GiB"
  attach {
    host = host.kvm["b"]
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
    host = host.kvm["a"]
  }
}

volume "successor" {
  name     = "successor-2"
  offering = disk_offering.replaced
  size     = "1GiB"
  lifecycle {
    create_before_destroy = true
  }
  attach {
    host = host.kvm["b"]
  }
}

volume "new_name" {
  offering   = disk_offering.own
  size       = "1GiB"
  min_iops   = 100
  max_iops   = 200
  burst_iops = 300
}

volume "copy" {
  offering   = disk_offering.own
  size       = "20GiB"
  min_iops   = 100
  max_iops   = 150
  burst_iops = 300
  attach {
    host = host.kvm["a"]
  }
}
