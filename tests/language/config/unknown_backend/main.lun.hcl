lunform {
  backend "sqlight" {
    path = "x"
  }
}
