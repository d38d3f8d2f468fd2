variable "vm" {
  type = string
}

variable "offering" {}

variable "host" {}

variable "sizes" {
  type = map(string)
}

volume "disk" {
  for_each = var.sizes
  offering = var.offering
  size     = each.value
  attach {
    host = var.host
    vm   = var.vm
  }
}

output "iqns" {
  value = { for name, volume in volume.disk : name => volume.iqn }
}
