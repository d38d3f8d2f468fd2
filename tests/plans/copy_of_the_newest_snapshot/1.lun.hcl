provider "sandbox" {}
disk_offering "fast" {
  min_iops   = 500
  max_iops   = 1000
  burst_iops = 1500
}
disk_offering "slow" {
  min_iops   = 50
  max_iops   = 100
  burst_iops = 150
}
pool "ssd" {
  provider = sandbox
}
volume "golden" {
  offering = disk_offering.slow
  size     = "10GiB"
}
