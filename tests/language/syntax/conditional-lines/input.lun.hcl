a = (x
  ? y
  : z
)
b = [
  x ?
  y :
  z,
  1 +
  2
  - 3
]
