# The pool, the host, the VM and the volumes at new addresses, and the volumes grown.

pool "new" {
  provider = sandbox
  name     = "pool.ssd"
}

host "new" {
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

vm "new" {
  host     = host.new
  offering = compute_offering.small
  name     = "web"
}

volume "new" {
  count    = 3
  offering = disk_offering.fast
  size     = "2GiB"
  attach {
    host = host.new
    vm   = vm.new.name
  }
}

moved {
  from = pool.old
  to   = pool.new
}

moved {
  from = host.old
  to   = host.new
}

moved {
  from = vm.old
  to   = vm.new
}

moved {
  from = volume.old
  to   = volume.new
}
