a = 0x10
b = 1e
c = 1_000
d = 1e9999
e = 10.0.0.1
f = 5%
g = 400MiB/s
h = "400MiB/s"
