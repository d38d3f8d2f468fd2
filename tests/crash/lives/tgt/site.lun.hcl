variable "portal" {
  type = string
}

variable "control_port" {
  type = number
}

variable "chap_key" {
  type      = string
  sensitive = true
}

variable "directory" {
  type = string
}

variable "uri" {
  type = string
}

provider "tgt" {
  portal       = var.portal
  control_port = var.control_port
  chap_key     = var.chap_key
}

provider "libvirt" {
  shutdown_timeout = 1 # nobody in the VM listens
}

pool "fast" {
  provider      = tgt
  capacity_iops = 100000
  directory     = var.directory
}

host "kvm" {
  provider  = libvirt
  uri       = var.uri
  virt_type = "qemu"
  address   = "127.0.0.1"
  initiator = "iqn.2026-01.test.lunform:kvm"
}
