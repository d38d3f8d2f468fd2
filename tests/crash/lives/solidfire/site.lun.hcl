variable "endpoint" {
  type = string
}

variable "password" {
  type      = string
  sensitive = true
}

variable "ca_file" {
  type = string
}

variable "access" {
  type = string
}

provider "solidfire" {
  endpoint = var.endpoint
  username = "admin"
  password = var.password
  ca_file  = var.ca_file
  access   = var.access
}

provider "sandbox" {}

pool "san" {
  provider      = solidfire
  capacity_iops = 100000
}

host "kvm" {
  for_each  = { a = "10.0.0.11", b = "10.0.0.12" }
  provider  = sandbox
  address   = each.value
  initiator = "iqn.1993-08.org.debian:01:${each.key}"
  cluster   = "rack"
}
