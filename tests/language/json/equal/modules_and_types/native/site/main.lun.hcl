variable "zone" {
  type = string
}

pool "p" {
  provider = sandbox
  zone     = var.zone
}

output "zone" {
  value = pool.p.zone
}
