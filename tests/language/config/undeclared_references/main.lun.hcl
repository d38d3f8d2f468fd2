provider "sandbox" {}

disk_offering "fast" {
  min_iops   = 1
  max_iops   = 2
  burst_iops = 3
}

pool "a" {
  provider = sandbox
}

host "kvm" {
  provider = sandbox
  address  = "192.0.2.1"
}

locals {
  zone = var.zoen
  size = local.siez
}

variable "zone" {
  default = "east"
}

volume "db" {
  offering = disk_offering.fsat
  size     = each.value
  zone     = east
}
