provider "sandbox" {
  path = "sandbox.db"
}

disk_offering "plain" {
  size = "10GiB"
}

pool "a" {
  provider = sandbox
  scope    = "cluster"
  zone     = "east"
}

pool "b" {
  provider = sandbox
  scope    = "host"
}

volume "db" {
  offering = disk_offering.plain
}
