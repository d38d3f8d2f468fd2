# Volumes on a pool and a host that have other names later.

pool "old" {
  provider = sandbox
  name     = "pool.ssd"
}

host "old" {
  provider  = sandbox
  address   = "10.0.0.11"
  initiator = "iqn.1993-08.org.debian:01:a"
}

compute_offering "small" {
  cpus   = 1
  memory = "1GiB"
  root_disk {
    size       = "1GiB"
    min_iops   = 10
    max_iops   = 100
    burst_iops = 100
  }
}

vm "old" {
  host     = host.old
  offering = compute_offering.small
  name     = "web"
}

volume "old" {
  count    = 3
  offering = disk_offering.fast
  size     = "1GiB"
  attach {
    host = host.old
    vm   = vm.old.name
  }
}
