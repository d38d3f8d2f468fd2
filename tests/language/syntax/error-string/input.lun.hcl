a = "missing
b = "fine"
c = "two
lines"
d = "x ${y"
e = "x ${f("y)}"
g = 1
h = "${x
i = "ok"
j {
  k = "missing
  l = 1
}
m = "\"
r = "fine"
volume "label {
  n = 1
}
volume "o" "p {
}
q = 1
