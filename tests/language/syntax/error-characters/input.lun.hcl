a = 'single'
b = `backtick`
c = “smart”
d = 1;
e = x & y
f = x | y
g = x ** y
h = x === y
i = ${x}
j = x \
k = @x
l = 1 + 2
m = x ^ y
n = ~x
o = ²
p = "​" + ​1
q = ٣
r = 1٣
