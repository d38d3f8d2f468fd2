a = 1 + 2 * 3 - 4
b = !x && y || z
c = a == b != c
d = a < b == c >= d
e = -a + b
f = !!a
g = --5
h = - -x
i = -!a.b
j = 1--2
k = 1 - -2
l = a ? b : c ? d : e
m = a || b ? c && d : -e
n = (a + b) * c
o = a % b / c
p = a -1
q = a-1
r = [-1, -x[0], !f(1)]
s = x[-1] - 2
t = -12 - 34
u = "x" - 1
v = (1) -2
