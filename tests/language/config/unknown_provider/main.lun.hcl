provider "sandbux" {}

pool "a" {
  provider = sandbux
}

pool "b" {
  provider = sandbox.east
}
