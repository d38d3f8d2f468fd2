size = 200GiB
a b
c: 1
d
e.f = 1
g[0] = 1
"h" = 1
i += 1
j = 1 k = 2
l =
m 5
n "x"
o = p = q
r = 1, s = 2
t = = 1
= 2
u = 200 GiB
