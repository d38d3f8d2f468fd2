a = 1 +
b = * 2
c = (1, 2)
d = [1 2]
e = f(1 2)
g = f(x = 1)
h = x.
i = x..y
j = x.[0]
k = x."y"
l = x[]
m = x[1, 2]
n = x ? y
o = .5
p = 5.
q = +1
r = ()
s = x::y
t = x.1.0
u = x.*.y.*
v = x.y()
w = 1.2.3
x = x and y
y = not z
z = {
  a {
    b = 1
  }
}
