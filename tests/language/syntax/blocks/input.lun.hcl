empty {}
empty_too {
}
one { a = 1 }
one_over_lines { a = [
  1,
] }
labels "a" b "c d" "é" {
  a = 1

  inner "x" {
    b = 2
  }
  inner "y" {}
}
beside"a""b"{
}
for "in" if {
  null {}
}
