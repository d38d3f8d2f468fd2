a = 1
b {
  c = 1
  c = 2
  d {
    c = 3
  }
}
a = 2
