a = f()
b = f(1)
c = f(1, 2,)
d = f(x...)
e = f(1, x...)
f = f (1)
g = f(
  1

  , # comment
  2
)
h = core::upper("x")
i = provider::a::b(1)
j = x ? a::b(1) : c::d(2)
k = for(1)
l = null(1)
