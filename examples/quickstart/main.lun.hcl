# Two pools, one host, and three volumes: all of it simulated, in one file beside this one.

provider "sandbox" {
  path = "sandbox.db"
}

variable "data_size" {
  type        = string
  default     = "200GiB"
  description = "Size of each database volume."
}

disk_offering "fast" {
  min_iops   = 5000
  max_iops   = 10000
  burst_iops = 15000
  tags       = ["ssd"]
}

disk_offering "bulk" {
  min_iops   = 100
  max_iops   = 500
  burst_iops = 500
}

pool "ssd" {
  provider      = sandbox
  zone          = "east"
  tags          = ["ssd"]
  exclusive     = true
  capacity      = "10TiB"
  capacity_iops = 50000
}

pool "disk" {
  provider      = sandbox
  zone          = "east"
  capacity      = "100TiB"
  capacity_iops = 5000
}

host "kvm1" {
  provider  = sandbox
  address   = "192.0.2.11"
  initiator = "iqn.1993-08.org.debian:01:kvm1"
  zone      = "east"
  vms       = ["db-01", "web-01"]
}

volume "db" {
  for_each = toset(["data", "wal"])
  offering = disk_offering.fast
  size     = var.data_size

  attach {
    host = host.kvm1
    vm   = "db-01"
  }
}

volume "archive" {
  offering = disk_offering.bulk
  size     = "4TiB"

  attach {
    host = host.kvm1
    vm   = "web-01"
  }
}

output "targets" {
  value = { for name, volume in volume.db : name => volume.iqn }
}
