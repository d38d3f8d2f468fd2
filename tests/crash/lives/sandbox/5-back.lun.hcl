# What is gone comes back, as it was: a VM's root disk, and data disks with other figures, one of them larger.

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
  max_iops   = 1200
  burst_iops = 2000
}

vm "web" {
  host     = host.kvm["a"]
  offering = compute_offering.small
}

volume "db" {
  for_each = { data = "30GiB", log = "20GiB" }
  offering = disk_offering.fast
  size     = each.value
  attach {
    host = host.kvm["a"]
    vm   = vm.web.name
  }
}
