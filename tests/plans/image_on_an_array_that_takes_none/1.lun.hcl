provider "sandbox" {
  images = false
}

compute_offering "small" {
  cpus   = 1
  memory = "1GiB"
}

pool "ssd" {
  provider = sandbox
}

host "kvm" {
  provider = sandbox
  address  = "10.0.0.11"
}

vm "web" {
  host     = host.kvm
  offering = compute_offering.small

  root_disk {
    size   = "10GiB"
    source = "debian.raw"
  }
}
