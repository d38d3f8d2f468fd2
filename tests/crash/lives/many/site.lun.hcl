provider "sandbox" {
  latency = 5
}

disk_offering "fast" {
  min_iops   = 10
  max_iops   = 100
  burst_iops = 200
}

pool "ssd" {
  provider = sandbox
}

host "kvm" {
  for_each  = { a = "10.0.0.11", b = "10.0.0.12" }
  provider  = sandbox
  address   = each.value
  initiator = "iqn.1993-08.org.debian:01:${each.key}"
}
