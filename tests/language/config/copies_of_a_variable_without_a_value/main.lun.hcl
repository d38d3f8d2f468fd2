provider "sandbox" {}

variable "number" {
  type = number
}

pool "many" {
  count    = var.number
  provider = sandbox
}

locals {
  tiers  = [for one in pool.many : one.zone]
  missed = pool.many.x.y
}

pool "wrong" {
  for_each = "a"
  provider = sandbox
}

output "no_mistake_of_its_own" {
  value = pool.wrong["a"].zone
}
