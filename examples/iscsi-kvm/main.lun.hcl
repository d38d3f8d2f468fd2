# Real iSCSI LUNs from a Linux box with tgt, in a VM on a KVM host.
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

variable "throttle" {
  type        = bool
  default     = true
  description = "The box holds the ceiling. false: the hypervisor does."
}

variable "uri" {
  type    = string
  default = "qemu:///system"
}

variable "initiator" {
  type        = string
  default     = "iqn.1993-08.org.debian:01:kvm1"
  description = "The KVM host's initiator name: /etc/iscsi/initiatorname.iscsi."
}

variable "vm" {
  type    = string
  default = "db-01"
}

variable "size" {
  type    = string
  default = "256MiB"
}

provider "tgt" {
  portal       = var.portal
  control_port = var.control_port
  chap_key     = var.chap_key
}

provider "libvirt" {}

disk_offering "steady" {
  min_iops   = 50
  max_iops   = 200
  burst_iops = 200
}

pool "box" {
  provider      = tgt
  directory     = var.directory
  throttle      = var.throttle
  capacity      = "100GiB"
  capacity_iops = 5000
}

host "kvm1" {
  provider  = libvirt
  uri       = var.uri
  address   = "127.0.0.1"
  initiator = var.initiator
}

volume "data" {
  offering = disk_offering.steady
  size     = var.size

  attach {
    host = host.kvm1
    vm   = var.vm
  }
}

output "target" {
  value = "${volume.data.portal} ${volume.data.iqn}"
}
