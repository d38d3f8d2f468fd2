# The disks of one VM given to another.

compute_offering "small" {
  cpus   = 1
  memory = "112MiB"

  root_disk {
    size       = "16MiB"
    min_iops   = 50
    max_iops   = 1000
    burst_iops = 1000
  }
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1500
  burst_iops = 2000
}

vm "web" {
  host     = host.kvm
  offering = compute_offering.small
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = "32MiB"
  attach {
    host = host.kvm
    vm   = "by-hand-2"
  }
}

volume "successor" {
  name     = "successor-2"
  offering = disk_offering.fast
  size     = "16MiB"
  lifecycle {
    create_before_destroy = true
  }
}
