a = 1
  + 2
b = x
  ? y
  : z
c = x
  .y
d {
  e = 1 +
    2
  f = 3
}
g = 1
