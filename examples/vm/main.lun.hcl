# A VM whose root disk is a LUN of its own, made from an image, with the figures of its compute offering.
# Nothing here is simulated; README.md beside this says what has to run.

variable "portal" {
  type        = string
  default     = "127.0.0.1:3260"
  description = "Where the KVM host reaches the storage box."
}

variable "control_port" {
  type        = number
  default     = 0
  description = "Which tgtd of the box (tgtd -C)."
}

variable "chap_key" {
  type        = string
  sensitive   = true
  description = "CHAP secrets are derived from it; give it as LUNFORM_VAR_chap_key."
}

variable "directory" {
  type        = string
  default     = "/srv/lunform"
  description = "Where the box keeps the backing files."
}

variable "image" {
  type        = string
  default     = "/srv/images/debian-12-genericcloud-amd64.qcow2"
  description = "A file on the storage box, of any format that qemu-img reads."
}

variable "uri" {
  type    = string
  default = "qemu:///system"
}

variable "virt_type" {
  type        = string
  default     = "kvm"
  description = "qemu where the host has no KVM."
}

variable "initiator" {
  type        = string
  default     = "iqn.1993-08.org.debian:01:kvm1"
  description = "The KVM host's initiator name: /etc/iscsi/initiatorname.iscsi."
}

variable "root_iops" {
  type    = number
  default = 1000
}

variable "memory" {
  type    = string
  default = "2GiB"
}

provider "tgt" {
  portal       = var.portal
  control_port = var.control_port
  chap_key     = var.chap_key
}

provider "libvirt" {}

compute_offering "small" {
  cpus   = 1
  memory = var.memory

  root_disk {
    size       = "4GiB"
    min_iops   = 100
    max_iops   = var.root_iops
    burst_iops = var.root_iops
  }
}

disk_offering "logs" {
  min_iops   = 50
  max_iops   = 200
  burst_iops = 200
}

pool "box" {
  provider      = tgt
  directory     = var.directory
  capacity      = "100GiB"
  capacity_iops = 5000
}

host "kvm1" {
  provider  = libvirt
  uri       = var.uri
  virt_type = var.virt_type
  address   = "127.0.0.1"
  initiator = var.initiator
}

vm "web" {
  host     = host.kvm1
  offering = compute_offering.small

  root_disk {
    source = var.image
  }
}

volume "logs" {
  offering = disk_offering.logs
  size     = "256MiB"

  attach {
    host = host.kvm1
    vm   = vm.web.name
  }
}

output "vm" { value = "${vm.web.name} ${vm.web.id}" }
