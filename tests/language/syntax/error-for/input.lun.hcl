a = [for v of x : v]
b = [for v in x]
c = [for v in x if v : v]
d = { for v in x : v }
e = [for v in x : v => v]
f = [for v in x : v...]
g = [for a, b, c in x : a]
h = [for "v" in x : v]
i = [for v in x : v,]
j = { for k, v in x : k => v, }
