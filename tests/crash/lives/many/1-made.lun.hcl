# Some hundred volumes, each for a VM of its own.

volume "db" {
  count    = 250
  offering = disk_offering.fast
  size     = "1GiB"
  attach {
    host = count.index % 2 == 0 ? host.kvm["a"] : host.kvm["b"]
    vm   = "vm-${count.index}"
  }
}
