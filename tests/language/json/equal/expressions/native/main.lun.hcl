locals {
  huge     = 123456789012345678901234567890
  exact    = 0.1000000000000000055511151231257827021181583404541015625
  negative = -5e-3
  nothing  = null
  yes      = true
  owner    = "team"
  sizes    = { a = 1, b = 2 }
}

output "value" {
  description = "costs $${money}"
  sensitive   = false
  value = {
    numbers     = [local.huge, local.exact, local.negative, 0, -0.5, 1E3]
    nothing     = local.nothing
    unchanged   = local.sizes
    computed    = local.sizes["a"] + 1
    joined      = "a-${local.sizes.b}-${upper("x")}"
    "${local.owner}/a.b" = "key"
    literal     = "$${local.owner} %%{ if } $ % \\n"
    directive   = "%{ for name, size in local.sizes ~} ${name}=${size} %{ endfor ~}."
    choice      = local.yes ? "y" : "n"
    characters  = "\" \\ / \t é 😀 \n \r"
    composed    = "é"
    for         = { for name, size in local.sizes : name => "${size}GiB" if size > 1 }
    lines       = "a\n${local.owner}\n"
    empty       = ["", {}, []]
  }
}
