provider "sandbox" {
  path = "sandbox.db"
}

provider "sandbox" {
  alias = "west"
  path  = "west.db"
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1500
  burst_iops = 2000
}

pool "east" {
  provider      = sandbox
  capacity_iops = 1000
}

pool "west" {
  provider      = sandbox.west
  capacity_iops = 1000
}

volume "one" {
  offering = disk_offering.fast
  size     = "10GiB"
  pool     = pool.east
}

volume "two" {
  offering = disk_offering.fast
  size     = "10GiB"
  pool     = pool.west
}

output "sizes" {
  value = [volume.one.size, volume.two.size]
}

output "ceiling" {
  value = volume.one.max_iops
}
