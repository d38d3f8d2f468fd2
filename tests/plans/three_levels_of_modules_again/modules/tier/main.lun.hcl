variable "guests" {
  type = map(map(string))
}

variable "host" {}

disk_offering "tier" {
  min_iops   = 10
  max_iops   = 100
  burst_iops = 200
}

module "guest" {
  source   = "../guest"
  for_each = var.guests
  vm       = each.key
  sizes    = each.value
  offering = disk_offering.tier
  host     = var.host
}

output "iqns" {
  value = { for vm, guest in module.guest : vm => guest.iqns }
}
