variable "default" { type = string }
variable "both" { type = string }
variable "automatic" { type = number }
variable "given" { type = any }
variable "untouched" { default = 1 }
variable "null" { default = 1 }

output "all" {
  value = [var.default, var.both, var.automatic, var.given, var.untouched, var.null]
}
