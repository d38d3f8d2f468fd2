a = 1
b {
  c = [1,
    2]
  # comment

  d = <<EOT
one
  ${x}
EOT
  e = "x"
}
f = {
  g = 1
  h = 2
}
