lunform {
  required_version = ">= 0.1"
  backend "sqlite" {
    path = "$${path}.state"
  }
  encryption {
    key { command = ["vault", "$${path}"] }
    old_key { file = "2025.key" }
    old_key { env = "OLD_KEY" }
  }
}

provider "sandbox" {
  path = "a.db"
}

provider "sandbox" {
  alias = "b"
  path  = "b.db"
}

locals {
  zone = "east"
}

locals {
  label = "db"
}

disk_offering "fast" {
  iops_per_gib {
    min   = 1
    max   = 2.5
    burst = 3
  }
}

pool "a" {
  provider = sandbox
  zone     = local.zone
}

pool "b" {
  provider = sandbox.b
}

host "kvm" {
  count     = 2
  provider  = sandbox
  address   = "192.0.2.${count.index}"
  initiator = "iqn.1993-08.org.debian:01:${count.index}"
}

volume "shared" {
  offering = disk_offering.fast
  size     = "1GiB"
  name     = local.label
  attach {
    host = host.kvm[0]
  }
  attach {
    host = host.kvm[1]
    vm   = "web"
  }
  lifecycle {
    prevent_destroy = true
  }
}

volume "bare" {
  offering   = disk_offering.fast
  size       = "2GiB"
  depends_on = [volume.shared, pool.a]
}
