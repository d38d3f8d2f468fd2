provider "sandbox" {
  enforces = ["floor"]
  policies = true
  chap_seed = var.seed
}

disk_offering "fast" {
  min_iops   = 100
  max_iops   = 1000
  burst_iops = 2000
}

host "kvm1" {
  provider = sandbox
  address  = "10.0.0.11"
}

pool "a" {
  provider = sandbox
}

data "pool" "a" {
  pool = pool.a
}

compute_offering "small" {
  cpus   = 1
  memory = "1GiB"
  root_disk {
    size = "5GiB"
  }
}

vm "web" {
  host     = host.kvm1
  offering = compute_offering.small
}

volume "db" {
  offering = disk_offering.fast
  size     = "10GiB"
  attach {
    host = host.kvm1
    vm   = "db-01"
  }
}

output "used" {
  value = data.pool.a.used
}

output "iqn" {
  value = volume.db.iqn
}

variable "seed" {
  type      = string
  sensitive = true
}
