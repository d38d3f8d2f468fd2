variable "count_of" {
  type    = number
  default = 7

  validation {
    condition     = var.count_of < 5
    error_message = "At most five."
  }
}
