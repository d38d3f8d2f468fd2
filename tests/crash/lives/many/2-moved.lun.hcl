# Grown, and each on the other host.

volume "db" {
  count    = 250
  offering = disk_offering.fast
  size     = "2GiB"
  attach {
    host = count.index % 2 == 1 ? host.kvm["a"] : host.kvm["b"]
    vm   = "vm-${count.index}"
  }
}
