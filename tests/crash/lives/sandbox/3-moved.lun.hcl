# The VM on another host, its disks with it; disks of one VM given to another.

compute_offering "small" {
  cpus   = 4
  memory = "4GiB"

  root_disk {
    size       = "20GiB"
    min_iops   = 500
    max_iops   = 1000
    burst_iops = 2000
  }
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1500
  burst_iops = 2000
}

disk_offering "own" {
  custom_iops = true
}

disk_offering "replaced" {
  min_iops   = 10
  max_iops   = 25
  burst_iops = 30
}

vm "web" {
  host     = host.kvm["b"]
  offering = compute_offering.small
}

volume "db" {
  for_each = toset(["data", "wal", "log"])
  offering = disk_offering.fast
  size     = "20GiB"
  attach {
    host = host.kvm["b"]
    vm   = vm.web.name
  }
}

volume "own" {
  count      = 2
  offering   = disk_offering.own
  size       = "10GiB"
  min_iops   = 100
  max_iops   = 250
  burst_iops = 300
  attach {
    host = host.kvm["a"]
    vm   = "by-hand"
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
    vm   = "by-hand"
  }
}

volume "new_name" {
  offering = disk_offering.own
  size     = "1GiB"
}

output "sizes" {
  value = { for key, volume in volume.db : key => volume.size }
}
