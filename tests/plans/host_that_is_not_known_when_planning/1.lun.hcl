provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 50
  max_iops   = 1000
  burst_iops = 2000
}

pool "ssd" {
  provider = sandbox
}

volume "first" {
  offering = disk_offering.fast
  size     = "1GiB"
}

host "kvm" {
  provider  = sandbox
  address   = "10.0.0.1"
  initiator = volume.first.iqn
  cluster   = volume.first.id
}

volume "second" {
  offering = disk_offering.fast
  size     = "1GiB"

  attach {
    host = host.kvm
  }
}
