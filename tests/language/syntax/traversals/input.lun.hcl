a = x.y.z
b = x["k"][0].y
c = x.0.y
d = x.for.in.if.true.null.else
e = x . y
f = x[f(y)[0]]
g = (x).y
h = [1, 2][0]
i = { a = 1 }.a
j = "s"[0]
k = f(x).y
l = x.y-z.é
m = x[
  0
]
n = "${x}".y
