variable "zone" {
  default = "east"
}
