disk_offering "own" {
  size       = "10GiB"
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

volume "data" {
  offering = disk_offering.own
}

volume "copies" {
  count    = 2
  offering = disk_offering.own
}
