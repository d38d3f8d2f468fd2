a
{
}
b { c = 1, d = 2 }
e { f = 1 g = 2 }
h { i {} }
j {
  k = 1 }
l { m = 1
}
n {} o = 1
"p" {
}
q 1 {
}
r "s" = 1
t {
  u {} }
v {
  w = 1

  , x = 2
}
y = z {
}
volume "aa" "bb"
