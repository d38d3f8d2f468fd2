provider "sandbox" {
  undelete_for = 28800000
}
disk_offering "fast" {
  min_iops   = 500
  max_iops   = 1000
  burst_iops = 1500
}
pool "ssd" {
  provider = sandbox
  size     = "15GiB"
  iops     = 800
}
host "kvm" {
  for_each  = toset(["a", "b"])
  provider  = sandbox
  address   = "10.0.0.1"
  initiator = "iqn.1993-08.org.debian:01:${each.key}"
}
compute_offering "small" {
  cpus   = 1
  memory = "1GiB"
  root_disk {
    size       = "10GiB"
    min_iops   = 500
    max_iops   = 1000
    burst_iops = 1500
  }
}
vm "web" {
  host     = host.kvm["b"]
  offering = compute_offering.small
}
