provider "sandbox" {
  path = "sandbox.db"
}

compute_offering "small" {
  cpus   = 2
  memory = "4GiB"

  root_disk {
    size       = "20GiB"
    min_iops   = 500
    max_iops   = 1000
    burst_iops = 2000
  }
}

disk_offering "data" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 1000
}

pool "ssd" {
  provider      = sandbox
  capacity_iops = 10000
}

host "kvm" {
  for_each = { a = "10.0.0.11", b = "10.0.0.12" }
  provider = sandbox
  address  = each.value
}

vm "www" {
  host     = host.kvm["a"]
  offering = compute_offering.small
}

volume "journal" {
  offering = disk_offering.data
  size     = "10GiB"

  attach {
    host = host.kvm["a"]
    vm   = vm.www.name
  }
}
