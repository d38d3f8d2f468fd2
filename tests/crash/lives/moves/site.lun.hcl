provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 100
  burst_iops = 200
}
