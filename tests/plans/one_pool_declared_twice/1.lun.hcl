provider "sandbox" {
  path = "sandbox.db"
}

disk_offering "plain" {
  size = "10GiB"
}

pool "a" {
  provider = sandbox
  name     = "aggregate-1"
  tags     = ["ssd"]
}

pool "b" {
  provider = sandbox
  name     = "aggregate-1"
  tags     = ["fast"]
}

volume "db" {
  offering = disk_offering.plain
}
