a "one" {
  x = 1 +
}
b "two" {
  y = 2
}
c "three" {
  z = "unterminated
}
d "four" {
  w 4
}
e "five" {
  v = [1, 2
}
