provider "sandbox" {}

disk_offering "scaled" {
  iops_per_gib {
    min   = 3
    max   = 10
    burst = 20
  }
}

pool "a" {
  provider = sandbox
}

volume "db" {
  offering = disk_offering.scaled
  size     = "50GiB"
}
