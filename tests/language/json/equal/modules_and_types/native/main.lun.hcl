provider "sandbox" {
  alias = "east"
  path  = "east.db"
}

variable "sizes" {
  type = map(object({
    size = string
    tags = optional(set(string), ["x"])
  }))
  default = {
    a = { size = "$${literal}" }
  }
  nullable = false
}

variable "optional" {
  type    = string
  default = null

  validation {
    condition     = var.optional == null
    error_message = "It is ${var.optional == null ? "null" : "set"}."
  }
}

module "site" {
  source    = "./site"
  for_each  = var.sizes
  zone      = each.key
  providers = { sandbox = sandbox.east }
}

output "sizes" {
  value      = [var.sizes, var.optional, module.site["a"].zone]
  depends_on = [module.site]
}
