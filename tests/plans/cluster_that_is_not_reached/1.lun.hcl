provider "sandbox" {
  path = "sandbox.db"
}

disk_offering "plain" {
  size = "10GiB"
}

pool "cluster" {
  provider = sandbox
  zone     = "east"
  cluster  = "east-1"
}

pool "local" {
  provider = sandbox
  host     = host.kvm["a"]
}

pool "zone" {
  provider = sandbox
  zone     = "west"
}

host "kvm" {
  for_each = { a = "east-1", b = "east-2", c = null }
  provider = sandbox
  zone     = "east"
  cluster  = each.value
  address  = "10.0.0.1"
}

volume "shared" {
  offering = disk_offering.plain

  attach {
    host = host.kvm["a"]
  }
  attach {
    host = host.kvm["b"]
  }
  attach {
    host = host.kvm["c"]
  }
}
