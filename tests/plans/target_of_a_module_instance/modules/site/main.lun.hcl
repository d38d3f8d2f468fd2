variable "size" {
  type = string
}

variable "pool" {}

disk_offering "own" {
  size       = var.size
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

volume "data" {
  offering = disk_offering.own
  pool     = var.pool
}
