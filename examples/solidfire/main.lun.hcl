# Each VM disk a LUN of its own on a SolidFire / Element cluster, which holds its minimum, maximum and burst IOPS.
# README.md beside this says what has to run.

variable "endpoint" {
  type        = string
  default     = "https://san-east.example.com"
  description = "The cluster's management address."
}

variable "username" {
  type    = string
  default = "lunform"
}

variable "password" {
  type        = string
  sensitive   = true
  description = "Of that administrator; give it as LUNFORM_VAR_password."
}

variable "ca_file" {
  type        = string
  default     = null
  description = "Certificates to check the cluster's own by. Left out: the system's."
}

variable "hosts" {
  type = map(object({
    uri       = string
    address   = string
    initiator = string
  }))
  description = "The KVM hosts, with their initiator names: /etc/iscsi/initiatorname.iscsi."
}

variable "disks" {
  type = map(object({
    host = string
    vm   = optional(string)
  }))
  description = "A LUN for each disk: on which host, and in which VM there."
}

variable "size" {
  type    = string
  default = "200GB"
}

variable "iops" {
  type    = number
  default = 10000
}

provider "solidfire" {
  endpoint = var.endpoint
  username = var.username
  password = var.password
  ca_file  = var.ca_file
}

provider "libvirt" {}

disk_offering "media-performance-disk" {
  min_iops        = 5000
  max_iops        = var.iops
  burst_iops      = 15000
  tags            = ["ssd"]
  qos_enforcement = "storage"
}

pool "east-ssd" {
  provider      = solidfire
  tags          = ["ssd"]
  capacity_iops = 250000
}

host "kvm" {
  for_each  = var.hosts
  provider  = libvirt
  uri       = each.value.uri
  address   = each.value.address
  initiator = each.value.initiator
}

volume "media" {
  for_each = var.disks
  offering = disk_offering.media-performance-disk
  size     = var.size

  attach {
    host = host.kvm[each.value.host]
    vm   = each.value.vm
  }
}

output "targets" {
  value = { for key, volume in volume.media : key => volume.iqn }
}
