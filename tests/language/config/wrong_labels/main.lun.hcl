variable {
  default = 1
}

locals "x" {
}

pool "a" "b" {
}
