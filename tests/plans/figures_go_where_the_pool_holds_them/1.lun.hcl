provider "sandbox" {
  path = "sandbox.db"
}

disk_offering "strict" {
  min_iops        = 100
  max_iops        = 1000
  burst_iops      = 2000
  qos_enforcement = "storage"
}

# More headroom, but it takes figures and does not hold them.
pool "careless" {
  provider      = sandbox
  enforces      = []
  capacity      = "1TiB"
  capacity_iops = 10000
}

pool "strict" {
  provider      = sandbox
  enforces      = ["floor", "ceiling", "burst"]
  capacity      = "1TiB"
  capacity_iops = 1000
}

volume "db" {
  offering = disk_offering.strict
  size     = "10GiB"
}
