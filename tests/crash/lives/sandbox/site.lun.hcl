variable "async_after" {
  type    = number
  default = 0
}

provider "sandbox" {
  policies     = true
  chap_seed    = "a seed of CHAP secrets"
  async_after  = var.async_after
  undelete_for = 28800000
}

pool "ssd" {
  provider      = sandbox
  capacity_iops = 100000
}

host "kvm" {
  for_each  = { a = "10.0.0.11", b = "10.0.0.12" }
  provider  = sandbox
  address   = each.value
  initiator = "iqn.1993-08.org.debian:01:${each.key}"
}
